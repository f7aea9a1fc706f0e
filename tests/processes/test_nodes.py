"""Nodes and their hub: joining by token, signs of life, silence, a goodbye. The second node has a hub of its own beside it."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager

import pytest

from tests.processes.talk import ask, since
from tests.stack import Stack, wait_for


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("second"), UNIBOS_HEARTBEAT_SECONDS="1") as running:
        running.claim("node")
        yield running


@pytest.fixture(scope="module")
def joined(stack, second) -> str:
    """The id of the second node at the first hub."""
    token = stack.cli("unibos-hub", "nodes", "token").stdout.strip()
    answer = json.loads(second.cli("unibos", "join", stack.hub, token, "--json").stdout)
    assert answer["hub"] == stack.hub
    return answer["node_id"]


def node(stack: Stack, node_id: str) -> dict:
    status, answer = stack.api("GET", f"/api/v1/nodes/{node_id}/", role="hub")
    assert status == 200, answer
    return answer


def becomes(stack: Stack, node_id: str, status: str, seconds: float = 10) -> dict:
    return wait_for(lambda: (n := node(stack, node_id))["status"] == status and n, seconds, f"it is not {status}: {node(stack, node_id)}")


@contextmanager
def frozen(*pids: int):
    """Processes that are there and do nothing."""
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_the_node_beside_the_hub_has_joined_by_itself(stack):
    status, answer = stack.api("GET", "/api/v1/nodes/", role="hub")
    assert status == 200
    own = next(n for n in answer["items"] if n["url"] == stack.node)
    own = becomes(stack, own["id"], "online")
    assert {"cpu", "memory", "disk", "queue", "uptime"} <= set(own["metrics"])
    assert 0 < own["metrics"]["memory"] < 100 and own["metrics"]["uptime"] > 0
    assert own["capabilities"]["cpu_cores"] >= 1 and own["why"] == "It reports and answers."
    first = own["last_heartbeat"]
    wait_for(lambda: node(stack, own["id"])["last_heartbeat"] > first, 5, "no second heartbeat")


def test_a_wrong_token_is_refused(stack, second):
    done = second.cli("unibos", "join", stack.hub, "A" * 32, check=False)
    assert (done.returncode, "wrong, used or expired" in done.stderr) == (2, True), done.stderr
    nowhere = second.cli("unibos", "join", "http://127.0.0.1:9", "A" * 32, check=False)
    assert nowhere.returncode == 69 and len(nowhere.stderr.strip().splitlines()) == 1, nowhere.stderr
    assert second.cli("unibos", "join", "ftp://x", "A" * 32, check=False).returncode == 2


def test_the_second_node_is_online_at_both_hubs(stack, second, joined):
    assert becomes(stack, joined, "online")["url"] == second.node
    _status, here = second.api("GET", "/api/v1/node/")
    assert sorted(h["url"] for h in here["hubs"]) == sorted([second.hub, stack.hub])
    assert {h["failure"] for h in here["hubs"]} == {""}


def test_a_token_works_once(stack, second, joined):
    token = stack.cli("unibos-hub", "nodes", "token").stdout.strip()
    again = second.cli("unibos", "join", stack.hub, token, check=False)
    assert (again.returncode, "already" in again.stderr) == (73, True)
    # The node beside the hub joins it under another of its names, so that only the token can be what is refused.
    other = stack.hub.replace("127.0.0.1", "localhost")
    assert stack.cli("unibos", "join", other, token).returncode == 0
    used = second.cli("unibos", "join", other, token, check=False)
    assert (used.returncode, "wrong, used or expired" in used.stderr) == (2, True), used.stderr


def test_a_node_cannot_speak_for_people_or_for_nobody(stack):
    for path in ("heartbeat", "goodbye"):
        url = f"{stack.hub}/api/v1/nodes/{path}/"
        assert ask("POST", url, {}).status == 401
        assert ask("POST", url, {}, Authorization=f"Bearer {stack.tokens['hub']}").status == 403


def test_a_silent_node(stack, second, joined):
    becomes(stack, joined, "online")
    with frozen(*second.pids("node-agent")):
        silent = becomes(stack, joined, "offline")
        assert silent["why"].startswith("Silent since 20")
    becomes(stack, joined, "online")


def test_a_node_that_reports_and_cannot_be_reached(stack, second, joined):
    becomes(stack, joined, "online")
    with frozen(second.process.pid):  # nobody starts its web process again
        second.kill("node-web")
        lost = becomes(stack, joined, "unreachable", 15)
        assert lost["why"].startswith("It reports, but cannot be called back: ")
    becomes(stack, joined, "online", 15)


def test_a_goodbye_is_known_at_once(stack, second, joined):
    becomes(stack, joined, "online")
    for pid in second.pids("node-agent"):
        os.kill(pid, signal.SIGTERM)
    # Its supervisor starts it again: the hub knows both.
    assert becomes(stack, joined, "offline", 3)["why"] == "It said goodbye: shutdown."
    becomes(stack, joined, "online")
    start = time.monotonic()
    assert second.stop() == 0
    assert since(start) < 10
    assert node(stack, joined)["why"] == "It said goodbye: shutdown."
