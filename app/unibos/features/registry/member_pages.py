"""The hubs of this node in its panel: which there are, which are asked, and the fingerprint to compare."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from unibos.features.registry.shapes import Line
from unibos.features.registry.trust import LEVELS
from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import page, say, toast

ROUTES = Routes()


class Ask(BaseModel):
    """Which hub; the rest may be empty."""

    url: Line = Field("", max_length=300)
    token: Line = Field("", max_length=128)
    organisation: Line = Field("", max_length=100)
    pin: Line = Field("", max_length=32)


class Drop(BaseModel):
    """Which hub is not to be asked any more."""

    url: Line = Field("", max_length=300)


def _page(call: Call, status: int = 200, body: Ask | None = None, error: str = "") -> Response:
    link = call.services["link"]
    hubs = [{"hub": h, "level": LEVELS.get(h.trust) if h.trust is not None else None,
             "state": "bad" if h.refused_since else "warn" if h.failure else "good"} for h in link.hubs()]
    return page(call, "hub.html", status, hubs=hubs, wishes=link.wishes.all(), fingerprint=call.service.fingerprint(), given=body or Ask(), error=error)


@ROUTES.get("/hub/", access="viewer", kind="page")
def hub(call: Call) -> Response:
    """The hubs of this node, whom it asks, and its fingerprint."""
    return _page(call)


@ROUTES.post("/hub/", access="owner", kind="page", body=Ask)
def ask(call: Call) -> Response:
    """Join a hub with a token, or ask it."""
    body = call.body
    try:
        answer = call.service.ask_to_join(body.url, body.token.strip(), call.actor.id, body.organisation.strip(), body.pin.strip())
    except UnibosError as error:
        return _page(call, error.status, body, say(error.text))
    return toast("/hub/", T("This node has joined.") if answer["state"] == "joined" else T("The hub was asked. Compare the fingerprint there."))


@ROUTES.get("/hub/drop/", access="viewer", kind="page")
def after_drop(call: Call) -> Response:
    """The page again, for who reloads it."""
    return _page(call)


@ROUTES.post("/hub/drop/", access="owner", kind="page", body=Drop)
def drop(call: Call) -> Response:
    """Do not ask a hub any more."""
    call.services["link"].wishes.drop(call.body.url)
    return toast("/hub/", T("It is not asked any more."))
