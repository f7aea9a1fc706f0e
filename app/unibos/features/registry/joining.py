"""Joining by an admin's approval: a node without a token asks, waits, and is let in or refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.registry.models import Application
from unibos.features.registry.trust import TRUSTED, may_set
from unibos.kernel.errors import Conflict, Forbidden, NotFound
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.registry.authority import Authority
    from unibos.kernel.kit import Kit

WAITS = dt.timedelta(days=7)
PER_ORGANISATION, PER_ADDRESS = 50, 5
POLL_SECONDS = 15


class Applications:
    """Nodes that ask to be let in. What a stranger is answered does not tell which organisations there are."""

    def __init__(self, kit: Kit, authority: Authority, orgs: Any):
        self._kit, self._authority, self._orgs = kit, authority, orgs

    def apply(self, *, organisation: str, public_key: str, challenge: str, signature: str, about: Mapping[str, Any], address: str) -> dict[str, str]:
        """Ask, or ask again: {state, node_id, org_id}, the last two only once approved. `organisation` is a slug; empty: the hub's first one.

        An organisation that is not there, or has no room for one more who waits, answers `pending` like any other. Raises Forbidden for a
        key not proven, NotTrusted for one that was revoked.
        """
        with self._kit.db.transaction():
            self._authority.proven(public_key, challenge, signature, "apply", organisation)
        org_id = self._orgs.find(organisation) if organisation else self._orgs.home_id()
        with self._kit.db.tenant(org_id), self._kit.db.transaction():
            return self._asked(org_id, public_key, about, address)

    def _asked(self, org_id: str, public_key: str, about: Mapping[str, Any], address: str) -> dict[str, str]:
        from unibos.features.registry.authority import trusted

        # All of this is also done for an organisation that is not there: nothing is found, nothing is kept, and it takes as long.
        now, nothing = self._kit.now(), {"node_id": "", "org_id": ""}
        Application.delete().where(Application.org_id == org_id, Application.expires_at < now).execute()
        node = self._authority.by_key(org_id, public_key)
        if node is not None:
            return {"state": "approved", "node_id": trusted(node).id, "org_id": org_id}
        known = Application.get_or_none(Application.org_id == org_id, Application.public_key == public_key)
        waiting = [row for (row,) in Application.select(Application.address).where(Application.org_id == org_id, Application.state == "pending").tuples()]
        if known is not None and known.state == "refused":
            return {"state": "refused", **nothing}
        if known is not None and known.state == "pending":
            Application.update(about=dict(about), address=address[:64], seen_at=now).where(Application.id == known.id).execute()
        elif org_id and len(waiting) < PER_ORGANISATION and waiting.count(address[:64]) < PER_ADDRESS:
            Application.delete().where(Application.org_id == org_id, Application.public_key == public_key).execute()
            # Asked twice at the same moment, it waits once.
            Application.insert(id=self._kit.random.uuid(), org_id=org_id, public_key=public_key, about=dict(about), address=address[:64],
                               created_at=now, seen_at=now, expires_at=now + WAITS).on_conflict_ignore().execute()
            self._kit.changed("joining")
        else:
            self._kit.log.warning("a node at %s asks to join %s and is not kept: no such organisation, or too many wait", address, org_id or "nobody")
        return {"state": "pending", **nothing}

    def waiting(self, org_id: str) -> list[dict[str, Any]]:
        """Who waits, the oldest first, with the fingerprint to compare with the one that the node shows."""
        rows = (Application.select().where(Application.org_id == org_id, Application.state == "pending", Application.expires_at >= self._kit.now())
                .order_by(Application.created_at))
        return [self._shown(row) for row in rows]

    @staticmethod
    def _shown(row: Application) -> dict[str, Any]:
        from unibos.features.registry.authority import shown

        about = row.about
        return {"id": row.id, "hostname": about.get("hostname", ""), "type": about.get("type", ""), "platform": about.get("platform", ""),
                "version": about.get("version", ""), "url": about.get("url", ""), "address": row.address, "public_key": row.public_key,
                "fingerprint": shown(row.public_key), "created_at": row.created_at, "seen_at": row.seen_at, "expires_at": row.expires_at}

    def approve(self, application_id: str, org_id: str, actor_id: str, role: str, level: int = TRUSTED) -> Any:
        """Let the node in at a level of trust; it learns so at its next try. Raises NotFound, Conflict when it was decided already,
        Forbidden for a level that this person may not give, LimitReached."""
        verdict = may_set(role, TRUSTED, level)
        if not verdict.allowed:
            raise Forbidden(verdict.why)
        with self._kit.db.transaction():
            row = self._decide(application_id, org_id, actor_id, "approved")
            node = self._authority.let_in(org_id, row.public_key, row.about, actor_id=actor_id, trust=level)
            Application.update(node_id=node.id).where(Application.id == row.id).execute()
            self._kit.changed("nodes", "joining")
        self._kit.log.info("node %s (%s) was let in by %s with trust %d", node.id, node.hostname, actor_id, level)
        return node

    def refuse(self, application_id: str, org_id: str, actor_id: str) -> None:
        """Refuse a node; it is told, and may ask again when its week is over. Raises NotFound, Conflict."""
        with self._kit.db.transaction():
            row = self._decide(application_id, org_id, actor_id, "refused")
            self._kit.changed("joining")
        self._kit.log.info("the node %s at %s was refused by %s", row.about.get("hostname", ""), row.address, actor_id)

    def _decide(self, application_id: str, org_id: str, actor_id: str, state: str) -> Application:
        from unibos.features.registry.authority import ID

        now = self._kit.now()
        row = Application.get_or_none(Application.id == application_id, Application.org_id == org_id,
                                      Application.expires_at >= now) if ID.fullmatch(application_id) else None
        if row is None:
            raise NotFound(T("Nobody waits under this id."))
        if not (Application.update(state=state, decided_by=actor_id, decided_at=now)
                .where(Application.id == row.id, Application.state == "pending").execute()):
            raise Conflict(T("This was decided already."))
        return row
