"""The Series port: one contract for memory, SQLite and PostgreSQL, and the real ones against the model."""

import random
import threading
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unibos.adapters.memory.series import MemorySeries
from unibos.adapters.series import DAY, FIVE, HOUR, WIDTHS, open_series, window
from unibos.kernel.errors import Invalid, Unavailable, UnibosError
from unibos.kernel.ports import Point

from tests.postgres import Postgres

T0 = 1_700_000_000_000 // (24 * HOUR) * 24 * HOUR
KINDS = ["memory", "sqlite", "postgresql"]


def fresh(kind, tmp_path, **keep):
    if kind == "memory":
        keep.pop("step", None)
        return MemorySeries(**keep)
    series = open_series(tmp_path / "sub/readings.sqlite" if kind == "sqlite" else Postgres.shared().create_database(), **keep)
    series.migrate()
    return series


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def series(kind, tmp_path):
    series = fresh(kind, tmp_path, step=7)
    yield series
    series.close()


def number(at, value=1.0, key="k"):
    return key, at, value, None


# -- the contract --------------------------------------------------------------------------------------------------------

def test_nothing_is_known_of_an_unknown_key(series):
    assert series.latest(["k"]) == {}
    assert series.latest([]) == {}
    assert series.points("k", T0, T0 + HOUR, 10) == []
    assert series.rows("k", T0, T0 + HOUR, 10) == []
    assert series.roll(T0)
    series.append([])


def test_latest_is_the_newest_whatever_came_last(series):
    series.append([number(T0 + 5, 5.0), number(T0, 1.0), ("t", T0, None, "on")])
    series.append([number(T0 + 3, 3.0)])
    assert series.latest(["k", "t", "unknown"]) == {"k": (T0 + 5, 5.0, None), "t": (T0, None, "on")}
    series.append([number(T0 + 5, 6.0)])
    assert series.latest(["k"]) == {"k": (T0 + 5, 6.0, None)}, "of two in one millisecond the later one"


def test_many_keys_at_once_are_what_each_is_alone(series):
    series.append([(key, T0 + i * 60_000, float(i * n), None) for n, key in enumerate("abc", 1) for i in range(30)] + [("t", T0, None, "on")])
    keys = [*"abc", "t", "unknown"]
    for start, end, most in ((T0, T0 + HOUR, 10), (T0 + 3 * 60_000, T0 + 9 * 60_000, 60), (T0 + 2 * HOUR, T0 + 3 * HOUR, 10), (T0, T0, 5), (T0, T0 + 1, 0)):
        alone = {key: series.points(key, start, end, most) for key in keys}
        assert series.many(keys, start, end, most) == {key: found for key, found in alone.items() if found}
    assert series.many([], T0, T0 + HOUR, 10) == {}


def test_readings_of_one_millisecond_are_all_kept(series):
    series.append([number(T0, float(i)) for i in range(5)])
    series.append([number(T0 + 1, 50.0), number(T0, 5.0), number(T0, 6.0)])
    assert series.rows("k", T0, T0 + 1, 100) == [(T0, float(i), None) for i in range(7)]
    assert series.points("k", T0, T0 + 1, 1) == [Point(T0, 0.0, 3.0, 6.0, 7)]


def test_more_readings_than_microseconds_lose_none(series):
    series.append([number(T0, 1.0)] * 1500)
    series.append([number(T0, 2.0)] * 700)
    assert series.points("k", T0, T0 + 1000, 1)[0].count == 2200


def test_rows_are_the_newest_in_order(series):
    series.append([number(T0 + i, float(i)) for i in (3, 1, 2, 0)])
    assert series.rows("k", T0, T0 + 4, 2) == [(T0 + 2, 2.0, None), (T0 + 3, 3.0, None)]
    assert series.rows("k", T0 + 1, T0 + 3, 10) == [(T0 + 1, 1.0, None), (T0 + 2, 2.0, None)]
    assert series.rows("k", T0, T0 + 4, 0) == []


def test_points_leave_gaps_out_and_know_no_text(series):
    series.append([number(T0, 1.0), number(T0 + 999, 3.0), ("k", T0 + 1500, None, "unavailable"), number(T0 + 2000, 7.0)])
    assert series.points("k", T0, T0 + 3000, 3) == [Point(T0, 1.0, 2.0, 3.0, 2), Point(T0 + 2000, 7.0, 7.0, 7.0, 1)]


def test_points_start_on_their_width_and_are_whole(series):
    series.append([number(T0 + i * 60_000, float(i)) for i in range(120)])
    points = series.points("k", T0 + 90_000, T0 + HOUR + 1, 13)
    assert [point.at for point in points] == [T0 + i * FIVE for i in range(13)]
    assert {point.count for point in points} == {5}


def test_hostile_values(series):
    series.append([("k\0\ud800ı", T0, float("nan"), "a\0b\ud800ş"), ("k", T0, float("-inf"), None), ("n", T0, 10**30, None)])
    assert series.latest(["k\0\ud800ı"]) == {"k?ı": (T0, None, "ab?ş")}
    assert series.latest(["k", "n"]) == {"k": (T0, None, None), "n": (T0, 1e30, None)}
    assert series.points("k", -(10**30), 10**30, 5) == []
    assert series.points("n", -(10**30), 10**30, 1)[0].count == 1
    assert series.rows("n", -(10**30), 10**30, 5) == [(T0, 1e30, None)]
    for at in (-1, 1 << 53, 10**30):
        with pytest.raises(Invalid):
            series.append([number(T0 + 1), number(at)])
    assert series.latest(["k"])["k"][0] == T0, "nothing of a refused batch is kept"


def test_retention(kind, tmp_path):
    series = fresh(kind, tmp_path, raw=DAY, five=3 * DAY, hour=9 * DAY)
    series.append([number(T0 + i * HOUR // 4, float(i)) for i in range(4 * 24 * 10)])
    now = T0 + 10 * DAY * 1000
    series.roll(now)
    assert series.rows("k", 0, now, 1)[0][0] == now - HOUR // 4
    assert series.rows("k", 0, now, 10**6)[0][0] == now - DAY * 1000
    points = series.points("k", T0, now, 10**6)
    assert points[0] == Point(T0 + DAY * 1000, 96.0, 97.5, 99.0, 4), "hours for nine days"
    assert len(points) == 9 * 24
    recent = series.points("k", now - 3 * DAY * 1000, now, 10**6)
    assert {b.at - a.at for a, b in zip(recent, recent[1:], strict=False)} == {HOUR // 4}
    assert series.latest(["k"])["k"][0] == now - HOUR // 4
    series.roll(now + 365 * DAY * 1000)
    assert series.points("k", T0, now, 10**6) == [] == series.rows("k", 0, now, 10)
    assert series.latest(["k"])["k"][0] == now - HOUR // 4, "what a thing said last stays known"
    series.close()


def test_a_clock_that_ran_ahead_spoils_nothing_that_comes_after(kind, tmp_path):
    series = fresh(kind, tmp_path, raw=DAY)
    series.append([number(T0, 1.0)])
    series.roll(T0 + 5000 * DAY * 1000)
    later = T0 + HOUR
    series.append([number(later + i * 1000, float(i)) for i in range(60)])
    said = series.roll(later + HOUR)
    assert kind == "memory" or "Counted 60 readings" in said, "they were not each taken for late ones"
    assert len(series.points("k", later, later + 60_000, 60)) == 60
    series.close()


@given(st.integers(0, 10**13), st.integers(1, 10**12), st.integers(1, 2000), st.integers(0, 10**16),
       st.integers(0, 10**10).map(lambda n: n * FIVE))
def test_a_window_fits(start, span, most, raw_from, five_from):
    width, low, high = window(start, start + span, most, raw_from, five_from)
    assert low <= start < start + span <= high
    assert low % width == high % width == 0
    assert (high - low) // width <= most
    assert width % FIVE == 0 or raw_from <= low * 1000
    assert width % HOUR == 0 or five_from <= low
    finer = [w for w in WIDTHS if w < width]
    if finer and raw_from == five_from == 0:
        w = finer[-1]
        assert -(-(start + span) // w) - start // w > most, "no wider than needed"


# -- the real ones against the model ---------------------------------------------------------------------------------------

KEYS = ["a", "b", "ç"]
moment = st.integers(0, 12 * HOUR).map(lambda ms: T0 + ms) | st.integers(0, 3).map(lambda ms: T0 + HOUR + ms)
reading = st.tuples(st.sampled_from(KEYS), moment, st.none() | st.integers(-100, 100).map(float), st.none() | st.just("x"))
step = st.one_of(st.tuples(st.just("append"), st.lists(reading, max_size=30)), st.tuples(st.just("roll"), st.integers(0, 30 * HOUR)))


def same(real, model, probe):
    assert real.latest(KEYS) == model.latest(KEYS)
    for key in KEYS:
        for start, span, most in [(0, 13 * HOUR, 10**9), (0, 24 * HOUR, 12), (0, 48 * HOUR, 4), *probe]:
            assert real.rows(key, T0 + start, T0 + start + span, most) == model.rows(key, T0 + start, T0 + start + span, most)
            got, wanted = (s.points(key, T0 + start, T0 + start + span, min(most, 5000)) for s in (real, model))
            assert [(p.at, p.low, p.high, p.count) for p in got] == [(p.at, p.low, p.high, p.count) for p in wanted]
            assert [p.mean for p in got] == pytest.approx([p.mean for p in wanted])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_agrees_with_the_model(kind, tmp_path):
    shared = fresh(kind, tmp_path, raw=3600, five=4 * 3600, hour=8 * 3600, step=5)

    @settings(max_examples=60 if kind == "sqlite" else 30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(step, min_size=1, max_size=8),
           st.lists(st.tuples(st.integers(0, 12 * HOUR), st.integers(1, 12 * HOUR), st.integers(1, 300)), max_size=3))
    def check(steps, probe):
        with shared._write() as db:
            for table in ("key", "raw", "five", "hour"):
                db.run(f"DELETE FROM series_{table}")
        shared._ids.clear()
        model = MemorySeries(raw=3600, five=4 * 3600, hour=8 * 3600)
        for verb, given_ in steps:
            for series in (shared, model):
                series.append(given_) if verb == "append" else series.roll(T0 + given_)
        same(shared, model, probe)
        now = T0 + max([ms for verb, ms in steps if verb == "roll"], default=0)
        for series in (shared, model):
            series.roll(now)
        same(shared, model, probe)
        assert shared.roll(now) == ("Counted 0 readings into 5-minute buckets and 0 of those into hours; "
                                    "forgot 0 rows that were older than is kept.")
        same(shared, model, probe)

    check()
    shared.close()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_several_threads_write_while_one_rolls_and_one_looks(kind, tmp_path):
    series = fresh(kind, tmp_path, step=50)
    stop, failures = threading.Event(), []

    def guarded(work):
        try:
            work()
        except UnibosError as error:  # another one is an error of its own, for warnings are errors
            failures.append(error)

    def write(n):
        for i in range(20):
            series.append([number(T0 + i * 60_000 + j, 1.0, key) for j in range(10) for key in random.sample(["a", "b", f"own{n}"], 3)])

    def roll():
        while not stop.is_set():
            series.roll(T0 + HOUR)

    def look():
        seen = [0]
        while not stop.is_set():
            seen.append(sum(point.count for point in series.points("a", T0, T0 + HOUR, 1)))
        assert seen == sorted(seen), "a plot saw the mark before and the sums after a step"

    writers = [threading.Thread(target=guarded, args=(lambda n=n: write(n),)) for n in range(4)]
    others = [threading.Thread(target=guarded, args=(work,)) for work in (roll, look)]
    for thread in [*writers, *others]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert failures == []
    for key, count in [("a", 800), ("b", 800), *((f"own{n}", 200) for n in range(4))]:
        assert len(series.rows(key, 0, T0 + HOUR, 10**6)) == count
        assert sum(point.count for point in series.points(key, T0, T0 + HOUR, 1)) == count
    series.close()


# -- what is only so of one of them -----------------------------------------------------------------------------------------

@contextmanager
def opened(path, **keep):
    series = open_series(path, **keep)
    yield series
    series.close()


def test_the_dashboard_is_one_indexed_query(tmp_path):
    with opened(tmp_path / "r.sqlite") as series:
        series.migrate()
        with series._read() as db:
            plan = " ".join(row[-1] for row in db.all("EXPLAIN QUERY PLAN SELECT name, at FROM series_key WHERE name IN "
                                                      "(SELECT value FROM json_each(?)) AND at IS NOT NULL", '["a"]'))
    assert "SEARCH series_key USING INDEX" in plan


def test_the_file_shrinks_after_forgetting(tmp_path):
    path = tmp_path / "r.sqlite"
    with opened(path) as series:
        series.append([number(T0 + i * 1000) for i in range(20_000)])
        series.roll(T0)
    before = path.stat().st_size
    with opened(path) as series:
        series.roll(T0 + 30 * DAY * 1000)
    assert path.stat().st_size < before / 4


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "r.sqlite").mkdir()
    with pytest.raises(Unavailable, match="file of readings"):
        open_series(tmp_path / "r.sqlite").append([number(T0)])


def test_a_file_held_by_another_writer_is_said(tmp_path):
    with opened(tmp_path / "r.sqlite") as one, opened(tmp_path / "r.sqlite") as two:
        one.append([number(T0)])
        two.append([number(T0 + 1)])
        with two._pool.taken() as connection:
            connection.execute("PRAGMA busy_timeout = 50")
        with one._write(), pytest.raises(Unavailable, match="somebody else"):
            two.append([number(T0 + 2)])


def test_a_database_that_went_away_is_said_and_found_again():
    url = Postgres.shared().create_database()
    series = open_series(url)
    series.migrate()
    series.append([number(T0)])
    Postgres.shared().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'")
    with pytest.raises(Unavailable, match="does not answer"):
        series.append([number(T0 + 1)])
    series.append([number(T0 + 2)])
    assert series.latest(["k"])["k"][0] == T0 + 2
    series.close()
    with pytest.raises(Unavailable):
        open_series("postgresql://nobody@127.0.0.1:1/none").append([number(T0)])


def test_migrate_may_be_run_by_several_at_once():
    url = Postgres.shared().create_database()
    failures = []

    def run():
        series = open_series(url)
        try:
            series.migrate()
        except Unavailable as error:
            failures.append(error)
        series.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
