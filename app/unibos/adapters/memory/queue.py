"""A queue in memory: what was handed waits in order until a test takes it."""

from __future__ import annotations


class MemoryQueue:
    """Port Queue without a server."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, str, int]] = []

    def hand(self, queue: str, job_id: str, attempt: int, timeout: int) -> None:
        """Remember the id once per attempt."""
        if (queue, job_id, attempt) not in self.handed:
            self.handed.append((queue, job_id, attempt))

    def ping(self) -> None:
        """Always there."""

    def depth(self, queue: str) -> int:
        """How many ids wait in a queue."""
        return sum(1 for item in self.handed if item[0] == queue)
