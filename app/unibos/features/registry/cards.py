"""Cards of the registry: this machine's load, and the hub's nodes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.kernel.actors import Actor
from unibos.kernel.words import T
from unibos.panel.shell import Words

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

HOUR = 3_600_000
STATES = Words(online=T("online"), offline=T("offline"), unreachable=T("unreachable"), maintenance=T("maintenance"))
TYPES = Words(standard=T("standard"), edge=T("edge"), desktop=T("desktop"))
NAMES = (("cpu", T("Processor"), "%"), ("memory", T("Memory"), "%"), ("disk", T("Disk"), "%"), ("temperature", T("Temperature"), "°C"))


OF_NODES = (*NAMES, ("queue", T("Jobs waiting"), ""), ("lag", T("Sync behind"), "s"))
UNITS = {name: unit for name, _title, unit in OF_NODES}


def load(kit: Kit, _services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """This machine's load over the last hour."""

    def show(_actor: Actor) -> dict[str, Any]:
        now = kit.now_ms()
        latest = kit.series.latest([f"self:{name}" for name, _title, _unit in NAMES])
        rows = []
        for name, title, unit in NAMES:
            newest = latest.get(f"self:{name}")
            if newest is not None and now - newest[0] < HOUR:
                rows.append({"key": f"self:{name}", "title": title, "unit": unit, "value": newest[1], "at": newest[0],
                             "points": kit.series.points(f"self:{name}", now - HOUR, now, 60)})
        return {"template": "card_load.html", "order": 20, "rows": rows, "start": now - HOUR, "end": now}

    return show


def nodes(kit: Kit, services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """The nodes of the organisation."""

    def show(actor: Actor) -> dict[str, Any]:
        return {"template": "card_nodes.html", "order": 30, "nodes": services["registry"].nodes(actor.org_id),
                "words": {"node_words": STATES}}

    return show


def alerts(kit: Kit, services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """Nodes that became silent, and those that reported again within the last day."""

    def show(actor: Actor) -> dict[str, Any]:
        day = kit.now() - dt.timedelta(days=1)
        found = [a for a in services["registry"].fleet.alerts(actor.org_id) if a.ended_at is None or a.ended_at > day]
        return {"template": "card_alerts.html", "order": 5 if any(a.ended_at is None for a in found) else 35, "alerts": found}

    return show
