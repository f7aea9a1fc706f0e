"""Nodes in the hub's panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.registry.authority import METRICS
from unibos.features.registry.cards import NAMES, STATES
from unibos.features.registry.machine import SPANS, Span
from unibos.kernel.actors import Actor
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.i18n import findable
from unibos.panel.shell import draw, page, say, toast

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()


class Act(BaseModel):
    """What to do with a node."""

    act: Literal["maintenance", "resume", "revoke"] = Field()


def _list(call: Call, token: dict[str, Any] | None) -> Response:
    nodes = call.service.nodes(call.actor.org_id)
    rows = [{"id": n.id, "href": f"/nodes/{n.id}/", "name": n.hostname, "version": n.version, "status": s.status, "level": s.level, "why": say(s.why),
             "metrics": p.metrics if p else {}, "at": p.heartbeat_at if p else None} for n, p, s in nodes]
    public = call.kit.settings["UNIBOS_PUBLIC_URL"] or request.host_url.rstrip("/")
    return page(call, "nodes.html", nodes=nodes, node_rows=rows, node_words=STATES, token=token, public_url=public)


@ROUTES.get("/nodes/", access="viewer", kind="page")
def nodes(call: Call) -> Response:
    """All nodes with state, version, load and last report."""
    return _list(call, None)


@ROUTES.get("/nodes/tokens/", access="viewer", kind="page")
def after_token(call: Call) -> Response:
    """The list again: what a page that shows a new token asks for when nodes change, and what a reload of it shows."""
    return _list(call, None)


@ROUTES.post("/nodes/tokens/", access="admin", kind="page")
def token(call: Call) -> Response:
    """Make an enrolment token and show it once."""
    value, until = call.service.make_token(call.actor.org_id, call.actor.id)
    return _list(call, {"value": value, "until": until})


@ROUTES.get("/nodes/<node_id>/", access="viewer", kind="page", query=Span)
def node(call: Call, node_id: str) -> Response:
    """One node: state and why, equipment, load over time."""
    found, pulse, state = call.service.node(node_id, call.actor.org_id)
    end = call.kit.now_ms()
    start = end - SPANS[call.query.span]
    plots = []
    for name, title, unit in NAMES:
        if name in METRICS and (points := call.kit.series.points(f"node:{node_id}:{name}", start, end, 360)):
            plots.append(draw(points, start=start, end=end, unit=unit, title=say(title)))
    return page(call, "node.html", node=found, pulse=pulse, state=state, plots=plots, span=call.query.span, spans=SPANS, node_words=STATES)


@ROUTES.post("/nodes/<node_id>/", access="admin", kind="page", body=Act)
def act(call: Call, node_id: str) -> Response:
    """Put a node into maintenance, end it, or take its trust away."""
    what = call.body.act
    call.service.change(node_id, call.actor.org_id, call.actor.id, revoked=True if what == "revoke" else None,
                        maintenance=None if what == "revoke" else what == "maintenance")
    return toast(f"/nodes/{node_id}/", T("Done."))


def find(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], list[dict[str, Any]]]:
    """Nodes for the search."""

    def look(words: str, actor: Actor) -> list[dict[str, Any]]:
        return [{"title": n.hostname, "kind": T("node"), "href": f"/nodes/{n.id}/", "hint": s.why}
                for n, _p, s in services["registry"].nodes(actor.org_id) if findable(words) in findable(n.hostname)]

    return look
