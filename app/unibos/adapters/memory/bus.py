"""The port Bus inside one process, held to the same contract test as the one over Redis (tests/adapters/test_bus.py)."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from unibos.adapters.redisbus import pack, unpack
from unibos.kernel.errors import Unavailable
from unibos.kernel.words import T


class _Question:
    def __init__(self, body: str):
        self.body = body
        self.answer: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.late = False


class MemoryBus:
    """Messages between the threads of a process; they pass through JSON so that what cannot travel fails here too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[tuple[frozenset[str], queue.SimpleQueue[tuple[str, str]]]] = []
        self._lines: dict[str, queue.SimpleQueue[_Question]] = {}

    def publish(self, channel: str, message: Mapping[str, Any]) -> None:
        text = json.dumps(message)
        with self._lock:
            for channels, inbox in self._listeners:
                if channel in channels:
                    inbox.put((channel, text))

    def listen(self, channels: Iterable[str], timeout: float) -> Iterator[tuple[str, dict[str, Any]] | None]:
        inbox: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        mine = (frozenset(channels), inbox)
        with self._lock:
            self._listeners.append(mine)
        try:
            while True:
                try:
                    channel, text = inbox.get(timeout=timeout)
                except queue.Empty:
                    yield None
                else:
                    yield channel, json.loads(text)
        finally:
            with self._lock:
                self._listeners.remove(mine)

    def ask(self, service: str, question: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        asked = _Question(json.dumps(question))
        self._line(service).put(asked)
        try:
            return unpack(json.loads(asked.answer.get(timeout=timeout)))
        except queue.Empty:
            asked.late = True
            raise Unavailable(T("%(service)s did not answer within %(seconds)s s.", service=service, seconds=timeout)) from None

    def serve(self, service: str, answer: Callable[[dict[str, Any]], Mapping[str, Any]], stop: Callable[[], bool]) -> None:
        while not stop():
            try:
                asked = self._line(service).get(timeout=0.05)
            except queue.Empty:
                continue
            if not asked.late:
                asked.answer.put(json.dumps(pack(answer, json.loads(asked.body))))

    def close(self) -> None:
        """Nothing to close."""

    def _line(self, service: str) -> queue.SimpleQueue[_Question]:
        with self._lock:
            return self._lines.setdefault(service, queue.SimpleQueue())
