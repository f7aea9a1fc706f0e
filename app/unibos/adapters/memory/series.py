"""The Series port in memory, told as simply as it can be: also the model that the real ones are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unibos.adapters.series import DAY, FIVE, HOUR, LATEST_MS, Bucket, Row, clean, gather, plain, window
from unibos.kernel.ports import Point


class MemorySeries:
    """Keeps every number for the plots until the hours are forgotten; `raw`, `five`, `hour` in seconds."""

    def __init__(self, raw: int = 7 * DAY, five: int = 90 * DAY, hour: int = 5 * 365 * DAY):
        self._keep = (raw * 1000, five * 1000, hour * 1000)
        self._raw: dict[str, list[tuple[int, float | None, str | None]]] = {}
        self._numbers: dict[str, list[tuple[int, float]]] = {}
        self._fives: dict[str, set[int]] = {}
        self._latest: dict[str, tuple[int, float | None, str | None]] = {}
        self._from: dict[str, tuple[int, int]] = {}

    def append(self, rows: Sequence[Row]) -> None:
        for key, at, value, text in clean(rows):
            self._raw.setdefault(key, []).append((at, value, text))
            if value is not None:
                self._numbers.setdefault(key, []).append((at, value))
                self._fives.setdefault(key, set()).add(at // FIVE * FIVE)
            if key not in self._latest or self._latest[key][0] <= at:
                self._latest[key] = (at, value, text)

    def latest(self, keys: Iterable[str]) -> dict[str, tuple[int, float | None, str | None]]:
        return {key: self._latest[key] for key in map(plain, keys) if key in self._latest}

    def points(self, key: str, start: int, end: int, most: int) -> list[Point]:
        start, end = max(start, 0), min(end, LATEST_MS)
        if most < 1 or start >= end or key not in self._latest:
            return []
        width, low, high = window(start, end, most, *self._from.get(key, (0, 0)))
        buckets: dict[int, Bucket] = {}
        for at, value in self._numbers.get(key, []):
            if low <= at < high:
                gather(buckets, at // width * width, (value, value, value, 1, value, at))
        return [Point(at, low, total / count, high, count) for at, (low, high, total, count, *_last) in sorted(buckets.items())]

    def many(self, keys: Iterable[str], start: int, end: int, most: int) -> dict[str, list[Point]]:
        return {key: found for key in map(plain, keys) if (found := self.points(key, start, end, most))}

    def rows(self, key: str, start: int, end: int, most: int) -> list[tuple[int, float | None, str | None]]:
        found = sorted((row for row in self._raw.get(key, []) if start <= row[0] < end), key=lambda row: row[0])
        return found[-most:] if most > 0 else []

    def roll(self, now: int) -> str:
        raw_cut, five_cut, hour_cut = ((now - keep) // width * width for keep, width in zip(self._keep, (FIVE, HOUR, HOUR), strict=True))
        forgotten = 0
        for key in self._latest:
            raw_from, five_from = self._from.get(key, (0, 0))
            old = [row[0] for row in self._raw[key] if row[0] < raw_cut]
            old_fives = [start for start in self._fives.get(key, ()) if start < five_cut]
            self._from[key] = (max([raw_from, *(at * 1000 + 1 for at in old)]), max([five_from, *(start + FIVE for start in old_fives)]))
            self._raw[key] = [row for row in self._raw[key] if row[0] >= raw_cut]
            self._fives[key] = {start for start in self._fives.get(key, ()) if start >= five_cut}
            self._numbers[key] = [row for row in self._numbers.get(key, []) if row[0] >= hour_cut]
            forgotten += len(old)
        return f"Forgot {forgotten} readings that were older than is kept."

    def migrate(self) -> None:
        """Nothing to make."""

    def close(self) -> None:
        """Nothing to close."""
