"""Log in, log out, and the sessions of the person."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.identity.arrival import cookie, here, rp_id, welcome
from unibos.features.identity.passkeys import ANSWER, HANDLE
from unibos.kernel.errors import FactorNeeded, UnibosError
from unibos.kernel.web import Call, Routes, cookie_name, set_cookie
from unibos.kernel.words import T
from unibos.panel.shell import go, page, say, toast

ROUTES = Routes()


class Form(BaseModel):
    """The login form: e-mail and password first, then, where it is asked for, the challenge of that login and a code; or a passkey's answer."""

    email: str = Field("", max_length=254)
    password: str = Field("", max_length=256)
    challenge: str = Field("", max_length=128)
    code: str = Field("", max_length=64)
    handle: str = Field("", max_length=HANDLE)
    credential: str = Field("", max_length=ANSWER)
    next: str = Field("/", max_length=1000)


def _local(target: str) -> str:
    """Only addresses of this panel are followed after a login."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


def _ask(call: Call, form: Form, status: int = 200, **shown: Any) -> Response:
    return page(call, "login.html", status, form=form, mail=call.service.mailer.ready(), passkeys=bool(rp_id()), api=_api(call),
                **{"problem": "", "challenge": "", "hint": "", "ways": [], "why": "", **shown})


def _api(call: Call) -> str:
    """Where scripts begin a login with a passkey."""
    return f"/api/v1/{'' if call.kit.role == 'hub' else 'local/'}auth/login/passkey/begin/"


@ROUTES.get("/login/", access="open", kind="page")
def show(call: Call) -> Response:
    """Ask for e-mail and password."""
    if call.actor.kind == "person":
        return go("/")
    why = call.service.why_ended(request.cookies.get(cookie_name(call.kit), ""))
    return _ask(call, Form(next=_local(request.args.get("next", "/"))), why=say(why))


@ROUTES.post("/login/", access="open", kind="page", body=Form)
def login(call: Call) -> Response:
    """Open a session in this browser, after the second step where the person has one."""
    form, address = call.body, request.remote_addr or ""
    try:
        if form.handle:
            user = call.service.passkeys.answer(here(), address, form.handle, form.credential, form.challenge)
        elif form.challenge:
            user = call.service.second_step(form.challenge, form.code, address, cookie(call.kit))
        else:
            user = call.service.log_in(form.email, form.password, address, cookie(call.kit), rp_id())
    except FactorNeeded as needed:
        return _ask(call, form, challenge=needed.extra["challenge"], hint=say(needed.text), ways=needed.extra["factors"])
    except UnibosError as error:
        again = "" if error.extra.get("ended") else form.challenge
        return _ask(call, form, error.status, problem=say(error.text), challenge=again, ways=["passkey"] if form.handle else [])
    welcome(call, user)
    _session, secret = call.service.open_session(user, "browser", address, request.user_agent.string)
    answer = go(_local(form.next))
    set_cookie(call.kit, answer, "", secret, call.kit.settings["UNIBOS_REFRESH_SECONDS"])
    return answer


@ROUTES.post("/logout/", access="open", kind="page")
def logout(call: Call) -> Response:
    """End this browser's session."""
    if call.actor.session_id:
        call.service.close_session(call.actor.session_id, call.actor.id)
    answer = go("/login/")
    set_cookie(call.kit, answer, "", "", 0)
    return answer


@ROUTES.post("/settings/sessions/<session_id>/close/", access="guest", kind="page")
def close(call: Call, session_id: str) -> Response:
    """End one session of one's own."""
    call.service.close_session(session_id, call.actor.id, "other")
    return toast("/settings/account/", T("That session has ended."))
