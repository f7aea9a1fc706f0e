"""JSON v1 of passwords: change, forget, reset, a link for somebody else, and the proof of an e-mail address."""

from __future__ import annotations

from flask import request
from pydantic import BaseModel, Field

from unibos.features.identity.api import Strict
from unibos.features.identity.arrival import base
from unibos.features.identity.factor_api import own
from unibos.features.identity.resets import LASTS
from unibos.kernel.actors import RANKS
from unibos.kernel.errors import Conflict, NotFound, Throttled, Unauthenticated
from unibos.kernel.web import Call, Routes

ROUTES = Routes()


class Change(Strict):
    """The old password or a code, one of the two, and the new password."""

    password: str = Field("", max_length=256)
    code: str = Field("", max_length=64)
    new: str = Field(max_length=256)


class Forgot(Strict):
    """An e-mail address."""

    email: str = Field(max_length=254)


class Asked(BaseModel):
    """The same for every address: a mail is under way if an account with this proven address is here."""

    accepted: bool = True


class Reset(Strict):
    """The code of a mail, of an admin or of the console, and the new password."""

    code: str = Field(max_length=64)
    password: str = Field(max_length=256)


class Person(Strict):
    """Somebody of one's own organisation."""

    user_id: str = Field(max_length=36)


class Handed(BaseModel):
    """What to hand over: the link where this device knows an address to be reached by, and the code that works on any of its addresses."""

    code: str
    link: str
    expires_in: int


class Code(Strict):
    """The code of a mail."""

    code: str = Field(max_length=64)


@ROUTES.post("/api/v1/auth/password/", access="guest", body=Change, status=204, raises=(Conflict, Throttled))
def change(call: Call) -> None:
    """Set another password for oneself; ends one's other sessions."""
    factors, user_id, address = own(call)
    body = call.body
    factors.prove(user_id, address, password=body.password, code=body.code)
    call.service.set_password(user_id, body.new, but=call.actor.session_id, address=address)


@ROUTES.post("/api/v1/auth/password/forgot/", access="open", body=Forgot, status=202, answer=Asked, raises=(Conflict, Throttled))
def forgot(call: Call) -> Asked:
    """Have a code for a new password mailed; the answer does not tell whether there is such an account."""
    call.service.resets.forgot(call.body.email, request.remote_addr or "", base(call.kit))
    return Asked()


@ROUTES.post("/api/v1/auth/password/reset/", access="open", body=Reset, status=204, raises=(Throttled, Unauthenticated))
def reset(call: Call) -> None:
    """Set a new password by a code; ends all sessions of that person."""
    call.service.resets.reset(call.body.code, call.body.password, request.remote_addr or "")


def target(call: Call, user_id: str) -> None:
    """Raise NotFound unless the person is of the organisation of the one asking, of no other one, and of no higher rank. Whoever sets a password
    comes into every organisation of that person, so only who runs the device may for people of several."""
    org = call.service.claims(user_id, call.actor.org_id).get("org") or {}
    if org.get("id") != call.actor.org_id or org.get("role") == "guest" or RANKS.get(str(org.get("role")), 0) > RANKS[call.actor.role]:
        raise NotFound()
    organisations = call.services["orgs"].organisations
    if not organisations.operator(call.actor) and any(org_id != call.actor.org_id for org_id, _role in organisations.roles(user_id)):
        raise NotFound()


@ROUTES.post("/api/v1/auth/password/link/", access="admin", body=Person, status=201, answer=Handed, raises=(NotFound, Throttled))
def link(call: Call) -> Handed:
    """Make a code that lets a person of one's organisation choose a new password, to be handed over; the person is told."""
    return hand(call, call.body.user_id)


def hand(call: Call, user_id: str) -> Handed:
    """A code with its link, made by who may make one for this person. Raises NotFound, Throttled."""
    target(call, user_id)
    call.service.throttle(f"link:{call.actor.id}", 20, 3600)
    code, start = call.service.resets.make(user_id, call.actor.id, request.remote_addr or ""), base(call.kit)
    return Handed(code=code, link=f"{start}/password/reset/#code={code}" if start else "", expires_in=LASTS)


@ROUTES.post("/api/v1/auth/email/verify/request/", access="guest", status=202, answer=Asked, raises=(Conflict, Throttled))
def verify_request(call: Call) -> Asked:
    """Have a code mailed that proves one's e-mail address."""
    _factors, user_id, _address = own(call)
    call.service.resets.request(user_id, base(call.kit))
    return Asked()


@ROUTES.post("/api/v1/auth/email/verify/confirm/", access="open", body=Code, status=204, raises=(Throttled, Unauthenticated))
def verify_confirm(call: Call) -> None:
    """Prove an e-mail address by the code that was mailed to it."""
    call.service.resets.confirm(call.body.code, request.remote_addr or "")
