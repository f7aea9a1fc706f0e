"""What people do with nodes (trust, maintenance, revocation), what the hub notices by itself (silence), and the hubs on this database."""

from __future__ import annotations

import base64
import datetime as dt
from typing import TYPE_CHECKING, Any

import peewee

from unibos import __version__
from unibos.features.registry.decide import in_maintenance
from unibos.features.registry.models import WITH_NODES, Alert, HubSite, Node, Pulse, RevocationMark
from unibos.features.registry.trust import BLOCKED, LEVELS, may_set
from unibos.kernel.errors import Conflict, Forbidden, Invalid
from unibos.kernel.records import Change
from unibos.kernel.words import T, Text
from unibos.wire import proof, revocations

if TYPE_CHECKING:
    from unibos.features.registry.authority import Authority
    from unibos.kernel.kit import Kit

CHANNEL = "nodes"
HUB_SILENT = dt.timedelta(seconds=60)
ALERTS_KEPT = dt.timedelta(days=90)
LONGEST = dt.timedelta(days=90)


class Fleet:
    """The nodes of each organisation as people look after them. Every change says in the log who made it."""

    def __init__(self, kit: Kit, authority: Authority):
        self._kit, self._authority = kit, authority

    def _change(self, node: Node, actor_id: str, what: str, **fields: Any) -> Node:
        """Call it in a transaction."""
        self._kit.records.update(node, actor_id=actor_id, **fields)
        self._kit.changed("nodes", f"node:{node.id}")
        self._kit.db.after_commit(lambda: self._kit.log.warning("node %s (%s): %s by %s", node.id, node.hostname, what, actor_id or "itself"))
        return node

    def _tell(self, what: str, node_id: str) -> None:
        """Let every process of this hub know, once it is committed."""
        self._kit.db.after_commit(lambda: self._kit.tell(CHANNEL, {"type": what, "node": node_id}))

    # By people.

    def trust(self, node_id: str, org_id: str, actor_id: str, role: str, level: int) -> Node:
        """Say how far a node is trusted. Raises NotFound, Forbidden (`trust.may_set`), Conflict for a revoked node."""
        node = self._authority.node(node_id, org_id)[0]
        verdict = may_set(role, node.trust, level)
        if not verdict.allowed:
            raise (Forbidden if level in LEVELS else Invalid)(verdict.why)
        if node.revoked_at is not None:
            raise Conflict(T("Its trust was taken away. The owner has to give it back first."))
        if node.trust == level:
            return node
        with self._kit.db.transaction():
            self._change(node, actor_id, f"trust {node.trust} → {level}", trust=level)
            if level <= BLOCKED:
                self._tell("revoked", node.id)
        return node

    def maintenance(self, node_id: str, org_id: str, actor_id: str, *, on: bool, why: str = "", until: dt.datetime | None = None) -> Node:
        """Begin (or change) a maintenance, or end it. Raises NotFound, Invalid for an end that is past or more than 90 days ahead."""
        node, now = self._authority.node(node_id, org_id)[0], self._kit.now()
        if on and until is not None and not now < until <= now + LONGEST:
            raise Invalid(T("A maintenance ends in the future, within 90 days."), fields={"until": T("Name a later time.")})
        fields = {"maintenance": True, "maintenance_why": why, "maintenance_by": actor_id, "maintenance_until": until} if on else _OVER
        with self._kit.db.transaction():
            self._change(node, actor_id, f"maintenance {'on' if on else 'off'} {why}".rstrip(), **fields)
            if on:
                self._end_alerts(node.id)
            self._tell("maintenance", node.id)
        return node

    def revoke(self, node_id: str, org_id: str, actor_id: str, why: str = "") -> Node:
        """Take a node's trust away: its next request is refused, its open connections are closed, and its key comes in no more.

        Raises NotFound, Conflict when that was done already.
        """
        node = self._authority.node(node_id, org_id)[0]
        if node.revoked_at is not None:
            raise Conflict(T("Its trust was taken away already."))
        with self._kit.db.transaction():
            self._change(node, actor_id, f"revoked {why}".rstrip(), revoked_at=self._kit.now(), revoked_why=why)
            self._end_alerts(node.id)
            self._next(org_id)
            self._tell("revoked", node.id)
        return node

    def unrevoke(self, node_id: str, org_id: str, actor_id: str, role: str) -> Node:
        """Give a revoked node its trust back, at the level that it had. Raises NotFound, Forbidden for who is not the owner, Conflict,
        LimitReached when another took its place."""
        node = self._authority.node(node_id, org_id)[0]
        if role != "owner":
            raise Forbidden(T("Only the owner gives a node its trust back."))
        if node.revoked_at is None:
            raise Conflict(T("Its trust was not taken away."))
        from unibos.features.registry.authority import count

        with self._kit.db.transaction():
            self._kit.room(org_id, "nodes", lambda: count(org_id))
            self._change(node, actor_id, "trusted again", revoked_at=None, revoked_why="")
            self._next(org_id)
            self._tell("trusted", node.id)
        return node

    def history(self, node_id: str, most: int = 10) -> list[dict[str, Any]]:
        """What people did with a node, the newest first: {at, actor_id, text, state}. The node has been found in its organisation before."""
        rows = (Change.select().where(Change.model == "node", Change.record_id == node_id, Change.actor_id != "")
                .order_by(Change.seq.desc()).limit(most))
        return [{"at": row.at, "actor_id": row.actor_id, "text": text, "state": state} for row in rows for text, state in [_told(row.fields)]]

    # The list of revoked nodes.

    @staticmethod
    def _next(org_id: str) -> None:
        # The database counts: of two at once each gets a number of its own.
        RevocationMark.insert(org_id=org_id, sequence=0).on_conflict_ignore().execute()
        RevocationMark.update(sequence=RevocationMark.sequence + 1).where(RevocationMark.org_id == org_id).execute()

    def list_key(self) -> str:
        """The public key by which nodes know the lists of this hub, Base64. Hubs on one database need the same key file."""
        return base64.b64encode(proof.public_key(self._kit.secret("fleet", 32))).decode()

    @staticmethod
    def sequence(org_id: str) -> int:
        """The number of the newest list; 0: nobody was ever revoked."""
        return RevocationMark.select(RevocationMark.sequence).where(RevocationMark.org_id == org_id).scalar() or 0

    def revocations(self, org_id: str) -> dict[str, Any]:
        """The signed list of an organisation's revoked nodes (docs/spec/revocations.md), with the key that signed it."""
        rows = Node.select(Node.public_key, Node.revoked_at).where(Node.org_id == org_id, Node.revoked_at.is_null(False), Node.deleted_at.is_null())
        gone = [(base64.b64decode(row.public_key), int(row.revoked_at.timestamp() * 1000)) for row in rows.limit(revocations.MOST)]
        signed = revocations.sign(self._kit.secret("fleet", 32), revocations.listed(org_id, self.sequence(org_id), gone))
        return {**signed, "signer": self.list_key()}

    # Silence.

    def watch(self) -> float:
        """Tell, once, of every node that became silent; end maintenances that are over. Returns the seconds until there can be more to tell."""
        limit, now = self._kit.settings["UNIBOS_SILENT_SECONDS"], self._kit.now()
        due = now + dt.timedelta(seconds=limit)
        for org_id in self._kit.db.tenants(WITH_NODES):
            with self._kit.db.tenant(org_id):
                due = min(due, self._watch_one(now, limit))
        return max(0.0, (due - now).total_seconds()) + 0.01

    def _watch_one(self, now: dt.datetime, limit: float) -> dt.datetime:
        silence = dt.timedelta(seconds=limit)
        watched = (Node.revoked_at.is_null() & Node.deleted_at.is_null() & (Node.trust > BLOCKED) & Pulse.silent_at.is_null()
                   & Pulse.goodbye_at.is_null() & (Node.maintenance == False))  # noqa: E712 - it is SQL
        for node in Node.select().where(Node.maintenance == True, Node.maintenance_until <= now):  # noqa: E712
            self._over(node)
        overdue = Node.select(Node, Pulse.heartbeat_at).join(Pulse, on=(Pulse.node_id == Node.id), attr="pulse").where(
            watched, Pulse.heartbeat_at < now - silence)
        for node in overdue:
            self._silent(node, node.pulse.heartbeat_at, now)
        first = Pulse.select(peewee.fn.MIN(Pulse.heartbeat_at)).join(Node, on=(Pulse.node_id == Node.id)).where(watched).scalar()
        ends = Node.select(peewee.fn.MIN(Node.maintenance_until)).where(Node.maintenance == True).scalar()  # noqa: E712
        return min([now + silence, *([_moment(first) + silence] if first else []), *([_moment(ends)] if ends else [])])

    def _over(self, node: Node) -> None:
        with self._kit.db.transaction():
            self._change(node, "", "maintenance over", **_OVER)

    def _silent(self, node: Node, since: dt.datetime, now: dt.datetime) -> None:
        with self._kit.db.transaction():
            # Of several agents on one database, the one whose statement counts tells it; a report that came meanwhile makes it void.
            if not (Pulse.update(silent_at=now).where(Pulse.node_id == node.id, Pulse.silent_at.is_null(), Pulse.heartbeat_at == since).execute()):
                return
            Alert.create(id=self._kit.random.uuid(), org_id=node.org_id, node_id=node.id, name=node.hostname, since=since, told_at=now)
            Alert.delete().where(Alert.told_at < now - ALERTS_KEPT).execute()
            self._kit.changed("nodes", f"node:{node.id}", "alerts")

    def _end_alerts(self, node_id: str) -> None:
        if Alert.update(ended_at=self._kit.now()).where(Alert.node_id == node_id, Alert.ended_at.is_null()).execute():
            self._kit.changed("alerts")

    def alerts(self, org_id: str, most: int = 20) -> list[Alert]:
        """Silences of an organisation's nodes: those that go on, then those that ended, the newest first."""
        return list(Alert.select().where(Alert.org_id == org_id).order_by(Alert.ended_at.is_null(False), Alert.told_at.desc()).limit(most))

    # Hubs.

    def beat(self) -> str:
        """This hub says that it is there, in the database that it shares with its pair and its regional hubs."""
        settings, now, machine = self._kit.settings, self._kit.now(), self._kit.machine()
        about = {"name": machine["hostname"], "role": settings["HUB_ROLE"], "region": settings["HUB_REGION"], "version": __version__,
                 "url": settings["UNIBOS_PUBLIC_URL"], "capabilities": machine["capabilities"], "seen_at": now, "ended_at": None}
        own = self._kit.secret("device", 16).hex()
        with self._kit.db.transaction():
            if not HubSite.update(**about).where(HubSite.id == own).execute():
                HubSite.create(id=own, started_at=now, **about)
                self._kit.changed("hubs")
        return "said that this hub is there"

    def hubs(self) -> list[dict[str, Any]]:
        """The hubs on this database with whether they are there: {id, name, role, region, version, url, status, seen_at, started_at, own}."""
        now, own = self._kit.now(), self._kit.secret("device", 16).hex()
        return [{"id": h.id, "name": h.name, "role": h.role, "region": h.region, "version": h.version, "url": h.url, "seen_at": h.seen_at,
                 "started_at": h.started_at, "capabilities": h.capabilities, "own": h.id == own,
                 "status": "online" if now - h.seen_at < HUB_SILENT else "offline"} for h in HubSite.select().order_by(HubSite.name, HubSite.id)]

    def resting(self, node: Node) -> bool:
        """Whether the node is in maintenance now."""
        return in_maintenance(self._kit.now(), node.maintenance, node.maintenance_until)


def _told(fields: dict[str, Any]) -> tuple[Text, str]:
    """What a change of a node's row means to people, and its tone."""
    if "public_key" in fields:  # the row was made
        return T("Let in as %(level)s", level=LEVELS[fields["trust"]].name), "good"
    if "revoked_at" in fields:
        gone = fields["revoked_at"] is not None
        why = fields.get("revoked_why", "")
        return (T("Trust taken away: %(why)s", why=why) if why else T("Trust taken away")) if gone else T("Trust given back"), "bad" if gone else "good"
    if "trust" in fields:
        return T("Trust: %(level)s", level=LEVELS[fields["trust"]].name), "bad" if fields["trust"] <= BLOCKED else "info"
    if fields.get("maintenance"):
        why = fields.get("maintenance_why", "")
        return T("Maintenance began: %(why)s", why=why) if why else T("Maintenance began"), "info"
    if fields.get("maintenance") is False:
        return T("Maintenance ended"), "info"
    return T("Changed"), "quiet"


_OVER: dict[str, Any] = {"maintenance": False, "maintenance_why": "", "maintenance_by": "", "maintenance_until": None}


def _moment(value: Any) -> dt.datetime:
    """An aggregate of Moments, which some databases give as the number that is kept."""
    return value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(int(value) / 1_000_000, dt.UTC)
