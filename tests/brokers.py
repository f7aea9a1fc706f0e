"""Brokers for tests: mosquitto with the real client, and the fake, behind one interface; `Agent` listens, devices are driven."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unibos.adapters import mosquitto
from unibos.adapters.memory.broker import Device, MemoryBroker, MemoryServer
from unibos.adapters.mqtt import MqttBroker
from unibos.kernel.errors import Forbidden
from unibos.kernel.ports import Account, Broker, Message

LAMP = Account("lamp", ("tele/lamp/#",), ("cmnd/lamp/#",))
installed = pytest.mark.skipif(not (mosquitto.find_mosquitto() and mosquitto.find_dynsec()), reason="mosquitto is not installed here")


def eventually(condition: Callable[[], Any], timeout: float = 15) -> Any:
    """Wait until `condition()` is true; returns what it gave."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


class Agent:
    """A client of the port with what it heard. `keep` says which messages it acknowledges."""

    def __init__(self, broker: Broker, keep: Callable[[Message], bool]):
        self.broker, self.keep = broker, keep
        self.heard: list[Message] = []
        self.states: list[tuple[bool, str]] = []
        broker.start(self._message, lambda up, why: self.states.append((up, why)))

    def _message(self, message: Message) -> None:
        self.heard.append(message)
        if self.keep(message):
            self.broker.acknowledge([message])

    def up(self) -> Agent:
        eventually(self.broker.connected)
        return self

    def payloads(self) -> list[bytes]:
        return [m.payload for m in self.heard]

    def waits_for(self, *payloads: bytes) -> None:
        eventually(lambda: len(self.heard) >= len(payloads))
        assert self.payloads() == list(payloads)


class FakeRig:
    def __init__(self, place: Path):
        self.server = MemoryServer()

    def broker(self, client_id: str = "agent", password: str = "agent") -> MemoryBroker:
        return MemoryBroker(self.server, client_id, password=password)

    def device(self, username: str, password: str) -> Device:
        return self.server.connect_device(username, password)

    def kill(self) -> None:
        self.server.down()

    def back(self) -> None:
        self.server.back()

    def saved(self) -> None:
        pass

    def close(self) -> None:
        pass


class RealDevice:
    """A device over MQTT 3.1.1, as most are, with the interface of memory.broker.Device."""

    def __init__(self, port: int, username: str, password: str):
        import paho.mqtt.client as paho

        self.received: list[tuple[str, bytes, bool]] = []
        self.connected = False
        self._answers: dict[int, list] = {}
        refused: list[str] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311, reconnect_on_failure=False)
        if username:
            self.client.username_pw_set(username, password)

        def on_connect(client, data, flags, code, properties):
            refused.append(str(code)) if code.is_failure else setattr(self, "connected", True)

        self.client.on_connect = on_connect
        self.client.on_disconnect = lambda *_: setattr(self, "connected", False)
        self.client.on_message = lambda c, d, m: self.received.append((m.topic, m.payload, m.retain))
        self.client.on_subscribe = lambda c, d, mid, codes, p: self._answers.update({mid: codes})
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        eventually(lambda: self.connected or refused)
        if refused:
            self.close()
            raise Forbidden(refused[0])

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        sent = self.client.publish(topic, payload, qos, retain)
        if sent.rc == 0:
            eventually(lambda: sent.is_published() or not self.connected)

    def subscribe(self, pattern: str) -> bool:
        mid = self.client.subscribe(pattern, 1)[1]
        return not eventually(lambda: self._answers.get(mid))[0].is_failure

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class RealRig:
    def __init__(self, place: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.files = mosquitto.prepare(place, self.port)
        self.devices: list[RealDevice] = []
        self.back()

    def broker(self, client_id: str = "agent", password: str | None = None) -> MqttBroker:
        word = password or self.files.agent_password_file.read_text
        return MqttBroker("127.0.0.1", self.port, self.files.agent_username, word, client_id)

    def device(self, username: str, password: str) -> RealDevice:
        self.devices.append(RealDevice(self.port, username, password))
        return self.devices[-1]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def back(self) -> None:
        self.process = subprocess.Popen(self.files.argv, stderr=subprocess.DEVNULL)
        eventually(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, "mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def saved(self) -> None:
        """Wait until all that happened until now is on the disk: the second save from now began after now."""
        database = self.files.config.parent / "sessions.db"
        for _ in range(2):
            before = database.stat().st_mtime_ns if database.exists() else 0
            eventually(lambda before=before: database.exists() and database.stat().st_mtime_ns != before)

    def close(self) -> None:
        for device in self.devices:
            device.close()
        self.process.terminate()
        self.process.wait(10)


class Agents:
    """Starts agents and stops them in the end."""

    def __init__(self) -> None:
        self._made: list[Agent] = []

    def __call__(self, broker: Broker, keep: Callable[[Message], bool] = lambda message: True) -> Agent:
        self._made.append(Agent(broker, keep))
        return self._made[-1]

    def stop(self) -> None:
        for agent in self._made:
            agent.broker.stop()
