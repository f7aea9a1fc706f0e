"""JSON v1 of devices."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unibos.kernel.errors import Conflict, Invalid
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import say

ROUTES = Routes()
DAY = 86_400_000


class Strict(BaseModel):
    """Input that takes no unknown field."""

    model_config = ConfigDict(extra="forbid")


class Add(Strict):
    """A new credential."""

    name: str = Field(min_length=1, max_length=120)
    kind: Literal["generic", "esphome", "zigbee2mqtt", "tasmota", "shelly"] = "generic"
    allow: list[str] = Field(default_factory=list, max_length=32)


class Span(BaseModel):
    """Which readings: `from` and `to` are ISO 8601 times or milliseconds since 1970; the last day by default."""

    entity: str = Field(max_length=300)
    start: str = Field("", alias="from", max_length=40)
    end: str = Field("", alias="to", max_length=40)
    limit: int = Field(500, ge=1, le=5000)


class Command(Strict):
    """What an entity is to do."""

    entity: str = Field(max_length=300)
    action: Literal["on", "off", "toggle", "set", "brightness"]
    value: float | None = None


class Entity(BaseModel):
    """One thing that a device measures or does; `state` is its newest number or text."""

    id: str
    name: str
    component: str
    unit: str
    device_class: str
    number: float | None
    text: str | None
    state: float | str | None
    at: str | None
    available: bool | None
    gone: bool
    stale: bool
    actions: list[str]
    minimum: float | None
    maximum: float | None
    step: float | None
    object_id: str
    category: str


class DeviceView(BaseModel):
    """A device with its entities' state."""

    id: str
    name: str
    source: str
    credential: str
    info: dict[str, Any]
    status: str
    level: str
    why: str
    seen: str | None
    created_at: str
    entities: list[Entity]


class Devices(BaseModel):
    """All devices."""

    items: list[DeviceView]


class Credential(BaseModel):
    """What a device logs in with, without its password."""

    id: str
    name: str
    username: str
    topic: str
    publish: list[str]
    subscribe: list[str]
    created_at: str


class Credentials(BaseModel):
    """All credentials."""

    items: list[Credential]


class Added(BaseModel):
    """A new credential, with what a device needs to connect."""

    id: str
    name: str
    username: str
    password: str
    host: str
    port: int
    tls: bool
    ca: str
    topic: str
    discovery: str
    publish: list[str]
    subscribe: list[str]


class Refusal(BaseModel):
    """Something that was refused."""

    topic: str
    why: str
    count: int
    at: str


class Refusals(BaseModel):
    """What was refused lately."""

    items: list[Refusal]


class Point(BaseModel):
    """Readings of one bucket of time."""

    at: str
    low: float
    mean: float
    high: float
    count: int


class Row(BaseModel):
    """One reading."""

    at: str
    number: float | None
    text: str | None


class History(BaseModel):
    """Readings of one entity: buckets of numbers, rows of texts."""

    entity: str
    name: str
    unit: str
    component: str
    start: str = Field(serialization_alias="from")
    end: str = Field(serialization_alias="to")
    points: list[Point]
    rows: list[Row]


class Sent(BaseModel):
    """A command that the broker has taken."""

    entity: str
    action: str
    sent: bool


def iso(ms: int | None) -> str | None:
    """Milliseconds as ISO 8601 in UTC."""
    return None if ms is None else dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="milliseconds")


def moment(text: str, default: int) -> int:
    """A time as the API takes it, in ms. Raises Invalid."""
    if not text:
        return default
    try:
        if text.lstrip("-").isdigit():
            return max(0, min(int(text), 1 << 45))
        found = dt.datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Invalid(T("“%(text)s” is no time. Write 2026-12-01T12:00:00Z or milliseconds since 1970.", text=text)) from None


def shown(device: dict[str, Any]) -> dict[str, Any]:
    """A device as the API shows it."""
    entities = [{**e, "at": iso(e["at"]), "state": e["number"] if e["text"] is None else e["text"]} for e in device["entities"]]
    return {**device, "why": say(device["why"]), "seen": iso(device["seen"]), "created_at": device["created_at"].isoformat(), "entities": entities}


@ROUTES.get("/api/v1/devices/", access="viewer", answer=Devices)
def devices(call: Call) -> dict:
    """All devices with their entities' state."""
    return {"items": [shown(d) for d in call.service.list()]}


@ROUTES.get("/api/v1/devices/credentials/", access="admin", answer=Credentials)
def credentials(call: Call) -> dict:
    """The credentials that devices log in with (never their passwords)."""
    return {"items": [{"id": c.id, "name": c.name, "username": c.username, "topic": c.username, "publish": c.publish, "subscribe": c.subscribe,
                       "created_at": c.created_at.isoformat()} for c in call.service.credentials()]}


@ROUTES.post("/api/v1/devices/credentials/", access="admin", body=Add, status=201, answer=Added, raises=(Conflict,))
def add(call: Call) -> dict:
    """Make a credential for a device; its password is shown only here."""
    return call.service.add(call.body.name, preset=call.body.kind, allow=call.body.allow, actor_id=call.actor.id)


@ROUTES.delete("/api/v1/devices/credentials/<username>/", access="admin", status=204)
def remove(call: Call, username: str) -> None:
    """Take a credential away and cut its connection."""
    call.service.remove(username, call.actor.id)


@ROUTES.get("/api/v1/devices/refusals/", access="admin", answer=Refusals)
def refusals(call: Call) -> dict:
    """What devices sent that was refused, with how often and why."""
    return {"items": [{**r, "why": say(r["why"]), "at": r["at"].isoformat()} for r in call.service.refusals()]}


@ROUTES.get("/api/v1/devices/<device_id>/", access="viewer", answer=DeviceView)
def device(call: Call, device_id: str) -> dict:
    """One device with its entities' state."""
    return shown(call.service.get(device_id))


@ROUTES.get("/api/v1/devices/<device_id>/history/", access="viewer", query=Span, answer=History)
def history(call: Call, device_id: str) -> dict:
    """Readings of one entity: buckets of numbers, and rows of texts."""
    end = moment(call.query.end, call.kit.now_ms())
    start = moment(call.query.start, end - DAY)
    if start >= end:
        raise Invalid(T("The span ends before it begins."))
    found = call.service.history(device_id, call.query.entity, start, end, call.query.limit)
    return {**found, "from": iso(start), "to": iso(end),
            "points": [{"at": iso(p.at), "low": p.low, "mean": p.mean, "high": p.high, "count": p.count} for p in found["points"]],
            "rows": [{"at": iso(at), "number": number, "text": text} for at, number, text in found["rows"]]}


@ROUTES.post("/api/v1/devices/<device_id>/command/", access="member", body=Command, status=202, answer=Sent, raises=(Conflict,))
def command(call: Call, device_id: str) -> dict:
    """Make a device do something; answers when the broker has taken the command."""
    return call.service.command(device_id, call.body.entity, call.body.action, call.body.value)
