"""Health, readiness and the device's state as JSON."""

from __future__ import annotations

from typing import Literal

from flask import Response, current_app, jsonify
from pydantic import BaseModel, ConfigDict

from unibos import __version__
from unibos.kernel import openapi
from unibos.kernel.web import Call, Routes, cookie_name
from unibos.panel.shell import say

ROUTES = Routes()


class Brief(BaseModel):
    """That the process answers."""

    status: str
    role: str
    version: str


class Check(BaseModel):
    """One part that this device needs, and what is wrong with it."""

    name: str
    ok: bool
    required: bool
    why: str


class Ready(BaseModel):
    """Whether this device can work, by its parts."""

    status: Literal["ready", "not ready"]
    role: str
    version: str
    checks: list[Check]


class Setting(BaseModel):
    """An effective setting; secrets are masked."""

    name: str
    value: str
    source: str


class Status(Ready):
    """The device with its settings, when they were asked for."""

    settings: list[Setting]


class Module(BaseModel):
    """A part of this device."""

    name: str


class Modules(BaseModel):
    """The parts of this device."""

    items: list[Module]


class Description(BaseModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")
    openapi: str


@ROUTES.get("/api/v1/openapi.json", access="open", unclaimed=True, bare=True, answer=Description)
def description(call: Call) -> dict:
    """This document: every address of the JSON API, what it takes and answers, and who may."""
    return openapi.document(current_app.extensions["unibos.routes"], role=call.kit.role, version=__version__, cookie=cookie_name(call.kit))


@ROUTES.get("/healthz", access="open", unclaimed=True, bare=True, answer=Brief)
def healthz(call: Call) -> dict:
    """That the process answers, its role and version."""
    return call.service.brief()


@ROUTES.get("/readyz", access="open", unclaimed=True, bare=True, answer=Ready, also=(503,))
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


@ROUTES.get("/api/v1/status/", access="admin", device=True, query=Wanted, answer=Status)
def status(call: Call) -> dict:
    """The device: its checks and, when asked, every effective setting with its source (secrets masked)."""
    ready, checks = call.service.ready()
    settings = [{"name": e.setting.name, "value": e.shown(), "source": e.source} for e in call.kit.settings.effective()]
    return {"role": call.kit.role, "version": __version__, "status": "ready" if ready else "not ready",
            "checks": [{**c, "why": say(c["why"])} for c in checks], "settings": settings if call.query.settings else []}


@ROUTES.get("/api/v1/modules/", access="viewer", answer=Modules)
def modules(call: Call) -> dict:
    """The parts of this device."""
    return {"items": [{"name": name} for name in call.services]}
