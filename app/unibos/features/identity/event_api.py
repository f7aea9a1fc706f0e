"""JSON v1 and the socket of what happens to one's account, and ending sessions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from unibos.features.identity.api import Strict
from unibos.features.identity.bell import Told
from unibos.features.identity.events import sentence
from unibos.features.identity.factor_api import own
from unibos.kernel.errors import NotFound
from unibos.kernel.web import Call, Routes
from unibos.panel import i18n
from unibos.panel.shell import say, shell

ROUTES = Routes()
BIGGEST = 2**62


class Event(BaseModel):
    """Something that happened to one's account."""

    id: int
    at: str
    kind: str
    text: str
    address: str
    seen: bool


class Happened(BaseModel):
    """Events, the newest first, and how many were not looked at."""

    items: list[Event]
    unread: int


class Since(BaseModel):
    """The id of the last event that is known already."""

    since: int = Field(0, ge=0, le=BIGGEST)


class Upto(Strict):
    """The id of the newest event that was looked at."""

    upto: int = Field(ge=0, le=BIGGEST)


class Ended(BaseModel):
    """How many sessions ended."""

    ended: int


@ROUTES.get("/api/v1/auth/events/", access="guest", query=Since, answer=Happened)
def events(call: Call) -> Happened:
    """What happened to the account of the one asking."""
    _factors, user_id, _address = own(call)
    kept = call.service.events
    return Happened(items=[Event(**{**kept.shown(row), "text": say(sentence(row.text))}) for row in kept.list(user_id, since=call.query.since)],
                    unread=kept.unread(user_id))


@ROUTES.post("/api/v1/auth/events/seen/", access="guest", body=Upto, status=204)
def seen(call: Call) -> None:
    """Say that all events up to one were looked at."""
    _factors, user_id, _address = own(call)
    call.service.events.seen(user_id, call.body.upto)


@ROUTES.socket("/ws/auth/notifications/", access="guest")
def notifications(call: Call, connection: Any) -> None:
    """The events of the one asking as they happen, after those since {"since": id}; closes with 4401 when the session ends."""
    _factors, user_id, _address = own(call)
    speak = i18n.catalogue(call.actor.language or shell().language).gettext
    told = Told(connection, lambda event: {**event, "text": sentence(event["text"]).render(speak)})
    leave = call.service.fan.join(user_id, told.hear)
    try:
        hello = connection.receive(timeout=10) or {}
        since = hello.get("since", 0)
        since = since if isinstance(since, int) and not isinstance(since, bool) and 0 <= since <= BIGGEST else 0
        kept = call.service.events
        missed = [kept.shown(row) for row in reversed(kept.list(user_id, since=since))] if "since" in hello else []
        connection.send({"type": "ready", "unread": kept.unread(user_id)})
        told.catch_up(missed, since)
        call.kit.db.release()
        while True:
            connection.receive()
    finally:
        leave()


@ROUTES.delete("/api/v1/auth/sessions/<session_id>/", access="guest", status=204, raises=(NotFound,))
def end_one(call: Call, session_id: str) -> None:
    """End one session of one's own, at once."""
    _factors, user_id, _address = own(call)
    call.service.close_session(session_id, user_id, "other")


@ROUTES.post("/api/v1/auth/sessions/end-others/", access="guest", answer=Ended)
def end_others(call: Call) -> Ended:
    """End all sessions of one's own but this one."""
    _factors, user_id, _address = own(call)
    return Ended(ended=call.service.end_sessions(user_id, but=call.actor.session_id))
