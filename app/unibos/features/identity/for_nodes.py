"""The hub's side of logging in on nodes: tokens for one node, logins passed through by it, and what of its cached people still holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unibos.features.identity.models import User
from unibos.kernel.errors import FactorNeeded, Forbidden, NotFound, Throttled, Unauthenticated
from unibos.kernel.words import T
from unibos.wire import contact, tokens

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.actors import Actor
    from unibos.kernel.kit import Kit


def level(permissions: Mapping[str, Any], node_id: str) -> int:
    """How far a person's permissions reach on a node: 0 (not at all) to 5, by its id or by * for all."""
    nodes = permissions.get("nodes") or {}
    found = nodes.get(node_id, nodes.get("*", 0))
    return found if isinstance(found, int) else 0


class ForNodes:
    """What this hub gives its nodes of its people."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    def person(self, user: User, node_id: str, org_id: str) -> contact.Person | None:
        """A person as the node may know them, or None for who is not of its organisation, may not use it, or is disabled."""
        said = self._identity.claims(user.id, org_id)
        org, permissions = said.get("org") or {}, said.get("permissions") or {}
        if not self._identity.people.alive(user) or org.get("id") != org_id or level(permissions, node_id) < 1 or org.get("role") not in contact.ROLES:
            return None
        return contact.Person(user.id, user.email, user.name, user.credential_version, org["role"], self._identity.factors.on(user.id), org, permissions)

    def token(self, person: contact.Person, node_id: str) -> tuple[str, int]:
        """A token that lets a person in on one node and nowhere else, and its seconds."""
        seconds, now = self._kit.settings["UNIBOS_ACCESS_SECONDS"], int(self._kit.now().timestamp())
        claims = {"sub": person.id, "email": person.email, "name": person.name, "ver": person.version, "fac": person.factor, "kind": "person",
                  "org": dict(person.org), "permissions": dict(person.permissions), "iat": now, "exp": now + seconds, "jti": self._kit.random.uuid()}
        return self._identity.signer.sign(claims, audience=tokens.node_audience(node_id), typ=tokens.NODE), seconds

    def known(self, node_id: str, org_id: str) -> None:
        """Raise NotFound unless this is a node of the organisation that the hub still trusts: a node's own token may be older than its end."""
        checks = self._kit.gather("reaches")
        if not checks:
            raise NotFound()
        for check in checks:
            check(node_id, org_id)

    def node_token(self, actor: Actor, node_id: str) -> dict[str, Any]:
        """A token for a node of one's own organisation. Raises NotFound for any other node, Forbidden where one may not use it."""
        if actor.kind != "person":
            raise Forbidden(T("Only people get tokens for nodes."))
        self.known(node_id, actor.org_id)
        person = self.person(self._identity.user(actor.id), node_id, actor.org_id)
        if person is None:
            raise Forbidden(T("You may not use this node. Who looks after your organisation can change that."))
        token, seconds = self.token(person, node_id)
        return {"token": token, "expires_in": seconds, "audience": tokens.node_audience(node_id)}

    # A login that a node passes through. Its answers are states, not errors: a status of 401 would say that the node itself is not known.

    def log_in(self, node_id: str, org_id: str, email: str, password: str, address: str) -> dict[str, Any]:
        """{state: in, token, person, …}, {state: factor, challenge, …} or {state: refused, why}. The node names the address it was asked from.
        Raises NotFound for a node that is not trusted (any more)."""
        self.known(node_id, org_id)
        return self._answer(node_id, org_id, lambda: self._identity.log_in(email, password, self._at(node_id, address)))

    def second(self, node_id: str, org_id: str, challenge: str, code: str, address: str) -> dict[str, Any]:
        """The same, for the second step."""
        self.known(node_id, org_id)
        return self._answer(node_id, org_id, lambda: self._identity.factors.answer(challenge, code, self._at(node_id, address)))

    @staticmethod
    def _at(node_id: str, address: str) -> str:
        return f"{node_id}/{address[:64]}"

    def _answer(self, node_id: str, org_id: str, work: Callable[[], User]) -> dict[str, Any]:
        try:
            user = work()
        except FactorNeeded as needed:
            return {"state": "factor", "challenge": needed.extra["challenge"], "expires_in": needed.extra["expires_in"],
                    "factors": needed.extra["factors"]}
        except Throttled as error:
            return {"state": "refused", "why": "throttled", "retry_after": float(error.retry_after or 0.0)}
        except Unauthenticated as error:
            return {"state": "refused", "why": "ended" if error.extra.get("ended") else "credentials"}
        person = self.person(user, node_id, org_id)
        if person is None:
            return {"state": "refused", "why": "not-here"}
        token, seconds = self.token(person, node_id)
        return {"state": "in", "token": token, "expires_in": seconds, "person": person.shown(), **self.keys()}

    def keys(self) -> dict[str, Any]:
        """Who signs, and the published keys."""
        return {"issuer": self._identity.signer.name, "keys": self._identity.signer.jwks()}

    # Contact.

    def contact(self, node_id: str, org_id: str, known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What of `known` ({id, version, fingerprint} each) still holds; who is unknown, of elsewhere or disabled is revoked alike."""
        self.known(node_id, org_id)
        rows = {user.id: user for user in User.select().where(User.id.in_([one["id"] for one in known]))} if known else {}
        return {**self.keys(), "people": [self._state(rows.get(one["id"]), one, node_id, org_id) for one in known]}

    def _state(self, user: User | None, one: Mapping[str, Any], node_id: str, org_id: str) -> dict[str, Any]:
        person = self.person(user, node_id, org_id) if user is not None else None
        if person is None:
            return {"id": one["id"], "state": "revoked"}
        if person.version != one["version"]:
            return {"id": person.id, "state": "credential", "person": person.shown()}
        if contact.fingerprint(person) != one["fingerprint"]:
            return {"id": person.id, "state": "permissions", "person": person.shown()}
        return {"id": person.id, "state": "unchanged"}
