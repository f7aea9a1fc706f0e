"""JSON v1 of identity: login (by role) in one step or two, refresh, logout, keys, sessions."""

from __future__ import annotations

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from unibos.features.identity.agents import device_name
from unibos.features.identity.arrival import cookie, rp_id, welcome
from unibos.features.identity.models import User
from unibos.kernel.errors import Conflict, FactorNeeded, Throttled, Unauthenticated
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say

ROUTES, HUB_ROUTES, NODE_ROUTES = Routes(), Routes(), Routes()


class Strict(BaseModel):
    """Input that takes no unknown field."""

    model_config = ConfigDict(extra="forbid")


class Login(Strict):
    """E-mail and password."""

    email: str = Field(max_length=254)
    password: str = Field(max_length=256)


class SecondStep(Strict):
    """The challenge of a login and a code for it: six digits of an app, or a recovery code."""

    challenge: str = Field(max_length=128)
    code: str = Field(max_length=64)


class Refresh(Strict):
    """A refresh token."""

    refresh_token: str = Field(max_length=128)


class Person(BaseModel):
    """A person as the API shows them."""

    id: str
    email: str
    name: str
    kind: str


class Tokens(BaseModel):
    """What a login answers (decision 15)."""

    token: str
    refresh_token: str
    expires_in: int
    user: Person


class Session(BaseModel):
    """An open session; `device` says in words what program and system the user agent names."""

    id: str
    kind: str
    device: str
    address: str
    agent: str
    created_at: str
    seen_at: str
    current: bool


class Sessions(BaseModel):
    """Open sessions, the one used last first."""

    items: list[Session]


def _login(call: Call) -> dict:
    address = request.remote_addr or ""
    return _in(call, call.service.log_in(call.body.email, call.body.password, address, cookie(call.kit), rp_id()))


def _second(call: Call) -> dict:
    return _in(call, call.service.second_step(call.body.challenge, call.body.code, request.remote_addr or "", cookie(call.kit)))


def _in(call: Call, user: User) -> dict:
    welcome(call, user)
    return call.service.tokens(user, request.remote_addr or "", request.user_agent.string)


@HUB_ROUTES.post("/api/v1/auth/login/", access="open", body=Login, answer=Tokens, raises=(Unauthenticated, FactorNeeded, Throttled))
def hub_login(call: Call) -> dict:
    """Log in to the hub with e-mail and password."""
    return _login(call)


@HUB_ROUTES.post("/api/v1/auth/login/factor/", access="open", body=SecondStep, answer=Tokens, raises=(Unauthenticated, Throttled, Conflict))
def hub_factor(call: Call) -> dict:
    """Complete a login to the hub that answered factor-needed."""
    return _second(call)


@NODE_ROUTES.post("/api/v1/local/auth/login/", access="open", body=Login, answer=Tokens, raises=(Unauthenticated, FactorNeeded, Throttled))
def node_login(call: Call) -> dict:
    """Log in to this node with a local account, or with one of a hub that it has joined."""
    return _login(call)


@NODE_ROUTES.post("/api/v1/local/auth/login/factor/", access="open", body=SecondStep, answer=Tokens, raises=(Unauthenticated, Throttled, Conflict))
def node_factor(call: Call) -> dict:
    """Complete a login to this node that answered factor-needed."""
    return _second(call)


@ROUTES.post("/api/v1/auth/refresh/", access="open", body=Refresh, answer=Tokens, raises=(Unauthenticated,))
def refresh(call: Call) -> dict:
    """Trade a refresh token for new tokens; each can be used once."""
    return call.service.refresh(call.body.refresh_token)


@ROUTES.post("/api/v1/auth/logout/", access="open", status=204)
def logout(call: Call) -> None:
    """End the session of the token that is shown."""
    if not call.actor.session_id:
        raise Unauthenticated()
    call.service.close_session(call.actor.session_id, call.actor.id)


@ROUTES.get("/api/v1/auth/keys/", access="open", unclaimed=True)
def keys(call: Call) -> dict:
    """The public keys that verify this device's tokens (JWKS)."""
    return call.service.signer.jwks()


@ROUTES.get("/api/v1/auth/sessions/", access="guest", answer=Sessions)
def sessions(call: Call) -> Sessions:
    """The open sessions of the one asking."""
    return Sessions(items=[Session(id=s.id, kind=s.kind, device=say(device_name(s.agent)), address=s.address, agent=s.agent,
                                   created_at=s.created_at.isoformat(), seen_at=s.seen_at.isoformat(), current=s.id == call.actor.session_id)
                           for s in call.service.sessions(call.actor.id)])


@ROUTES.get("/api/v1/auth/whoami/", access="guest")
def whoami(call: Call) -> dict:
    """Who the one asking is, here."""
    actor = call.actor
    return {"kind": actor.kind, "id": actor.id, "name": actor.name, "org_id": actor.org_id, "role": actor.role, "via": actor.via,
            "offline": actor.offline, "why": say(call.service.why(actor))}
