"""JSON v1 of export control."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from unibos.kernel.web import Call, Routes

ROUTES = Routes()


class Rule(BaseModel):
    """A decision of the owner."""

    model_config = ConfigDict(extra="forbid")
    module: str = Field(max_length=64)
    data_type: str = Field(max_length=64)
    destination: Literal["hub", "peer", "internet"]
    decision: Literal["allow", "deny"]


class Switch(BaseModel):
    """The kill switch."""

    model_config = ConfigDict(extra="forbid")
    on: bool


@ROUTES.get("/api/v1/export/", access="member", device=True)
def status(call: Call) -> dict:
    """What may leave this device, and where to."""
    return {"kill_switch": call.service.rules().get("kill") == "on",
            "items": [{**row, "sentence": str(row["sentence"]),
                       "to": {d: {"allowed": v.allowed, "why": str(v.why)} for d, v in row["to"].items()}} for row in call.service.table()]}


@ROUTES.post("/api/v1/export/rules/", access="owner", device=True, body=Rule, status=200)
def rule(call: Call) -> dict:
    """Allow or deny one kind of data for one destination."""
    body = call.body
    call.service.set(body.module, body.data_type, body.destination, body.decision, call.actor.id)
    return status(call)


@ROUTES.post("/api/v1/export/kill-switch/", access="owner", device=True, body=Switch)
def kill_switch(call: Call) -> dict:
    """Stop everything that leaves this device, or let the rules decide again."""
    call.service.kill(call.body.on, call.actor.id)
    return status(call)


@ROUTES.get("/api/v1/export/log/", access="admin", device=True)
def log(call: Call) -> dict:
    """What asked to leave lately, and the answers."""
    return {"items": [{"at": r.at.isoformat(), "module": r.module, "data_type": r.data_type, "destination": r.destination, "records": r.records,
                       "bytes": r.size, "actor": r.actor, "allowed": r.allowed, "why": r.why} for r in call.service.log()]}
