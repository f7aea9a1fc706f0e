"""How sessions end: in the database, and at once in everything that is open (sockets, pages), told over the bus."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from unibos.features.identity.models import Session, User
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# Why a session ended before its time, for the page that its browser lands on.
WHY: dict[str, Text] = {
    "logout": T("You have logged out."),
    "again": T("You have logged in anew in this browser."),
    "other": T("This session was ended from another device."),
    "password": T("The password of this account was changed, which ended this session."),
    "factor": T("The second step of this account was changed, which ended this session."),
    "reused": T("A token of this session was used twice, so it was ended."),
    "recovered": T("This account was recovered on the console, which ended all its sessions."),
    "disabled": T("This account was disabled. Ask who looks after this box."),
}
ENDED = T("Your session has ended. Log in again.")


def end(kit: Kit, wanted: Any, why: str) -> list[str]:
    """End the open sessions that the expression `wanted` selects; returns their ids. Whatever they have open is closed within a second."""
    with kit.db.transaction():
        ids = [row.id for row in Session.select(Session.id).where(wanted, Session.revoked_at.is_null())]
        if ids:
            Session.update(revoked_at=kit.now(), ended_by=why).where(Session.id.in_(ids), Session.revoked_at.is_null()).execute()
            kit.db.after_commit(lambda: kit.tell("sessions", {"ended": ids, "why": why}))
    return ids


def alive(kit: Kit, ids: Iterable[str]) -> set[str]:
    """Which of these sessions still count: not ended, not expired, and of a person who is not disabled."""
    rows = (Session.select(Session.id).join(User, on=(User.id == Session.user_id)).where(
        Session.id.in_(list(ids)), Session.revoked_at.is_null(), Session.expires_at > kit.now(), User.disabled_at.is_null()))
    return {row.id for row in rows}


def until(kit: Kit, now: dt.datetime, began: dt.datetime) -> dt.datetime:
    """When a session that is used now ends by itself: after the idle time, and at the latest after the longest time that one lasts."""
    return min(now + dt.timedelta(seconds=kit.settings["UNIBOS_REFRESH_SECONDS"]),
               began + dt.timedelta(seconds=kit.settings["UNIBOS_SESSION_SECONDS"]))
