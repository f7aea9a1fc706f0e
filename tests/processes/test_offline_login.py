"""A person of the hub on a node of real processes: with the hub, without it, after a changed password, and after eight and 31 days."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.adapters.documents import pdf
from tests.processes.talk import ready
from tests.stack import ADA, Stack, wait_for

pytestmark = pytest.mark.slow
EVE = {"email": "eve@example.org", "password": "four unrelated words"}
NEW = "other words altogether"
DAY = 86400


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A hub of Eve's with a node of Ada's that has joined it."""
    with Stack(tmp_path_factory.mktemp("offline"), UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_CONTACT_SECONDS="1") as running:
        running.claim("node")
        code = (running.data / "hub" / "claim-code").read_text().strip()
        status, answer = running.call("POST", f"{running.hub}/api/v1/claim", {"code": code, **EVE, "name": "Eve"})
        assert status == 201, answer
        running.tokens["hub"] = answer["token"]
        wait_for(lambda: running.api("GET", "/api/v1/node/")[1]["hubs"], 20, "the node did not join")
        yield running


@contextmanager
def no_hub(house: Stack):
    """Kill the hub's web process and keep it from being started again until the end."""
    os.kill(house.process.pid, signal.SIGSTOP)
    try:
        house.kill("hub-web")
        wait_for(lambda: not ready(house.hub), 5, "the hub is still there")
        yield
    finally:
        os.kill(house.process.pid, signal.SIGCONT)
        wait_for(lambda: ready(house.hub), 20, "the hub did not come back")
        if not (house.data / "node" / "clock-offset").exists():
            wait_for(lambda: house.api("GET", "/api/v1/node/")[1]["hubs"][0]["failure"] == "", 20, "the node does not see that the hub is back")


def log_in(house: Stack, password: str = EVE["password"], email: str = EVE["email"]) -> tuple[int, dict]:
    return house.call("POST", f"{house.node}/api/v1/local/auth/login/", {"email": email, "password": password}, timeout=30)


def whoami(house: Stack, token: str) -> tuple[int, dict]:
    return house.call("GET", f"{house.node}/api/v1/auth/whoami/", token=token)


def upload(house: Stack, token: str, folder, name: str) -> str:
    """Upload a document as who has the token; its id."""
    before, house.tokens["node"] = house.tokens["node"], token
    path = folder / f"{name}.pdf"
    path.write_bytes(pdf([[f"This is {name}"]]))
    status, answer = house.upload(path)
    house.tokens["node"] = before
    assert status == 202, answer
    return answer["id"]


def documents(house: Stack, token: str) -> set[str]:
    status, answer = house.call("GET", f"{house.node}/api/v1/documents/", token=token)
    assert status == 200, answer
    return {one["id"] for one in answer["items"]}


def clock(house: Stack, days: float) -> None:
    """Move the node's clock; 0 puts it back."""
    path = house.data / "node" / "clock-offset"
    path.write_text(str(days * DAY)) if days else path.unlink()


def throttled_out(house: Stack, password: str = EVE["password"]) -> tuple[int, dict]:
    """Log in once the throttle lets one."""
    return wait_for(lambda: (said := log_in(house, password))[0] != 429 and said, 90, "it stays throttled")


def test_the_whole_way(house: Stack, tmp_path):
    status, first = log_in(house)
    assert status == 200, first
    status, who = whoami(house, first["token"])
    assert (who["role"], who["offline"]) == ("owner", False)
    adas = upload(house, house.tokens["node"], tmp_path, "adas")

    with no_hub(house):
        status, offline = log_in(house)
        assert status == 200, offline
        assert whoami(house, offline["token"])[1]["offline"] is True
        assert log_in(house, "wrong words entirely")[0] == 401
        mine = upload(house, offline["token"], tmp_path, "eves")
        assert documents(house, offline["token"]) == {adas, mine}
    # The hub confirms what was kept: the session is one like any other.
    wait_for(lambda: whoami(house, offline["token"])[1].get("offline") is False, 20, "the session stays marked")

    change = f"from unibos.profiles.build import compose_all; i = compose_all('hub')[1]['identity']; i.set_password({offline['user']['id']!r}, {NEW!r})"
    subprocess.run([sys.executable, "-c", change], env=house.env, check=True, timeout=60, capture_output=True)
    wait_for(lambda: whoami(house, offline["token"])[0] == 401, 10, "the session outlived its password")
    with no_hub(house):
        assert throttled_out(house)[0] == 401 and throttled_out(house, NEW)[0] == 401
    assert throttled_out(house, NEW)[0] == 200  # which also makes the verifier anew

    with no_hub(house):
        clock(house, 8)
        status, shrunk = log_in(house, NEW)
        assert status == 200, shrunk
        assert whoami(house, shrunk["token"])[1]["role"] == "guest"
        assert documents(house, shrunk["token"]) == {mine}
        assert house.call("GET", f"{house.node}/api/v1/documents/{adas}/", token=shrunk["token"])[0] == 404
        assert house.call("GET", f"{house.node}/api/v1/devices/", token=shrunk["token"])[0] == 403
        clock(house, 31)
        status, refused = log_in(house, NEW)
        assert status == 401 and "30 days" in refused["detail"], refused
        assert log_in(house, ADA["password"], ADA["email"])[0] == 200
        assert whoami(house, shrunk["token"])[0] == 401
        clock(house, 0)
    assert throttled_out(house, NEW)[0] == 200


def test_a_token_of_the_hub_is_good_on_its_node(house: Stack):
    node_id = house.api("GET", "/api/v1/node/")[1]["hubs"][0]["node_id"]
    status, made = house.call("POST", f"{house.hub}/api/v1/auth/node-token/", {"node_id": node_id}, token=log_in_on_hub(house))
    assert status == 200, made
    assert whoami(house, made["token"])[1]["role"] == "owner"
    assert house.call("GET", f"{house.hub}/api/v1/auth/whoami/", token=made["token"])[0] == 401


def log_in_on_hub(house: Stack) -> str:
    status, answer = house.call("POST", f"{house.hub}/api/v1/auth/login/", {"email": EVE["email"], "password": NEW})
    assert status == 200, answer
    return answer["token"]


def test_the_console_turns_the_keys_and_the_node_hears_of_it(house: Stack):
    import json

    before = json.loads(house.cli("unibos-hub", "keys", "list", "--json").stdout)["items"]
    assert [k["state"] for k in before] == ["current"]
    after = json.loads(house.cli("unibos-hub", "keys", "rotate", "--json").stdout)["items"]
    assert [k["state"] for k in after] == ["current", "next"] and before[0]["kid"] == after[0]["kid"]
    assert after[1]["kid"] in house.cli("unibos-hub", "keys", "list").stdout
    assert house.cli("unibos-hub", "keys", "rotate", "--at-once").returncode == 0
    wait_for(lambda: len(house.call("GET", f"{house.hub}/api/v1/auth/keys/")[1]["keys"]) == 1, 10, "older keys are still shown")
    assert wait_for(lambda: log_in(house, NEW)[0] == 200, 10, "nobody logs in by the new key")
