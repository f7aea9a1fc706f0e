"""Log in, log out, and the sessions of the person."""

from __future__ import annotations

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes, set_cookie
from unibos.kernel.words import T
from unibos.panel.shell import go, page, say, toast

ROUTES = Routes()


class Form(BaseModel):
    """The login form."""

    email: str = Field("", max_length=254)
    password: str = Field("", max_length=256)
    next: str = Field("/", max_length=1000)


def _local(target: str) -> str:
    """Only addresses of this panel are followed after a login."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


@ROUTES.get("/login/", access="open", kind="page")
def show(call: Call) -> Response:
    """Ask for e-mail and password."""
    if call.actor.kind == "person":
        return go("/")
    return page(call, "login.html", form=Form(next=_local(request.args.get("next", "/"))), problem="")


@ROUTES.post("/login/", access="open", kind="page", body=Form)
def login(call: Call) -> Response:
    """Open a session in this browser."""
    form, address = call.body, request.remote_addr or ""
    try:
        user = call.service.check_password(form.email, form.password, address)
    except UnibosError as error:
        return page(call, "login.html", error.status, form=form, problem=say(error.text))
    _session, secret = call.service.open_session(user, "browser", address, request.user_agent.string)
    answer = go(_local(form.next))
    set_cookie(call.kit, answer, "", secret, call.kit.settings["UNIBOS_REFRESH_SECONDS"])
    return answer


@ROUTES.post("/logout/", access="viewer", kind="page")
def logout(call: Call) -> Response:
    """End this browser's session."""
    if call.actor.session_id:
        call.service.close_session(call.actor.session_id, call.actor.id)
    answer = go("/login/")
    set_cookie(call.kit, answer, "", "", 0)
    return answer


@ROUTES.post("/settings/sessions/<session_id>/close/", access="viewer", kind="page")
def close(call: Call, session_id: str) -> Response:
    """End one session of one's own."""
    call.service.close_session(session_id, call.actor.id)
    return toast("/settings/", T("That session has ended."))
