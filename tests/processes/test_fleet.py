"""A hub and a second machine: asking to join, silence and return, and revocation while the node holds a token and an open WebSocket."""

from __future__ import annotations

import json
import time

import pytest
from simple_websocket import Client, ConnectionClosed
from unibos.wire import proof

from tests.processes.test_nodes import becomes, frozen, node
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("asking"), UNIBOS_HEARTBEAT_SECONDS="1") as running:
        running.claim("node")
        yield running


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A hub that calls a node silent after three seconds."""
    with Stack(tmp_path_factory.mktemp("watching"), UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_SILENT_SECONDS="3", UNIBOS_CALLBACK_SECONDS="1") as running:
        running.claim("hub")
        running.claim("node")
        yield running


@pytest.fixture(scope="module")
def let_in(watched, second) -> str:
    """The id of the second machine's node, which asked and was let in."""
    asked = json.loads(second.cli("unibos", "join", watched.hub, "--json").stdout)
    assert asked["state"] == "pending" and asked["fingerprint"] in second.cli("unibos", "status").stdout
    (row,) = json.loads(watched.cli("unibos-hub", "nodes", "waiting", "--json").stdout)["items"]
    assert row["fingerprint"] == asked["fingerprint"]
    made = json.loads(watched.cli("unibos-hub", "nodes", "approve", row["id"], "--trust", "4", "--json").stdout)
    becomes(watched, made["id"], "online", 30)
    return made["id"]


def test_a_node_that_asked_is_let_in_and_reports(watched, second, let_in):
    assert node(watched, let_in)["trust"] == 4
    _status, here = second.api("GET", "/api/v1/node/")
    hub = next(h for h in here["hubs"] if h["url"] == watched.hub)
    assert hub["node_id"] == let_in and here["waiting"] == []
    wait_for(lambda: next(h for h in second.api("GET", "/api/v1/node/")[1]["hubs"] if h["url"] == watched.hub)["trust"] == 4, 5)


def alerts(stack, node_id):
    return [a for a in stack.api("GET", "/api/v1/alerts/", role="hub")[1]["items"] if a["node_id"] == node_id]


def test_silence_is_told_without_an_event_and_so_is_the_return(watched, second, let_in):
    becomes(watched, let_in, "online")
    before = len(alerts(watched, let_in))
    with frozen(*second.pids("node-agent")):
        (first, *_rest) = wait_for(lambda: (a := alerts(watched, let_in)) and a[0]["ended_at"] is None and a, 8, "no alert")
        ready = watched.cli("unibos-manager", "status", check=False)
        assert ready.returncode == 1 and "is silent since" in ready.stdout
        time.sleep(4)  # a second alert would come within the three seconds after which a node is silent
        assert len(alerts(watched, let_in)) == before + 1
    ended = wait_for(lambda: next(a for a in alerts(watched, let_in) if a["id"] == first["id"])["ended_at"], 8, "the return is not told")
    assert ended > first["told_at"]


def test_maintenance_from_the_command_line_raises_no_alarm(watched, second, let_in):
    name = node(watched, let_in)["id"]
    becomes(watched, let_in, "online")
    before = len(alerts(watched, let_in))
    shown = json.loads(watched.cli("unibos-hub", "nodes", "maintenance", "on", name, "--why", "new disk", "--json").stdout)
    assert shown["status"] == "maintenance" and "new disk" in shown["why"]
    with frozen(*second.pids("node-agent")):
        time.sleep(4)  # longer than a node may be silent
        assert len(alerts(watched, let_in)) == before
    watched.cli("unibos-hub", "nodes", "maintenance", "off", name)
    becomes(watched, let_in, "online")


def own_session(stack: Stack, second: Stack, node_id: str) -> str:
    """A token of the second machine's node, got by its key as its agent does."""
    import base64

    seed = (second.data / "node" / "keys" / "node-key").read_bytes()
    key = base64.b64encode(proof.public_key(seed)).decode()
    nonce = stack.call("POST", f"{stack.hub}/api/v1/nodes/challenge/", {"public_key": key})[1]["challenge"]
    status, answer = stack.call("POST", f"{stack.hub}/api/v1/nodes/session/", {
        "node_id": node_id, "challenge": nonce, "signature": base64.b64encode(proof.sign(seed, "session", nonce, node_id)).decode()})
    assert status == 200, answer
    return answer["token"]


def test_a_stolen_node_is_out_at_once(watched, second, let_in):
    token = own_session(watched, second, let_in)
    path = watched.hub.replace("http", "ws", 1) + "/ws/nodes/"
    by_header, by_frame = Client(path, headers={"Authorization": f"Bearer {token}"}), Client(path)
    by_frame.send(json.dumps({"token": token}))
    assert watched.call("GET", f"{watched.hub}/api/v1/nodes/revocations/", token=token)[0] == 200
    assert [json.loads(client.receive(timeout=5))["type"] for client in (by_header, by_frame)] == ["here", "here"]
    start = time.monotonic()
    assert watched.api("POST", f"/api/v1/nodes/{let_in}/revoke/", {"why": "stolen"}, role="hub")[0] == 200
    for client in (by_header, by_frame):
        with pytest.raises(ConnectionClosed) as closed:
            while client.receive(timeout=5) is not None:
                pass
        assert closed.value.reason == 4403
    took = time.monotonic() - start
    print(f"both connections were closed {took:.3f} s after the revocation was asked for")
    assert took < 1
    status, answer = watched.call("GET", f"{watched.hub}/api/v1/nodes/revocations/", token=token)
    assert (status, answer["type"]) == (403, "urn:unibos:problem:node-not-trusted")
    hub = wait_for(lambda: next((h for h in second.api("GET", "/api/v1/node/")[1]["hubs"]
                                 if h["url"] == watched.hub and h["refused_since"]), None), 5)
    assert "no longer trusts this node, since 20" in hub["failure"]
    fresh = watched.cli("unibos-hub", "nodes", "token").stdout.strip()
    again = second.cli("unibos", "join", watched.hub.replace("127.0.0.1", "localhost"), fresh, check=False)
    assert again.returncode == 77 and "no longer trusts" in again.stderr, (again.returncode, again.stderr)
    other = next(n["id"] for n in watched.api("GET", "/api/v1/nodes/", role="hub")[1]["items"] if n["id"] != let_in)
    becomes(watched, other, "online")
    wait_for(lambda: watched.api("GET", "/api/v1/node/")[1]["hubs"][0]["revocations"] == 1, 5, "the other node has not heard of it")
    watched.cli("unibos-hub", "nodes", "unrevoke", let_in)
    becomes(watched, let_in, "online", 10)
    wait_for(lambda: watched.api("GET", "/api/v1/node/")[1]["hubs"][0]["revocations"] == 2, 5)


def test_hubs_and_workers_are_listed(watched):
    shown = watched.cli("unibos-manager", "hubs", "--json")
    assert [h["status"] for h in json.loads(shown.stdout)["items"]] == ["online"]
    assert watched.cli("unibos-manager", "workers").returncode == 0
