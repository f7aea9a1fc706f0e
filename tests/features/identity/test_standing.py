"""Decision 30, walked through: 41 days, a trusted clock or not, a grant or none, set back or not."""

import datetime as dt
import itertools

import pytest
from unibos.features.identity.standing import GRANTS, standing

THEN = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
DAYS = range(41)


def at(day, **facts):
    wanted = {"trusted": True, "seen": None, "confirmed": THEN, "role": "admin", **facts}
    return standing(THEN + dt.timedelta(days=day), **wanted)


@pytest.mark.parametrize(("trusted", "grant"), list(itertools.product((True, False), ("", *GRANTS))))
def test_what_is_left_each_day(trusted, grant):
    for day in DAYS:
        found = at(day, trusted=trusted, grant=grant)
        if day >= 30:
            assert (found.allowed, found.state, found.role) == (False, "ended", "") and "30 days" in str(found.why)
        elif not trusted:
            assert (found.allowed, found.state, found.role) == (True, "unsure", grant or "guest") and "never set" in str(found.why)
        elif day >= 7:
            assert (found.allowed, found.state, found.role) == (True, "shrunk", grant or "guest") and "seven days" in str(found.why)
        else:
            assert (found.allowed, found.state, found.role) == (True, "fresh", "admin")
        assert found.until is None or found.until > THEN + dt.timedelta(days=day)


def test_the_borders_are_exact():
    second = dt.timedelta(seconds=1)
    facts = {"trusted": True, "seen": None, "confirmed": THEN, "role": "member"}
    for days, before, after in ((7, "fresh", "shrunk"), (30, "shrunk", "ended")):
        edge = THEN + dt.timedelta(days=days)
        assert standing(edge - second, **facts).state == before and standing(edge, **facts).state == after


@pytest.mark.parametrize("grant", ["", "member"])
def test_setting_the_clock_back_never_gives_more(grant):
    """Whatever the clock shows after it has shown a day: the role is at most what it was then."""
    worth = {"": 0, "guest": 1, "viewer": 2, "member": 3, "admin": 4}
    for shown, now, trusted in itertools.product(DAYS, range(-3, 41), (True, False)):
        if now > shown:
            continue
        then, back = at(shown, grant=grant), at(now, grant=grant, trusted=trusted, seen=THEN + dt.timedelta(days=shown))
        assert worth[back.role] <= worth[then.role] or (grant and back.role == grant), (shown, now)
        assert back.allowed <= then.allowed
        if now < 0 and back.allowed:
            assert back.state == "unsure" and ("went back" in str(back.why) or not trusted)


def test_a_small_correction_of_the_clock_changes_nothing():
    assert standing(THEN - dt.timedelta(seconds=200), trusted=True, seen=THEN, confirmed=THEN, role="member").state == "fresh"


def test_who_was_revoked_is_out_on_every_day():
    for day, trusted in itertools.product(DAYS, (True, False)):
        found = at(day, trusted=trusted, grant="admin", revoked=True)
        assert (found.allowed, found.state) == (False, "revoked")
