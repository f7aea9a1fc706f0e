"""kill -9 of each process in turn while events and uploads flow: what was acknowledged is there, once, and health comes back."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.adapters.documents import pdf
from tests.processes.talk import announced, document, history, ready
from tests.stack import Stack, wait_for

LOSS = 1.5  # s before its death for which a killed broker may lose what it had not delivered: it saves every second


class Flow:
    """Numbered events at QoS 1 and numbered documents, as fast as a busy house; notes what was acknowledged, and when."""

    def __init__(self, stack: Stack, credential: dict, folder: Path):
        import paho.mqtt.client as paho

        self.stack, self.folder, self.topic = stack, folder, credential["topic"]
        self.sent: dict[int, int] = {}  # message id -> number, in flight
        self._taken: dict[int, float] = {}  # message id -> when it was acknowledged, until its number is known
        self.events: dict[int, float] = {}  # number -> when it was acknowledged
        self.uploads: dict[int, str] = {}  # number -> document id
        self.next = self.next_file = 0
        self._stop = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="flow", clean_session=False, protocol=paho.MQTTv311)
        self.client.reconnect_delay_set(1, 1)
        self.client.username_pw_set(credential["username"], credential["password"])
        self.client.on_publish = self._acknowledged
        self.client.connect(credential["host"], credential["port"])
        self.client.loop_start()
        self._threads: list[threading.Thread] = []

    def _acknowledged(self, client, data, mid, code, properties) -> None:
        self._taken[mid] = time.time()
        self._match(mid)

    def _match(self, mid: int) -> None:
        """Called by both who may come last. No lock: the client calls back with locks of its own held, which publishing takes, too."""
        if mid in self._taken and (number := self.sent.pop(mid, None)) is not None:
            self.events[number] = self._taken.pop(mid)

    def __enter__(self) -> Flow:
        self._stop.clear()
        self._threads = [threading.Thread(target=work) for work in (self._publish, self._upload)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _publish(self) -> None:
        while not self._stop.wait(0.03):
            if len(self.sent) < 100:
                mid = self.client.publish(f"{self.topic}/n", str(self.next), qos=1).mid
                self.sent[mid] = self.next
                self._match(mid)
                self.next += 1

    def _upload(self) -> None:
        while not self._stop.is_set():
            number = self.next_file
            file = self.folder / f"{number}.pdf"
            file.write_bytes(pdf([[f"This is the document numbered {number}"]]))
            while not self._stop.is_set():  # as a person does: again until it is taken
                try:
                    status, answer = self.stack.upload(file)
                except OSError:
                    status, answer = 0, {}
                if status == 202:
                    self.uploads[number] = answer["id"]
                    self.next_file += 1
                    break
                self._stop.wait(0.2)
            self._stop.wait(0.8)

    def more(self, events: int, uploads: int) -> None:
        """Wait until so many more of each were acknowledged."""
        want = len(self.events) + events, len(self.uploads) + uploads
        wait_for(lambda: len(self.events) >= want[0] and len(self.uploads) >= want[1], 30, "nothing flows")

    def settled(self) -> None:
        """Wait until nothing is in flight."""
        wait_for(lambda: not self.sent, 20, "events are not acknowledged")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("killed")) as stack:
        stack.claim("node")
        stack.claim("hub")
        yield stack


@pytest.fixture(scope="module")
def flow(house, tmp_path_factory):
    credential = house.device("flow")
    house.publish(credential, "homeassistant/sensor/flow/n/config",
                  '{"name": "N", "unique_id": "flow_n", "state_topic": "flow/n", "device": {"identifiers": ["flow"], "name": "Flow"}}', retain=True)
    announced(house, "Flow", "N")
    found = Flow(house, credential, tmp_path_factory.mktemp("files"))
    yield found
    found.close()


def heard(stack: Stack, begin: float) -> Counter[int]:
    """How often each number is in the history since `begin`, read in spans that hold fewer rows than an answer may."""
    device_id, entity_id = announced(stack, "Flow", "N")
    counted: Counter[int] = Counter()
    at, end = begin, time.time() + 1
    while at < end:
        span = {name: dt.datetime.fromtimestamp(t, dt.UTC).isoformat() for name, t in (("from_", at), ("to", at + 2))}
        rows = history(stack, device_id, entity_id, **span)["rows"]
        assert len(rows) < 500
        counted.update(int(row["number"]) for row in rows)
        at += 2
    return counted


def all_done(stack: Stack, uploads: dict[int, str]) -> None:
    """Every document that was taken is read, right, and there once."""
    for number, document_id in uploads.items():
        wait_for(lambda d=document_id: document(stack, d)["status"] in ("done", "failed"), 40, f"document {number} is not read")
        read = document(stack, document_id)
        assert read["status"] == "done", read
        assert [p["text"].strip() for p in read["pages"]] == [f"This is the document numbered {number}"]
    _status, listed = stack.api("GET", "/api/v1/documents/?limit=200")
    assert sorted(Counter(d["filename"] for d in listed["items"]).values())[-1] == 1, "a document is there twice"
    _status, jobs = stack.api("GET", "/api/v1/jobs/?limit=500")
    reading = Counter(j["subject"] for j in jobs["items"] if j["type"] == "ocr.process_document")
    assert sorted(reading.values())[-1] == 1, "a document was put into the queue twice"
    assert not [j for j in jobs["items"] if j["state"] == "failed"]


@pytest.mark.parametrize("name", ["node-web", "node-agent", "node-ocr", "redis", "broker", "hub-web"])
def test_kill(house, flow, name):
    begin, first = time.time() - 0.1, flow.next
    with flow:
        flow.more(30, 1)
        before = house.pids(name)
        assert before
        killed = time.time()
        house.kill(name)
        wait_for(lambda: house.pids(name) and not set(house.pids(name)) & set(before), 10, f"{name} is not started again")
        wait_for(lambda: ready(house.node) and ready(house.hub), 20, "it is not ready again")
        flow.more(30, 1)
    flow.settled()
    acknowledged = {n: at for n, at in flow.events.items() if n >= first}
    # The agent commits what the broker has kept for it; the newest comes last.
    wait_for(lambda: max(heard(house, begin), default=-1) >= max(acknowledged), 10, "the newest event is not in the history")
    counted = heard(house, begin)
    lost = sorted(set(acknowledged) - set(counted))
    if name == "broker":
        lost = [n for n in lost if not killed - LOSS <= acknowledged[n] <= killed + 0.1]
    assert not lost, f"{len(lost)} acknowledged events are lost: {lost[:20]}"
    if name not in ("node-agent", "broker"):  # QoS 1: what was in flight with these comes again
        assert not [n for n, times in counted.items() if times > 1], "events are there twice"
    all_done(house, flow.uploads)


def left(stack: Stack) -> bool:
    return any(stack.pids(name) for name in ("node-web", "node-agent", "node-ocr", "node-default", "hub-web", "hub-agent", "hub-default", "redis", "broker"))


def test_kill_of_the_supervisor(house, flow):
    begin, first = time.time() - 0.1, flow.next
    with flow:
        flow.more(20, 1)
        os.kill(house.process.pid, signal.SIGKILL)
        killed = time.time()
        house.process.wait(5)
        house.process.stdout.close()
        house.process = None
        wait_for(lambda: not left(house), 10, "processes are left")
        house.lines.clear()
        house.start()
        flow.more(20, 1)
    flow.settled()
    acknowledged = {n: at for n, at in flow.events.items() if n >= first}
    wait_for(lambda: max(heard(house, begin), default=-1) >= max(acknowledged), 10, "the newest event is not in the history")
    lost = [n for n in set(acknowledged) - set(heard(house, begin)) if not killed - LOSS <= acknowledged[n] <= killed + 4]
    assert not lost, f"{len(lost)} acknowledged events are lost: {lost[:20]}"
    all_done(house, flow.uploads)
