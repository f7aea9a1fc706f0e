"""The page of one's account: what happened to it, where one is logged in, the password, and the proven address."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from unibos.features.identity.agents import device_name
from unibos.features.identity.arrival import base
from unibos.features.identity.events import LEVELS, sentence
from unibos.features.identity.factor_api import own
from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import page, say, toast

ROUTES = Routes()
SHOWN = 50


class Form(BaseModel):
    """What a form of this page asks for."""

    do: Literal["password", "end", "end-others", "seen", "verify", "mail-on", "mail-off"]
    password: str = Field("", max_length=256)
    code: str = Field("", max_length=64)
    new: str = Field("", max_length=256)
    session_id: str = Field("", max_length=36)
    upto: int = Field(0, ge=0, le=2**62)


def _page(call: Call, status: int = 200, **shown: Any) -> Response:
    service, user_id = call.service, call.actor.id
    user, account = service.user(user_id), service.resets.account(user_id)
    sessions = [{"id": s.id, "device": say(device_name(s.agent)), "program": s.kind == "token", "address": s.address or "–", "began": s.created_at,
                 "at": s.seen_at, "current": s.id == call.actor.session_id} for s in service.sessions(user_id)]
    rows = service.events.list(user_id, most=SHOWN)
    events = [{"at": row.at, "title": say(sentence(row.text)), "state": LEVELS.get(row.kind, "warn"),
               "text": say(T("from %(address)s", address=row.address)) if row.address else ""} for row in rows]
    return page(call, "account.html", status, user=user, account=account, verified=service.resets.verified(user), mail=service.mailer.ready(),
                sessions=sessions, events=events, newest=rows[0].id if rows else 0, unread=service.events.unread(user_id),
                **{"problem": "", "failed": "", "fields": {}, **shown})


@ROUTES.get("/settings/account/", access="guest", kind="page")
def show(call: Call) -> Response:
    """What happened to one's account, and where one is logged in."""
    own(call)
    return _page(call)


@ROUTES.post("/settings/account/", access="guest", kind="page", body=Form)
def act(call: Call) -> Response:
    """Change the password, end sessions, prove the address, or say that the events were looked at."""
    own(call)
    try:
        return toast("/settings/account/", _ACTS[call.body.do](call))
    except UnibosError as error:
        return _page(call, error.status, problem=say(error.text), failed=call.body.do, fields={k: say(v) for k, v in error.fields.items()})


def _password(call: Call) -> Any:
    factors, user_id, address = own(call)
    factors.prove(user_id, address, password=call.body.password, code=call.body.code)
    call.service.set_password(user_id, call.body.new, but=call.actor.session_id, address=address)
    return T("Your password is changed. Your other sessions have ended.")


def _end(call: Call) -> Any:
    call.service.close_session(call.body.session_id, call.actor.id, "other")
    return T("That session has ended.")


def _end_others(call: Call) -> Any:
    call.service.end_sessions(call.actor.id, but=call.actor.session_id)
    return T("Your other sessions have ended.")


def _seen(call: Call) -> Any:
    call.service.events.seen(call.actor.id, call.body.upto)
    return T("Noted.")


def _verify(call: Call) -> Any:
    call.service.resets.request(call.actor.id, base(call.kit))
    return T("A mail with a code is under way.")


def _mail(call: Call) -> Any:
    wanted = call.body.do == "mail-on"
    call.service.resets.keep(call.actor.id, mail_events=wanted)
    return T("You get a mail when something happens to your account.") if wanted else T("Nothing about your account is mailed any more.")


_ACTS = {"password": _password, "end": _end, "end-others": _end_others, "seen": _seen, "verify": _verify, "mail-on": _mail, "mail-off": _mail}
