"""JSON v1 of the second factor: its state, turning it on and off, recovery codes. For people only: the console and nodes have none."""

from __future__ import annotations

from typing import Any

from flask import request
from pydantic import BaseModel, Field

from unibos.features.identity.api import Strict
from unibos.kernel.errors import Conflict, Forbidden, NotFound, Throttled
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T

ROUTES = Routes()


class Password(Strict):
    """One's own password once more."""

    password: str = Field(max_length=256)


class Code(Strict):
    """The first code of an app."""

    code: str = Field(max_length=64)


class Proof(Strict):
    """One's own password once more, or a code: one of the two."""

    password: str = Field("", max_length=256)
    code: str = Field("", max_length=64)


class App(BaseModel):
    """The app of a person: off, pending or on."""

    state: str
    since: str | None
    used_at: str | None


class Recovery(BaseModel):
    """How many recovery codes are left, and since when there are these."""

    left: int
    made_at: str | None


class State(BaseModel):
    """The second step of a person; `second_step` says whether the password alone is not enough, by an app or a passkey."""

    totp: App
    recovery: Recovery
    clock_trusted: bool
    second_step: bool


class Secret(BaseModel):
    """The key for an app, in Base32 and as the address of a QR code."""

    secret: str
    uri: str


class Codes(BaseModel):
    """Recovery codes, shown only now."""

    recovery_codes: list[str]


def no_guest(call: Call) -> None:
    """Raise Forbidden for somebody let in for a time: their account has nothing to log in with, and is to get nothing."""
    if call.actor.role == "guest" and call.service.user(call.actor.id).kind == "guest":
        raise Forbidden(T("A guest has neither password nor e-mail: your link is all there is, and it ends by itself."))


def own(call: Call) -> tuple[Any, str, str]:
    """(factors, person's id, address) of the one asking; raises Forbidden for who is no person."""
    if call.actor.kind != "person":
        raise Forbidden(T("Only people have a second step. On the console, unibos recover removes one."))
    no_guest(call)
    return call.service.factors, call.actor.id, request.remote_addr or ""


@ROUTES.get("/api/v1/auth/factors/", access="guest", answer=State)
def state(call: Call) -> dict:
    """The second factor of the one asking: off, pending or on, and how many recovery codes are left."""
    factors, user_id, _address = own(call)
    found = factors.state(user_id)
    times = {name: found[name].isoformat() if found[name] else None for name in ("since", "used_at", "codes_at")}
    return {"totp": {"state": found["state"], "since": times["since"], "used_at": times["used_at"]},
            "recovery": {"left": found["codes_left"], "made_at": times["codes_at"]},
            "clock_trusted": found["clock_trusted"], "second_step": found["second_step"]}


@ROUTES.post("/api/v1/auth/factors/totp/", access="guest", body=Password, status=201, answer=Secret, raises=(Conflict, Throttled))
def begin(call: Call) -> dict:
    """Make a TOTP secret that waits 15 minutes to be confirmed; it is shown only now."""
    factors, user_id, address = own(call)
    return factors.begin(user_id, address, call.body.password)


@ROUTES.post("/api/v1/auth/factors/totp/confirm/", access="guest", body=Code, answer=Codes, raises=(Conflict, Throttled))
def confirm(call: Call) -> dict:
    """Turn the second factor on by a first code; answers the recovery codes, shown only now, and ends the other sessions."""
    factors, user_id, address = own(call)
    return {"recovery_codes": factors.confirm(user_id, call.actor.session_id, address, call.body.code)}


@ROUTES.delete("/api/v1/auth/factors/totp/", access="guest", body=Proof, status=204, raises=(Conflict, NotFound, Throttled))
def turn_off(call: Call) -> None:
    """Turn the second factor off, by the password or a code."""
    factors, user_id, address = own(call)
    factors.turn_off(user_id, address, password=call.body.password, code=call.body.code)


@ROUTES.post("/api/v1/auth/factors/recovery/", access="guest", body=Proof, status=201, answer=Codes, raises=(Conflict, NotFound, Throttled))
def renew(call: Call) -> dict:
    """Make new recovery codes in place of the older ones, by the password or a code; they are shown only now."""
    factors, user_id, address = own(call)
    return {"recovery_codes": factors.renew(user_id, address, password=call.body.password, code=call.body.code)}
