"""A clock moved by hand and counted randomness."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid


class HandClock:
    """A clock that stands still until `advance`."""

    def __init__(self, start: dt.datetime = dt.datetime(2026, 12, 1, 12, 0, tzinfo=dt.UTC)):
        self.time, self.steady, self.is_trusted = start, 0.0, True

    def now(self) -> dt.datetime:
        """Where it was put."""
        return self.time

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self.steady

    def trusted(self) -> bool:
        """What the test says."""
        return self.is_trusted

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self.time += dt.timedelta(seconds=seconds)
        self.steady += seconds


class CountedRandom:
    """Bytes from a counter: different each time, the same in each run."""

    def __init__(self) -> None:
        self.count = 0

    def bytes(self, n: int) -> bytes:
        """The next `n` bytes."""
        self.count += 1
        return hashlib.shake_128(str(self.count).encode()).digest(n)

    def uuid(self) -> str:
        """The next UUID."""
        return str(uuid.UUID(bytes=self.bytes(16), version=4))


class MemoryKeys:
    """Keys that last as long as the object."""

    def __init__(self) -> None:
        self._random, self._keys = CountedRandom(), {}

    def __call__(self, name: str, size: int = 32) -> bytes:
        """The key `name`, made on first use."""
        if name not in self._keys:
            self._keys[name] = self._random.bytes(size)
        return self._keys[name]
