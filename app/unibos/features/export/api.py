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


class Verdict(BaseModel):
    """Whether something may leave, and why."""

    allowed: bool
    why: str


class Kind(BaseModel):
    """One kind of data with the verdict for each destination."""

    module: str
    data_type: str
    sentence: str
    never: bool
    to: dict[str, Verdict]


class Exports(BaseModel):
    """What may leave this device."""

    kill_switch: bool
    items: list[Kind]


class Entry(BaseModel):
    """One question whether something may leave, with the answer."""

    at: str
    module: str
    data_type: str
    destination: str
    records: int
    bytes: int
    actor: str
    allowed: bool
    why: str


class Log(BaseModel):
    """The newest questions."""

    items: list[Entry]


@ROUTES.get("/api/v1/export/", access="member", device=True, answer=Exports)
def status(call: Call) -> dict:
    """What may leave this device, and where to."""
    return {"kill_switch": call.service.rules().get("kill") == "on",
            "items": [{**row, "sentence": str(row["sentence"]),
                       "to": {d: {"allowed": v.allowed, "why": str(v.why)} for d, v in row["to"].items()}} for row in call.service.table()]}


@ROUTES.post("/api/v1/export/rules/", access="owner", device=True, body=Rule, answer=Exports)
def rule(call: Call) -> dict:
    """Allow or deny one kind of data for one destination."""
    body = call.body
    call.service.set(body.module, body.data_type, body.destination, body.decision, call.actor.id)
    return status(call)


@ROUTES.post("/api/v1/export/kill-switch/", access="owner", device=True, body=Switch, answer=Exports)
def kill_switch(call: Call) -> dict:
    """Stop everything that leaves this device, or let the rules decide again."""
    call.service.kill(call.body.on, call.actor.id)
    return status(call)


@ROUTES.get("/api/v1/export/log/", access="admin", device=True, answer=Log)
def log(call: Call) -> dict:
    """What asked to leave lately, and the answers."""
    return {"items": [{"at": r.at.isoformat(), "module": r.module, "data_type": r.data_type, "destination": r.destination, "records": r.records,
                       "bytes": r.size, "actor": r.actor, "allowed": r.allowed, "why": r.why} for r in call.service.log()]}
