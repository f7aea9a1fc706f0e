"""The hub's side: tokens, challenges, enrolment, heartbeats, and the list of nodes."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.registry.decide import State, in_maintenance, state
from unibos.features.registry.models import ORG_OF_NODE, ORG_OF_TOKEN, WITH_NODES, Alert, Challenge, EnrolToken, Node, Pulse
from unibos.features.registry.trust import BLOCKED, may
from unibos.kernel import authorities
from unibos.kernel.errors import Conflict, Forbidden, Invalid, NotFound, NotTrusted
from unibos.kernel.ports import Verdict
from unibos.kernel.words import T
from unibos.wire import pin, proof
from unibos.wire.fingerprint import fingerprint

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

TOKEN_HOURS = 24
CHALLENGE_SECONDS = 60
SESSION_SECONDS = 3600
METRICS = ("cpu", "memory", "disk", "temperature", "queue", "lag")
ID = re.compile(r"[0-9A-Za-z-]{1,36}")


def decoded(text: str) -> bytes:
    """The bytes of Base64. Raises Invalid."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid(T("A key or signature is not Base64.")) from None


def shown(public_key: str) -> str:
    """The fingerprint of a node's key for people; empty for what is no key (a row of a test, or of old), which must not hide the others."""
    try:
        return fingerprint(decoded(public_key))
    except (Invalid, ValueError):
        return ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.strip().encode()).hexdigest()


def trusted(node: Node) -> Node:
    """The node. Raises NotTrusted for one that was revoked or is blocked."""
    if node.revoked_at is not None:
        raise NotTrusted(T("This hub no longer trusts this node, since %(time)s UTC.", time=node.revoked_at.strftime("%Y-%m-%d %H:%M")),
                         since=node.revoked_at.isoformat())
    if node.trust <= BLOCKED:
        raise NotTrusted(T("This hub has blocked this node."), since="")
    return node


class Authority:
    """The registry of a hub: who is in, and how they are. Changes by people are in `fleet`, joining without a token in `applications`."""

    def __init__(self, kit: Kit, identity: Any, orgs: Any):
        from unibos.features.registry.fleet import Fleet
        from unibos.features.registry.joining import Applications

        self._kit, self._identity, self._orgs = kit, identity, orgs
        self.fleet, self.applications = Fleet(kit, self), Applications(kit, self, orgs)

    # Joining.

    def make_token(self, org_id: str, actor_id: str, hours: int = TOKEN_HOURS, kind: str = "node") -> tuple[str, dt.datetime]:
        """A one-time enrolment token as a person copies it, and when it expires: TOKEN, or TOKEN.PIN where this hub has a CA of its own.

        `kind`: node, or worker for a machine that only works. Raises Unavailable when the certificate of that CA cannot be read: a token
        without its pin would make nodes trust more than they should.
        """
        own = authorities.own(self._kit.settings)
        token, now = base64.b32encode(self._kit.random.bytes(20)).decode().rstrip("="), self._kit.now()
        until = now + dt.timedelta(hours=hours)
        with self._kit.db.transaction():
            EnrolToken.create(hash=_hash(token), org_id=org_id, kind=kind, created_by=actor_id, created_at=now, expires_at=until)
        return pin.joined(token, own) if own else token, until

    def authority(self) -> str:
        """The certificate of this hub's own CA, PEM. Raises NotFound when it has none, Unavailable when it cannot be read."""
        own = authorities.own(self._kit.settings)
        if own is None:
            raise NotFound(T("This hub has no authority of its own."))
        return pin.pem(own)

    def challenge(self, public_key: str) -> str:
        """A nonce for the owner of `public_key` to sign within a minute."""
        if len(decoded(public_key)) != 32:
            raise Invalid(T("A node's key has 32 bytes."))
        nonce, now = self._kit.random.bytes(24).hex(), self._kit.now()
        with self._kit.db.transaction():
            Challenge.delete().where(Challenge.expires_at < now).execute()
            Challenge.create(nonce=nonce, public_key=public_key, expires_at=now + dt.timedelta(seconds=CHALLENGE_SECONDS))
        return nonce

    def proven(self, public_key: str, nonce: str, signature: str, purpose: str, field: str) -> None:
        """Use up the nonce and check the signature; raises Forbidden. Call it in a transaction."""
        used = Challenge.delete().where(Challenge.nonce == nonce, Challenge.public_key == public_key,
                                        Challenge.expires_at >= self._kit.now()).execute()
        if not used or not proof.verify(decoded(public_key), decoded(signature), purpose, nonce, field):
            raise Forbidden(T("The node did not prove its key."))

    def enrol(self, *, token: str, public_key: str, challenge: str, signature: str, about: Mapping[str, Any]) -> Node:
        """Let a node in. Raises Forbidden for a token that is wrong, used or expired, or a key not proven; NotTrusted for one that was revoked
        (a token does not bring it back, only the owner does); LimitReached when the organisation has no room. Then the token stays good."""
        now, hashed = self._kit.now(), _hash(token)
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_TOKEN, hashed)), self._kit.db.transaction():
            row = EnrolToken.get_or_none(EnrolToken.hash == hashed, EnrolToken.used_by == "", EnrolToken.expires_at >= now)
            if row is None:
                raise Forbidden(T("This enrolment token is wrong, used or expired. Make a new one on the hub."))
            self.proven(public_key, challenge, signature, "enrol", token)
            known = self.by_key(row.org_id, public_key)
            if known is not None:
                node = self._kit.records.update(trusted(known), **about)
            else:
                node = self.let_in(row.org_id, public_key, about, kind=row.kind)
            EnrolToken.update(used_by=node.id).where(EnrolToken.hash == row.hash).execute()
            self._kit.changed("nodes")
        return node

    @staticmethod
    def by_key(org_id: str, public_key: str) -> Node | None:
        """The organisation's node with this key. What other organisations know is asked nowhere."""
        return Node.get_or_none(Node.org_id == org_id, Node.public_key == public_key, Node.deleted_at.is_null())

    def let_in(self, org_id: str, public_key: str, about: Mapping[str, Any], *, actor_id: str = "", **more: Any) -> Node:
        """A new node of an organisation. Raises LimitReached, which names the limit, and Conflict for a key that came in at the same moment."""
        self._kit.room(org_id, "nodes", lambda: count(org_id))
        try:
            return self._kit.records.create(Node, org_id=org_id, public_key=public_key, actor_id=actor_id, **more, **about)
        except peewee.IntegrityError:
            raise Conflict(T("This node has just joined. Try again.")) from None

    def session(self, node_id: str, challenge: str, signature: str) -> tuple[str, int]:
        """A token for a node that proves its key, and its seconds. Raises Forbidden without the proof, then NotFound for an id that is not
        this key's, and NotTrusted: nobody else is told what this hub knows of a node."""
        row = Challenge.get_or_none(Challenge.nonce == challenge)
        with self._kit.db.transaction():
            self.proven(row.public_key if row else "", challenge, signature, "session", node_id)
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_NODE, node_id)):
            node = Node.get_or_none(Node.id == node_id, Node.public_key == row.public_key, Node.deleted_at.is_null())
        if node is None:
            raise NotFound(T("This hub does not know this node."))
        trusted(node)
        return self._identity.issue_node_token(node.id, node.org_id, SESSION_SECONDS), SESSION_SECONDS

    def speaks(self, node_id: str) -> Node:
        """The node behind a token that is good. Raises NotFound for one that is gone, NotTrusted for one that was revoked or is blocked."""
        node = Node.get_or_none(Node.id == node_id, Node.deleted_at.is_null())
        if node is None:
            raise NotFound(T("This hub does not know this node."))
        return trusted(node)

    # Reports.

    def heartbeat(self, node_id: str, metrics: Mapping[str, float | None], about: Mapping[str, Any], *, sent_at: int | None = None,
                  node: Node | None = None) -> Node:
        """Keep a node's report. `sent_at`: the node's own time, ms since 1970; `node`: its row, where it has been read already."""
        node, now = node or self.speaks(node_id), self._kit.now()
        offset = None if sent_at is None else round(sent_at / 1000 - now.timestamp(), 1)
        with self._kit.db.transaction():
            self._kit.records.update(node, **about)
            before = Pulse.get_or_none(Pulse.node_id == node_id)
            fields = {"heartbeat_at": now, "metrics": dict(metrics), "goodbye_at": None, "goodbye": "", "silent_at": None, "clock_offset": offset}
            if before is None:
                Pulse.create(node_id=node_id, org_id=node.org_id, **fields)
            else:
                Pulse.update(**fields).where(Pulse.node_id == node_id).execute()
            if before is not None and before.silent_at is not None:
                Alert.update(ended_at=now).where(Alert.node_id == node_id, Alert.ended_at.is_null()).execute()
                self._kit.changed("alerts")
            self._kit.changed("nodes", f"node:{node_id}")
        at = self._kit.now_ms()
        self._kit.series.append([(f"node:{node_id}:{name}", at, float(metrics[name]), None) for name in METRICS  # type: ignore[arg-type]
                                 if metrics.get(name) is not None])
        return node

    def goodbye(self, node_id: str, reason: str) -> None:
        """A node says that it goes."""
        self.speaks(node_id)
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
        """The nodes of all organisations that report, gave an address, and may be called back."""
        since, found = self._kit.now() - dt.timedelta(seconds=self._kit.settings["UNIBOS_SILENT_SECONDS"]), []
        for org_id in self._kit.db.tenants(WITH_NODES):
            with self._kit.db.tenant(org_id):
                found += [node for node in self._reporting(since) if self.may(node, "callback").allowed]
        return found

    @staticmethod
    def _reporting(since: dt.datetime) -> list[Node]:
        return list(Node.select().join(Pulse, on=(Pulse.node_id == Node.id)).where(
            Pulse.heartbeat_at > since, Pulse.goodbye_at.is_null(), Node.url != "", Node.revoked_at.is_null(), Node.deleted_at.is_null()))

    def may(self, node: Node, power: str) -> Verdict:
        """Whether a node may have `power` (`trust.POWERS`) now, with the sentence why."""
        return may(node.trust, power, revoked=node.revoked_at is not None,
                   maintenance=in_maintenance(self._kit.now(), node.maintenance, node.maintenance_until))

    def allowed(self, node_id: str, power: str) -> Verdict:
        """As `may`, by id, for other features. Raises NotFound."""
        node = Node.get_or_none(Node.id == node_id, Node.deleted_at.is_null()) if ID.fullmatch(node_id) else None
        if node is None:
            raise NotFound(T("This hub does not know this node."))
        return self.may(node, power)

    # For people.

    def nodes(self, org_id: str) -> list[tuple[Node, Pulse | None, State]]:
        """The nodes of an organisation with their state, in one query."""
        rows = (Node.select(Node, Pulse).join(Pulse, peewee.JOIN.LEFT_OUTER, on=(Pulse.node_id == Node.id), attr="pulse")
                .where(Node.org_id == org_id, Node.deleted_at.is_null()).order_by(Node.hostname))
        return [(node, pulse := getattr(node, "pulse", None), self.state(node, pulse)) for node in rows]

    def workers(self, org_id: str) -> list[dict[str, Any]]:
        """The machines of an organisation that only work, as `jobs` lists workers."""
        return [{"name": n.hostname, "queue": ", ".join(n.queues), "version": n.version, "capabilities": n.capabilities, "started_at": n.created_at,
                 "seen_at": p.heartbeat_at if p else None, "alive": s.status in ("online", "unreachable")}
                for n, p, s in self.nodes(org_id) if n.kind == "worker"]

    def node(self, node_id: str, org_id: str) -> tuple[Node, Pulse | None, State]:
        """One node; raises NotFound, also for another organisation's."""
        node = Node.get_or_none(Node.id == node_id, Node.org_id == org_id, Node.deleted_at.is_null()) if ID.fullmatch(node_id) else None
        if node is None:
            raise NotFound(T("There is no node with this id."))
        pulse = Pulse.get_or_none(Pulse.node_id == node_id)
        return node, pulse, self.state(node, pulse)

    def state(self, node: Node, pulse: Pulse | None) -> State:
        """How a node is, and why."""
        return state(self._kit.now(), heartbeat_at=pulse and pulse.heartbeat_at, goodbye_at=pulse and pulse.goodbye_at,
                     goodbye=pulse.goodbye if pulse else "", callback_fails=pulse.callback_fails if pulse else 0,
                     callback_why=pulse.callback_why if pulse else "", maintenance=node.maintenance, revoked=node.revoked_at is not None,
                     blocked=node.trust <= BLOCKED, why=node.maintenance_why, until=node.maintenance_until,
                     silent_after=self._kit.settings["UNIBOS_SILENT_SECONDS"])


def count(org_id: str) -> int:
    """How many nodes of an organisation count: those that are trusted."""
    return Node.select().where(Node.org_id == org_id, Node.deleted_at.is_null(), Node.revoked_at.is_null()).count()


def counts(_kit: Kit, _services: Mapping[str, Any]) -> Callable[[str], int]:
    """For the organisation's limits."""
    return count


def build(kit: Kit, services: Mapping[str, Any]) -> Authority:
    """The service."""
    made = Authority(kit, services["identity"], services["orgs"])
    services["jobs"].machines = made.workers
    return made
