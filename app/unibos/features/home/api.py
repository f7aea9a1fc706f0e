"""Health, readiness and the device's state as JSON."""

from __future__ import annotations

from flask import Response, jsonify
from pydantic import BaseModel

from unibos import __version__
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say

ROUTES = Routes()


@ROUTES.get("/healthz", access="open", unclaimed=True, bare=True)
def healthz(call: Call) -> dict:
    """That the process answers, its role and version."""
    return call.service.brief()


@ROUTES.get("/readyz", access="open", unclaimed=True, bare=True)
def readyz(call: Call) -> Response:
    """Each dependency and what is wrong with it; 503 when a required one fails."""
    ready, checks = call.service.ready()
    answer = jsonify({"status": "ready" if ready else "not ready", "role": call.kit.role, "version": __version__,
                      "checks": [{**c, "why": say(c["why"])} for c in checks]})
    answer.status_code = 200 if ready else 503
    return answer


class Wanted(BaseModel):
    """Whether the settings are wanted, too."""

    settings: bool = False


@ROUTES.get("/api/v1/status/", access="admin", device=True, query=Wanted)
def status(call: Call) -> dict:
    """The device: its checks and, when asked, every effective setting with its source (secrets masked)."""
    ready, checks = call.service.ready()
    settings = [{"name": e.setting.name, "value": e.shown(), "source": e.source} for e in call.kit.settings.effective()]
    return {"role": call.kit.role, "version": __version__, "status": "ready" if ready else "not ready",
            "checks": [{**c, "why": say(c["why"])} for c in checks], "settings": settings if call.query.settings else []}


@ROUTES.get("/api/v1/modules/", access="viewer")
def modules(call: Call) -> dict:
    """The parts of this device."""
    return {"items": [{"name": name} for name in call.services]}
