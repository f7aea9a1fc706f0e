"""The commands for people and organisations, through the API, as the console of a hub and of a node."""

import json
import os
import socket
import struct

import pytest
from click.testing import CliRunner
from unibos.features.orgs.people_cli import orgs, users
from unibos.kernel.cli import Context

from tests.conftest import PASSWORD


class Peer:
    """A unix socket whose other end is of our own user."""

    family = socket.AF_UNIX

    def getsockopt(self, *_what):
        return struct.pack("3i", 1, os.getuid(), 0)


@pytest.fixture
def run(web):
    return runner(web)


def runner(house):
    def call(method, path, body, headers=None):
        answer = house.client.open(path, method=method, json=body, headers=headers, environ_overrides={"gunicorn.socket": Peer()}, base_url="http://unibos")
        return answer.status_code, answer.json or {}

    def go(program, *words, stdin="", fails=False):
        done = CliRunner().invoke(program, [*words, "--json"] if not fails else list(words), obj=Context(house.kit.role, house.kit.data_dir, call), input=stdin)
        assert (done.exit_code != 0) == fails, done.output
        return done.output if fails else json.loads(done.output)

    return go


def test_people_are_invited_added_changed_and_removed(web, run):
    assert [m["name"] for m in run(users)["items"]] == ["Ada"]
    made = run(users, "add", "bo@example.org", "--role", "viewer")
    assert made["url"].startswith("http://127.0.0.1:8000/join/#invite=") and made["email"] == "bo@example.org"
    assert run(users, "invitations")["items"][0]["role"] == "viewer"
    assert run(users, "revoke", made["id"]) == {"revoked": made["id"]}
    bo = run(users, "add", "bo@example.org", "--name", "Bo", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert bo["role"] == "member" and web.identity.log_in("bo@example.org", PASSWORD, "x").id == bo["user_id"]
    assert run(users, "role", "bo@example.org", "admin")["role"] == "admin"
    assert run(users, "show", "bo")["user_id"] == bo["user_id"]
    run(users, "disable", "Bo")
    assert run(users, "show", "Bo")["disabled"] is True
    run(users, "enable", "Bo")
    guest = run(users, "guest", "--name", "Gül", "--hours", "4", "--pin-stdin", stdin="4711\n")
    assert (guest["role"], guest["guest_hours"], guest["pin"]) == ("guest", 4, True)
    assert run(users, "transfer", "Bo") == {"offered_to": bo["user_id"]}
    assert "last owner" in run(users, "role", "Ada", "viewer", fails=True)
    assert "nobody here" in run(users, "remove", "--yes", "Cy", fails=True)
    run(users, "remove", "--yes", "Bo")
    assert [m["name"] for m in run(users)["items"]] == ["Ada"]
    assert PASSWORD not in json.dumps(run(users))


def test_the_operator_makes_and_changes_organisations_of_a_hub(web, run):
    made = run(orgs, "add", "Reading society", "--plan", "starter")
    assert made["plan"] == "starter" and "#invite=" in made["invitation"] and made["limits"]["users"] == 5
    slug = made["slug"]
    user, org_id = web.orgs.invitations.accept(made["invitation"], "x", name="Bo", email="bo@example.org", password=PASSWORD)
    assert org_id == made["id"] and [(o["slug"], o["users"]) for o in run(orgs)["items"]][1] == (slug, 1)
    assert [m["role"] for m in run(users, "--org", slug)["items"]] == ["owner"]
    changed = run(orgs, "set", slug, "--max-users", "40", "--plan", "professional", "--name", "Readers")
    assert (changed["limits"]["users"], changed["plan"], changed["name"]) == (40, "professional", "Readers")
    assert run(orgs, "set", slug, "--max-users", "plan")["limits"]["users"] == 25
    assert run(orgs, "show", slug)["used"]["users"] == 1 and run(orgs, "show")["id"] == web.home
    second = run(orgs, "add", "Second", "--owner", "bo@example.org")
    assert second["users"] == 1 and {r for _o, r in web.orgs.organisations.roles(user.id)} == {"owner"}
    assert "no organisation nowhere" in run(users, "--org", "nowhere", fails=True)
    assert "nobody with the e-mail" in run(orgs, "add", "Third", "--owner", "no@example.org", fails=True)
    assert "a number or `plan`" in run(orgs, "set", slug, "--max-users", "many", fails=True)


def test_a_node_has_the_same_for_its_people(node_house):
    go = runner(node_house)
    assert go(users, "add", "bo@example.org", "--password-stdin", stdin=f"{PASSWORD}\n")["name"] == "bo"
    assert go(users, "invite", "--role", "viewer", "--uses", "3")["url"].startswith("http://127.0.0.1:8001/join/#invite=")
    go(users, "erase", "--yes", "bo")
    assert [m["name"] for m in go(users)["items"]] == ["Ada"]
