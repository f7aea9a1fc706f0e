"""JSON v1 of passkeys: one's own, and logging in with one."""

from __future__ import annotations

import json
from typing import Any

from flask import request
from pydantic import BaseModel, Field

from unibos.features.identity.api import Strict, Tokens
from unibos.features.identity.arrival import here, rp_id, welcome
from unibos.features.identity.factor_api import Proof, own
from unibos.features.identity.passkeys import ANSWER, HANDLE
from unibos.features.identity.safety_models import Passkey
from unibos.kernel.errors import Conflict, LimitReached, NotFound, Throttled, TooLarge, Unauthenticated
from unibos.kernel.web import Call, Routes

ROUTES, HUB_ROUTES, NODE_ROUTES = Routes(), Routes(), Routes()


class Key(BaseModel):
    """A passkey as its owner sees it."""

    id: str
    name: str
    rp_id: str = Field(description="The host name that it is good for.")
    here: bool = Field(description="Whether that is the name of this request.")
    backed_up: bool
    created_at: str
    used_at: str | None


class Keys(BaseModel):
    """The passkeys of a person."""

    items: list[Key]


class Ceremony(BaseModel):
    """What a browser needs for navigator.credentials, and the handle that comes back with its answer."""

    handle: str
    options: dict[str, Any]


class Made(BaseModel):
    """A new passkey; recovery codes only where it turned the second step on, shown only now."""

    passkey: Key
    recovery_codes: list[str]


class Answer(Strict):
    """A browser's answer: the credential as PublicKeyCredential.toJSON() gives it."""

    handle: str = Field(max_length=HANDLE)
    credential: dict[str, Any]


class New(Answer):
    """A new credential and what to call it."""

    name: str = Field(max_length=60)


class Name(Strict):
    """Another name."""

    name: str = Field(max_length=60)


class Begin(Strict):
    """Nothing, for logging in with a passkey alone; or the challenge of a login whose password was right."""

    challenge: str = Field("", max_length=128)


class Login(Answer):
    """A browser's answer, with the challenge of the login that it completes, if there is one."""

    challenge: str = Field("", max_length=128)


def shown(row: Passkey) -> Key:
    """A row as the API has it."""
    return Key(id=row.id, name=row.name, rp_id=row.rp_id, here=row.rp_id == rp_id(), backed_up=row.backed_up, created_at=row.created_at.isoformat(),
               used_at=row.used_at.isoformat() if row.used_at else None)


def text_of(credential: dict[str, Any]) -> str:
    """The credential as the service takes it; raises TooLarge."""
    found = json.dumps(credential)
    if len(found) > ANSWER:
        raise TooLarge()
    return found


@ROUTES.get("/api/v1/auth/passkeys/", access="guest", answer=Keys)
def listing(call: Call) -> Keys:
    """The passkeys of the one asking, under all names of this box."""
    _factors, user_id, _address = own(call)
    return Keys(items=[shown(row) for row in call.service.passkeys.list(user_id)])


@ROUTES.post("/api/v1/auth/passkeys/begin/", access="guest", body=Proof, answer=Ceremony, raises=(Conflict, LimitReached, Throttled))
def begin(call: Call) -> dict:
    """Begin to add a passkey, by the password or a code."""
    _factors, user_id, address = own(call)
    return call.service.passkeys.begin(user_id, call.actor.session_id, here(), address, password=call.body.password, code=call.body.code)


@ROUTES.post("/api/v1/auth/passkeys/finish/", access="guest", body=New, status=201, answer=Made, raises=(Conflict, LimitReached, TooLarge))
def finish(call: Call) -> Made:
    """Keep the passkey that the browser made."""
    _factors, user_id, address = own(call)
    row, codes = call.service.passkeys.finish(user_id, call.actor.session_id, here(), address, call.body.handle, text_of(call.body.credential), call.body.name)
    return Made(passkey=shown(row), recovery_codes=codes)


@ROUTES.patch("/api/v1/auth/passkeys/<passkey_id>/", access="guest", body=Name, answer=Key, raises=(NotFound,))
def rename(call: Call, passkey_id: str) -> Key:
    """Call a passkey something else."""
    _factors, user_id, _address = own(call)
    return shown(call.service.passkeys.rename(user_id, passkey_id, call.body.name))


@ROUTES.delete("/api/v1/auth/passkeys/<passkey_id>/", access="guest", body=Proof, status=204, raises=(Conflict, NotFound, Throttled))
def remove(call: Call, passkey_id: str) -> None:
    """Forget a passkey, by the password or a code."""
    _factors, user_id, address = own(call)
    call.service.passkeys.remove(user_id, passkey_id, address, password=call.body.password, code=call.body.code)


def _ask(call: Call) -> dict:
    return call.service.passkeys.ask(here(), request.remote_addr or "", call.body.challenge)


def _answer(call: Call) -> dict:
    address = request.remote_addr or ""
    user = call.service.passkeys.answer(here(), address, call.body.handle, text_of(call.body.credential), call.body.challenge)
    welcome(call, user)
    return call.service.tokens(user, address, request.user_agent.string)


for _routes, _prefix in ((HUB_ROUTES, "/api/v1/auth"), (NODE_ROUTES, "/api/v1/local/auth")):

    @_routes.post(f"{_prefix}/login/passkey/begin/", access="open", body=Begin, answer=Ceremony, raises=(Conflict, Throttled, Unauthenticated))
    def login_begin(call: Call) -> dict:
        """Begin to log in with a passkey, alone or as the second step."""
        return _ask(call)

    @_routes.post(f"{_prefix}/login/passkey/finish/", access="open", body=Login, answer=Tokens, raises=(Conflict, Throttled, TooLarge, Unauthenticated))
    def login_finish(call: Call) -> dict:
        """Log in with what the browser answered."""
        return _answer(call)
