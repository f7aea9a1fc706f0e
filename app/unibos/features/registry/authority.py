"""The hub's side: tokens, challenges, enrolment, heartbeats, and the list of nodes."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.registry.decide import State, state
from unibos.features.registry.models import ORG_OF_KEY, ORG_OF_NODE, ORG_OF_TOKEN, WITH_NODES, Challenge, EnrolToken, Node, Pulse
from unibos.kernel import authorities
from unibos.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from unibos.kernel.words import T
from unibos.wire import pin, proof

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

TOKEN_HOURS = 24
CHALLENGE_SECONDS = 60
SESSION_SECONDS = 3600
METRICS = ("cpu", "memory", "disk", "temperature", "queue", "lag")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid(T("A key or signature is not Base64.")) from None


def _hash(token: str) -> str:
    return hashlib.sha256(token.strip().encode()).hexdigest()


class Authority:
    """The registry of a hub."""

    def __init__(self, kit: Kit, identity: Any):
        self._kit, self._identity = kit, identity

    # Joining.

    def make_token(self, org_id: str, actor_id: str, hours: int = TOKEN_HOURS) -> tuple[str, dt.datetime]:
        """A one-time enrolment token as a person copies it, and when it expires: TOKEN, or TOKEN.PIN where this hub has a CA of its own.

        Raises Unavailable when the certificate of that CA cannot be read: a token without its pin would make nodes trust more than they should.
        """
        own = authorities.own(self._kit.settings)
        token, now = base64.b32encode(self._kit.random.bytes(20)).decode().rstrip("="), self._kit.now()
        until = now + dt.timedelta(hours=hours)
        with self._kit.db.transaction():
            EnrolToken.create(hash=_hash(token), org_id=org_id, created_by=actor_id, created_at=now, expires_at=until)
        return pin.joined(token, own) if own else token, until

    def authority(self) -> str:
        """The certificate of this hub's own CA, PEM. Raises NotFound when it has none, Unavailable when it cannot be read."""
        own = authorities.own(self._kit.settings)
        if own is None:
            raise NotFound(T("This hub has no authority of its own."))
        return pin.pem(own)

    def challenge(self, public_key: str) -> str:
        """A nonce for the owner of `public_key` to sign within a minute."""
        if len(_bytes(public_key)) != 32:
            raise Invalid(T("A node's key has 32 bytes."))
        nonce, now = self._kit.random.bytes(24).hex(), self._kit.now()
        with self._kit.db.transaction():
            Challenge.delete().where(Challenge.expires_at < now).execute()
            Challenge.create(nonce=nonce, public_key=public_key, expires_at=now + dt.timedelta(seconds=CHALLENGE_SECONDS))
        return nonce

    def _proven(self, public_key: str, nonce: str, signature: str, purpose: str, field: str) -> None:
        """Use up the nonce and check the signature; raises Forbidden. Call it in a transaction."""
        used = Challenge.delete().where(Challenge.nonce == nonce, Challenge.public_key == public_key,
                                        Challenge.expires_at >= self._kit.now()).execute()
        if not used or not proof.verify(_bytes(public_key), _bytes(signature), purpose, nonce, field):
            raise Forbidden(T("The node did not prove its key."))

    def enrol(self, *, token: str, public_key: str, challenge: str, signature: str, about: Mapping[str, Any]) -> Node:
        """Let a node in. Raises Forbidden for a token that is wrong, used or expired, or a key not proven."""
        now, hashed = self._kit.now(), _hash(token)
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_TOKEN, hashed)), self._kit.db.transaction():
            row = EnrolToken.get_or_none(EnrolToken.hash == hashed, EnrolToken.used_by == "", EnrolToken.expires_at >= now)
            if row is None:
                raise Forbidden(T("This enrolment token is wrong, used or expired. Make a new one on the hub."))
            self._proven(public_key, challenge, signature, "enrol", token)
            if self._kit.db.find(ORG_OF_KEY, public_key) not in ("", row.org_id):
                raise Conflict(T("This node belongs to another organisation."))
            known = Node.get_or_none(Node.public_key == public_key, Node.deleted_at.is_null())
            if known is None or known.revoked_at is not None:
                self._kit.room(row.org_id, "nodes", lambda: count(row.org_id))
            if known is not None:
                node = self._kit.records.update(known, **about, revoked_at=None)
            else:
                node = self._kit.records.create(Node, org_id=row.org_id, public_key=public_key, **about)
            EnrolToken.update(used_by=node.id).where(EnrolToken.hash == row.hash).execute()
            self._kit.changed("nodes")
        return node

    def session(self, node_id: str, challenge: str, signature: str) -> tuple[str, int]:
        """A token for a node that proves its key, and its seconds. Raises NotFound for an unknown or revoked one."""
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_NODE, node_id)):
            node = self._trusted(node_id)
            with self._kit.db.transaction():
                self._proven(node.public_key, challenge, signature, "session", node_id)
        return self._identity.issue_node_token(node.id, node.org_id, SESSION_SECONDS), SESSION_SECONDS

    def _trusted(self, node_id: str) -> Node:
        node = Node.get_or_none(Node.id == node_id, Node.deleted_at.is_null(), Node.revoked_at.is_null())
        if node is None:
            raise NotFound(T("This hub does not know the node."))
        return node

    # Signs of life.

    def heartbeat(self, node_id: str, metrics: Mapping[str, float | None], about: Mapping[str, Any]) -> None:
        """Keep a node's report."""
        node, now = self._trusted(node_id), self._kit.now()
        with self._kit.db.transaction():
            self._kit.records.update(node, **about)
            fields = {"heartbeat_at": now, "metrics": dict(metrics), "goodbye_at": None, "goodbye": ""}
            if not Pulse.update(**fields).where(Pulse.node_id == node_id).execute():
                Pulse.create(node_id=node_id, org_id=node.org_id, **fields)
            self._kit.changed("nodes", f"node:{node_id}")
        at = self._kit.now_ms()
        self._kit.series.append([(f"node:{node_id}:{name}", at, float(metrics[name]), None) for name in METRICS  # type: ignore[arg-type]
                                 if metrics.get(name) is not None])

    def goodbye(self, node_id: str, reason: str) -> None:
        """A node says that it goes."""
        self._trusted(node_id)
        with self._kit.db.transaction():
            Pulse.update(goodbye_at=self._kit.now(), goodbye=reason[:120]).where(Pulse.node_id == node_id).execute()
            self._kit.changed("nodes", f"node:{node_id}")

    def called_back(self, node_id: str, failure: str) -> None:
        """Note whether a call back was answered."""
        with self._kit.db.transaction():
            fails = 0 if not failure else Pulse.callback_fails + 1
            Pulse.update(callback_fails=fails, callback_at=self._kit.now(), callback_why=failure[:300]).where(Pulse.node_id == node_id).execute()
            self._kit.changed("nodes", f"node:{node_id}")

    def to_call(self) -> list[Node]:
        """The nodes of all organisations that report and gave an address."""
        since, found = self._kit.now() - dt.timedelta(seconds=self._kit.settings["UNIBOS_SILENT_SECONDS"]), []
        for org_id in self._kit.db.tenants(WITH_NODES):
            with self._kit.db.tenant(org_id):
                found += self._reporting(since)
        return found

    @staticmethod
    def _reporting(since: dt.datetime) -> list[Node]:
        return list(Node.select().join(Pulse, on=(Pulse.node_id == Node.id)).where(
            Pulse.heartbeat_at > since, Pulse.goodbye_at.is_null(), Node.url != "", Node.revoked_at.is_null(), Node.deleted_at.is_null()))

    # For people.

    def nodes(self, org_id: str) -> list[tuple[Node, Pulse | None, State]]:
        """The nodes of an organisation with their state, in one query."""
        rows = (Node.select(Node, Pulse).join(Pulse, peewee.JOIN.LEFT_OUTER, on=(Pulse.node_id == Node.id), attr="pulse")
                .where(Node.org_id == org_id, Node.deleted_at.is_null()).order_by(Node.hostname))
        return [(node, pulse := getattr(node, "pulse", None), self.state(node, pulse)) for node in rows]

    def node(self, node_id: str, org_id: str) -> tuple[Node, Pulse | None, State]:
        """One node; raises NotFound, also for another organisation's."""
        node = Node.get_or_none(Node.id == node_id, Node.org_id == org_id, Node.deleted_at.is_null())
        if node is None:
            raise NotFound(T("There is no node with this id."))
        pulse = Pulse.get_or_none(Pulse.node_id == node_id)
        return node, pulse, self.state(node, pulse)

    def state(self, node: Node, pulse: Pulse | None) -> State:
        """How a node is, and why."""
        return state(self._kit.now(), heartbeat_at=pulse and pulse.heartbeat_at, goodbye_at=pulse and pulse.goodbye_at,
                     goodbye=pulse.goodbye if pulse else "", callback_fails=pulse.callback_fails if pulse else 0,
                     callback_why=pulse.callback_why if pulse else "", maintenance=node.maintenance, revoked=node.revoked_at is not None,
                     silent_after=self._kit.settings["UNIBOS_SILENT_SECONDS"])

    def change(self, node_id: str, org_id: str, actor_id: str, *, maintenance: bool | None = None, revoked: bool | None = None) -> None:
        """Put a node into maintenance, or take its trust away (its next request is refused)."""
        node, _pulse, _state = self.node(node_id, org_id)
        fields: dict[str, Any] = {}
        if maintenance is not None:
            fields["maintenance"] = maintenance
        if revoked is not None:
            fields["revoked_at"] = self._kit.now() if revoked else None
        with self._kit.db.transaction():
            self._kit.records.update(node, actor_id=actor_id, **fields)
            self._kit.changed("nodes", f"node:{node_id}")


def count(org_id: str) -> int:
    """How many nodes of an organisation count: those that are trusted."""
    return Node.select().where(Node.org_id == org_id, Node.deleted_at.is_null(), Node.revoked_at.is_null()).count()


def counts(_kit: Kit, _services: Mapping[str, Any]) -> Callable[[str], int]:
    """For the organisation's limits."""
    return count


def build(kit: Kit, services: Mapping[str, Any]) -> Authority:
    """The service."""
    return Authority(kit, services["identity"])
