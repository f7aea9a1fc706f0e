"""The ring of signing keys: whatever the turns and pauses, no valid token meets a cache, as old as allowed, that lacks its key."""

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st
from unibos.features.identity.ring import LEAD, SLACK, USE, Key, ring

START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
LIFE = dt.timedelta(hours=24)


def test_the_first_key_signs_at_once():
    assert ring(START, [], LIFE).next_from == START
    found = ring(START, [Key(1, START)], LIFE)
    assert (found.sign, found.publish, found.drop, found.next_from) == (1, (1,), (), None)


def test_a_next_key_is_shown_a_day_before_it_signs_and_an_old_one_until_its_last_token_ended():
    keys = [Key(1, START)]
    assert ring(START + USE - LEAD - HOUR, keys, LIFE).next_from is None
    due = ring(START + USE - LEAD, keys, LIFE)
    assert due.next_from == START + USE
    keys.append(Key(2, due.next_from))
    assert ring(START + USE - HOUR, keys, LIFE).publish == (1, 2) and ring(START + USE - HOUR, keys, LIFE).sign == 1
    assert ring(START + USE, keys, LIFE).sign == 2
    assert ring(START + USE + LIFE, keys, LIFE).publish == (1, 2)
    over = ring(START + USE + LIFE + SLACK, keys, LIFE)
    assert (over.publish, over.drop, over.sign) == ((2,), (1,), 2)


def test_a_hub_that_slept_for_years_still_shows_a_key_before_it_signs():
    found = ring(START + 10 * USE, [Key(1, START)], LIFE)
    assert found.sign == 1 and found.next_from == START + 10 * USE + LEAD


def test_a_clock_that_went_back_finds_a_key():
    keys = [Key(1, START), Key(2, START + USE)]
    for back in (START - 400 * USE, START + HOUR):
        found = ring(back, keys, LIFE)
        assert found.sign == 1 and found.drop == () and found.next_from is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 24 * 40), min_size=10, max_size=60), st.integers(1, 24 * 8), st.randoms(use_true_random=False))
def test_a_cache_as_old_as_allowed_has_the_key_of_every_valid_token(pauses, life_hours, chance):
    """The periodic step comes when it comes; sometimes a person turns the ring by hand."""
    life, now, keys, steps = dt.timedelta(hours=life_hours), START, [Key(1, START)], []
    for pause in pauses:
        found = ring(now, keys, life)
        if found.next_from is not None:
            keys.append(Key(max(k.number for k in keys) + 1, found.next_from))
        elif chance.random() < 0.1:
            keys = [k for k in keys if k.starts_at <= now] + [Key(max(k.number for k in keys) + 1, now + LEAD)]
        keys = [k for k in keys if k.number not in found.drop]
        steps.append((now, tuple(keys)))
        now += dt.timedelta(hours=pause)

    def at(when):
        known = next((ks for begun, ks in reversed(steps) if begun <= when), None)
        return None if known is None else ring(when, known, life)

    for _ in range(60):
        signed_at = START + dt.timedelta(seconds=chance.randrange(int((now - START).total_seconds())))
        read_at = signed_at + life * chance.random()
        fetched_at = read_at - LEAD * chance.random()
        if fetched_at < START or read_at >= now:
            continue
        key, shown = at(signed_at).sign, at(fetched_at).publish
        assert key in shown, (key, shown, signed_at, fetched_at, read_at)
