"""This machine's own load over time, on hub and node."""

from __future__ import annotations

from typing import Literal

from flask import Response
from pydantic import BaseModel

from unibos.features.registry.cards import NAMES
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import draw, page, say

ROUTES = Routes()
SPANS = {"1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000}


class Span(BaseModel):
    """How far back the plots go."""

    span: Literal["1h", "24h", "7d", "30d"] = "1h"


@ROUTES.get("/machine/", access="viewer", kind="page", query=Span)
def machine(call: Call) -> Response:
    """This machine's load: processor, memory, disk, temperature."""
    end = call.kit.now_ms()
    start = end - SPANS[call.query.span]
    plots = [draw(points, start=start, end=end, unit=unit, title=say(title)) for name, title, unit in NAMES
             if (points := call.kit.series.points(f"self:{name}", start, end, 360))]
    return page(call, "machine.html", machine=call.kit.machine(), plots=plots, span=call.query.span, spans=SPANS)
