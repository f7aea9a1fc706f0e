"""The state of a node, pure: from its last signs of life to a word and the sentence why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from unibos.kernel.words import T, Text

CALLBACK_FAILS = 3
CLOCK_SECONDS = 60.0


@dataclass(frozen=True)
class State:
    """online, offline, unreachable or maintenance; `level` is the panel's good|warn|bad|quiet."""

    status: str
    level: str
    why: Text


def state(now: dt.datetime, *, heartbeat_at: dt.datetime | None, goodbye_at: dt.datetime | None, goodbye: str, callback_fails: int,
          callback_why: str, maintenance: bool, revoked: bool, silent_after: float, blocked: bool = False, why: str = "",
          until: dt.datetime | None = None) -> State:
    """Decide by the stated rules (spec section 5): revoked, maintenance (`why`, `until`), goodbye, silence, unreachable, online."""
    if revoked:
        return State("offline", "bad", T("Its trust was taken away."))
    if blocked:
        return State("offline", "bad", T("It is blocked: its requests are refused."))
    if in_maintenance(now, maintenance, until):
        return State("maintenance", "info", _maintenance(why, until))
    if heartbeat_at is None:
        return State("offline", "quiet", T("It has enrolled but never reported."))
    if goodbye_at is not None and goodbye_at >= heartbeat_at:
        return State("offline", "quiet", T("It said goodbye: %(reason)s.", reason=goodbye or "shutdown"))
    if silent(now, heartbeat_at, silent_after):
        return State("offline", "bad", T("Silent since %(time)s UTC.", time=heartbeat_at.strftime("%Y-%m-%d %H:%M")))
    if callback_fails >= CALLBACK_FAILS:
        return State("unreachable", "warn", T("It reports, but cannot be called back: %(why)s", why=callback_why))
    return State("online", "good", T("It reports and answers."))


def silent(now: dt.datetime, heartbeat_at: dt.datetime, silent_after: float) -> bool:
    """Whether a node that reported last at `heartbeat_at` counts as silent: more than `silent_after` seconds ago."""
    return (now - heartbeat_at).total_seconds() > silent_after


def in_maintenance(now: dt.datetime, maintenance: bool, until: dt.datetime | None) -> bool:
    """Whether a maintenance goes on: it ends by itself at `until`, or when somebody ends it."""
    return maintenance and (until is None or now < until)


def _maintenance(why: str, until: dt.datetime | None) -> Text:
    if why and until:
        return T("Somebody is working on it until %(time)s UTC: %(why)s", time=until.strftime("%Y-%m-%d %H:%M"), why=why)
    if until:
        return T("Somebody is working on it until %(time)s UTC.", time=until.strftime("%Y-%m-%d %H:%M"))
    return T("Somebody is working on it: %(why)s", why=why) if why else T("Somebody is working on it.")


def clock(offset: float | None) -> Text | None:
    """What is wrong with the clock of a node that is `offset` seconds ahead of the hub's (behind: negative); None while it is right."""
    if offset is None or abs(offset) <= CLOCK_SECONDS:
        return None
    if offset > 0:
        return T("Its clock is %(seconds)s s ahead of this hub's: codes and tokens may be refused there. Check its time server and its zone.",
                 seconds=round(offset))
    return T("Its clock is %(seconds)s s behind this hub's: codes and tokens may be refused there. Check its time server and its zone.",
             seconds=round(-offset))
