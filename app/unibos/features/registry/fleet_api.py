"""JSON v1 of the hub's registry for people: nodes, who waits, trust, maintenance, revocation, metrics, alerts, hubs."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from unibos.features.registry.authority import METRICS, shown
from unibos.features.registry.cards import UNITS
from unibos.features.registry.decide import clock
from unibos.features.registry.machine import SPANS, Span
from unibos.features.registry.shapes import Capability, Line, NodeOut, NodesOut, Status, Strict, Type
from unibos.features.registry.trust import LEVELS, TRUSTED
from unibos.kernel.errors import Conflict, Forbidden, LimitReached, NotFound
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import say

ROUTES = Routes()
POINTS = 360


class TokenIn(Strict):
    """How long an enrolment token lasts, and for what."""

    hours: int = Field(24, ge=1, le=720)
    kind: Literal["node", "worker"] = "node"


class TokenOut(BaseModel):
    """The token, shown only here."""

    token: str
    expires_at: str


class Filter(BaseModel):
    """Which nodes; an empty field takes all."""

    status: Status | Literal[""] = ""
    capability: Capability | Literal[""] = ""
    type: Type | Literal[""] = ""
    kind: Literal["", "node", "worker"] = ""
    trust: int | None = Field(None, ge=0, le=5)


class WaitingOut(BaseModel):
    """A node that asks to be let in."""

    id: str
    hostname: str
    type: str
    platform: str
    version: str
    url: str
    address: str
    public_key: str
    fingerprint: str
    created_at: str
    seen_at: str
    expires_at: str


class WaitingsOut(BaseModel):
    """Nodes that ask to be let in."""

    items: list[WaitingOut]


class Approve(Strict):
    """How far the node is trusted from the start."""

    trust: int = Field(TRUSTED, ge=1, le=5)


class TrustIn(Strict):
    """A level of trust."""

    trust: int = Field(ge=0, le=5)


class MaintenanceIn(Strict):
    """Begin or end a maintenance. It ends by itself `until` then (with its time zone), or after so many `hours`; else somebody ends it."""

    on: bool
    why: Line = Field("", max_length=200)
    until: AwareDatetime | None = None
    hours: float | None = Field(None, gt=0, le=2160, allow_inf_nan=False)


class RevokeIn(Strict):
    """Why trust is taken away."""

    why: Line = Field("", max_length=200)


class SeriesOut(BaseModel):
    """A measured value over the span: points of [time in ms, lowest, mean, highest]; where nothing was measured there is none."""

    name: str
    unit: str
    points: list[tuple[int, float, float, float]]


class MetricsOut(BaseModel):
    """A node's load over a span (ms since 1970)."""

    span: str
    start: int
    end: int
    series: list[SeriesOut]


class AlertOut(BaseModel):
    """A node that is or was silent."""

    id: str
    node_id: str
    hostname: str
    since: str
    told_at: str
    ended_at: str | None


class AlertsOut(BaseModel):
    """Silences, those that go on first."""

    items: list[AlertOut]


class HubOut(BaseModel):
    """A hub on this database."""

    id: str
    name: str
    role: str
    region: str
    version: str
    url: str
    status: Literal["online", "offline"]
    seen_at: str
    started_at: str
    capabilities: dict[str, Any]
    own: bool


class HubsOut(BaseModel):
    """Hubs."""

    items: list[HubOut]


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _shown(row: tuple) -> dict[str, Any]:
    node, pulse, state = row
    resting = {"why": node.maintenance_why, "by": node.maintenance_by, "until": _iso(node.maintenance_until)} if state.status == "maintenance" else None
    offset = pulse.clock_offset if pulse else None
    return {"id": node.id, "hostname": node.hostname, "kind": node.kind, "type": node.type, "platform": node.platform, "url": node.url,
            "version": node.version, "modules": node.modules, "queues": node.queues, "capabilities": node.capabilities,
            "fingerprint": shown(node.public_key), "trust": node.trust, "trust_name": say(LEVELS[node.trust].name),
            "trust_why": say(LEVELS[node.trust].sentence), "status": state.status, "why": say(state.why), "maintenance": resting,
            "revoked_at": _iso(node.revoked_at), "revoked_why": node.revoked_why, "last_heartbeat": _iso(pulse.heartbeat_at) if pulse else None,
            "clock_offset": offset, "clock_why": say(clock(offset)), "metrics": pulse.metrics if pulse else {}, "joined_at": node.created_at.isoformat()}


def chosen(rows: list[tuple], wanted: Filter) -> list[tuple]:
    """The rows of `nodes` that a filter lets through."""
    return [(n, p, s) for n, p, s in rows if wanted.status in ("", s.status) and wanted.type in ("", n.type) and wanted.kind in ("", n.kind)
            and wanted.trust in (None, n.trust) and (not wanted.capability or n.capabilities.get(wanted.capability))]


@ROUTES.get("/api/v1/nodes/", access="viewer", query=Filter, answer=NodesOut)
def nodes(call: Call) -> dict:
    """The organisation's nodes with their state, by status, capability, type, kind and trust."""
    return {"items": [_shown(row) for row in chosen(call.service.nodes(call.actor.org_id), call.query)]}


@ROUTES.get("/api/v1/nodes/<node_id>/", access="viewer", answer=NodeOut, raises=(NotFound,))
def node(call: Call, node_id: str) -> dict:
    """One node."""
    return _shown(call.service.node(node_id, call.actor.org_id))


@ROUTES.post("/api/v1/nodes/tokens/", access="admin", body=TokenIn, status=201, answer=TokenOut)
def token(call: Call) -> dict:
    """Make a one-time enrolment token; it is shown only here."""
    value, until = call.service.make_token(call.actor.org_id, call.actor.id, call.body.hours, call.body.kind)
    return {"token": value, "expires_at": until.isoformat()}


@ROUTES.get("/api/v1/nodes/applications/", access="admin", answer=WaitingsOut)
def applications(call: Call) -> dict:
    """Nodes without a token that ask to be let in."""
    return {"items": [{**row, **{k: row[k].isoformat() for k in ("created_at", "seen_at", "expires_at")}}
                      for row in call.service.applications.waiting(call.actor.org_id)]}


@ROUTES.post("/api/v1/nodes/applications/<application_id>/approve/", access="admin", body=Approve, status=201, answer=NodeOut,
             raises=(NotFound, Forbidden, Conflict, LimitReached))
def approve(call: Call, application_id: str) -> dict:
    """Let a node in that asked."""
    made = call.service.applications.approve(application_id, call.actor.org_id, call.actor.id, call.actor.role, call.body.trust)
    return node(call, made.id)


@ROUTES.post("/api/v1/nodes/applications/<application_id>/refuse/", access="admin", status=204, raises=(NotFound, Conflict))
def refuse(call: Call, application_id: str) -> None:
    """Refuse a node that asked."""
    call.service.applications.refuse(application_id, call.actor.org_id, call.actor.id)


@ROUTES.post("/api/v1/nodes/<node_id>/trust/", access="admin", body=TrustIn, answer=NodeOut, raises=(NotFound, Forbidden, Conflict))
def trust(call: Call, node_id: str) -> dict:
    """Say how far a node is trusted."""
    call.service.fleet.trust(node_id, call.actor.org_id, call.actor.id, call.actor.role, call.body.trust)
    return node(call, node_id)


@ROUTES.post("/api/v1/nodes/<node_id>/maintenance/", access="admin", body=MaintenanceIn, answer=NodeOut, raises=(NotFound,))
def maintenance(call: Call, node_id: str) -> dict:
    """Begin or end a maintenance."""
    body = call.body
    until = call.kit.now() + dt.timedelta(hours=body.hours) if body.hours else body.until
    call.service.fleet.maintenance(node_id, call.actor.org_id, call.actor.id, on=body.on, why=body.why, until=until)
    return node(call, node_id)


@ROUTES.post("/api/v1/nodes/<node_id>/revoke/", access="admin", body=RevokeIn, answer=NodeOut, raises=(NotFound, Conflict))
def revoke(call: Call, node_id: str) -> dict:
    """Take a node's trust away, at once."""
    call.service.fleet.revoke(node_id, call.actor.org_id, call.actor.id, call.body.why)
    return node(call, node_id)


@ROUTES.post("/api/v1/nodes/<node_id>/unrevoke/", access="owner", answer=NodeOut, raises=(NotFound, Forbidden, Conflict, LimitReached))
def unrevoke(call: Call, node_id: str) -> dict:
    """Give a revoked node its trust back."""
    call.service.fleet.unrevoke(node_id, call.actor.org_id, call.actor.id, call.actor.role)
    return node(call, node_id)


@ROUTES.get("/api/v1/nodes/<node_id>/metrics/", access="viewer", query=Span, answer=MetricsOut, raises=(NotFound,))
def metrics(call: Call, node_id: str) -> dict:
    """A node's load over a span: at most 360 points a value, gaps as gaps."""
    found = call.service.node(node_id, call.actor.org_id)[0]
    end = call.kit.now_ms()
    start = end - SPANS[call.query.span]
    return {"span": call.query.span, "start": start, "end": end, "series": [
        {"name": name, "unit": UNITS[name], "points": [(p.at, p.low, p.mean, p.high) for p in call.kit.series.points(f"node:{found.id}:{name}", start, end,
                                                                                                                 POINTS)]} for name in METRICS]}


@ROUTES.get("/api/v1/alerts/", access="viewer", answer=AlertsOut)
def alerts(call: Call) -> dict:
    """Nodes that are silent, and those that were."""
    return {"items": [{"id": a.id, "node_id": a.node_id, "hostname": a.name, "since": a.since.isoformat(), "told_at": a.told_at.isoformat(),
                       "ended_at": _iso(a.ended_at)} for a in call.service.fleet.alerts(call.actor.org_id)]}


def of_device(call: Call) -> bool:
    """Whether who asks is of the organisation that the hub itself belongs to; the others are shown nothing of its machines."""
    return call.actor.kind == "console" or call.actor.org_id == call.services["orgs"].home_id()


@ROUTES.get("/api/v1/hubs/", access="viewer", answer=HubsOut, raises=(Forbidden,))
def hubs(call: Call) -> dict:
    """The hubs that work on this database."""
    if not of_device(call):
        raise Forbidden(T("This concerns the hub itself. Only its own organisation is shown it."))
    return {"items": [{**h, "seen_at": h["seen_at"].isoformat(), "started_at": h["started_at"].isoformat()} for h in call.service.fleet.hubs()]}
