"""Nodes in the hub's panel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.registry.authority import METRICS, shown
from unibos.features.registry.cards import OF_NODES, STATES, TYPES
from unibos.features.registry.decide import clock
from unibos.features.registry.fleet_api import POINTS, Filter, chosen
from unibos.features.registry.machine import SPANS, Span
from unibos.features.registry.shapes import CAPABILITIES, Line
from unibos.features.registry.trust import LEVELS, OWNER, TRUSTED, VERIFIED
from unibos.kernel import authorities
from unibos.kernel.actors import Actor
from unibos.kernel.errors import NotFound, Unavailable
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.i18n import findable
from unibos.panel.shell import draw, page, say, toast
from unibos.wire import pin

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()
HOUR = 3_600_000
# What is drawn small in the list, each over the last hour.
SPARKS = ("cpu", "memory")
LASTS = {"0": T("until somebody ends it"), "1": T("1 hour"), "4": T("4 hours"), "24": T("1 day"), "168": T("1 week")}


class Token(BaseModel):
    """For what an enrolment token is."""

    kind: Literal["node", "worker"] = "node"


class Act(BaseModel):
    """What to do with a node, and what belongs to it."""

    act: Literal["maintenance", "resume", "revoke", "unrevoke", "trust"] = Field()
    why: Line = Field("", max_length=200)
    hours: Literal["0", "1", "4", "24", "168"] = "0"
    trust: Literal["0", "1", "2", "3", "4", "5"] = "3"


class Decide(BaseModel):
    """What becomes of a node that asks; `compared`: the fingerprints were compared, which makes it verified."""

    act: Literal["approve", "refuse"] = Field()
    compared: Literal["", "1"] = ""


def _pin(call: Call) -> str:
    """The pin of this hub's own authority, for nodes without a token; empty where it has none, or it cannot be read."""
    try:
        own = authorities.own(call.kit.settings)
    except Unavailable:
        return ""
    return pin.pin(own) if own else ""


def _row(node: Any, pulse: Any, state: Any, sparks: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": node.id, "href": f"/nodes/{node.id}/", "name": node.hostname, "version": node.version, "status": state.status, "level": state.level,
            "why": say(state.why), "metrics": pulse.metrics if pulse else {}, "at": pulse.heartbeat_at if pulse else None,
            "clock": say(clock(pulse.clock_offset if pulse else None)), "type": TYPES[node.type], "trust": say(LEVELS[node.trust].name),
            "sparks": {name: sparks.get(f"node:{node.id}:{name}") for name in SPARKS}, "queues": ", ".join(node.queues)}


def _list(call: Call, wanted: Filter, token: dict[str, Any] | None = None) -> Response:
    every = call.service.nodes(call.actor.org_id)
    fitting, now = chosen(every, wanted), call.kit.now_ms()
    sparks = call.kit.series.many([f"node:{n.id}:{name}" for n, _p, _s in fitting for name in SPARKS], now - HOUR, now, 40)
    rows = [_row(*row, sparks) for row in fitting if row[0].kind == "node"]
    workers = [_row(*row, sparks) for row in every if row[0].kind == "worker"]
    local = [{"id": w["name"], **w} for w in call.services["jobs"].workers()]
    public = call.kit.settings["UNIBOS_PUBLIC_URL"] or request.host_url.rstrip("/")
    waiting = call.service.applications.waiting(call.actor.org_id) if call.actor.may("admin") else []
    hubs = [{"href": None, **h} for h in call.service.fleet.hubs()]
    return page(call, "nodes.html", nodes=every, node_rows=rows, node_words=STATES, token=token, public_url=public, wanted=wanted, workers=workers,
                local_workers=local, hubs=hubs, waiting=waiting, type_words=TYPES, capabilities=CAPABILITIES, pin=_pin(call),
                levels=LEVELS, alerts=[a for a in call.service.fleet.alerts(call.actor.org_id) if a.ended_at is None])


@ROUTES.get("/nodes/", access="viewer", kind="page", query=Filter)
def nodes(call: Call) -> Response:
    """Nodes with state, version, load and last report; who asks to join; workers and hubs."""
    return _list(call, call.query)


@ROUTES.get("/nodes/tokens/", access="viewer", kind="page")
def after_token(call: Call) -> Response:
    """The list again: what a page that shows a new token asks for when nodes change, and what a reload of it shows."""
    return _list(call, Filter())


@ROUTES.post("/nodes/tokens/", access="admin", kind="page", body=Token)
def token(call: Call) -> Response:
    """Make an enrolment token and show it once."""
    value, until = call.service.make_token(call.actor.org_id, call.actor.id, kind=call.body.kind)
    return _list(call, Filter(), {"value": value, "until": until, "kind": call.body.kind})


@ROUTES.post("/nodes/applications/<application_id>/", access="admin", kind="page", body=Decide)
def decide(call: Call, application_id: str) -> Response:
    """Let a node in that asked, or refuse it."""
    who, actor, body = call.service.applications, call.actor, call.body
    if body.act == "refuse":
        who.refuse(application_id, actor.org_id, actor.id)
        return toast("/nodes/", T("It is refused, and will be told so."))
    node = who.approve(application_id, actor.org_id, actor.id, actor.role, VERIFIED if body.compared else TRUSTED)
    return toast(f"/nodes/{node.id}/", T("It is let in, and will know at its next try."))


@ROUTES.get("/nodes/<node_id>/", access="viewer", kind="page", query=Span)
def node(call: Call, node_id: str) -> Response:
    """One node: state and why, trust, equipment, load over time, what was done with it."""
    found, pulse, state = call.service.node(node_id, call.actor.org_id)
    end = call.kit.now_ms()
    start = end - SPANS[call.query.span]
    plots = []
    for name, title, unit in OF_NODES:
        if name in METRICS and (points := call.kit.series.points(f"node:{found.id}:{name}", start, end, POINTS)):
            plots.append(draw(points, start=start, end=end, unit=unit, title=say(title)))
    history = [{**row, "title": say(row["text"]), "text": _name(call, row["actor_id"])} for row in call.service.fleet.history(found.id)]
    return page(call, "node.html", node=found, pulse=pulse, state=state, plots=plots, span=call.query.span, spans=SPANS, node_words=STATES,
                type_words=TYPES, levels=[(str(n), say(level.name)) for n, level in LEVELS.items()
                                          if OWNER not in (n, found.trust) or call.actor.role == "owner" or n == found.trust],
                level=LEVELS[found.trust], level_list=LEVELS, fingerprint=shown(found.public_key), history=history,
                lasts=[(k, say(v)) for k, v in LASTS.items()],
                clock=clock(pulse.clock_offset if pulse else None), kinds=OF_NODES, resting=call.service.fleet.resting(found),
                resting_by=_name(call, found.maintenance_by))


def _name(call: Call, actor_id: str) -> str:
    """Who it was, as people know them."""
    if actor_id in ("", "console"):
        return say(T("the console")) if actor_id else ""
    try:
        return call.services["identity"].user(actor_id).name
    except NotFound:
        return actor_id


@ROUTES.post("/nodes/<node_id>/", access="admin", kind="page", body=Act)
def act(call: Call, node_id: str) -> Response:
    """Put a node into maintenance, end it, say how far it is trusted, take its trust away or give it back."""
    body, fleet, who = call.body, call.service.fleet, call.actor
    if body.act == "trust":
        fleet.trust(node_id, who.org_id, who.id, who.role, int(body.trust))
    elif body.act == "revoke":
        fleet.revoke(node_id, who.org_id, who.id, body.why)
    elif body.act == "unrevoke":
        fleet.unrevoke(node_id, who.org_id, who.id, who.role)
    else:
        until = call.kit.now() + dt.timedelta(hours=int(body.hours)) if body.hours != "0" else None
        fleet.maintenance(node_id, who.org_id, who.id, on=body.act == "maintenance", why=body.why, until=until)
    return toast(f"/nodes/{node_id}/", T("Done."))


def find(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], list[dict[str, Any]]]:
    """Nodes for the search."""

    def look(words: str, actor: Actor) -> list[dict[str, Any]]:
        return [{"title": n.hostname, "kind": T("node"), "href": f"/nodes/{n.id}/", "hint": s.why}
                for n, _p, s in services["registry"].nodes(actor.org_id) if findable(words) in findable(n.hostname)]

    return look
