"""Events a second from the broker through agent and database to an open page, beside a bare subscriber that fills a table.

Both get the same events from the same program (mosquitto_pub, a process for each sensor) through a broker with the same configuration
and kind of account. Ours ends when a page has been shown the last value of every sensor; the peer when its last row is committed.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import stand
from tests.stack import Stack, free_port, wait_for

EVENTS = 20_000
ROUNDS = 3
SENSORS = (1, 50)


def payload(number: float, round_: int) -> str:
    """About 100 bytes of JSON, as a weather box sends them."""
    return json.dumps({"time": f"2026-11-23T12:00:{round_ % 60:02}", "temperature": number, "humidity": 48.2, "pressure": 1013.25, "battery": 87},
                      separators=(",", ":"))


def last(sensors: int, round_: int) -> float:
    """The value that ends a sensor's events in a round; it comes nowhere else."""
    return round_ * 1000 + EVENTS // sensors / 100


def files(folder: Path, sensors: int, round_: int) -> Path:
    """The lines that each of `sensors` sends, as a file (they all send the same)."""
    path = folder / f"lines-{sensors}-{round_}"
    each = EVENTS // sensors
    path.write_text("".join(payload(round_ * 1000 + i / 100, round_) + "\n" for i in range(1, each + 1)))
    return path


def publish(lines: Path, sensors: int, port: int, user: str, password: str) -> tuple[float, float]:
    """Send; returns when it began and when the last publisher had all its acknowledgements (monotonic)."""
    began = time.monotonic()
    running = []
    for number in range(sensors):
        with lines.open("rb") as source:
            running.append(subprocess.Popen(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-u", user, "-P", password, "-q", "1", "-l",
                                             "-t", f"{user}/s{number}", "-i", f"{user}-{number}"], stdin=source))
    for process in running:
        if process.wait(120):
            raise RuntimeError("a publisher failed")
    return began, time.monotonic()


class Page:
    """An open page: a WebSocket on /ws/live/ that notes the newest value of every key."""

    def __init__(self, stack: Stack):
        from simple_websocket import Client

        self.values: dict[str, tuple[float, float]] = {}
        self._client = Client(stack.node.replace("http", "ws") + "/ws/live/")
        self._client.send(json.dumps({"token": stack.tokens["node"]}))
        self._client.send(json.dumps({"type": "hello", "topics": ["values"]}))
        wait_for(lambda: json.loads(self._client.receive(timeout=10) or "{}").get("type") == "ready")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        from simple_websocket import ConnectionClosed

        try:
            while True:
                message = json.loads(self._client.receive())
                if message.get("type") == "value" and message["key"].startswith("entity:"):
                    self.values[message["key"]] = (float(message["text"].replace(",", "")), time.monotonic())
        except ConnectionClosed:
            pass

    def close(self) -> None:
        """Leave."""
        self._client.close()


def _rows(stack: Stack) -> int:
    with closing(sqlite3.connect(f"file:{stack.data}/node/readings.sqlite?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM series_raw r JOIN series_key k ON k.id = r.key WHERE k.name LIKE 'entity:%'").fetchone()[0]


def _announce(stack: Stack, login: dict[str, Any], sensors: int) -> set[str]:
    """Have a box announce its sensors; returns the keys of their readings."""
    name = login["username"]
    parts = {f"s{i}": {"platform": "sensor", "unique_id": f"{name}-{i}", "name": f"Sensor {i}", "state_topic": f"{name}/s{i}",
                       "value_template": "{{ value_json.temperature }}", "unit_of_measurement": "°C"} for i in range(sensors)}
    stack.publish(login, f"homeassistant/device/{name}/config", json.dumps(
        {"device": {"identifiers": [name], "name": f"Box {sensors}"}, "origin": {"name": "bench"}, "components": parts}))

    def known() -> list[str]:
        items = stack.api("GET", "/api/v1/devices/")[1]["items"]
        return next(([e["id"] for e in d["entities"]] for d in items if d["credential"] == login["name"]), [])

    return {f"entity:{i}" for i in wait_for(lambda: known() if len(known()) == sensors else None)}


def ours(stack: Stack, page: Page, login: dict[str, Any], keys: set[str], lines: Path, sensors: int, round_: int) -> dict[str, float]:
    """One run through UNIBOS; every event must then be in the history."""
    before, end = _rows(stack), last(sensors, round_)
    began, sent = publish(lines, sensors, login["port"], login["username"], login["password"])
    wait_for(lambda: all(page.values.get(k, (0, 0))[0] == end for k in keys), 120, "the page did not see every last value")
    done = max(page.values[k][1] for k in keys)
    kept = _rows(stack) - before
    if kept != EVENTS:
        raise RuntimeError(f"{kept} of {EVENTS} events are in the history")
    return {"seconds": done - began, "rate": EVENTS / (done - began), "published": EVENTS / (sent - began), "kept": kept}


class Peer:
    """A broker of its own with our configuration and an account like that of a device."""

    def __init__(self, folder: Path):
        from unibos.adapters.mosquitto import prepare
        from unibos.adapters.mqtt import MqttBroker
        from unibos.kernel.ports import Account

        self.folder, self.port, self.user, self.password = folder, free_port(), "box", secrets.token_hex(8)
        made = prepare(folder, self.port)
        self.agent, self.agent_password = made.agent_username, made.agent_password_file.read_text().strip()
        self._broker = subprocess.Popen(made.argv, stderr=subprocess.DEVNULL)
        control = MqttBroker("127.0.0.1", self.port, self.agent, self.agent_password, "bench")
        control.start(lambda _message: None, lambda _up, _why: None)
        control.subscribe([])
        wait_for(control.connected)
        control.put_account(Account(self.user, (f"{self.user}/#",), (f"{self.user}/#",)), self.password)
        control.stop()

    def run(self, lines: Path, sensors: int, round_: int) -> dict[str, float]:
        """One run through the bare subscriber."""
        file = self.folder / f"peer-{sensors}-{round_}.sqlite"
        process = stand.program("peer_mqtt", str(self.port), self.agent, self.agent_password, str(file), str(EVENTS))
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        began, sent = publish(lines, sensors, self.port, self.user, self.password)
        moment, commits = process.stdout.readline().split()
        done = float(moment)
        process.wait(20)
        process.stdout.close()
        return {"seconds": done - began, "rate": EVENTS / (done - began), "published": EVENTS / (sent - began), "commits": int(commits)}

    def stop(self) -> None:
        """End the broker."""
        self._broker.terminate()
        self._broker.wait(10)


def measure() -> None:
    """Run both in turns and keep the medians."""
    facts = stand.machine()
    with stand.folder() as folder, stand.folder() as other:
        stack = Stack(folder)
        peer = Peer(other)
        try:
            stack.start()
            stack.claim("node")
            page = Page(stack)
            logins = {n: stack.device(f"Box {n}") for n in SENSORS}
            keys = {n: _announce(stack, logins[n], n) for n in SENSORS}
            runs: dict[str, list[dict[str, float]]] = {}
            for round_ in range(1, ROUNDS + 1):
                for n in SENSORS:
                    lines = files(folder, n, round_)
                    runs.setdefault(f"peer {n}", []).append(peer.run(lines, n, round_))
                    runs.setdefault(f"ours {n}", []).append(ours(stack, page, logins[n], keys[n], lines, n, round_))
            page.close()
        finally:
            peer.stop()
            stack.stop()
    rows = []
    for n in SENSORS:
        mine, theirs = (stand.middle(r["rate"] for r in runs[f"{who} {n}"]) for who in ("ours", "peer"))
        rows.append(stand.row(f"{n} sensor{'s' if n > 1 else ''}: to the page / bare subscriber", mine / theirs, "x", must=">= 0.3x", goal=">= 0.5x",
                              ok=mine / theirs >= 0.3, note=f"{mine:.0f} against {theirs:.0f} events/s; {EVENTS} events, all in the history"))
    stand.write("ingest", rows, facts, events=EVENTS, rounds=ROUNDS, runs=runs)
