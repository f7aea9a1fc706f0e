"""JSON v1 of the hub's registry: for nodes (challenge, enrol, session, heartbeat, goodbye) and for people."""

from __future__ import annotations

from typing import Any

from flask import request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say
from unibos.wire import pin

ROUTES = Routes()
Key = Field(min_length=40, max_length=64)


class Strict(BaseModel):
    """Input that takes no unknown field."""

    model_config = ConfigDict(extra="forbid")


class ChallengeIn(Strict):
    """Whose key is to be proven."""

    public_key: str = Key


class About(BaseModel):
    """What a node says of itself; fields of newer versions are let pass."""

    hostname: str = Field(max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    type: str = Field("standard", pattern="^(standard|edge|desktop)$")
    platform: str = Field("", max_length=120)
    url: str = Field("", max_length=300, pattern=r"^(https?://[^\s/]+)?$")
    version: str = Field("", max_length=32)
    modules: list[str] = Field(default_factory=list, max_length=64)
    capabilities: dict[str, Any] = Field(default_factory=dict, max_length=32)
    authority: str = Field("", max_length=pin.MAX_PEM)

    @field_validator("authority")
    @classmethod
    def one_authority(cls, value: str) -> str:
        """Nothing, or the PEM of exactly one CA certificate, written as we write it."""
        return pin.pem(pin.der(value)) if value else ""


class Enrol(About):
    """A node that wants in."""

    token: str = Field(max_length=128)
    public_key: str = Key
    challenge: str = Field(max_length=64)
    signature: str = Field(max_length=128)


class SessionIn(Strict):
    """A node that proves its key again."""

    node_id: str = Field(max_length=36)
    challenge: str = Field(max_length=64)
    signature: str = Field(max_length=128)


class Metrics(BaseModel):
    """Load in percent, temperature in °C, queue depth, sync lag in seconds."""

    cpu: float | None = Field(None, ge=0, le=100)
    memory: float | None = Field(None, ge=0, le=100)
    disk: float | None = Field(None, ge=0, le=100)
    temperature: float | None = Field(None, ge=-100, le=300)
    queue: int | None = Field(None, ge=0)
    lag: float | None = Field(None, ge=0)
    uptime: float | None = Field(None, ge=0)


class Heartbeat(About):
    """A node's report."""

    metrics: Metrics


class Goodbye(Strict):
    """Why a node goes."""

    reason: str = Field("", max_length=120)


class TokenIn(Strict):
    """How long an enrolment token lasts."""

    hours: int = Field(24, ge=1, le=720)


@ROUTES.get("/api/v1/authority/", access="open", unclaimed=True)
def authority(call: Call) -> dict:
    """The certificate of this hub's own CA (PEM), for a node to compare with the pin of its token."""
    return {"ca": call.service.authority()}


@ROUTES.post("/api/v1/nodes/challenge/", access="open", body=ChallengeIn, unclaimed=True)
def challenge(call: Call) -> dict:
    """A nonce for a node to sign."""
    call.services["identity"].throttle(f"challenge@{request.remote_addr}", limit=120)
    return {"challenge": call.service.challenge(call.body.public_key), "expires_in": 60}


@ROUTES.post("/api/v1/nodes/enrol/", access="open", body=Enrol, status=201, unclaimed=True)
def enrol(call: Call) -> dict:
    """Let a node in by a one-time token and its own key."""
    body, identity = call.body, call.services["identity"]
    identity.throttle(f"enrol@{request.remote_addr}", limit=20)
    about = body.model_dump(include=set(About.model_fields))
    node = call.service.enrol(token=body.token, public_key=body.public_key, challenge=body.challenge, signature=body.signature, about=about)
    return {"node_id": node.id, "org_id": node.org_id}


@ROUTES.post("/api/v1/nodes/session/", access="open", body=SessionIn, unclaimed=True)
def session(call: Call) -> dict:
    """A short-lived token for a node that proves its key."""
    body = call.body
    token, seconds = call.service.session(body.node_id, body.challenge, body.signature)
    return {"token": token, "expires_in": seconds}


@ROUTES.post("/api/v1/nodes/heartbeat/", access="node", body=Heartbeat, unclaimed=True)
def heartbeat(call: Call) -> dict:
    """A node's report about itself."""
    body = call.body
    call.service.heartbeat(call.actor.id, body.metrics.model_dump(), body.model_dump(include=set(About.model_fields)))
    return {"next_in": call.kit.settings["UNIBOS_HEARTBEAT_SECONDS"]}


@ROUTES.post("/api/v1/nodes/goodbye/", access="node", body=Goodbye, status=204, unclaimed=True)
def goodbye(call: Call) -> None:
    """A node says that it goes."""
    call.service.goodbye(call.actor.id, call.body.reason)


def _shown(row: tuple) -> dict[str, Any]:
    node, pulse, state = row
    return {"id": node.id, "hostname": node.hostname, "type": node.type, "platform": node.platform, "url": node.url, "version": node.version,
            "modules": node.modules, "capabilities": node.capabilities, "trust": node.trust, "status": state.status, "why": say(state.why),
            "last_heartbeat": pulse.heartbeat_at.isoformat() if pulse and pulse.heartbeat_at else None,
            "metrics": pulse.metrics if pulse else {}, "joined_at": node.created_at.isoformat()}


@ROUTES.get("/api/v1/nodes/", access="viewer")
def nodes(call: Call) -> dict:
    """The organisation's nodes with their state."""
    return {"items": [_shown(row) for row in call.service.nodes(call.actor.org_id)]}


@ROUTES.get("/api/v1/nodes/<node_id>/", access="viewer")
def node(call: Call, node_id: str) -> dict:
    """One node."""
    return _shown(call.service.node(node_id, call.actor.org_id))


@ROUTES.post("/api/v1/nodes/tokens/", access="admin", body=TokenIn, status=201)
def token(call: Call) -> dict:
    """Make a one-time enrolment token; it is shown only here."""
    value, until = call.service.make_token(call.actor.org_id, call.actor.id, call.body.hours)
    return {"token": value, "expires_at": until.isoformat()}
