"""How far a hub trusts a node, pure: the six levels (spec section 5) and what each may do."""

from __future__ import annotations

from dataclasses import dataclass

from unibos.kernel.ports import Verdict
from unibos.kernel.words import T, Text

BLOCKED, UNKNOWN, KNOWN, TRUSTED, VERIFIED, OWNER = range(6)


@dataclass(frozen=True)
class Level:
    """One level: its name for people, and the sentence of what it may do."""

    name: Text
    sentence: Text


LEVELS = {
    BLOCKED: Level(T("blocked"), T("It may do nothing here: each of its requests is refused.")),
    UNKNOWN: Level(T("unknown"), T("It may report and is shown in the list. It gets nothing.")),
    KNOWN: Level(T("known"), T("It may report, is shown, and is called back.")),
    TRUSTED: Level(T("trusted"), T("It may report, is called back, gets logins of people of its organisation, and takes work.")),
    VERIFIED: Level(T("verified"), T("It may do what a trusted node may, sees where the other nodes are, and relays for them.")),
    OWNER: Level(T("owner"), T("It is the owner's own: it may do all that a node can do here.")),
}
# What may be asked for, and from which level on it is given.
POWERS = {"report": UNKNOWN, "callback": KNOWN, "tokens": TRUSTED, "work": TRUSTED, "peers": VERIFIED, "relay": VERIFIED, "own": OWNER}


def may(level: int, power: str, *, revoked: bool = False, maintenance: bool = False) -> Verdict:
    """Whether a node of `level` may have `power` (a key of POWERS). Raises KeyError for another word, and ValueError for another level.

    A revoked node may nothing; one in maintenance reports, and gets no work and no call back.
    """
    if level not in LEVELS:
        raise ValueError(f"no level {level}")
    least = POWERS[power]
    if revoked:
        return Verdict(False, T("Its trust was taken away."))
    if level < least:
        return Verdict(False, T("It is %(level)s; this takes %(least)s.", level=LEVELS[level].name, least=LEVELS[least].name))
    if maintenance and power in ("work", "callback"):
        return Verdict(False, T("Somebody is working on it."))
    return Verdict(True, LEVELS[level].sentence)


def may_set(role: str, old: int, new: int) -> Verdict:
    """Whether a person of `role` may change a node's level: admins may, but only the owner gives or takes the owner's level."""
    if new not in LEVELS:
        return Verdict(False, T("There are the levels 0 to 5."))
    if OWNER in (old, new) and old != new and role != "owner":
        return Verdict(False, T("Only the owner gives or takes the level of the owner's own nodes."))
    if role not in ("owner", "admin"):
        return Verdict(False, T("Only admins say how far a node is trusted."))
    return Verdict(True, LEVELS[new].sentence)
