"""The devices' loops: the broker's messages into the ingest, in batches; and the questions of panel and command line."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.devices.ingest import Heard, Ingest
from unibos.kernel.errors import UnibosError
from unibos.kernel.ports import Account, Broker, Message
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# Below the number of messages that the broker hands out unacknowledged: a batch must be able to end.
BATCH = 500

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

    def reload(self, seconds: float = 3.0) -> None:
        """Have credentials and routes read again after all that was heard before; waits until the broker knows the new subscriptions."""
        done = threading.Event()
        self._queue.put(done)
        done.wait(seconds)

    def run(self, stop: Callable[[], bool]) -> None:
        """Take batches until `stop()`: a batch is all that came while the one before was committed."""
        broker = self._kit.broker
        if broker is None:
            self._kit.log.warning("no MQTT broker: devices cannot report")
            return
        ingest = Ingest(self._kit)
        broker.start(self.hear, self.state)
        broker.subscribe(ingest.filters())
        try:
            while not stop():
                self._turn(broker, ingest)
        finally:
            # Whatever was not acknowledged comes again with the next connection.
            broker.stop()
            self._queue = queue.SimpleQueue()

    def _turn(self, broker: Broker, ingest: Ingest) -> None:
        try:
            batch = [self._queue.get(timeout=0.5)]
        except queue.Empty:
            return
        while len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        heard = [item for item in batch if isinstance(item, Heard)]
        ingest.take(heard)
        broker.acknowledge([item.message for item in heard])
        if len(heard) != len(batch):
            ingest.load()
            broker.subscribe(ingest.filters())
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
        for topic, payload in ingest.take_questions():
            try:
                broker.publish(topic, payload, timeout=1.0)
            except UnibosError as error:
                self._kit.log.info("question to %s: %s", topic, error.text)


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
