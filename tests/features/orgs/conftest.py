"""A hub or node with people: Ada is the owner, others join as what is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from unibos.kernel.actors import Actor

from tests.conftest import PASSWORD, claim

HERE = Path(__file__).parent
# On PostgreSQL each day: where two come at once, and where tenants meet. The rest runs there, too, in the wider matrix.
EVERYDAY = ("at_once", "last_place", "one_gets_in", "one_stays", "two_organisations", "odd_input", "guest_comes", "known_address", "neither_disabled",
            "no_slug", "hears_of", "claim", "code")
CONSOLE = Actor("console", "console", role="owner")


def quick(call: Any, *args: str) -> Any:
    """In place of hashing, which is tested elsewhere: here many people come and go."""
    return call(*args) if args[0].startswith("$argon2") else f"plain:{args[0]}" if call.__name__ == "make" else args[0] == f"plain:{args[1]}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test of a database of its own on PostgreSQL costs a second."""
    for item in items:
        if item.path.parent == HERE and "postgresql" in item.name and not any(word in item.name for word in EVERYDAY):
            item.add_marker(pytest.mark.slow)


class House:
    """People of a built hub or node, by service or by web."""

    def __init__(self, built: SimpleNamespace):
        self.built, self.kit, self.orgs, self.identity = built, built.kit, built.services["orgs"], built.services["identity"]
        built.kit.heavy = quick
        self.identity.throttle = lambda *_args, **_more: None
        self.ada = self.orgs.claim(self.orgs.code(), "a", email="ada@example.org", password=PASSWORD, name="Ada")
        self.home = self.orgs.home_id()

    def within(self, org_id: str = "") -> Any:
        return self.kit.db.tenant(org_id or self.home)

    def actor(self, user: Any, org_id: str = "", session: str = "") -> Actor:
        org_id = org_id or self.home
        self.orgs.forget()
        role = self.orgs.claims_of(user.id, org_id).get("org", {}).get("role", "")
        return Actor("person", user.id, org_id, role, user.name, "cookie", session)

    def invite(self, role: str = "member", org_id: str = "", by: Actor | None = None, **more: Any) -> str:
        with self.within(org_id):
            return self.orgs.invitations.make(org_id or self.home, by or CONSOLE, role, **more)[1]

    def join(self, name: str, role: str = "member", org_id: str = "", **more: Any) -> Any:
        return self.orgs.invitations.accept(self.invite(role, org_id, **more), "x", name=name, email=f"{name.lower()}@example.org", password=PASSWORD)[0]

    def role_of(self, user: Any, org_id: str = "") -> str:
        with self.within(org_id):
            return next((p.role for p in self.orgs.people.list(org_id or self.home) if p.user_id == user.id), "")

    def organisation(self, name: str, owner: Any, plan: str = "self_hosted") -> str:
        """Another organisation of a hub."""
        return self.orgs.organisations.create(CONSOLE, name, "team", plan, owner.id).id

    def registration(self, word: str) -> None:
        """Set UNIBOS_REGISTRATION."""
        name = "UNIBOS_REGISTRATION"
        self.kit.settings._values[name] = dataclasses.replace(self.kit.settings._values[name], value=word)

    def token(self, user: Any) -> dict[str, str]:
        return {"Authorization": "Bearer " + self.identity.tokens(user, "", "")["token"]}


@pytest.fixture
def on_hub(hub):
    return House(hub)


@pytest.fixture
def on_node(node):
    return House(node)


def _web(built):
    house = House.__new__(House)
    house.token_of_ada = {"Authorization": f"Bearer {claim(built)}"}
    house.built, house.kit, house.orgs, house.identity = built, built.kit, built.services["orgs"], built.services["identity"]
    house.identity.throttle = lambda *_args, **_more: None
    house.home, house.client = house.orgs.home_id(), built.client
    built.kit.heavy = quick
    built.kit.bus.ask = lambda *_args, **_more: {"connected": True, "why": ""}  # no agent is there to be waited for
    house.ada = house.identity.people.find("ada@example.org")
    return house


@pytest.fixture
def web(hub_web):
    """A hub with its web application."""
    return _web(hub_web)


@pytest.fixture
def node_house(node_web):
    """A node with its web application."""
    return _web(node_web)
