"""JSON v1 of a node about itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from unibos import __version__
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say

ROUTES = Routes()


class Join(BaseModel):
    """Which hub, with which token."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(max_length=300)
    token: str = Field(max_length=128)


class Identify(BaseModel):
    """What to sign."""

    challenge: str = Field(min_length=16, max_length=128)


@ROUTES.post("/api/v1/node/join/", access="owner", body=Join, status=201)
def join(call: Call) -> dict:
    """Join a hub with an enrolment token."""
    answer = call.service.ask_to_join(call.body.url, call.body.token, call.actor.id)
    return {**answer, "trust": say(answer["trust"])}


@ROUTES.get("/api/v1/node/identify/", access="open", query=Identify, unclaimed=True)
def identify(call: Call) -> dict:
    """Prove this node's key over a challenge; how a hub calls back."""
    return call.service.identify(call.query.challenge)


@ROUTES.get("/api/v1/node/", access="viewer")
def node(call: Call) -> dict:
    """This node: its equipment, load and hubs."""
    machine = call.kit.machine()
    hubs = [{"url": h.url, "node_id": h.node_id, "joined_at": h.joined_at.isoformat(), "failure": h.failure,
             "answered_at": h.answered_at.isoformat() if h.answered_at else None} for h in call.services["link"].hubs()]
    return {"role": call.kit.role, "version": __version__, "hostname": machine["hostname"], "capabilities": machine["capabilities"],
            "metrics": machine["metrics"], "hubs": hubs}
