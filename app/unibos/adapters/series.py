"""Readings by key, kept raw for days, as 5-minute buckets for months and as hours for years (decision 22).

How it stays exact. Each key has two marks. Raw readings before `five` (us) are counted in 5-minute buckets, and 5-minute buckets
before `hour` (ms) are counted in hours. `roll` moves a mark in the transaction that adds what it passes; `append` adds a reading
that comes late (before the mark) to the buckets itself. So each reading is counted once, whatever is killed when, and a plot is
the sum of three parts that never overlap: hours before `hour`, 5 minutes from there on, raw readings from `five` on.
`raw_from` and `five_from` say from when the finer parts are whole, because nothing after was forgotten.

What a power cut may cost with SQLite: a killed process loses nothing that was committed; a power cut loses at most the last
`flush` seconds of readings while they keep coming, and Linux's write-back time (30 s by default) at their end.
With PostgreSQL what was committed is on the disk.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unibos.kernel.errors import Invalid
from unibos.kernel.ports import Point
from unibos.kernel.words import T

Row = tuple[str, int, float | None, str | None]
Bucket = tuple[float, float, float, int, float, int]
"""low, high, total, count, the last number and when (us) it was read."""

DAY = 86_400
FIVE, HOUR = 300_000, 3_600_000
LATEST_MS = 1 << 53
_UNITS = ((1, (1, 2, 5, 10, 20, 50, 100, 200, 500)), (1000, (1, 2, 5, 10, 15, 30)), (60_000, (1, 2, 5, 10, 15, 30)),
          (HOUR, (1, 2, 3, 6, 12, 24)))
WIDTHS = tuple(unit * n for unit, numbers in _UNITS for n in numbers)


def clean(rows: Iterable[Row]) -> list[Row]:
    """Rows that every back end can keep: numbers as finite floats (else None), text without NUL and lone surrogates.

    Raises Invalid for a time before 1970 or beyond 2**53 ms.
    """
    kept = []
    for key, at, value, text in rows:
        if not 0 <= at < LATEST_MS:
            raise Invalid(T("A reading of %(key)s has a time that cannot be kept.", key=key))
        if value is not None:
            value = float(value)
            if not math.isfinite(value):
                value = None
        kept.append((plain(key), int(at), value, text if text is None else plain(text)))
    return kept


def plain(text: str) -> str:
    """`text` without NUL and lone surrogates, which not every back end can keep."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def window(start: int, end: int, most: int, raw_from: int = 0, five_from: int = 0) -> tuple[int, int, int]:
    """The bucket width (ms) and the aligned window that shows [start, end) in at most `most` buckets.

    A width below 5 minutes needs raw readings from `raw_from` (us) on, one below an hour 5-minute buckets from `five_from` (ms) on.
    """
    widths: Iterator[int] = iter(WIDTHS)
    width = 1
    while True:
        width = next(widths, 2 * width)
        low, high = start // width * width, -(-end // width) * width
        if (high - low) // width <= most and (width % FIVE == 0 or low * 1000 >= raw_from) and (width % HOUR == 0 or low >= five_from):
            return width, low, high


def gather(into: dict[Any, Bucket], key: Any, bucket: Bucket) -> None:
    """Add one bucket (or one reading as a bucket) to those under `key`."""
    old = into.get(key)
    if old is not None:
        newer = bucket if bucket[5] >= old[5] else old
        bucket = (min(old[0], bucket[0]), max(old[1], bucket[1]), old[2] + bucket[2], old[3] + bucket[3], newer[4], newer[5])
    into[key] = bucket


class SqlSeries:
    """What SQLite and PostgreSQL share. Keeps: `raw`, `five`, `hour` in seconds; `step` rows at most change in one transaction of `roll`.

    Times given to and returned by the verbs are milliseconds since 1970.
    """

    lock_rows = ""

    def __init__(self, raw: int = 7 * DAY, five: int = 90 * DAY, hour: int = 5 * 365 * DAY, step: int = 5000):
        self._keep, self._step = (raw * 1000, five * 1000, hour * 1000), step
        self._ids: dict[str, int] = {}

    # What a back end provides: `db` has one(), all(), run() and many(), each taking SQL with `?`.
    def _write(self, *, durable: bool = True) -> Any:
        raise NotImplementedError

    def _read(self) -> Any:
        raise NotImplementedError

    def _is_in(self, values: Sequence[Any]) -> tuple[str, Any]:
        """SQL and the parameter that mean "is one of `values`"."""
        raise NotImplementedError

    def _tidy(self) -> None:
        """Give room back, bounded."""

    def _kept(self) -> None:
        """Called after each append that was committed."""

    def append(self, rows: Sequence[Row]) -> None:
        """Keep rows in one transaction; two readings of one key and millisecond are both kept. Raises Invalid, Unavailable, StorageFull."""
        cleaned = clean(rows)
        if not cleaned:
            return
        known = self._known({row[0] for row in cleaned})
        newest: dict[int, tuple[int, float | None, str | None, int, int]] = {}
        taken: dict[tuple[int, int], int] = {}
        raw = []
        for name, ms, value, text in cleaned:
            key, at = known[name], ms * 1000
            if (key, at) in taken:
                taken[key, at] += 1
                at += taken[key, at]
            else:
                taken[key, at] = 0
            raw.append((key, at, value, text))
            if key not in newest or newest[key][0] <= ms:
                newest[key] = (ms, value, text, key, ms)
        with self._write() as db:
            is_in, keys = self._is_in(sorted(newest))
            marks = {key: (five, hour) for key, five, hour
                     in db.all(f"SELECT id, five, hour FROM series_key WHERE id {is_in} ORDER BY id{self.lock_rows}", keys)}
            db.run("SAVEPOINT whole")
            if db.many("INSERT INTO series_raw (key, at, value, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", raw) < len(raw):
                db.run("ROLLBACK TO SAVEPOINT whole")
                raw = [self._insert(db, row) for row in raw]
            late: dict[tuple[int, int], Bucket] = {}
            for key, at, value, _text in raw:
                if value is not None and at < marks[key][0]:
                    gather(late, (key, at // 1000 // FIVE * FIVE), (value, value, value, 1, value, at))
            self._add(db, late, {key: hour for key, (_five, hour) in marks.items()})
            db.many("UPDATE series_key SET at = ?, value = ?, text = ? WHERE id = ? AND (at IS NULL OR at <= ?)", list(newest.values()))
        self._kept()

    def latest(self, keys: Iterable[str]) -> dict[str, tuple[int, float | None, str | None]]:
        """The newest reading of each key that has one, in one query; it outlives the retention of raw readings."""
        is_in, names = self._is_in([plain(key) for key in keys])
        with self._read() as db:
            found = db.all(f"SELECT name, at, value, text FROM series_key WHERE name {is_in} AND at IS NOT NULL", names)
        return {name: (at, value, text) for name, at, value, text in found}

    def points(self, key: str, start: int, end: int, most: int) -> list[Point]:
        """The buckets that overlap [start, end), whole ones, at most `most`, each as wide as needed for that and for what is still kept."""
        start, end = max(start, 0), min(end, LATEST_MS)
        if most < 1 or start >= end:
            return []
        with self._read() as db:
            marks = db.one("SELECT id, five, hour, raw_from, five_from FROM series_key WHERE name = ?", plain(key))
            if marks is None:
                return []
            number, five, hour, raw_from, five_from = marks
            width, low, high = window(start, end, most, raw_from, five_from)
            parts, given = [], []
            if width % HOUR == 0:
                parts.append("SELECT bucket AS at, low, high, total, count FROM series_hour WHERE key = ? AND bucket >= ? AND bucket < ?")
                given += [number, low, min(high, hour)]
            if width % FIVE == 0:
                parts.append("SELECT bucket AS at, low, high, total, count FROM series_five WHERE key = ? AND bucket >= ? AND bucket < ?")
                given += [number, low if width % HOUR else max(low, hour), high]
            parts.append("SELECT at / 1000 AS at, value AS low, value AS high, value AS total, 1 AS count FROM series_raw "
                         "WHERE key = ? AND at >= ? AND at < ? AND value IS NOT NULL")
            given += [number, low * 1000 if width % FIVE else max(low * 1000, five), min(high, LATEST_MS) * 1000]
            found = db.all(f"SELECT at / {width} * {width} AS start, min(low), sum(total), max(high), sum(count) "
                           f"FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY start ORDER BY start", *given)
        return [Point(at, least, total / int(count), greatest, int(count)) for at, least, total, greatest, count in found]

    def many(self, keys: Iterable[str], start: int, end: int, most: int) -> dict[str, list[Point]]:
        """The buckets of several keys as `points` gives them, from the raw readings alone and in one query; a key without any is absent.

        It is for the last hours of many things at once, such as the lines in a list: what is older than raw readings are kept is not shown.
        """
        start, end = max(start, 0), min(end, LATEST_MS)
        if most < 1 or start >= end:
            return {}
        width, low, high = window(start, end, most)
        is_in, names = self._is_in([plain(key) for key in keys])
        with self._read() as db:
            rows = db.all(f"SELECT k.name, r.at / {1000 * width} * {width} AS start, min(r.value), sum(r.value), max(r.value), count(*) "
                          f"FROM series_key AS k JOIN series_raw AS r ON r.key = k.id WHERE k.name {is_in} AND r.at >= ? AND r.at < ? "
                          "AND r.value IS NOT NULL GROUP BY k.name, start ORDER BY k.name, start", names, low * 1000, min(high, LATEST_MS) * 1000)
        found: dict[str, list[Point]] = {}
        for name, at, least, total, greatest, count in rows:
            found.setdefault(name, []).append(Point(at, least, total / int(count), greatest, int(count)))
        return found

    def rows(self, key: str, start: int, end: int, most: int) -> list[tuple[int, float | None, str | None]]:
        """The raw readings still kept in [start, end), oldest first, at most `most` (the newest ones)."""
        start, end = max(start, 0), min(end, LATEST_MS)
        with self._read() as db:
            found = db.all("SELECT r.at / 1000, r.value, r.text FROM series_key AS k JOIN series_raw AS r ON r.key = k.id "
                           "WHERE k.name = ? AND r.at >= ? AND r.at < ? ORDER BY r.at DESC LIMIT ?",
                           plain(key), start * 1000, end * 1000, max(most, 0))
        return [tuple(row) for row in reversed(found)]

    def roll(self, now: int) -> str:
        """Downsample what is complete at `now` and forget what is older than the retention; returns what was done.

        Call it about hourly (more often costs flash, plots are right without it) and only while the clock is trusted. Each
        transaction changes at most `step` rows; killed anywhere it goes on from there, run twice it does nothing the second time.
        """
        done = {"raw": 0, "five": 0, "forgotten": 0}
        cuts = (("raw", "at", "raw_from", (now - self._keep[0]) // FIVE * FIVE * 1000), ("five", "bucket", "five_from",
                (now - self._keep[1]) // HOUR * HOUR), ("hour", "bucket", "", (now - self._keep[2]) // HOUR * HOUR))
        with self._read() as db:
            keys = [row[0] for row in db.all("SELECT id FROM series_key WHERE at IS NOT NULL ORDER BY id")]
        for key in keys:
            while self._stepped(lambda: self._roll_raw(key, now, done)):  # noqa: B023 - called at once
                pass
            while self._stepped(lambda: self._roll_five(key, done)):  # noqa: B023
                pass
            for table, column, mark, cut in cuts:
                while self._stepped(lambda: self._forget(key, table, column, mark, cut, done)):  # noqa: B023
                    pass
        self._tidy()
        return (f"Counted {done['raw']} readings into 5-minute buckets and {done['five']} of those into hours; "
                f"forgot {done['forgotten']} rows that were older than is kept.")

    def migrate(self) -> None:
        """Make the tables; safe to repeat and by several at once."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError

    # -- inside ----------------------------------------------------------------------------------------------------------

    def _known(self, names: set[str]) -> dict[str, int]:
        """The ids of the names; unknown ones are made first, in a transaction of their own, so that the cache is never ahead."""
        absent = sorted(names - self._ids.keys())
        if absent:
            is_in, given = self._is_in(absent)
            with self._write() as db:
                db.many("INSERT INTO series_key (name) VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in absent])
                found = db.all(f"SELECT name, id FROM series_key WHERE name {is_in}", given)
            self._ids.update(found)
        return self._ids

    def _insert(self, db: Any, row: tuple[int, int, float | None, str | None]) -> tuple[int, int, float | None, str | None]:
        """Keep one reading at the first free microsecond after those of its millisecond."""
        key, at, value, text = row
        base = at // 1000 * 1000
        while True:
            top = db.one("SELECT max(at) FROM series_raw WHERE key = ? AND at >= ? AND at < ?", key, base, base + 1000)[0]
            if top is None or top < base + 999:
                at = base if top is None else top + 1
                db.run("INSERT INTO series_raw (key, at, value, text) VALUES (?, ?, ?, ?)", key, at, value, text)
                return key, at, value, text
            base += 1000

    def _add(self, db: Any, buckets: dict[tuple[int, int], Bucket], hours: dict[int, int]) -> None:
        """Count 5-minute buckets, and in the hours those that the hour mark of their key has passed."""
        self._upsert(db, "series_five", buckets)
        whole: dict[tuple[int, int], Bucket] = {}
        for (key, start), bucket in buckets.items():
            if start < hours[key]:
                gather(whole, (key, start // HOUR * HOUR), bucket)
        self._upsert(db, "series_hour", whole)

    def _upsert(self, db: Any, table: str, buckets: dict[tuple[int, int], Bucket]) -> None:
        def choose(column: str, other: str, when: str) -> str:
            return f"{column} = CASE WHEN excluded.{other} {when} {table}.{other} THEN excluded.{column} ELSE {table}.{column} END"

        if buckets:
            db.many(f"INSERT INTO {table} (key, bucket, low, high, total, count, last, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                    f"ON CONFLICT (key, bucket) DO UPDATE SET {choose('low', 'low', '<')}, {choose('high', 'high', '>')}, "
                    f"total = {table}.total + excluded.total, count = {table}.count + excluded.count, "
                    f"{choose('last', 'last_at', '>=')}, {choose('last_at', 'last_at', '>=')}",
                    [(*where, *bucket) for where, bucket in buckets.items()])

    def _stepped(self, step: Callable[[], bool]) -> bool:
        """Take one step; after a full one make way for other writers for as long as it took."""
        began = time.monotonic()
        more = step()
        if more:
            time.sleep(min(time.monotonic() - began, 0.05))
        return more

    def _roll_raw(self, key: int, now: int, done: dict[str, int]) -> bool:
        with self._write(durable=False) as db:
            newest, five, hour = db.one(f"SELECT at, five, hour FROM series_key WHERE id = ?{self.lock_rows}", key)
            # Not past the hour of the newest reading: with a clock that once ran ahead, later readings are not all "late".
            target = min(now // FIVE * FIVE, (newest // HOUR + 1) * HOUR) * 1000
            if five >= target:
                return False
            found = db.all("SELECT at, value FROM series_raw WHERE key = ? AND at >= ? AND at < ? ORDER BY at LIMIT ?",
                           key, five, target, self._step)
            buckets: dict[tuple[int, int], Bucket] = {}
            for at, value in found:
                if value is not None:
                    gather(buckets, (key, at // 1000 // FIVE * FIVE), (value, value, value, 1, value, at))
            self._add(db, buckets, {key: hour})
            more = len(found) == self._step
            db.run("UPDATE series_key SET five = ? WHERE id = ?", found[-1][0] + 1 if more else target, key)
        done["raw"] += len(found)
        return more

    def _roll_five(self, key: int, done: dict[str, int]) -> bool:
        with self._write(durable=False) as db:
            five, hour = db.one(f"SELECT five, hour FROM series_key WHERE id = ?{self.lock_rows}", key)
            target = five // 1000 // HOUR * HOUR
            if hour >= target:
                return False
            found = db.all("SELECT bucket, low, high, total, count, last, last_at FROM series_five "
                           "WHERE key = ? AND bucket >= ? AND bucket < ? ORDER BY bucket LIMIT ?", key, hour, target, self._step)
            hours: dict[tuple[int, int], Bucket] = {}
            for start, *bucket in found:
                gather(hours, (key, start // HOUR * HOUR), tuple(bucket))  # type: ignore[arg-type]
            self._upsert(db, "series_hour", hours)
            more = len(found) == self._step
            db.run("UPDATE series_key SET hour = ? WHERE id = ?", found[-1][0] + FIVE if more else target, key)
        done["five"] += len(found)
        return more

    def _forget(self, key: int, table: str, column: str, mark: str, cut: int, done: dict[str, int]) -> bool:
        with self._read() as db:  # mostly there is nothing to forget, and then nothing is locked
            if db.one(f"SELECT {column} FROM series_{table} WHERE key = ? AND {column} < ? LIMIT 1", key, cut) is None:
                return False
        with self._write(durable=False) as db:
            db.one(f"SELECT id FROM series_key WHERE id = ?{self.lock_rows}", key)
            old = [row[0] for row in db.all(f"SELECT {column} FROM series_{table} WHERE key = ? AND {column} < ? "
                                            f"ORDER BY {column} LIMIT ?", key, cut, self._step)]
            if old:
                db.run(f"DELETE FROM series_{table} WHERE key = ? AND {column} <= ?", key, old[-1])
                if mark:
                    end = old[-1] + (1 if table == "raw" else FIVE)
                    db.run(f"UPDATE series_key SET {mark} = CASE WHEN {mark} > ? THEN {mark} ELSE ? END WHERE id = ?", end, end, key)
        done["forgotten"] += len(old)
        return len(old) == self._step


class Pool:
    """Connections for threads and greenlets: one is taken for a transaction and put back. A forked child gets its own."""

    def __init__(self, connect: Callable[[], Any]):
        self._connect, self._idle, self._pid = connect, [], os.getpid()
        self._inherited: list[Any] = []
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[Any]:
        """A connection; after an error that is not known to leave it clean it is closed instead of put back."""
        with self._lock:
            if self._pid != os.getpid():  # closing the parent's connections here would end them for the parent as well
                self._inherited, self._idle, self._pid = self._idle, [], os.getpid()
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


def open_series(where: str | Path, **keep: int) -> SqlSeries:
    """The series at a postgresql:// address or in an SQLite file; `keep` as in `SqlSeries`."""
    if isinstance(where, str) and where.startswith(("postgres://", "postgresql://")):
        from unibos.adapters.series_postgres import PostgresSeries

        return PostgresSeries(where, **keep)
    from unibos.adapters.series_sqlite import SqliteSeries

    return SqliteSeries(Path(where), **keep)
