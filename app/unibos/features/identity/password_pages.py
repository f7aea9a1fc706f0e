"""Pages for who has forgotten their password, and for the code that sets a new one or proves an e-mail address. They work without scripts."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.identity.arrival import base
from unibos.features.identity.password_api import hand
from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.qr import svg
from unibos.panel.shell import page, say, toast

ROUTES = Routes()


class Forgot(BaseModel):
    """An e-mail address."""

    email: str = Field("", max_length=254)


class Reset(BaseModel):
    """A code and the new password, twice the same field: it can be looked at instead of being typed twice."""

    code: str = Field("", max_length=64)
    password: str = Field("", max_length=256)


class Code(BaseModel):
    """A code."""

    code: str = Field("", max_length=64)


def _page(call: Call, template: str, status: int = 200, **shown: Any) -> Response:
    return page(call, template, status, **{"problem": "", "fields": {}, "done": "", "form": None, "mail": call.service.mailer.ready(), **shown})


@ROUTES.get("/password/forgot/", access="open", kind="page")
def forgot(call: Call) -> Response:
    """Ask for the e-mail address of who has forgotten their password, or say what to do where nothing is mailed."""
    return _page(call, "password_forgot.html")


@ROUTES.post("/password/forgot/", access="open", kind="page", body=Forgot)
def send(call: Call) -> Response:
    """Have a code mailed; the page says the same whether there is such an account or not."""
    try:
        call.service.resets.forgot(call.body.email, request.remote_addr or "", base(call.kit))
    except UnibosError as error:
        return _page(call, "password_forgot.html", error.status, problem=say(error.text))
    return _page(call, "password_forgot.html", done=say(T("If there is an account with this address, and the address is proven, a mail is under way. "
                                                          "It holds a code that is good for an hour.")))


@ROUTES.get("/password/reset/", access="open", kind="page")
def ask(call: Call) -> Response:
    """Ask for the code and the new password; the code of a link is in its fragment, which reaches no server."""
    return _page(call, "password_reset.html", form=Reset())


@ROUTES.post("/password/reset/", access="open", kind="page", body=Reset)
def reset(call: Call) -> Response:
    """Set the new password."""
    try:
        call.service.resets.reset(call.body.code, call.body.password, request.remote_addr or "")
    except UnibosError as error:
        return _page(call, "password_reset.html", error.status, problem=say(error.text), form=call.body, fields={k: say(v) for k, v in error.fields.items()})
    return toast("/login/", T("The password is changed, and all sessions have ended. Log in with the new one."))


@ROUTES.post("/people/<user_id>/password/", access="admin", kind="page")
def handed(call: Call, user_id: str) -> Response:
    """Make a link by which a person of one's organisation sets a new password, to be handed over; it is shown only here."""
    made = hand(call, user_id)
    return _page(call, "password_handed.html", made=made, person=call.service.user(user_id),
                 qr=svg(made.link, say(T("QR code of the link for a new password"))) if made.link else "")


@ROUTES.get("/email/verify/", access="open", kind="page")
def verify(call: Call) -> Response:
    """Ask for the code of a mail that proves an address."""
    return _page(call, "email_verify.html", form=Code())


@ROUTES.post("/email/verify/", access="open", kind="page", body=Code)
def confirm(call: Call) -> Response:
    """Prove an address."""
    try:
        call.service.resets.confirm(call.body.code, request.remote_addr or "")
    except UnibosError as error:
        return _page(call, "email_verify.html", error.status, problem=say(error.text), form=call.body)
    return toast("/settings/account/", T("Your address is proven."))
