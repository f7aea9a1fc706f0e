"""Devices in the panel: the list, a device with its plots, adding one; the dashboard's card; the search."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from unibos.features.devices.rights import PRESETS
from unibos.kernel.actors import Actor
from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.i18n import findable
from unibos.panel.shell import Words, draw, go, page, say, toast

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()
SPANS = {"10m": 600_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000}


STATES = Words(online=T("online"), offline=T("offline"), partly=T("partly away"), reporting=T("reports"), silent=T("silent"), gone=T("gone"))


class View(BaseModel):
    """How far back the plots go."""

    span: Literal["", "10m", "1h", "24h", "7d", "30d"] = ""


class AddForm(BaseModel):
    """The form for a new credential; `allow` has a filter a line."""

    name: str = Field("", max_length=120)
    kind: str = Field("generic", max_length=20)
    allow: str = Field("", max_length=2000)


class CommandForm(BaseModel):
    """A button or slider of a device."""

    entity: str = Field(max_length=300)
    action: str = Field(max_length=20)
    value: float | None = None


class Rename(BaseModel):
    """A name of the owner's."""

    name: str = Field("", max_length=160)


@ROUTES.get("/devices/", access="viewer", kind="page")
def devices(call: Call) -> Response:
    """All devices, what they say now, and what was refused."""
    logins = [{"id": c.username, "name": c.name, "username": c.username, "publish": ", ".join(c.publish)} for c in call.service.credentials()]
    refused = [{**r, "why": say(r["why"])} for r in call.service.refusals(10)]
    return page(call, "devices.html", devices=call.service.list(), broker=call.service.broker(), credentials=logins, refusals=refused,
                state_words=STATES)


@ROUTES.get("/devices/add/", access="admin", kind="page")
def add_form(call: Call) -> Response:
    """Ask what the device is called and what it speaks."""
    return page(call, "device_add.html", form=AddForm(), kinds=list(PRESETS), made=None, problem="", fields={})


@ROUTES.post("/devices/add/", access="admin", kind="page", body=AddForm)
def add(call: Call) -> Response:
    """Make the credential and show it once."""
    form = call.body
    try:
        made = call.service.add(form.name, preset=form.kind, allow=form.allow.split(), actor_id=call.actor.id)
    except UnibosError as error:
        return page(call, "device_add.html", error.status, form=form, kinds=list(PRESETS), made=None, problem=say(error.text),
                    fields={k: say(v) for k, v in error.fields.items()})
    return page(call, "device_add.html", 201, form=form, kinds=list(PRESETS), made=made, problem="", fields={})


@ROUTES.post("/devices/credentials/<username>/remove/", access="admin", kind="page")
def remove(call: Call, username: str) -> Response:
    """Take a credential away."""
    call.service.remove(username, call.actor.id)
    return toast("/devices/", T("The credential is gone and its connection cut. The history is kept."))


@ROUTES.get("/devices/<device_id>/", access="viewer", kind="page", query=View)
def device(call: Call, device_id: str) -> Response:
    """One device: its state, its controls, its plots."""
    found = call.service.get(device_id)
    end = call.kit.now_ms()
    # Of a device that has just come an hour would be an empty plot with a dash at its end.
    young = call.kit.now() - found["created_at"] < dt.timedelta(minutes=15)
    span = call.query.span or ("10m" if young else "24h")
    start = end - SPANS[span]
    plots = []
    for entity in found["entities"]:
        history = call.service.history(device_id, entity["id"], start, end, 360)
        if history["points"]:
            step = entity["component"] in ("switch", "binary_sensor", "light")
            plots.append({"entity": entity, **draw(history["points"], start=start, end=end, unit=entity["unit"], title=entity["name"],
                                                   kind="step" if step else "line")})
    return page(call, "device.html", device=found, plots=plots, span=span, spans=SPANS, state_words=STATES)


@ROUTES.post("/devices/<device_id>/command/", access="member", kind="page", body=CommandForm)
def command(call: Call, device_id: str) -> Response:
    """A button of the page."""
    call.service.command(device_id, call.body.entity, call.body.action, call.body.value)
    return go(f"/devices/{device_id}/")


@ROUTES.post("/devices/<device_id>/rename/", access="member", kind="page", body=Rename)
def rename(call: Call, device_id: str) -> Response:
    """Give a device another name."""
    call.service.rename(device_id, call.body.name, call.actor.id)
    return toast(f"/devices/{device_id}/", T("The device has its new name."))


def card(_kit: Kit, services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """Devices on the dashboard."""

    def show(_actor: Actor) -> dict[str, Any]:
        return {"template": "card_devices.html", "order": 10, "devices": services["devices"].list(), "words": {"state_words": STATES}}

    return show


def find(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], list[dict[str, Any]]]:
    """Devices for the search."""

    def look(words: str, _actor: Actor) -> list[dict[str, Any]]:
        needle = findable(words)
        return [{"title": d["name"], "kind": T("device"), "href": f"/devices/{d['id']}/", "hint": d["why"]}
                for d in services["devices"].list() if needle in findable(d["name"]) or any(needle in findable(e["name"]) for e in d["entities"])]

    return look
