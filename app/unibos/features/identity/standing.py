"""What a person of a hub may do on a node, by how long ago the hub spoke of them: decision 30, as a pure function."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from unibos.kernel.words import T, Text

FRESH, ENDS = dt.timedelta(days=7), dt.timedelta(days=30)
KEYS = dt.timedelta(days=90)
# A clock that was corrected by less than this has not gone back.
STEP = dt.timedelta(minutes=5)
GRANTS = ("guest", "viewer", "member", "admin")


@dataclass(frozen=True)
class Standing:
    """`allowed`: whether the person may be here; `role`: as what; `state`: fresh, shrunk, unsure, ended or revoked; `why`: the sentence.
    `until`: when this changes without a word of the hub, or None."""

    allowed: bool
    role: str
    state: str
    why: Text
    until: dt.datetime | None = None


def passed(now: dt.datetime, seen: dt.datetime | None, since: dt.datetime) -> dt.timedelta:
    """How long `since` is over, by the latest time that this clock has ever shown: setting it back takes nothing away."""
    return max(now, seen or now) - since


def standing(now: dt.datetime, *, trusted: bool, seen: dt.datetime | None, confirmed: dt.datetime, role: str, grant: str = "",
             revoked: bool = False) -> Standing:
    """The standing of a person whom the hub confirmed at `confirmed` as `role`; `grant` is what the node's owner granted, `seen` the latest
    time that the clock has shown. A clock that was never set, or shows less than the last contact, gives the rights of after seven days."""
    if revoked:
        return Standing(False, "", "revoked", T("The hub has ended this account's rights on this node. Ask who looks after your organisation."))
    over = passed(now, seen, confirmed)
    if over >= ENDS:
        return Standing(False, "", "ended", T("No hub has confirmed this account for 30 days. Until a hub answers, only a local account or the owner's "
                                              "console lets you in."))
    less = grant if grant in GRANTS else "guest"
    if not trusted or now < confirmed - STEP:
        return Standing(True, less, "unsure", _unsure(less, trusted))
    if over >= FRESH:
        return Standing(True, less, "shrunk", _shrunk(less), confirmed + ENDS)
    return Standing(True, role, "fresh", T("The hub has confirmed your rights within the last seven days."), confirmed + FRESH)


def _unsure(role: str, trusted: bool) -> Text:
    if trusted and role == "guest":
        return T("The clock of this box went back, so it cannot know how old the hub's word is: you see only what is yours until the time is known.")
    if trusted:
        return T("The clock of this box went back, so it cannot know how old the hub's word is: you have what the owner of this box granted until then.")
    if role == "guest":
        return T("The clock of this box was never set, so it cannot know how old the hub's word is: you see only what is yours until the time is known.")
    return T("The clock of this box was never set, so it cannot know how old the hub's word is: you have what the owner of this box granted until then.")


def _shrunk(role: str) -> Text:
    if role == "guest":
        return T("No hub has confirmed your rights for seven days: you see only what is yours until a hub answers.")
    return T("No hub has confirmed your rights for seven days: you have what the owner of this box granted until a hub answers.")
