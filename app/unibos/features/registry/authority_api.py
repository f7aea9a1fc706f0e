"""JSON v1 of the hub's registry for nodes: challenge, enrol, apply, session, heartbeat, goodbye, and the socket that ends with their trust."""

from __future__ import annotations

from typing import Any, Literal

from flask import g, request
from pydantic import BaseModel, Field

from unibos.features.registry.shapes import About, Id, Key, Line, Metrics, Nonce, RevocationsOut, Signature, Slug, Strict
from unibos.kernel.errors import Conflict, Forbidden, LimitReached, NotFound, NotTrusted, Throttled
from unibos.kernel.web import Call, Routes

ROUTES = Routes()
LISTENS = 30.0


class ChallengeIn(Strict):
    """Whose key is to be proven."""

    public_key: Key


class ChallengeOut(BaseModel):
    """What to sign, and for how many seconds it is good."""

    challenge: str
    expires_in: int


class AuthorityOut(BaseModel):
    """The certificate of the hub's own CA, PEM."""

    ca: str


class Proof(About):
    """Whose key signed which challenge, and what the node says of itself."""

    public_key: Key
    challenge: Nonce
    signature: Signature


class Enrol(Proof):
    """A node that wants in by a token."""

    token: str = Field(max_length=128)


class EnrolOut(BaseModel):
    """The node's id here, and whose it is now."""

    node_id: str
    org_id: str
    signer: str = ""


class Apply(Proof):
    """A node that asks to be let in without a token; `organisation` is a slug, empty for the hub's first one."""

    organisation: Slug = ""


class ApplyOut(BaseModel):
    """How it stands; ids only once approved. Ask again after `poll_in` seconds."""

    state: Literal["pending", "approved", "refused"]
    node_id: str
    org_id: str
    signer: str
    poll_in: int


class SessionIn(Strict):
    """A node that proves its key again."""

    node_id: Id
    challenge: Nonce
    signature: Signature


class SessionOut(BaseModel):
    """A token, and its seconds."""

    token: str
    expires_in: int


class Heartbeat(About):
    """A node's report; `at` is its own time (ms since 1970), `revocations` the number of the newest list of revoked nodes that it has."""

    metrics: Metrics
    at: int | None = Field(None, ge=0, lt=1 << 53)
    revocations: int | None = Field(None, ge=-1, lt=1 << 53)


class HeartbeatOut(BaseModel):
    """When to report next, how far the hub trusts the node, and the list of revoked nodes where the node's is older."""

    next_in: float
    trust: int
    maintenance: bool
    revocations: RevocationsOut | None


class Goodbye(Strict):
    """Why a node goes."""

    reason: Line = Field("", max_length=120)


class PeerOut(BaseModel):
    """Another node of the organisation."""

    id: str
    hostname: str
    url: str
    authority: str
    public_key: str
    status: str


class PeersOut(BaseModel):
    """The other nodes."""

    items: list[PeerOut]


def _about(body: About) -> dict[str, Any]:
    return body.model_dump(include=set(About.model_fields))


@ROUTES.get("/api/v1/authority/", access="open", unclaimed=True, answer=AuthorityOut, raises=(NotFound,))
def authority(call: Call) -> dict:
    """The certificate of this hub's own CA (PEM), for a node to compare with the pin of its token."""
    return {"ca": call.service.authority()}


@ROUTES.post("/api/v1/nodes/challenge/", access="open", body=ChallengeIn, unclaimed=True, answer=ChallengeOut, raises=(Throttled,))
def challenge(call: Call) -> dict:
    """A nonce for a node to sign."""
    call.services["identity"].throttle(f"challenge@{request.remote_addr}", limit=120)
    return {"challenge": call.service.challenge(call.body.public_key), "expires_in": 60}


@ROUTES.post("/api/v1/nodes/enrol/", access="open", body=Enrol, status=201, unclaimed=True, answer=EnrolOut,
             raises=(Forbidden, NotTrusted, Conflict, LimitReached, Throttled))
def enrol(call: Call) -> dict:
    """Let a node in by a one-time token and its own key."""
    body = call.body
    call.services["identity"].throttle(f"enrol@{request.remote_addr}", limit=20)
    node = call.service.enrol(token=body.token, public_key=body.public_key, challenge=body.challenge, signature=body.signature, about=_about(body))
    return {"node_id": node.id, "org_id": node.org_id, "signer": call.service.fleet.list_key()}


@ROUTES.post("/api/v1/nodes/apply/", access="open", body=Apply, unclaimed=True, answer=ApplyOut, raises=(Forbidden, NotTrusted, Throttled))
def apply(call: Call) -> dict:
    """Ask, without a token, to be let in by an admin; asked again it says how it stands."""
    from unibos.features.registry.joining import POLL_SECONDS

    body = call.body
    call.services["identity"].throttle(f"apply@{request.remote_addr}", limit=60)
    answer = call.service.applications.apply(organisation=body.organisation, public_key=body.public_key, challenge=body.challenge,
                                             signature=body.signature, about=_about(body), address=request.remote_addr or "")
    return {**answer, "signer": call.service.fleet.list_key(), "poll_in": POLL_SECONDS}


@ROUTES.post("/api/v1/nodes/session/", access="open", body=SessionIn, unclaimed=True, answer=SessionOut,
             raises=(Forbidden, NotFound, NotTrusted, Throttled))
def session(call: Call) -> dict:
    """A short-lived token for a node that proves its key."""
    body = call.body
    call.services["identity"].throttle(f"session@{request.remote_addr}", limit=120)
    token, seconds = call.service.session(body.node_id, body.challenge, body.signature)
    return {"token": token, "expires_in": seconds}


@ROUTES.post("/api/v1/nodes/heartbeat/", access="node", body=Heartbeat, unclaimed=True, answer=HeartbeatOut, raises=(NotFound, NotTrusted))
def heartbeat(call: Call) -> dict:
    """A node's report about itself."""
    body, service = call.body, call.service
    node = service.heartbeat(call.actor.id, body.metrics.model_dump(), _about(body), sent_at=body.at, node=g.get("registry_node"))
    newer = body.revocations is not None and service.fleet.sequence(node.org_id) > body.revocations
    return {"next_in": call.kit.settings["UNIBOS_HEARTBEAT_SECONDS"], "trust": node.trust, "maintenance": service.fleet.resting(node),
            "revocations": service.fleet.revocations(node.org_id) if newer else None}


@ROUTES.post("/api/v1/nodes/goodbye/", access="node", body=Goodbye, status=204, unclaimed=True, raises=(NotFound, NotTrusted))
def goodbye(call: Call) -> None:
    """A node says that it goes."""
    call.service.goodbye(call.actor.id, call.body.reason)


@ROUTES.get("/api/v1/nodes/revocations/", access="node", unclaimed=True, answer=RevocationsOut, raises=(NotFound, NotTrusted))
def revocations(call: Call) -> dict:
    """The nodes of the organisation that are not trusted any more, signed, with a sequence number."""
    return call.service.fleet.revocations(call.actor.org_id)


@ROUTES.get("/api/v1/nodes/peers/", access="node", unclaimed=True, answer=PeersOut, raises=(Forbidden, NotFound, NotTrusted))
def peers(call: Call) -> dict:
    """Where the other nodes of the organisation are, for a node that is trusted that far."""
    verdict = call.service.may(g.get("registry_node") or call.service.speaks(call.actor.id), "peers")
    if not verdict.allowed:
        raise Forbidden(verdict.why)
    return {"items": [{"id": n.id, "hostname": n.hostname, "url": n.url, "authority": n.authority, "public_key": n.public_key, "status": s.status}
                      for n, _p, s in call.service.nodes(call.actor.org_id) if n.id != call.actor.id and n.revoked_at is None]}


@ROUTES.socket("/ws/nodes/", access="node", unclaimed=True)
def line(call: Call, connection: Any) -> None:
    """A line to a node: it is told the number of the newest list of revoked nodes now and then, and closed (4403) as soon as it is not trusted any more."""
    while True:
        connection.send({"type": "here", "revocations": call.service.fleet.sequence(call.actor.org_id)})
        call.kit.db.release()
        while connection.receive(timeout=LISTENS) is not None:
            pass  # what a node says here has no meaning yet
