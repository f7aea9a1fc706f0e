"""JSON v1 of a hub about its keys and about people on nodes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from unibos.features.identity.api import Strict
from unibos.kernel.errors import Conflict, Forbidden, NotFound, Throttled
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.wire import contact

ROUTES = Routes()


def plain(value: str) -> str:
    """Text that a database can keep. Raises ValueError for NUL and lone surrogates."""
    value.encode()
    if "\0" in value:
        raise ValueError("NUL is no text")
    return value


Id = Annotated[str, Field(min_length=1, max_length=36), AfterValidator(plain)]
Plain = AfterValidator(plain)


class JwkSet(BaseModel):
    """Public keys (RFC 7517)."""

    keys: list[dict[str, str]]


class NodeToken(Strict):
    """For which node."""

    node_id: Id


class TokenForNode(BaseModel):
    """A token that lets its person in on one node."""

    token: str
    expires_in: int
    audience: str


class NodeLogin(Strict):
    """Who logs in on the node, and from which address there."""

    email: Annotated[str, Field(max_length=254), Plain]
    password: Annotated[str, Field(max_length=256), Plain]
    address: Annotated[str, Field(max_length=64), Plain] = ""


class NodeSecond(Strict):
    """The second step of such a login."""

    challenge: Annotated[str, Field(max_length=128), Plain]
    code: Annotated[str, Field(max_length=64), Plain]
    address: Annotated[str, Field(max_length=64), Plain] = ""


class PersonOut(BaseModel):
    """A person as a node keeps them."""

    id: str
    email: str
    name: str
    version: int
    role: str
    factor: bool
    org: dict[str, Any]
    permissions: dict[str, Any]


class LoginOut(BaseModel):
    """How the login went."""

    state: Literal["in", "factor", "refused"]
    why: Literal["credentials", "throttled", "ended", "not-here"] | None = None
    retry_after: float | None = None
    challenge: str | None = None
    factors: list[str] | None = None
    token: str | None = None
    expires_in: int | None = None
    person: PersonOut | None = None
    issuer: str | None = None
    keys: JwkSet | None = None


class Known(Strict):
    """A person whom the node has kept."""

    id: Id
    version: int = Field(ge=0, lt=2**31)
    fingerprint: Annotated[str, Field(max_length=32), Plain] = ""


class SyncIn(Strict):
    """All people of hubs whom the node has kept."""

    people: list[Known] = Field(max_length=contact.MOST)


class StateOut(BaseModel):
    """What became of one of them."""

    id: str
    state: Literal["unchanged", "permissions", "credential", "revoked"]
    person: PersonOut | None = None


class SyncOut(BaseModel):
    """What of it still holds, and the hub's keys."""

    issuer: str
    keys: JwkSet
    people: list[StateOut]


class KeyOut(BaseModel):
    """A signing key, without its secret."""

    kid: str
    state: Literal["next", "current", "previous"]
    made_at: str
    starts_at: str


class Ring(BaseModel):
    """The ring of signing keys."""

    issuer: str
    items: list[KeyOut]


class Rotate(Strict):
    """`at_once`: the new key signs now, and older keys end with all their tokens."""

    at_once: bool = False


@ROUTES.post("/api/v1/auth/node-token/", access="guest", body=NodeToken, answer=TokenForNode, raises=(NotFound,))
def node_token(call: Call) -> dict:
    """A token for a node of one's own organisation; it is good on that node alone."""
    return call.service.for_nodes.node_token(call.actor, call.body.node_id)


@ROUTES.post("/api/v1/auth/node-login/", access="node", body=NodeLogin, answer=LoginOut, raises=(NotFound,))
def node_login(call: Call) -> LoginOut:
    """A node passes a login of a person through; wrong credentials are a state of the answer."""
    body = call.body
    return LoginOut.model_validate(call.service.for_nodes.log_in(call.actor.id, call.actor.org_id, body.email, body.password, body.address))


@ROUTES.post("/api/v1/auth/node-login/factor/", access="node", body=NodeSecond, answer=LoginOut, raises=(Conflict, NotFound))
def node_second(call: Call) -> LoginOut:
    """A node passes the second step of a login through."""
    body = call.body
    return LoginOut.model_validate(call.service.for_nodes.second(call.actor.id, call.actor.org_id, body.challenge, body.code, body.address))


@ROUTES.post("/api/v1/auth/permissions/sync/", access="node", body=SyncIn, answer=SyncOut, raises=(NotFound, Throttled))
def sync(call: Call) -> SyncOut:
    """What of the people whom a node has kept still holds; only people of the node's organisation."""
    call.service.throttle(f"sync:{call.actor.id}", limit=240)
    return SyncOut.model_validate(call.service.for_nodes.contact(call.actor.id, call.actor.org_id, [one.model_dump() for one in call.body.people]))


def _ring(call: Call) -> Ring:
    signer = call.service.signer
    return Ring(issuer=signer.name, items=[KeyOut(kid=k["kid"], state=k["state"], made_at=k["made_at"].isoformat(), starts_at=k["starts_at"].isoformat())
                                           for k in signer.listed()])


@ROUTES.get("/api/v1/auth/keys/ring/", access="owner", answer=Ring)
def ring(call: Call) -> Ring:
    """The signing keys: which signs, which comes next, which are still published. For the hub's own console."""
    _console(call)
    return _ring(call)


@ROUTES.post("/api/v1/auth/keys/ring/", access="owner", body=Rotate, answer=Ring, status=201)
def rotate(call: Call) -> Ring:
    """Make a new signing key, which signs after a day, or at once. For the hub's own console."""
    _console(call)
    call.service.signer.rotate(at_once=call.body.at_once)
    return _ring(call)


def _console(call: Call) -> None:
    """The keys are the hub's and no organisation's, so that only its console turns them. Raises Forbidden."""
    if call.actor.kind != "console":
        raise Forbidden(T("Only the hub's own console turns its keys: unibos-hub keys."))
