"""Words to the service manager: the protocol on real sockets, and from the real agent and worker."""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from unibos.adapters import redis_server, system
from unibos.kernel.errors import Unavailable
from unibos.profiles import agent, worker
from unibos.profiles.build import read_settings

from tests.stack import wait_for


class Manager:
    """The manager's end: a datagram socket that knows who sent."""

    def __init__(self, address: str):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)

    def next(self, seconds: float = 30) -> tuple[int, str]:
        """(pid, state) of the next word."""
        self.socket.settimeout(seconds)
        data, extra, _flags, _address = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
        return struct.unpack("iII", extra[0][2])[0], data.decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@unibos-test-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    yield made
    made.socket.close()


def test_a_state_arrives_and_names_its_sender(manager):
    assert system.notify("READY=1\nSTATUS=İyi")
    assert manager.next(1) == (os.getpid(), "READY=1\nSTATUS=İyi")


@pytest.mark.parametrize("place", [None, "", "relative", "vsock:2:1", "/nowhere/notify", "@unibos-nobody-listens"])
def test_without_a_manager_it_is_silent(monkeypatch, place):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if place is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", place)
    assert system.notify("READY=1") is False


@pytest.mark.parametrize(("usec", "pid", "seconds"), [("3000000", None, 3.0), ("3000000", str(os.getpid()), 3.0), ("3000000", "1", None), ("0", None, None),
                                                      ("x", None, None), (None, None, None)])
def test_the_watchdogs_time(monkeypatch, usec, pid, seconds):
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert system.watchdog_seconds() == seconds


def test_what_a_manager_puts_into_the_environment_is_no_unknown_setting():
    read_settings("node", {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "CREDENTIALS_DIRECTORY": "/run/c", "INVOCATION_ID": "0",
                           "STATE_DIRECTORY": "/var/lib/unibos", "RUNTIME_DIRECTORY": "/run/unibos", "LISTEN_FDS": "1", "JOURNAL_STREAM": "8:1"})


class Db:
    def __init__(self, *, well: bool = True):
        self.well = well

    def ping(self) -> None:
        if not self.well:
            raise Unavailable("no answer")

    def release(self) -> None: ...


def fake(**more) -> SimpleNamespace:
    return SimpleNamespace(log=logging.getLogger("test"), clock=system.SystemClock(), **{"db": Db(), **more})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_agent_is_ill_when_a_loop_died_or_the_database_is_away_and_not_when_a_loop_had_nothing_to_do():
    stop, ended = threading.Event(), set()

    def dies(_stop):
        raise SystemExit  # what no handler of errors catches

    def loop(stop):
        wait_for(stop)

    threads = {name: threading.Thread(target=agent._forever, args=(fake(), name, work, stop, ended), name=name)
               for name, work in (("idle", lambda _stop: None), ("dies", dies), ("lives", loop))}
    for thread in threads.values():
        thread.start()
    threads["idle"].join()
    threads["dies"].join()
    both = [threads["idle"], threads["lives"]]
    assert agent._ill(fake(), both, ended) == ""
    assert agent._ill(fake(), list(threads.values()), ended) == "dead loops: dies"
    assert agent._ill(fake(db=Db(well=False)), both, ended) == "no answer"
    stop.set()
    threads["lives"].join()


@pytest.mark.parametrize("well", [True, False])
def test_the_agent_feeds_the_watchdog_only_while_it_is_well(tmp_path, monkeypatch, well):
    made = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    asked = []
    stop, db = threading.Event(), Db(well=well)
    monkeypatch.setattr(db, "release", lambda: asked.append(1))
    thread = threading.Thread(target=agent._watch, args=(fake(db=db), [], set(), stop))
    thread.start()
    wait_for(lambda: len(asked) >= 3)
    stop.set()
    thread.join()
    made.socket.setblocking(False)
    if well:
        assert made.next(0)[1] == "WATCHDOG=1"
    else:
        with pytest.raises(BlockingIOError):
            made.next(0)
    made.socket.close()


def test_a_busy_database_does_not_starve_a_worker(tmp_path, monkeypatch):
    made = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setattr(worker, "BEAT", 0.02)
    monkeypatch.setitem(worker._here, "job", "one")
    tries = []

    def busy(*_):
        tries.append(1)
        raise Unavailable("busy")

    stop = threading.Event()
    kit = fake(jobs=SimpleNamespace(renew=busy))
    thread = threading.Thread(target=worker._beat, args=(kit, SimpleNamespace(beat=busy), "w", stop))
    thread.start()
    wait_for(lambda: len(tries) >= 3)
    assert [made.next(5)[1] for _ in range(3)] == ["WATCHDOG=1"] * 3
    stop.set()
    thread.join()
    made.socket.close()


@pytest.fixture
def servers(tmp_path):
    """The environment of a migrated node with an embedded Redis."""
    binary = redis_server.find_redis()
    if binary is None:
        pytest.skip("there is no Redis here")
    data = tmp_path / "data"
    (data / "redis").mkdir(parents=True)
    place = redis_server.socket_path(data, "redis")
    redis = subprocess.Popen(list(redis_server.redis_command(binary, data / "redis", place)), stdout=subprocess.DEVNULL)
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}, "UNIBOS_DATA_DIR": str(data), "UNIBOS_LOG_LEVEL": "error"}
    wait_for(lambda: redis_server.ping(redis_server.redis_url(place, 1)))
    subprocess.run([sys.executable, "-m", "unibos.profiles.prepare", "node"], env=env, check=True, capture_output=True, timeout=60)
    yield env
    redis.terminate()
    redis.wait(10)


def test_agent_and_worker_say_that_they_are_ready_that_they_live_and_that_they_stop(servers, tmp_path):
    made = Manager(str(tmp_path / "notify"))
    env = {**servers, "NOTIFY_SOCKET": made.address, "WATCHDOG_USEC": "600000"}
    running = {subprocess.Popen([sys.executable, "-m", f"unibos.profiles.{words[0]}", *words[1:]], env=env): words[0]
               for words in (("agent", "node"), ("worker", "node", "default"))}
    pids = {process.pid: name for process, name in running.items()}
    said: dict[str, list[str]] = {"agent": [], "worker": []}
    try:
        while not all(states.count("WATCHDOG=1") >= 3 for states in said.values()):
            pid, state = made.next()
            said[pids[pid]].append(state)
        assert all(states[0] == "READY=1" and set(states[1:]) == {"WATCHDOG=1"} for states in said.values()), said
        for process in running:
            process.send_signal(signal.SIGTERM)
        while not all("STOPPING=1" in states for states in said.values()):
            pid, state = made.next()
            said[pids[pid]].append(state)
        assert [process.wait(15) for process in running] == [0, 0]
    finally:
        for process in running:
            process.kill()
            process.wait()
        made.socket.close()
