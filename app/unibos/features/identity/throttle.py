"""Counting tries: a window a key, which grows while it is full again and again, up to a ceiling; never a lock for good.

Kept in the database, so that a restart forgets nothing. A device from which a person has logged in before has a key of its own (OWASP,
"device cookies"): who hammers an account from elsewhere does not slow its owner down.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from unibos.features.identity.models import Throttle
from unibos.kernel.errors import Throttled
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

TRIES, WINDOW = 5, 60.0
CEILING = 900.0
# Passwords that strangers may try in all, a minute: each costs this machine a tenth of a second or more.
ALL_TRIES = 120
IDLE = dt.timedelta(days=1)
# Requests at the same moment read the clock one after another; a clock that goes back by more than this opens a new window.
SKEW = dt.timedelta(seconds=5)


def window_of(level: int, window: float, ceiling: float) -> float:
    """The seconds of a window after `level` full ones: doubled each time, at most `ceiling`."""
    return max(window, min(ceiling, window * 2.0 ** min(level, 20)))


class Throttles:
    """The counters of this device."""

    def __init__(self, kit: Kit):
        self._kit = kit

    def count(self, key: str, limit: int = TRIES, window: float = WINDOW, ceiling: float = 0.0) -> None:
        """Count a try under `key`; raises Throttled over `limit` tries in `window` seconds, which grow to `ceiling` (0: they do not)."""
        now = self._kit.now()
        with self._kit.db.transaction():
            while True:
                row, seconds = self._window(key, now, limit, window, ceiling)
                # The database counts, in one statement: of many tries at once no two are taken for the same one.
                if Throttle.update(count=Throttle.count + 1).where(Throttle.key == key, Throttle.count < limit).execute():
                    return
                if Throttle.select().where(Throttle.key == key, Throttle.count >= limit).exists():
                    break  # full; else somebody who was right has just had it forgotten, and this one is counted anew
        left = max(1.0, seconds - (now - row.since).total_seconds())
        raise Throttled(T("Too many tries. Wait %(seconds)s seconds.", seconds=int(left) + 1), retry_after=left)

    def _window(self, key: str, now: dt.datetime, limit: int, window: float, ceiling: float) -> tuple[Throttle, float]:
        """The counter of `key` and the seconds of the window that runs now; a new one is opened where the last is over."""
        row = self._row(key, now)
        seconds = window_of(row.level, window, ceiling)
        if row.since - SKEW <= now < row.since + dt.timedelta(seconds=seconds):
            return row, seconds
        quiet = now >= row.since + dt.timedelta(seconds=2 * seconds)
        level = 0 if quiet or row.count < limit or now < row.since else row.level + 1
        # Whoever comes first opens the next window; the others find it open.
        opened = Throttle.update(count=0, since=now, level=level).where(Throttle.key == key, Throttle.since == row.since).execute()
        row = self._row(key, now)
        return row, window_of(level if opened else row.level, window, ceiling)

    @staticmethod
    def _row(key: str, now: dt.datetime) -> Throttle:
        """The counter of `key`, made anew where somebody who was right has just had it forgotten."""
        while True:
            Throttle.insert(key=key, count=0, since=now, level=0).on_conflict(conflict_target=[Throttle.key], action="IGNORE").execute()
            found = Throttle.get_or_none(Throttle.key == key)
            if found is not None:
                return found

    def forgive(self, *keys: str) -> None:
        """Forget the tries under `keys` after one that was right."""
        with self._kit.db.transaction():
            Throttle.delete().where(Throttle.key.in_(keys)).execute()

    def back(self, key: str) -> None:
        """Take one try back: it was right."""
        with self._kit.db.transaction():
            Throttle.update(count=Throttle.count - 1).where(Throttle.key == key, Throttle.count > 0).execute()

    def tidy(self) -> int:
        """Forget counters of windows that ended long ago; returns how many."""
        # The longest window in use is a year: the claim's, which is no stranger's to fill.
        with self._kit.db.transaction():
            return Throttle.delete().where(Throttle.since < self._kit.now() - IDLE, ~(Throttle.key ** "claim%")).execute()
