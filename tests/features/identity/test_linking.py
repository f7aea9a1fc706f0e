"""A local account and a hub's are linked in three steps, undone, confirmed; several nodes of one person."""

import pytest
from unibos.features.identity.hub_models import AccountLink, LinkedAccount
from unibos.features.identity.models import User

from tests.conftest import PASSWORD
from tests.features.identity.two import EVE, Pair

PATH = "/api/v1/local/auth/link-hub/"


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    made.ask = lambda method, path=PATH, json=None: made.node.client.open(path, method=method, json=json, headers=made.bearer(made.ada))
    made.mine = {"email": EVE, "password": PASSWORD}
    yield made
    made.close()


def test_three_steps(pair):
    assert pair.ask("GET").json["state"] == "none"
    begun = pair.ask("POST", json=pair.mine)
    assert begun.status_code == 201, begun.text
    ada = User.get(User.email == "ada@example.org").id
    assert begun.json["state"] == "pending" and begun.json["ids"] == [ada, begun.json["hub_id"]]
    assert pair.identity.own_ids(begun.json["hub_id"]) == (begun.json["hub_id"], ada)
    chosen = pair.ask("PATCH", json={"older": "since", "since": "2026-01-01", "choice": "merge"})
    assert (chosen.json["state"], chosen.json["older"], chosen.json["since"][:10], chosen.json["choice"]) == ("pending", "since", "2026-01-01", "merge")
    done = pair.ask("PATCH", json={"older": "all", "choice": "merge", "confirm": True})
    assert done.json["state"] == "confirmed" and AccountLink.get().older == "all"
    for refused in (pair.ask("DELETE"), pair.ask("POST", json=pair.mine), pair.ask("PATCH", json={"older": "none"})):
        assert refused.status_code == 409
    with pair.on_hub() as identity, pair.hub.db.tenant(pair.hub.services["orgs"].home_id()):
        row = LinkedAccount.get()
        assert (row.node_id, row.local_id, row.choice, row.state) == (pair.node_id, ada, "merge", "confirmed")
        assert identity.linked.ids(row.user_id, row.org_id) == (row.user_id, ada)


def test_it_can_be_undone_and_begun_again_until_it_is_confirmed(pair):
    for _ in range(2):
        assert pair.ask("POST", json=pair.mine).status_code == 201
        assert pair.ask("POST", json=pair.mine).status_code == 201  # once more changes nothing
        with pair.on_hub():
            assert LinkedAccount.select().count() == 1
        assert pair.ask("DELETE").status_code == 204
        with pair.on_hub():
            assert LinkedAccount.select().count() == 0
        assert pair.ask("GET").json["state"] == "none" and pair.ask("DELETE").status_code == 404
        pair.advance(61)


def test_nothing_is_linked_without_proof_or_without_a_hub(pair):
    assert pair.ask("POST", json={**pair.mine, "password": "wrong"}).status_code == 401
    pair.wire.down = True
    assert pair.ask("POST", json=pair.mine).status_code == 503
    pair.wire.down = False
    for body in ({"older": "since"}, {"older": "none", "since": "2026-01-01"}, {"older": "some"}, {"since": "x"}, {"choice": "\0"}):
        assert pair.ask("PATCH", json=body).status_code in (400, 404)
    assert AccountLink.select().count() == 0
    with pair.on_hub():
        assert LinkedAccount.select().count() == 0


def test_a_person_of_the_hub_has_nothing_to_link(pair):
    token = pair.log_in().json["token"]
    assert pair.node.client.post(PATH, json=pair.mine, headers=pair.bearer(token)).status_code == 403


def test_a_node_cannot_link_for_somebody_who_has_not_logged_in_there(pair):
    with pair.on_hub() as identity:
        org = pair.hub.services["orgs"].home_id()
        person = identity.for_nodes.person(User.get(User.email == EVE), pair.node_id, org)
        elsewhere = identity.for_nodes.token(person, "another-node")[0]
        token = identity.issue_node_token(pair.node_id, org, 60)
        for shown in (elsewhere, pair.eve, "", "a.b.c", token):
            answer = pair.hub.client.post("/api/v1/auth/link/verify/", json={"token": shown, "local_id": "x", "email": "y"}, headers=pair.bearer(token))
            assert answer.status_code == 403
        look = {"local_id": "x", "user_id": person.id}
        assert pair.hub.client.post("/api/v1/auth/link/status/", json=look, headers=pair.bearer(token)).status_code == 404


def test_one_primary_among_several_nodes(hub):
    """Choices of one person's accounts on three nodes: one primary, the others are imported into it, one stays apart."""
    identity, org = hub.services["identity"], hub.services["orgs"].home_id()
    identity.for_nodes.known = lambda _node, _org: None
    eve = identity.create(EVE, PASSWORD, "Eve")
    identity.claims = lambda _user, _org="": {"org": {"id": org, "role": "member"}, "permissions": {"nodes": {"*": 3}}}
    with hub.db.tenant(org):
        for node in "abc":
            person = identity.for_nodes.person(eve, node, org)
            told = identity.linked.verify(node, org, identity.for_nodes.token(person, node)[0], f"local-{node}", EVE)
        assert [a["node_id"] for a in told["accounts"]] == ["a", "b"]

        def act(node, what, choice="separate"):
            return identity.linked.status(node, org, f"local-{node}", eve.id, what, choice)

        act("a", "choose", "primary"), act("b", "choose", "primary"), act("c", "choose", "separate")
        assert {a["node_id"]: a["choice"] for a in act("c", "look")["accounts"]} == {"a": "import", "b": "primary"}
        assert identity.linked.ids(eve.id, org) == (eve.id, "local-a", "local-b")
        act("b", "confirm", "primary"), act("b", "confirm", "primary")
        from unibos.kernel.errors import Conflict

        for refused in (lambda: act("a", "choose", "primary"), lambda: act("b", "undo"), lambda: act("b", "choose", "merge")):
            with pytest.raises(Conflict):
                refused()
        act("a", "undo")
        assert identity.linked.ids(eve.id, org) == (eve.id, "local-b")
    with hub.db.tenant("another-organisation"):
        assert identity.linked.ids(eve.id, "another-organisation") == (eve.id,)
