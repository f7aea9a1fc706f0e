"""The ring of a hub's signing keys, as a pure function: which key signs, which are published, whether a new one is due (decision record 0013)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

# How long a key is shown before it signs. Who verifies may keep the published keys for as long without asking again.
LEAD = dt.timedelta(hours=24)
USE = dt.timedelta(days=90)
# What clocks may differ, added to the time that a token can live.
SLACK = dt.timedelta(minutes=10)


@dataclass(frozen=True)
class Key:
    """A key by its running number and the moment from which it signs."""

    number: int
    starts_at: dt.datetime


@dataclass(frozen=True)
class Ring:
    """`sign` is the number of the key that signs (0: there is none), `publish` those that are shown, `drop` those that no token needs any more,
    and `next_from` the moment from which a key that has to be made now will sign, or None."""

    sign: int
    publish: tuple[int, ...]
    drop: tuple[int, ...]
    next_from: dt.datetime | None


def ring(now: dt.datetime, keys: Sequence[Key], life: dt.timedelta) -> Ring:
    """The ring at `now`, where a token lives for `life` at most.

    A key signs from its moment until the next one's; it is published from its making until no token of it can live. The newest keys are never
    dropped, so that a clock that went back finds one that signs.
    """
    known = sorted(keys, key=lambda key: (key.starts_at, key.number))
    if not known:
        return Ring(0, (), (), now)
    started = [key for key in known if key.starts_at <= now] or known[:1]
    current = started[-1]
    ended = {key.number: later.starts_at for key, later in zip(known, known[1:], strict=False)}
    drop = tuple(key.number for key in started[:-1] if ended[key.number] + life + SLACK <= now)
    coming = known[-1].number != current.number
    due = not coming and now >= current.starts_at + USE - LEAD
    return Ring(current.number, tuple(key.number for key in known if key.number not in drop), drop,
                max(current.starts_at + USE, now + LEAD) if due else None)
