"""One contract for both buses: over a real server and inside one process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from unibos.adapters.memory.bus import MemoryBus
from unibos.adapters.redis_client import redis_client
from unibos.adapters.redis_server import find_redis, ping, redis_command, redis_url, socket_path
from unibos.adapters.redisbus import RedisBus
from unibos.kernel.errors import LimitReached, Unavailable, UnibosError
from unibos.kernel.words import T


class Server:
    def __init__(self, place):
        self.socket = socket_path(place, "redis")
        self.url = redis_url(self.socket, 3)
        self.argv = redis_command(find_redis(), place / "redis", self.socket)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL)
        eventually(lambda: ping(self.url))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def eventually(condition, timeout: float = 10):
    """Wait until `condition()` is true; returns what it gave."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if find_redis() is None:
        pytest.skip("no Redis or Valkey server here")
    server = Server(tmp_path_factory.mktemp("bus"))
    yield server
    server.kill()


@pytest.fixture
def redis_bus():
    """Makes buses over a server, closed when all else has ended."""
    made: list[RedisBus] = []

    def make(url: str, prefix: str) -> RedisBus:
        made.append(RedisBus(url, prefix))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture(params=["memory", "redis"])
def make(request, redis_bus):
    """Makes ends of one bus, as two processes would have them."""
    if request.param == "memory":
        bus = MemoryBus()
        return lambda: bus
    url = request.getfixturevalue("server").url
    return lambda: redis_bus(url, f"test:{request.node.name}")


@pytest.fixture
def serving(redis_bus):
    """Serves in threads that end with the test."""
    stop, threads = threading.Event(), []

    def serve(bus, service, answer):
        threads.append(threading.Thread(target=bus.serve, args=(service, answer, stop.is_set)))
        threads[-1].start()

    yield serve
    stop.set()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive(), "serve() did not look at stop"


def test_a_listener_gets_its_channels_in_order_and_none_in_silence(make):
    here, there = make(), make()
    there.publish("a", {"lost": True})  # nobody listens yet
    heard = here.listen(["a", "b"], 0.1)
    assert next(heard) is None
    for i in range(3):
        there.publish("a", {"n": i, "text": "ünï"})
    there.publish("c", {})
    there.publish("b", {"last": None})
    assert [next(heard) for _ in range(4)] == [("a", {"n": i, "text": "ünï"}) for i in range(3)] + [("b", {"last": None})]
    began = time.monotonic()
    assert next(heard) is None
    assert time.monotonic() - began >= 0.09
    heard.close()
    there.publish("a", {})


def test_every_listener_gets_a_message(make):
    here, there = make(), make()
    ears = [here.listen(["x"], 0.1), here.listen(["x"], 0.1), there.listen(["x"], 0.1)]
    assert [next(e) for e in ears] == [None] * 3
    there.publish("x", {"n": 1})
    assert [next(e) for e in ears] == [("x", {"n": 1})] * 3
    for ear in ears:
        ear.close()


def test_a_question_is_answered_to_its_asker(make, serving):
    asker, answerer = make(), make()
    serving(answerer, "sum", lambda q: {"sum": q["a"] + q["b"]})
    assert asker.ask("sum", {"a": 1, "b": 2}, 5) == {"sum": 3}
    answers: dict[int, int] = {}

    def ask(i: int) -> None:
        answers[i] = asker.ask("sum", {"a": i, "b": 100}, 5)["sum"]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: i + 100 for i in range(20)}


def test_nobody_serves_means_unavailable_and_the_late_question_is_dropped(make, serving):
    asker, answerer = make(), make()
    with pytest.raises(Unavailable, match="pump did not answer"):
        asker.ask("pump", {"on": True}, 0.1)
    asked = []
    serving(answerer, "pump", lambda q: asked.append(q) or {})
    assert asker.ask("pump", {"on": False}, 5) == {}
    assert asked == [{"on": False}]  # the pump is not switched on after the asker was told that nothing was done


def test_errors_travel(make, serving):
    def answer(question):
        if question["kind"] == "ours":
            raise LimitReached(T("Only %(most)s devices, not %(name)s.", most=5, name=T("a %% lamp")))
        if question["kind"] == "plain":
            raise LimitReached("100 % full")
        raise KeyError("a secret")

    asker, answerer = make(), make()
    serving(answerer, "s", answer)
    with pytest.raises(LimitReached) as caught:
        asker.ask("s", {"kind": "ours"}, 5)
    assert str(caught.value.text) == "Only 5 devices, not a % lamp."
    assert caught.value.text.message == "Only %(most)s devices, not %(name)s."
    with pytest.raises(LimitReached, match="^100 % full$"):
        asker.ask("s", {"kind": "plain"}, 5)
    with pytest.raises(UnibosError) as caught:
        asker.ask("s", {"kind": "bug"}, 5)
    assert type(caught.value) is UnibosError
    assert "secret" not in str(caught.value)
    with pytest.raises(LimitReached):
        asker.ask("s", {"kind": "ours"}, 5)  # still serving


def test_what_is_not_json_is_refused_at_once(make):
    with pytest.raises(TypeError):
        make().publish("a", {"n": object()})
    with pytest.raises(TypeError):
        make().ask("a", {"n": object()}, 1)


def test_roles_do_not_hear_each_other(server, redis_bus):
    hub, node = redis_bus(server.url, "hub"), redis_bus(server.url, "node")
    heard = node.listen(["x"], 0.1)
    assert next(heard) is None
    hub.publish("x", {})
    assert next(heard) is None
    heard.close()


def test_listening_and_serving_outlive_the_server(tmp_path, redis_bus, serving):
    server = Server(tmp_path)
    bus = redis_bus(server.url, "t")
    heard = bus.listen(["x"], 0.2)
    assert next(heard) is None
    serving(bus, "s", lambda q: {"ok": True})
    assert bus.ask("s", {}, 5) == {"ok": True}
    server.kill()
    with pytest.raises(Unavailable, match="Redis does not answer"):
        bus.publish("x", {})
    with pytest.raises(Unavailable):
        bus.ask("s", {}, 1)
    began = time.monotonic()
    assert [next(heard), next(heard)] == [None, None]  # whoever listens can still look whether to stop
    assert time.monotonic() - began < 2
    server.start()

    def hears():
        bus.publish("x", {"again": True})
        return next(heard)

    assert eventually(hears) == ("x", {"again": True})
    assert bus.ask("s", {}, 5) == {"ok": True}
    heard.close()
    server.kill()


def test_nothing_is_left_behind(server, redis_bus, serving):
    bus = redis_bus(server.url, "clean")
    with pytest.raises(Unavailable):
        bus.ask("s", {}, 0.05)
    serving(bus, "s", lambda q: {})
    bus.ask("s", {}, 5)
    client = redis_client(server.url)
    assert client.keys("clean:*") == []
    client.close()


def test_works_where_gevent_has_patched_everything(server):
    code = """
from gevent import monkey; monkey.patch_all()
import sys, threading, gevent
from unibos.adapters.redisbus import RedisBus
bus = RedisBus(sys.argv[1], "green")
done = []
server = gevent.spawn(bus.serve, "s", lambda q: {"n": q["n"] + 1}, lambda: bool(done))
heard = bus.listen(["x"], 0.1)
assert next(heard) is None
ticks = []
ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.01)) for _ in range(10_000)])
askers = [gevent.spawn(bus.ask, "s", {"n": i}, 5) for i in range(20)]
gevent.joinall(askers, raise_error=True)
assert [a.value["n"] for a in askers] == list(range(1, 21))
slow = gevent.spawn(lambda: next(heard))
gevent.sleep(0.05)
bus.publish("x", {"n": 1})
assert slow.get(timeout=5) == ("x", {"n": 1})
before = len(ticks)
for _ in range(3):
    assert next(heard) is None
assert len(ticks) - before > 5, "a waiting listener stops the other greenlets"
done.append(1)
server.join(timeout=3)
assert server.ready()
print("good")
"""
    done = subprocess.run([sys.executable, "-c", code, server.url], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "good\n", done.stderr
