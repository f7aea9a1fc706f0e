"""JSON v1 of a node about itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from unibos import __version__
from unibos.features.registry.shapes import Line, Slug, Strict
from unibos.kernel.errors import Conflict, Forbidden, NotFound
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say

ROUTES = Routes()


class Join(Strict):
    """Which hub, with which token; without one the hub is asked. `pin`: of the hub's own authority, where it has one."""

    url: Line = Field(min_length=1, max_length=300)
    token: Line = Field("", max_length=128)
    organisation: Slug = ""
    pin: str = Field("", max_length=32, pattern=r"^[A-Za-z0-9]*$")


class Joined(BaseModel):
    """Whether this node is in, or waits for somebody to let it in."""

    state: Literal["joined", "pending"]
    hub: str
    node_id: str
    org_id: str
    trust: str
    fingerprint: str


class Identify(BaseModel):
    """What to sign."""

    challenge: Line = Field(min_length=16, max_length=128)


class Identified(BaseModel):
    """This node's key, and its signature over the challenge."""

    public_key: str
    signature: str


class HubOut(BaseModel):
    """A hub of this node; `refused_since` is empty while it trusts this node."""

    url: str
    node_id: str
    org_id: str
    joined_at: str
    failure: str
    answered_at: str | None
    refused_since: str
    trust: int | None
    maintenance: bool
    revocations: int


class WishOut(BaseModel):
    """A hub that was asked."""

    url: str
    organisation: str
    state: Literal["pending", "refused"]
    why: str
    asked_at: str
    next_at: str


class ThisNode(BaseModel):
    """This node: its equipment, load, key and hubs."""

    role: str
    version: str
    hostname: str
    type: str
    fingerprint: str
    public_key: str
    capabilities: dict[str, Any]
    metrics: dict[str, Any]
    hubs: list[HubOut]
    waiting: list[WishOut]


class Drop(Strict):
    """Which hub is not to be asked any more."""

    url: Line = Field(max_length=300)


@ROUTES.post("/api/v1/node/join/", access="owner", body=Join, status=201, answer=Joined, raises=(NotFound, Conflict, Forbidden))
def join(call: Call) -> dict:
    """Join a hub with an enrolment token, or ask it without one."""
    body = call.body
    answer = call.service.ask_to_join(body.url, body.token, call.actor.id, body.organisation, body.pin)
    return {**answer, "trust": say(answer["trust"]), "fingerprint": call.service.fingerprint()}


@ROUTES.post("/api/v1/node/join/drop/", access="owner", body=Drop, status=204, raises=(NotFound,))
def drop(call: Call) -> None:
    """Do not ask a hub any more."""
    call.services["link"].wishes.drop(call.body.url)


@ROUTES.get("/api/v1/node/identify/", access="open", query=Identify, unclaimed=True, answer=Identified)
def identify(call: Call) -> dict:
    """Prove this node's key over a challenge; how a hub calls back."""
    return call.service.identify(call.query.challenge)


@ROUTES.get("/api/v1/node/", access="viewer", answer=ThisNode)
def node(call: Call) -> dict:
    """This node: its equipment, load, the fingerprint of its key, and its hubs."""
    about, link = call.service.about(), call.services["link"]
    hubs = [{"url": h.url, "node_id": h.node_id, "org_id": h.org_id, "joined_at": h.joined_at.isoformat(), "failure": h.failure,
             "answered_at": h.answered_at.isoformat() if h.answered_at else None, "refused_since": h.refused_since, "trust": h.trust,
             "maintenance": h.maintenance, "revocations": link.seen(h)} for h in link.hubs()]
    waiting = [{"url": w.url, "organisation": w.organisation, "state": w.state, "why": w.why, "asked_at": w.asked_at.isoformat(),
                "next_at": w.due_at.isoformat()} for w in link.wishes.all()]
    return {"role": call.kit.role, "version": __version__, "hostname": about["hostname"], "type": about["type"], "fingerprint": call.service.fingerprint(),
            "public_key": call.service.identify("about-this-node")["public_key"], "capabilities": about["capabilities"],
            "metrics": call.kit.machine()["metrics"], "hubs": hubs, "waiting": waiting}
