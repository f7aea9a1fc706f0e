"""The state of a node, pure: from its last signs of life to a word and the sentence why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from unibos.kernel.words import T, Text

CALLBACK_FAILS = 3


@dataclass(frozen=True)
class State:
    """online, offline, unreachable or maintenance; `level` is the panel's good|warn|bad|quiet."""

    status: str
    level: str
    why: Text


def state(now: dt.datetime, *, heartbeat_at: dt.datetime | None, goodbye_at: dt.datetime | None, goodbye: str, callback_fails: int,
          callback_why: str, maintenance: bool, revoked: bool, silent_after: float) -> State:
    """Decide by the stated rules (spec section 5): revoked, maintenance, goodbye, silence, unreachable, online."""
    if revoked:
        return State("offline", "bad", T("Its trust was taken away."))
    if maintenance:
        return State("maintenance", "info", T("Somebody is working on it."))
    if heartbeat_at is None:
        return State("offline", "quiet", T("It has enrolled but never reported."))
    if goodbye_at is not None and goodbye_at >= heartbeat_at:
        return State("offline", "quiet", T("It said goodbye: %(reason)s.", reason=goodbye or "shutdown"))
    if (now - heartbeat_at).total_seconds() > silent_after:
        return State("offline", "bad", T("Silent since %(time)s UTC.", time=heartbeat_at.strftime("%Y-%m-%d %H:%M")))
    if callback_fails >= CALLBACK_FAILS:
        return State("unreachable", "warn", T("It reports, but cannot be called back: %(why)s", why=callback_why))
    return State("online", "good", T("It reports and answers."))
