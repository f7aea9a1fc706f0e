"""The devices' loops: the broker's messages into the ingest, in batches; and the questions of panel and command line."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.devices.ingest import Heard, Ingest
from unibos.kernel.errors import UnibosError
from unibos.kernel.ports import Account, Message
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

BATCH = 1000
# A commit at most so often: it keeps an SD card calm, and is far below what a person notices.
PAUSE = 0.02


class Listener:
    """Between the broker's thread and the ingest: a queue, so that the broker is never kept waiting."""

    def __init__(self, kit: Kit):
        self._kit, self._queue = kit, queue.SimpleQueue[Any]()
        self.connected, self.why = False, "none" if kit.broker is None else "starting"

    def hear(self, message: Message) -> None:
        """Called by the broker's thread."""
        self._queue.put(Heard(self._kit.now_ms(), message))

    def state(self, connected: bool, why: str) -> None:
        """Called by the broker's thread when the connection changes."""
        self.connected, self.why = connected, why
        self._kit.log.info("broker %s%s", "connected" if connected else "lost: ", "" if connected else why)
        self._kit.changed("devices", "status")

    def reload(self) -> None:
        """Have credentials and routes read again, after all that was heard before."""
        self._queue.put("reload")

    def run(self, stop: Callable[[], bool]) -> None:
        """Take batches until `stop()`: a batch is all that came while the one before was committed."""
        broker = self._kit.broker
        if broker is None:
            self._kit.log.warning("no MQTT broker: devices cannot report")
            return
        ingest = Ingest(self._kit)
        broker.start(self.hear, self.state)
        broker.subscribe(ingest.filters())
        while not stop():
            try:
                first = self._queue.get(timeout=0.5)
            except queue.Empty:
                continue
            batch = [first]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            heard = [item for item in batch if item != "reload"]
            ingest.take(heard)
            broker.acknowledge([item.message for item in heard])
            if len(heard) != len(batch):
                ingest.load()
                broker.subscribe(ingest.filters())


def loops(kit: Kit, _services: Mapping[str, Any]) -> list[tuple[str, Callable[[Callable[[], bool]], None]]]:
    """The loops of this feature."""
    listener = Listener(kit)

    def answer(question: dict[str, Any]) -> Mapping[str, Any]:
        do = question.get("do")
        if do == "state":
            return {"connected": listener.connected, "why": listener.why}
        if do == "reload":
            listener.reload()
            return {}
        if kit.broker is None:
            raise UnibosError(T("No MQTT broker is installed: devices cannot report. Install mosquitto and start again."))
        if do == "account":
            account = Account(question["username"], tuple(question["publish"]), tuple(question["subscribe"]))
            kit.broker.put_account(account, question["password"])
            listener.reload()
            return {"host": kit.broker.host, "port": kit.broker.port}
        if do == "forget":
            kit.broker.remove_account(question["username"])
            return {}
        if do == "publish":
            kit.broker.publish(question["topic"], question["payload"].encode(), retain=bool(question.get("retain")))
            return {}
        raise UnibosError(T("The agent does not know this question."))

    return [("ingest", listener.run), ("answers", lambda stop: kit.bus.serve("devices", answer, stop))]
