"""Security events: what happened to a person's account, kept for them, told to their open pages at once, and mailed where they want it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity.models import User
from unibos.features.identity.safety_models import SecurityEvent
from unibos.kernel.jobs import said, unsaid
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.features.identity.mailing import Mailer
    from unibos.kernel.kit import Kit

KEPT, KEEP = 200, dt.timedelta(days=180)
# How a kind looks in the timeline; one that is not here is worth a look.
LEVELS = {"new-login": "quiet", "session-ended": "quiet", "password-changed": "good", "factor-on": "good", "passkey-added": "good", "email-verified": "good",
          "token-reused": "bad", "passkey-copied": "bad", "reset-made": "warn", "role-changed": "info"}
# Kinds that are kept and shown, but sent by no mail: they are what the person has just done, or nearly so.
UNMAILED = frozenset({"new-login", "session-ended", "email-verified"})


class Events:
    """The one place where a feature says that something happened to an account."""

    def __init__(self, kit: Kit, mailer: Mailer):
        self._kit, self._mailer = kit, mailer

    def note(self, user_id: str, kind: str, text: Text, *, address: str = "") -> None:
        """Keep that `kind` (a word such as `token-reused`) happened to a person, with the sentence for them. Never raises for who cannot be told."""
        self._kit.log.warning("security event %s of %s from %s: %s", kind, user_id, address or "here", text)
        with self._kit.db.transaction():
            row = SecurityEvent.create(user_id=user_id, at=self._kit.now(), kind=kind[:40], text=said(text), address=address[:64])
            self._prune(user_id)
            self._kit.db.after_commit(lambda: self._tell(user_id, row))
        if kind not in UNMAILED:
            self._mailer.tell(user_id, T("Something happened to your account"), text, address)

    def _prune(self, user_id: str) -> None:
        oldest = (SecurityEvent.select(SecurityEvent.id).where(SecurityEvent.user_id == user_id)
                  .order_by(SecurityEvent.id.desc()).offset(KEPT).limit(1).scalar())
        if oldest is not None:
            SecurityEvent.delete().where(SecurityEvent.user_id == user_id, SecurityEvent.id <= oldest).execute()

    def _tell(self, user_id: str, row: SecurityEvent) -> None:
        self._kit.tell("account", {"user": user_id, "event": self.shown(row)})
        self._kit.tell("live", {"type": "changed", "topic": "account", "actor": user_id})
        if LEVELS.get(row.kind, "warn") in ("warn", "bad"):
            self._kit.tell("live", {"type": "toast", "actor": user_id, "level": LEVELS.get(row.kind, "warn"), "text": row.text})

    @staticmethod
    def shown(row: SecurityEvent) -> dict[str, Any]:
        """An event as it travels: its sentence is said by who shows it."""
        return {"id": row.id, "at": row.at.isoformat(), "kind": row.kind, "text": row.text, "address": row.address, "seen": row.seen_at is not None}

    def list(self, user_id: str, *, since: int = 0, most: int = KEPT) -> list[SecurityEvent]:
        """Events of a person after the one with the id `since`, the newest first."""
        return list(SecurityEvent.select().where(SecurityEvent.user_id == user_id, SecurityEvent.id > since)
                    .order_by(SecurityEvent.id.desc()).limit(most))

    def unread(self, user_id: str) -> int:
        """How many the person has not looked at."""
        return SecurityEvent.select().where(SecurityEvent.user_id == user_id, SecurityEvent.seen_at.is_null()).count()

    def seen(self, user_id: str, upto: int) -> None:
        """The person has looked at all up to the one with the id `upto`."""
        with self._kit.db.transaction():
            if SecurityEvent.update(seen_at=self._kit.now()).where(SecurityEvent.user_id == user_id, SecurityEvent.id <= upto,
                                                                   SecurityEvent.seen_at.is_null()).execute():
                self._kit.db.after_commit(lambda: self._kit.tell("live", {"type": "changed", "topic": "account", "actor": user_id}))

    def tidy(self) -> int:
        """Forget what is older than 180 days, and what belonged to people who are gone; returns how many."""
        with self._kit.db.transaction():
            return SecurityEvent.delete().where((SecurityEvent.at < self._kit.now() - KEEP) | SecurityEvent.user_id.not_in(User.select(User.id))).execute()


def sentence(value: Mapping[str, Any] | None) -> Text:
    """The sentence of an event."""
    return unsaid(value) or Text("")
