"""A broker inside the process: the port Broker with sessions, acknowledgements, retained messages and accounts, without a network.

`MemoryServer` is the broker, `MemoryBroker` the agent's client of it, `Device` a device's. Held to the same contract test as
mosquitto (tests/adapters/test_broker.py).
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from unibos.kernel.errors import Forbidden, Invalid, TooLarge, Unavailable
from unibos.kernel.ports import Account, Message
from unibos.kernel.words import T

PAYLOAD_LIMIT = 64 * 1024


def covers(pattern: str, topic: str) -> bool:
    """Whether the MQTT topic filter `pattern` takes in the topic, or the whole of the filter, `topic` (MQTT 5, section 4.7)."""
    if topic.startswith("$") != pattern.startswith("$"):
        return False
    ours, theirs = pattern.split("/"), topic.split("/")
    for mine, other in itertools.zip_longest(ours, theirs):
        if mine == "#":
            return True
        if mine is None or other is None or other == "#" or (mine != "+" and mine != other):
            return False
    return True


@dataclass
class _Session:
    """What the broker keeps for a client id: subscriptions and what has not been acknowledged, oldest first."""

    filters: set[str] = field(default_factory=set)
    waiting: dict[int, Message] = field(default_factory=dict)
    online: MemoryBroker | None = None
    connection: int = 0

    def takes(self, topic: str) -> bool:
        return any(covers(f, topic) for f in self.filters)


class MemoryServer:
    """The broker. `down()` and `back()` are a crash and a restart: everything that a broker keeps on its disk is still there."""

    def __init__(self, agent: str = "unibos-agent", password: str = "agent"):
        self.agent = agent
        self.passwords: dict[str, str | None] = {agent: password}
        self.rights: dict[str, Account] = {}
        self.lock = threading.RLock()
        self.running = True
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, Message] = {}
        self._devices: list[Device] = []
        self._agents: list[MemoryBroker] = []
        self._numbers = itertools.count(1)

    def connect_device(self, username: str, password: str) -> Device:
        """A device's connection. Raises Forbidden for a wrong password or an unknown or empty name, Unavailable while down."""
        with self.lock:
            self._check(username, password)
            device = Device(self, username)
            self._devices.append(device)
            return device

    def down(self) -> None:
        with self.lock:
            self.running = False
            for device in list(self._devices):
                device.close()
            for agent in self._agents:
                agent._lose("connection lost: closed by the broker")

    def back(self) -> None:
        with self.lock:
            self.running = True
            for agent in self._agents:
                agent._join()

    def _check(self, username: str, password: str) -> None:
        if not self.running:
            raise Unavailable(T("The MQTT broker is not connected."))
        known = self.passwords.get(username)
        if known is None or known != password:
            raise Forbidden(T("The MQTT broker refuses %(name)s.", name=username or "-"))

    def _route(self, message: Message) -> None:
        if message.retain:
            if message.payload:
                self._retained[message.topic] = message
            else:
                self._retained.pop(message.topic, None)
        live = replace(message, retain=False)
        for session in self._sessions.values():
            if session.takes(message.topic):
                self._hand(session, live)
        for device in self._devices:
            device._offer(live)

    def _hand(self, session: _Session, message: Message) -> None:
        number = next(self._numbers)
        # All comes at QoS 1, whatever it was sent with: see upgrade_outgoing_qos in adapters/mosquitto.py.
        message = session.waiting[number] = replace(message, qos=1, token=(session, session.connection, number))
        if session.online:
            session.online._events.put(message)


class Device:
    """A device's connection to a MemoryServer; `received` holds (topic, payload, retain) in the order of arrival."""

    def __init__(self, server: MemoryServer, username: str):
        self.server, self.username = server, username
        self.received: list[tuple[str, bytes, bool]] = []
        self.filters: set[str] = set()
        self.connected = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; for what the account may not publish the connection is closed, as mosquitto 2.0 does at every QoS."""
        with self.server.lock:
            account = self.server.rights.get(self.username)
            if self.connected and account and any(covers(f, topic) for f in account.publish):
                self.server._route(Message(topic, payload, qos, retain))
            else:
                self.close()

    def subscribe(self, pattern: str) -> bool:
        """Subscribe; returns whether the broker granted it."""
        with self.server.lock:
            account = self.server.rights.get(self.username)
            if not (self.connected and account and any(covers(f, pattern) for f in account.subscribe)):
                return False
            self.filters.add(pattern)
            for message in self.server._retained.values():
                if covers(pattern, message.topic):
                    self._offer(message)
            return True

    def close(self) -> None:
        with self.server.lock:
            self.connected = False
            with contextlib.suppress(ValueError):
                self.server._devices.remove(self)

    def _offer(self, message: Message) -> None:
        account = self.server.rights.get(self.username)
        if account and any(covers(f, message.topic) for f in self.filters) and any(covers(f, message.topic) for f in account.subscribe):
            self.received.append((message.topic, message.payload, message.retain))


class MemoryBroker:
    """The port Broker on a MemoryServer; callbacks come from a thread of its own, as with the real one."""

    def __init__(self, server: MemoryServer, client_id: str = "agent", username: str = "unibos-agent",
                 password: str | Callable[[], str] = "agent"):
        self.server, self.client_id, self.username = server, client_id, username
        self._password = password if callable(password) else lambda: password
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._wanted: frozenset[str] | None = None
        self._session: _Session | None = None

    def start(self, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(on_message, on_state), name=f"mqtt {self.client_id}", daemon=True)
        self._thread.start()
        with self.server.lock:
            self.server._agents.append(self)
            self._join()

    def stop(self) -> None:
        with self.server.lock:
            self._lose("stopped")
            if self in self.server._agents:
                self.server._agents.remove(self)
        self._events.put(None)
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()

    def connected(self) -> bool:
        return self._session is not None

    def subscribe(self, filters: Iterable[str]) -> None:
        with self.server.lock:
            self._wanted = frozenset(filters)
            if self._session:
                self._subscribe(self._session, self._wanted - self._session.filters)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        with self.server.lock:
            for message in messages:
                session, connection, number = message.token  # type: ignore[misc]
                if session is self._session and connection == session.connection:
                    session.waiting.pop(number, None)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, timeout: float = 3.0) -> None:
        if len(payload) > PAYLOAD_LIMIT:
            raise TooLarge(T("An MQTT message may hold at most %(limit)s bytes.", limit=PAYLOAD_LIMIT))
        if not topic or set("+#\0") & set(topic) or len(topic.encode()) > 65535:
            raise Invalid(T("MQTT cannot publish to the topic %(topic)s.", topic=topic[:200]))
        with self._online():
            self.server._route(Message(topic, bytes(payload), qos, retain))

    def put_account(self, account: Account, password: str | None) -> None:
        with self._online() as server:
            if not account.username or account.username == server.agent:
                raise Invalid(T("%(name)s cannot be the name of a device account.", name=account.username or "-"))
            server.rights[account.username] = account
            if password is not None or account.username not in server.passwords:
                server.passwords[account.username] = password

    def remove_account(self, username: str) -> None:
        with self._online() as server:
            if username == server.agent:
                raise Invalid(T("%(name)s cannot be the name of a device account.", name=username))
            server.rights.pop(username, None)
            server.passwords.pop(username, None)
            for device in list(server._devices):
                if device.username == username:
                    device.close()

    def accounts(self) -> list[str]:
        with self._online() as server:
            return sorted(server.rights)

    @contextlib.contextmanager
    def _online(self) -> Any:
        with self.server.lock:
            if self._session is None:
                raise Unavailable(T("The MQTT broker is not connected."))
            yield self.server

    def _join(self) -> None:
        """Connect, if the server lets us in: the session goes on where it was and what was not acknowledged comes again."""
        try:
            self.server._check(self.username, self._password())
        except (Forbidden, Unavailable) as error:
            self._events.put((False, str(error)))
            return
        session = self.server._sessions.setdefault(self.client_id, _Session())
        if session.online and session.online is not self:
            session.online._lose("connection lost: closed by the broker")
        self._session, session.online = session, self
        session.connection += 1
        self._events.put((True, "connected"))
        waiting, session.waiting = list(session.waiting.values()), {}
        for message in waiting:
            self.server._hand(session, message)
        if self._wanted is not None:
            self._subscribe(session, self._wanted)

    def _subscribe(self, session: _Session, new: Iterable[str]) -> None:
        new = [f for f in new if f not in session.filters]  # what the session has subscribed already brings nothing retained again
        session.filters = set(self._wanted or ())
        for message in list(self.server._retained.values()):
            if any(covers(f, message.topic) for f in new):
                self.server._hand(session, message)

    def _lose(self, reason: str) -> None:
        if self._session:
            self._session.online, self._session = None, None
            self._events.put((False, reason))

    def _run(self, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> None:
        while (event := self._events.get()) is not None:
            with contextlib.suppress(Exception):  # as with the real one, a failing callback leaves its message unacknowledged
                if isinstance(event, Message):
                    on_message(event)
                else:
                    on_state(*event)
