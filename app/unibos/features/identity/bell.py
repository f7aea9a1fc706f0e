"""The bell in the status line, and the fan-out of events to the sockets of the people they are for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit
    from unibos.kernel.sockets import Connection


def status(_kit: Kit, services: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """How many events the reader has not looked at."""

    def report() -> dict[str, Any]:
        from unibos.kernel.web import actor

        who = actor()
        return {"bell": services["identity"].events.unread(who.id) if who.kind == "person" else None}

    return report


class Fan:
    """Hands the events of the bus to the open connections of their person, in each web process."""

    def __init__(self, kit: Kit):
        self._kit, self._lock, self._started = kit, threading.Lock(), False
        self._open: dict[str, set[Callable[[dict[str, Any]], None]]] = {}

    def join(self, user_id: str, hear: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """From now on call `hear` with each event of the person; returns what ends that."""
        with self._lock:
            self._open.setdefault(user_id, set()).add(hear)
            if not self._started:
                self._started = True
                threading.Thread(target=self._listen, name="account", daemon=True).start()

        def leave() -> None:
            with self._lock:
                self._open.get(user_id, set()).discard(hear)

        return leave

    def _listen(self) -> None:
        for item in self._kit.bus.listen(["account"], timeout=60.0):
            if item is not None:
                for hear in list(self._open.get(str(item[1].get("user")), ())):
                    hear(item[1]["event"])


class Told:
    """One connection: each event once and in order, those that were missed first."""

    def __init__(self, connection: Connection, show: Callable[[dict[str, Any]], dict[str, Any]]):
        self._connection, self._show, self._lock = connection, show, threading.Lock()
        self._last, self._early = -1, list[dict[str, Any]]()

    def hear(self, event: dict[str, Any]) -> None:
        """An event of now; held back until the missed ones are told."""
        with self._lock:
            if self._last < 0:
                self._early.append(event)
            else:
                self._tell(event)

    def catch_up(self, missed: list[dict[str, Any]], since: int) -> None:
        """Tell what happened after the event `since`, the oldest first, and then go on with what happens."""
        with self._lock:
            self._last = max(self._last, since, 0)
            for event in [*missed, *self._early]:
                self._tell(event)
            self._early.clear()

    def _tell(self, event: dict[str, Any]) -> None:
        if event["id"] > self._last:
            self._last = event["id"]
            self._connection.send({"type": "event", **self._show(event)})
