"""Who may do what with whom, and what a plan allows: pure, so that every case can be walked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unibos.kernel.actors import RANKS
from unibos.kernel.words import T, Text

TYPES = ("individual", "family", "team", "organization", "nonprofit", "enterprise")
PLANS = ("free", "starter", "professional", "enterprise", "self_hosted")
# What people can be made; a guest comes by an invitation of their own and goes by the clock.
ROLES = ("owner", "admin", "member", "viewer")
Type = Literal["individual", "family", "team", "organization", "nonprofit", "enterprise"]
Plan = Literal["free", "starter", "professional", "enterprise", "self_hosted"]
Role = Literal["owner", "admin", "member", "viewer"]


@dataclass(frozen=True)
class Limits:
    """The most people (guests not counted), nodes and gigabytes of files of an organisation; None: no bound."""

    users: int | None
    nodes: int | None
    storage_gb: int | None


DEFAULTS = {"free": Limits(1, 1, 5), "starter": Limits(5, 3, 50), "professional": Limits(25, 10, 250), "enterprise": Limits(500, 200, 5000),
            "self_hosted": Limits(None, None, None)}


def limits(plan: str, users: int | None, nodes: int | None, storage_gb: int | None) -> Limits:
    """What counts: the organisation's own numbers, and its plan's where it has none."""
    own = DEFAULTS.get(plan, DEFAULTS["free"])
    return Limits(own.users if users is None else users, own.nodes if nodes is None else nodes, own.storage_gb if storage_gb is None else storage_gb)


def may_invite(actor: str, role: str) -> Text | None:
    """Why somebody of role `actor` may not make an invitation for `role`; None: they may."""
    if RANKS.get(actor, 0) < RANKS["admin"]:
        return T("Only owners and admins invite people.")
    if role == "owner" and actor != "owner":
        return T("Only an owner can make somebody an owner.")
    return None


def may_change(actor: str, target: str, role: str, *, self: bool, owners: int) -> Text | None:
    """Why somebody of role `actor` may not make a person of role `target` a `role`; None: they may. `owners` is how many there are."""
    if RANKS.get(actor, 0) < RANKS["admin"]:
        return T("Only owners and admins change roles.")
    if target == "guest":
        return T("A guest has no e-mail and no password, so they cannot be made a member. Invite them.")
    if role not in ROLES:
        return T("There is no such role.")
    if "owner" in (target, role) and actor != "owner":
        return T("Only an owner can make or change an owner.")
    if self and RANKS[role] > RANKS[actor]:
        return T("Nobody raises themselves.")
    if target == "owner" and role != "owner" and owners <= 1:
        return T("They are the last owner. Hand the ownership over first.")
    return None


def may_remove(actor: str, target: str, *, self: bool, owners: int) -> Text | None:
    """Why somebody of role `actor` may not remove a person of role `target` (or leave, where it is themselves); None: they may."""
    if not self and RANKS.get(actor, 0) < RANKS["admin"]:
        return T("Only owners and admins remove people.")
    if target == "owner" and actor != "owner":
        return T("Only an owner can remove an owner.")
    if target == "owner" and owners <= 1:
        return T("The last owner cannot leave or be removed. Hand the ownership over first.")
    return None


def level(used: float, allowed: float | None) -> str:
    """How a used share looks: good, warn from 80 %, bad when it is full; quiet without a bound."""
    if allowed is None:
        return "quiet"
    return "bad" if used >= allowed else "warn" if used >= 0.8 * allowed else "good"
