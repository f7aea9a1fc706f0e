"""Two organisations on one hub, or the people of a node: everybody whom the tables of access and the tests of isolation speak of."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from types import SimpleNamespace
from typing import Any

from unibos.features.identity.models import User
from unibos.features.orgs.models import Member, Organisation
from unibos.features.registry.models import Application, Node
from unibos.kernel import compose
from unibos.kernel.actors import Actor
from unibos.kernel.web import build_app, cookie_name
from unibos.panel.shell import Shell

from tests.conftest import PASSWORD, build

STAY = dt.timedelta(days=30)
ROLES = ("guest", "viewer", "member", "admin", "owner")


def settle(role: str, folder: Any, url: str = "", **environment: str) -> SimpleNamespace:
    """A claimed device with a person of every role, its web application, and on a hub on PostgreSQL a second organisation with an owner.

    `people` are users by role, `other` the second organisation's owner; `alpha` and `beta` are the organisations' ids.
    """
    built = build(role, folder, url, **environment)
    orgs, identity = built.services["orgs"], built.services["identity"]
    owner = orgs.claim(orgs.code(), "", email="owner@example.org", password=PASSWORD, name="owner", organisation="Alpha")
    built.alpha, built.beta, built.people = orgs.home_id(), "", {"owner": owner}
    for name in ROLES[:-1]:
        built.people[name] = identity.create(f"{name}@example.org", PASSWORD, name, kind="guest" if name == "guest" else "")
        belong(built, built.alpha, built.people[name], name)
    with built.db.transaction():
        User.update(expires_at=built.clock.now() + STAY).where(User.id == built.people["guest"].id).execute()
    if url and role == "hub":
        built.clock.advance(86400)  # the device's own organisation is the one that was there first
        built.beta = built.kit.random.uuid()
        built.people["other"] = identity.create("other@example.org", PASSWORD, "other")
        with built.db.tenant(built.beta):
            built.kit.records.create(Organisation, id=built.beta, org_id=built.beta, name="Beta", slug="beta", claimed_at=built.clock.now())
        belong(built, built.beta, built.people["other"], "owner")
    built.open_to = lambda routes: _open(built, routes)
    built.admit = lambda: _admit(built)
    built.open_to(compose.routes(built.features))
    return built


def _open(built: SimpleNamespace, routes: Any) -> None:
    authenticate = next(f.load(f.authenticate)(built.kit, built.services) for f in built.features if f.authenticate)
    built.app = build_app(routes, built.kit, built.services, hostname="box", authenticate=authenticate,
                          guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features)))


def _admit(built: SimpleNamespace) -> str:
    """The id of a node of Alpha; where there is no registry of nodes, one that nobody has heard of."""
    if built.kit.role != "hub":
        return built.kit.random.uuid()
    with built.db.tenant(built.alpha):
        return built.kit.records.create(Node, org_id=built.alpha, hostname="alpha-1", public_key="QUxQSEE" + "A" * 36 + "=").id


def belong(built: SimpleNamespace, org_id: str, user: Any, role: str) -> None:
    """Make somebody a member."""
    with built.db.tenant(org_id), built.db.transaction():
        Member.create(id=built.kit.random.uuid(), organisation_id=org_id, user_id=user.id, role=role, joined_at=built.clock.now(),
                      expires_at=built.clock.now() + STAY if role == "guest" else None)


def furnish(built: SimpleNamespace, org_id: str, mark: str) -> dict[str, list[str]]:
    """Things of an organisation on a hub, with `mark` in every text that people read; their ids by the names that routes give them."""
    with built.db.tenant(org_id), built.db.transaction():
        org = Organisation.get_by_id(org_id)
        built.kit.records.update(org, name=f"{mark} house")
        nodes = [built.kit.records.create(Node, org_id=org_id, hostname=f"{mark}-{n}", public_key=f"{mark}-{n}").id for n in range(3)]
        jobs = [built.kit.jobs.put("core.health_check", {"of": mark}, subject=mark) for _ in range(3)]
    who = Actor("person", built.people["owner" if org_id == built.alpha else "other"].id, org_id, "owner")
    with built.db.tenant(org_id):
        invitations = [built.services["orgs"].invitations.make(org_id, who, "viewer", label=f"{mark} {n}")[0].id for n in range(2)]
        applications = [apply(built, org_id, f"{mark}-new") for _ in range(2)]
    people = [person.id for role, person in built.people.items() if (role == "other") == (org_id == built.beta)]
    return {"node_id": nodes, "job_id": [job.id for job in jobs], "invitation_id": invitations, "application_id": applications, "user_id": people}


def apply(built: SimpleNamespace, org_id: str, hostname: str) -> str:
    """The id of a node that asks to be let into an organisation. Call it for that tenant."""
    now, found = built.clock.now(), built.kit.random.uuid()
    Application.create(id=found, org_id=org_id, public_key=hashlib.sha256(found.encode()).hexdigest()[:44], about={"hostname": hostname, "type": "standard"},
                       address="10.0.0.9", created_at=now, seen_at=now, expires_at=now + dt.timedelta(days=7))
    return found


class Caller:
    """Sends requests as one of the people, a node or a stranger; every request has a session of its own, so that a logout ends no other test."""

    def __init__(self, built: SimpleNamespace, who: str):
        self.built, self.who = built, who

    def send(self, method: str, path: str, **options: Any) -> Any:
        """The answer; forms carry the token that the panel would have given them."""
        page = not path.startswith(("/api/", "/healthz", "/readyz"))
        client, headers = self.built.app.test_client(), {}
        identity = self.built.services["identity"]
        root, org = "visit", {"stranger": "", "other": self.built.beta}.get(self.who, self.built.alpha)
        if self.who == "node":
            headers["Authorization"] = f"Bearer {identity.issue_node_token(self.built.node_id, self.built.alpha, 60)}"
        elif self.who != "stranger":
            _session, root = identity.open_session(self.built.people[self.who], "browser", "", "")
            client.set_cookie(cookie_name(self.built.kit), root)
        if root == "visit":
            client.set_cookie(cookie_name(self.built.kit, "visit"), root)
        headers["X-CSRF-Token"] = hmac.new(self.built.kit.secret("csrf", 32), f"{root} {org}".encode(), hashlib.sha256).hexdigest()
        if method != "GET" and not options:
            options = {"data": {}} if page else {"json": {}}
        return client.open(path, method=method, headers=headers, **options)
