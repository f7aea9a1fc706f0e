"""The port Broker over MQTT 5 (OASIS standard, 2019) with paho: a persistent session, acknowledged by hand, that never gives up.

Each attempt to connect is a new paho client, so nothing of a lost connection (a late command, a stale acknowledgement) leaks into
the next; what must survive lives in the broker's session. Accounts are kept by mosquitto's dynamic-security plugin.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from unibos.kernel.errors import Invalid, TooLarge, Unavailable
from unibos.kernel.ports import Account, Message
from unibos.kernel.words import T

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONTROL = "$CONTROL/dynamic-security/v1"
ANSWERS = CONTROL + "/response"
PAYLOAD_LIMIT = 64 * 1024  # bytes; the broker cuts whoever sends more
SESSION_SECONDS = 30 * 86400  # how long the broker keeps subscriptions and messages for an absent agent
WINDOW = 1000  # messages that may wait for their acknowledgement; beyond it the broker queues (mosquitto 2.0 heeds this, not its own limit)
_TOPICS = 10_000  # remembered at most, so that a flood of invented topics fills nothing
_PAGE = 200  # accounts asked for at a time
_log = logging.getLogger(__name__)


class MqttBroker:
    """A client of the broker at `host`:`port` that is always the same one (`client_id`): see kernel/ports.py, Broker.

    `password` may be a callable, asked at each attempt to connect. All callbacks come, one after another, from one thread of
    this object, which is not the network's: they may call `publish` and the rest. A callback that raises is logged; its message
    stays unacknowledged and comes again with the next connection.
    """

    def __init__(self, host: str, port: int, username: str, password: str | Callable[[], str], client_id: str):
        self.host, self.port, self.username, self.client_id = host, port, username, client_id
        self._password = password if callable(password) else lambda: password
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._link: _Link | None = None
        self._wanted: frozenset[str] | None = None
        self._known: set[str] = set()  # all filters this object ever asked for: what the session may still hold
        self._meant: tuple[frozenset[str], dict[str, bool]] = (frozenset(), {})  # for these filters: topic -> whether one means it
        self._subscribing = threading.Lock()

    def start(self, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(on_message, on_state), name=f"mqtt {self.client_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if link := self._link:
            link.lost("stopped")
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()

    def connected(self) -> bool:
        link = self._link
        return link is not None and link.up

    def subscribe(self, filters: Iterable[str]) -> None:
        self._wanted = frozenset(filters)
        if link := self._link:
            self._apply(link)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        link = self._link
        for message in messages:
            if message.qos and message.token is not None:
                of, number = message.token  # type: ignore[misc]
                if of is link:  # one of an older connection has been, or will be, delivered again
                    link.client.ack(number, 1)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, timeout: float = 3.0) -> None:
        """See the port. Raises TooLarge over 64 KiB and Invalid for a topic with wildcards. Nothing is kept for later while the
        broker is away; after a timeout on a living connection the message may still arrive."""
        if len(payload) > PAYLOAD_LIMIT:
            raise TooLarge(T("An MQTT message may hold at most %(limit)s bytes.", limit=PAYLOAD_LIMIT))
        if not topic or set("+#\0") & set(topic) or len(topic.encode()) > 65535:
            raise Invalid(T("MQTT cannot publish to the topic %(topic)s.", topic=topic[:200]))
        link = self._link
        if link is None or not link.up:
            raise Unavailable(T("The MQTT broker is not connected."))
        sent = link.client.publish(topic, payload, qos=qos, retain=retain)
        refused = link.answer(sent.mid, timeout)
        if refused is None:
            raise Unavailable(T("The MQTT broker did not confirm a message within %(seconds)s s.", seconds=timeout))
        if refused:
            raise Unavailable(T("The MQTT broker refused a message: %(reason)s", reason=refused))

    def put_account(self, account: Account, password: str | None) -> None:
        name, role = account.username, _role(account.username)
        if not name or name == self.username:
            raise Invalid(T("%(name)s cannot be the name of a device account.", name=name or "-"))
        acls = [_acl("publishClientSend", f) for f in account.publish]
        acls += [_acl(kind, f) for f in account.subscribe for kind in ("publishClientReceive", "subscribePattern", "unsubscribePattern")]
        known_role, known_client = self._control({"command": "getRole", "rolename": role}, {"command": "getClient", "username": name})
        rights = {"rolename": role, "acls": acls}
        roles = {"roles": [{"rolename": role, "priority": 0}]}
        commands: list[dict[str, Any]] = []
        if "error" in known_role:
            commands.append({"command": "createRole", **rights})
        elif _rights(known_role["data"]["role"].get("acls", [])) != _rights(acls):
            commands.append({"command": "modifyRole", **rights})  # cuts the device, so only where something changes
        if "error" in known_client:
            # Without a password it is an account that nobody can use yet.
            commands.append({"command": "createClient", "username": name, "password": password or secrets.token_hex(16), **roles})
        else:
            if [r["rolename"] for r in known_client["data"]["client"].get("roles", [])] != [role]:
                commands.append({"command": "modifyClient", "username": name, **roles})
            if password is not None:
                commands.append({"command": "setClientPassword", "username": name, "password": password})
        self._control(*commands, must=True)

    def remove_account(self, username: str) -> None:
        if username == self.username:
            raise Invalid(T("%(name)s cannot be the name of a device account.", name=username))
        self._control({"command": "deleteClient", "username": username}, {"command": "deleteRole", "rolename": _role(username)})

    def accounts(self) -> list[str]:
        found: list[str] = []
        for offset in range(0, 1 << 30, _PAGE):
            (answer,) = self._control({"command": "listClients", "verbose": True, "count": _PAGE, "offset": offset}, must=True)
            page = answer["data"]["clients"]
            found += [c["username"] for c in page if [r["rolename"] for r in c.get("roles", [])] == [_role(c["username"])]]
            if len(page) < _PAGE:
                break
        return sorted(found)

    # --- what runs in our thread

    def _run(self, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> None:
        delay, told = 0.1, ""
        while not self._stopping.is_set():
            began = time.monotonic()
            link = _Link(self)
            self._link = link
            if self._stopping.is_set():  # stop() may have looked for the link just before it stood there
                break
            reason = link.open() or self._pump(link, on_message, on_state)
            was_up = link.up
            link.close()
            self._link = None
            if was_up or reason != told:
                _call(on_state, False, reason)
                told = reason
            delay = 0.1 if was_up and time.monotonic() - began > 5 else min(delay * 2, 10.0)
            self._stopping.wait(delay * random.uniform(0.5, 1.0))  # spreads the clients of a restarted broker

    def _pump(self, link: _Link, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> str:
        """Hand on what the link brings until it is lost; returns why."""
        while True:
            kind, what = link.events.get()
            if kind == "lost" or self._stopping.is_set():
                return str(what)
            if kind == "up":
                link.accepted = True
                refused = self._apply(link)
                link.up = True
                place = f"{self.host}:{self.port}"
                _call(on_state, True, f"connected to {place}" + (f"; not allowed to read {', '.join(refused)}" if refused else ""))
            elif not self._asked_for(link, what.topic):
                self.acknowledge([what])  # of a subscription that an earlier process left in the session
            else:
                _call(on_message, what)

    def _asked_for(self, link: _Link, topic: str) -> bool:
        """Whether a filter that is wanted now means `topic`; remembered, because each filter is a comparison and devices have several."""
        wanted = self._wanted
        if wanted is None:
            return True
        if self._meant[0] is not wanted or len(self._meant[1]) >= _TOPICS:
            self._meant = (wanted, {})
        known = self._meant[1]
        if topic not in known:
            known[topic] = any(link.matches(f, topic) for f in wanted)
        return known[topic]

    def _apply(self, link: _Link) -> list[str]:
        """Make the link's subscriptions what is wanted, wait for the broker's word (3 s); returns the refused filters."""
        with self._subscribing:
            if not link.accepted:
                return []
            wanted = (self._wanted or frozenset()) | {ANSWERS}
            gone, new = sorted(self._known - wanted), sorted(wanted - link.applied)
            self._known |= wanted
            refused = []
            if new and link.answer(link.subscribe(new), 3.0):
                refused = [f for f, failed in zip(new, link.failed, strict=False) if failed]
                _log.error("the MQTT broker refused subscriptions to %s", refused)
            link.applied |= set(new)
            if gone and link.answer(link.client.unsubscribe(gone)[1], 3.0) is not None:
                self._known -= set(gone)
                link.applied -= set(gone)
            return refused

    def _control(self, *commands: dict[str, Any], must: bool = False, timeout: float = 5.0) -> list[dict[str, Any]]:
        """Ask the dynamic-security plugin; returns one answer for each command. `must`: an error in one raises Unavailable."""
        if not commands:
            return []
        link = self._link
        marked = {secrets.token_hex(16): command for command in commands}
        body = {"commands": [{**command, "correlationData": mark} for mark, command in marked.items()]}
        deadline = time.monotonic() + timeout
        self.publish(CONTROL, json.dumps(body).encode(), timeout=timeout)
        answers = link.answers(list(marked), deadline - time.monotonic()) if link else None
        if answers is None:
            raise Unavailable(T("The MQTT broker did not answer about its accounts."))
        for answer in answers if must else ():
            if "error" in answer:
                raise Unavailable(T("The MQTT broker refused to change its accounts: %(reason)s", reason=answer["error"]))
        return answers


class _Link:
    """One connection, from CONNECT to its loss. The paho callbacks run in paho's thread and only note and pass on."""

    def __init__(self, owner: MqttBroker):
        from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5, topic_matches_sub

        self.owner, self.matches = owner, topic_matches_sub
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.accepted = False  # the broker let us in
        self.up = False  # and the subscriptions stand
        self.applied: set[str] = set()
        self.failed: list[bool] = []
        self._refusal = ""
        self._gone = False
        self._started = False
        self._closed = threading.Event()
        self._turn = threading.Condition()
        self._answers: dict[object, Any] = {}
        self.client: Client = Client(CallbackAPIVersion.VERSION2, client_id=owner.client_id, protocol=MQTTv5, manual_ack=True,
                                     reconnect_on_failure=False)
        self.client.connect_timeout = 5.0
        self.client.max_inflight_messages_set(WINDOW)
        # A message after a message would else wait 40 ms for the acknowledgement of the first (Nagle's algorithm).
        self.client.on_socket_open = lambda client, data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = self._on_message
        self.client.on_publish = lambda client, data, mid, code, properties: self._note(mid, str(code) if code.is_failure else "")
        self.client.on_subscribe = self._on_subscribe
        self.client.on_unsubscribe = lambda client, data, mid, codes, properties: self._note(mid, "")

    def open(self) -> str:
        """Connect and start reading; returns "" or why it did not go."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_SECONDS
        properties.ReceiveMaximum = WINDOW
        try:
            password = self.owner._password()
        except (OSError, ValueError) as error:
            return f"cannot read the password of {self.owner.username}: {error}"
        try:
            self.client.username_pw_set(self.owner.username, password)
            self.client.connect(self.owner.host, self.owner.port, keepalive=30, clean_start=False, properties=properties)
        except (OSError, ValueError) as error:
            return f"cannot reach {self.owner.host}:{self.owner.port}: {getattr(error, 'strerror', None) or error}"
        self.client.loop_start()
        self._started = True
        return ""

    def close(self) -> None:
        self._end()
        if not self._started:
            return
        self.client.disconnect()
        if not self._closed.wait(1.0):  # the broker reads nothing any more: do not wait for it
            with contextlib.suppress(OSError, AttributeError):
                self.client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        self.client.loop_stop()

    def lost(self, reason: str) -> None:
        """End the link from any thread; whoever waits for an answer is told at once."""
        self._end()
        self.events.put(("lost", reason))

    def answer(self, mid: int | None, timeout: float) -> str | None:
        """What the broker said to packet `mid`: "" is yes, other words a refusal, None that it said nothing in `timeout` seconds."""
        answers = self.answers([mid], timeout)
        return None if answers is None else answers[0]

    def answers(self, keys: list[Any], timeout: float) -> list[Any] | None:
        with self._turn:
            self._turn.wait_for(lambda: self._gone or all(k in self._answers for k in keys), max(0.0, timeout))
            found = [self._answers.pop(k, None) for k in keys]
        return None if any(f is None for f in found) else found

    def subscribe(self, filters: list[str]) -> int | None:
        from paho.mqtt.subscribeoptions import SubscribeOptions

        # A session that went on has queued what came meanwhile. Its retained messages, sent again, could only be older: a broker that was
        # killed has saved them up to a second ago.
        new = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        return self.client.subscribe([(f, SubscribeOptions(qos=1, retainHandling=new)) for f in filters])[1]

    def _end(self) -> None:
        with self._turn:
            self._gone = True
            self._turn.notify_all()

    def _note(self, key: object, value: Any) -> None:
        with self._turn:
            self._answers[key] = value
            self._turn.notify_all()

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refusal = f"the broker refuses {self.owner.username}: {code}"
        else:
            self.events.put(("up", None))

    def _on_disconnect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        # Without a word from the broker paho says "Unspecified error"; mosquitto also ends so when a second client has our id.
        why = str(code) if flags.is_disconnect_packet_from_server or code.value != 0x80 else "closed by the broker"
        self.lost(self._refusal or f"connection lost: {why}")
        self._closed.set()

    def _on_subscribe(self, client: Any, data: Any, mid: int, codes: Any, properties: Any) -> None:
        self.failed = [code.is_failure for code in codes]
        self._note(mid, "refused" if any(self.failed) else "")

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no filter of ours can mean it
            client.ack(message.mid, message.qos)
            return
        if topic != ANSWERS:
            self.events.put(("message", Message(topic, message.payload, message.qos, message.retain, (self, message.mid))))
            return
        try:
            found = json.loads(message.payload)["responses"]
        except (ValueError, KeyError):
            _log.error("the MQTT broker's answer about accounts cannot be read")
            return
        for each in found:
            if mark := each.get("correlationData"):
                self._note(mark, each)


def _role(username: str) -> str:
    return f"device:{username}"


def _acl(kind: str, topic: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


def _rights(acls: list[dict[str, Any]]) -> set[tuple[str, str, bool]]:
    return {(a["acltype"], a["topic"], a["allow"]) for a in acls}


def _call(function: Callable[..., None], *arguments: object) -> None:
    try:
        function(*arguments)
    except Exception:  # noqa: BLE001 - whatever a feature does, the connection goes on
        _log.exception("a callback of the MQTT client failed")
