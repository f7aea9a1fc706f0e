"""JSON v1 of linking: on the hub for nodes, on a node for the person; and what the owner of a node grants people of hubs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from flask import request
from pydantic import BaseModel, Field

from unibos.features.identity.api import Strict
from unibos.features.identity.factor_api import no_guest
from unibos.features.identity.hub_api import Id, LoginOut, NodeLogin, Plain
from unibos.kernel.errors import Conflict, Forbidden, NotFound, Throttled
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import say
from unibos.wire import tokens

HUB_ROUTES, NODE_ROUTES = Routes(), Routes()
Email = Annotated[str, Field(max_length=254), Plain]
Choice = Literal["separate", "merge", "primary", "import"]


class Verify(Strict):
    """A person's token for this node, and the local account that is theirs."""

    token: Annotated[str, Field(max_length=tokens.MAXIMUM), Plain]
    local_id: Id
    email: Email


class Status(Strict):
    """What to do with a link."""

    local_id: Id
    user_id: Id
    act: Literal["look", "choose", "confirm", "undo"] = "look"
    choice: Choice = "separate"


class Account(BaseModel):
    """A person's account on another node."""

    node_id: str
    email: str
    choice: str
    state: str


class Linked(BaseModel):
    """A link as the hub keeps it."""

    state: Literal["linked", "none"]
    choice: str
    accounts: list[Account]


@HUB_ROUTES.post("/api/v1/auth/link/init/", access="node", body=NodeLogin, answer=LoginOut, raises=(NotFound,))
def init(call: Call) -> LoginOut:
    """A person proves on a node that an account of this hub is theirs; nothing is linked by it."""
    body = call.body
    return LoginOut.model_validate(call.service.for_nodes.log_in(call.actor.id, call.actor.org_id, body.email, body.password, body.address))


@HUB_ROUTES.post("/api/v1/auth/link/verify/", access="node", body=Verify, answer=Linked, raises=(Conflict, NotFound))
def verify(call: Call) -> Linked:
    """Link a node's local account with the person whose token this is."""
    body = call.body
    return Linked.model_validate(call.service.linked.verify(call.actor.id, call.actor.org_id, body.token, body.local_id, body.email))


@HUB_ROUTES.post("/api/v1/auth/link/status/", access="node", body=Status, answer=Linked, raises=(Conflict, NotFound))
def status(call: Call) -> Linked:
    """Look at a link, choose, confirm, or undo it while it is not confirmed."""
    body = call.body
    return Linked.model_validate(call.service.linked.status(call.actor.id, call.actor.org_id, body.local_id, body.user_id, body.act, body.choice))


class LinkHub(Strict):
    """The account on the hub."""

    email: Email
    password: Annotated[str, Field(max_length=256), Plain]


class LinkSecond(Strict):
    """The hub's second step."""

    challenge: Annotated[str, Field(max_length=128), Plain]
    code: Annotated[str, Field(max_length=64), Plain]


class Choose(Strict):
    """What older data goes to the hub (`since` with a day), and how accounts of other nodes are seen. `confirm` makes it stay so."""

    older: Literal["none", "all", "since"] = "none"
    since: dt.date | None = None
    choice: Choice = "separate"
    confirm: bool = False


class Link(BaseModel):
    """A link as its person sees it; `ids` are the ids by which records are theirs."""

    state: Literal["none", "pending", "confirmed"]
    hub_id: str
    older: str
    since: str | None
    choice: str
    ids: list[str]
    accounts: list[Account]


def own(call: Call) -> str:
    """The id of the person asking; raises Forbidden for who is none."""
    if call.actor.kind != "person":
        raise Forbidden(T("Only people have accounts that can be linked."))
    no_guest(call)
    return call.actor.id


def midnight(day: dt.date | None) -> dt.datetime | None:
    """The beginning of a day, UTC."""
    return None if day is None else dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


@NODE_ROUTES.get("/api/v1/local/auth/link-hub/", access="guest", answer=Link)
def look(call: Call) -> Link:
    """Whether the account of the one asking is linked with one of a hub."""
    return Link.model_validate(call.service.linking.shown(own(call)))


@NODE_ROUTES.post("/api/v1/local/auth/link-hub/", access="viewer", body=LinkHub, answer=Link, status=201, raises=(Conflict, Throttled))
def begin(call: Call) -> Link:
    """Prove an account of the hub and link one's own with it; it is pending until it is confirmed."""
    return Link.model_validate(call.service.linking.begin(own(call), call.body.email, call.body.password, request.remote_addr or ""))


@NODE_ROUTES.post("/api/v1/local/auth/link-hub/factor/", access="viewer", body=LinkSecond, answer=Link, status=201, raises=(Conflict, Throttled))
def second(call: Call) -> Link:
    """The hub's second step of linking."""
    return Link.model_validate(call.service.linking.second(own(call), call.body.challenge, call.body.code, request.remote_addr or ""))


@NODE_ROUTES.patch("/api/v1/local/auth/link-hub/", access="viewer", body=Choose, answer=Link, raises=(Conflict, NotFound))
def choose(call: Call) -> Link:
    """Choose what older data goes to the hub and how accounts of other nodes are seen; confirm it."""
    body = call.body
    return Link.model_validate(call.service.linking.choose(own(call), choice=body.choice, older=body.older, since=midnight(body.since), confirm=body.confirm))


@NODE_ROUTES.delete("/api/v1/local/auth/link-hub/", access="viewer", status=204, raises=(Conflict, NotFound))
def undo(call: Call) -> None:
    """Take a link back that is not confirmed."""
    call.service.linking.undo(own(call))


class Grant(Strict):
    """The role for when the hub's word is too old; empty takes it back."""

    role: Literal["", "guest", "viewer", "member", "admin"]


class HubPersonOut(BaseModel):
    """A person of a hub on this node."""

    id: str
    email: str
    name: str
    hub_role: str
    grant: str
    role: str
    state: str
    why: str
    offline: bool
    confirmed_at: str


class HubPeopleOut(BaseModel):
    """The people of hubs on this node."""

    items: list[HubPersonOut]


def shown(row: dict) -> HubPersonOut:
    """A person with their standing."""
    found = row["standing"]
    return HubPersonOut(**{k: row[k] for k in ("id", "email", "name", "hub_role", "grant", "offline")}, role=found.role, state=found.state,
                        why=say(found.why), confirmed_at=row["confirmed_at"].isoformat())


@NODE_ROUTES.get("/api/v1/local/people/", access="admin", answer=HubPeopleOut)
def people(call: Call) -> HubPeopleOut:
    """The people of hubs whom this node knows: what they may here now, why, and what the owner granted."""
    return HubPeopleOut(items=[shown(row) for row in call.service.hub_people.all()])


@NODE_ROUTES.post("/api/v1/local/people/<person_id>/grant/", access="owner", body=Grant, status=204)
def grant(call: Call, person_id: str) -> None:
    """Grant a person of a hub a role on this node for when the hub's word is older than seven days."""
    call.service.hub_people.set_grant(person_id, call.body.role, call.actor.id)
