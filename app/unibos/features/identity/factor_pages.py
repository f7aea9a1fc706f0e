"""The security page: the second step of one's login, its app, and its recovery codes."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.identity.agents import device_name
from unibos.features.identity.arrival import here
from unibos.features.identity.factor_api import own
from unibos.features.identity.passkeys import ANSWER, HANDLE, MOST
from unibos.kernel.errors import Conflict, UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.qr import svg
from unibos.panel.shell import page, say, toast

ROUTES = Routes()


class Form(BaseModel):
    """What a form of this page asks for: what to do, and the password or a code."""

    do: Literal["begin", "confirm", "codes", "off", "passkey", "rename", "remove"]
    passkey_id: str = Field("", max_length=36)
    name: str = Field("", max_length=60)
    handle: str = Field("", max_length=HANDLE)
    credential: str = Field("", max_length=ANSWER)
    password: str = Field("", max_length=256)
    code: str = Field("", max_length=64)


def _page(call: Call, status: int = 200, **shown: Any) -> Response:
    try:
        name, why = here().rp_id, ""
    except Conflict as error:
        name, why = "", say(error.text)
    keys = [{"id": key.id, "name": key.name, "where": key.rp_id, "at": key.used_at, "here": key.rp_id == name}
            for key in call.service.passkeys.list(call.actor.id)]
    return page(call, "security.html", status, factor=call.service.factors.state(call.actor.id), keys=keys, key_rows=keys, rp_id=name, why_not=why,
                suggested=say(device_name(request.user_agent.string)), most=len(keys) >= MOST,
                **{"fresh": None, "codes": [], "problem": "", "failed": "", **shown})


@ROUTES.get("/settings/security/", access="viewer", kind="page")
def show(call: Call) -> Response:
    """Whether logging in takes a second step, and what can be done about it."""
    own(call)
    return _page(call)


# Secrets are shown by the answer to the form, never by an address of their own; the address stays the page's, whose live parts ask for it.
@ROUTES.post("/settings/security/", access="viewer", kind="page", body=Form)
def act(call: Call) -> Response:
    """Set the second step up, confirm it, make new recovery codes, or turn it off."""
    own(call)
    try:
        return _ACTS[call.body.do](call)
    except UnibosError as error:
        return _page(call, error.status, problem=say(error.text), failed=call.body.do)


def _begin(call: Call) -> Response:
    factors, user_id, address = own(call)
    made = factors.begin(user_id, address, call.body.password)
    typed = " ".join(made["secret"][i:i + 4] for i in range(0, len(made["secret"]), 4))
    return _page(call, fresh={"qr": svg(made["uri"], say(T("QR code of the key for your app"))), "typed": typed})


def _confirm(call: Call) -> Response:
    factors, user_id, address = own(call)
    return _page(call, codes=factors.confirm(user_id, call.actor.session_id, address, call.body.code))


def _renew(call: Call) -> Response:
    factors, user_id, address = own(call)
    return _page(call, codes=factors.renew(user_id, address, password=call.body.password, code=call.body.code))


def _turn_off(call: Call) -> Response:
    factors, user_id, address = own(call)
    factors.turn_off(user_id, address, password=call.body.password, code=call.body.code)
    return toast("/settings/security/", T("The second step is off. Your password is enough now.") if not factors.on(user_id) else
                 T("Your app is off. Your passkeys stay your second step."))


def _passkey(call: Call) -> Response:
    _factors, user_id, address = own(call)
    body = call.body
    row, codes = call.service.passkeys.finish(user_id, call.actor.session_id, here(), address, body.handle, body.credential, body.name)
    if codes:
        return _page(call, codes=codes)
    return toast("/settings/security/", T("The passkey “%(name)s” is yours from now on.", name=row.name))


def _rename(call: Call) -> Response:
    _factors, user_id, _address = own(call)
    row = call.service.passkeys.rename(user_id, call.body.passkey_id, call.body.name)
    return toast("/settings/security/", T("It is called “%(name)s” now.", name=row.name))


def _remove(call: Call) -> Response:
    _factors, user_id, address = own(call)
    call.service.passkeys.remove(user_id, call.body.passkey_id, address, password=call.body.password, code=call.body.code)
    return toast("/settings/security/", T("The passkey is removed."))


_ACTS = {"begin": _begin, "confirm": _confirm, "codes": _renew, "off": _turn_off, "passkey": _passkey, "rename": _rename, "remove": _remove}
