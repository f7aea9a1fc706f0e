"""The core story on servers of the machine's own: PostgreSQL, Redis on a port, and a mosquitto that somebody else runs."""

from __future__ import annotations

import shutil
import subprocess
import urllib.parse

import pytest
from unibos.adapters import mosquitto

from tests.adapters.documents import drawn, saved
from tests.postgres import Postgres
from tests.processes.talk import announced, ask, devices, document, ended, entity, history, listening, ready
from tests.stack import BIN, Stack, free_port, wait_for

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """(settings, cluster) with everything running; ended by their processes' ids."""
    if not SERVER or not mosquitto.find_mosquitto() or not mosquitto.find_dynsec():
        pytest.skip("there is no Redis or mosquitto here")
    cluster, folder = Postgres.shared(), tmp_path_factory.mktemp("servers")
    redis_port, mqtt_port = free_port(), free_port()
    files = mosquitto.prepare(folder, mqtt_port)
    password = files.agent_password_file.read_text().strip()
    running = [subprocess.Popen([SERVER, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
                                stdout=subprocess.DEVNULL), subprocess.Popen(files.argv, stderr=subprocess.DEVNULL)]
    # The hub as it is to be run, with a role for its tables and one for its programs; the node with one role for both.
    owner, app = cluster.create_owned()
    yield {"UNIBOS_HUB_DATABASE_URL": app, "UNIBOS_HUB_DATABASE_OWNER_URL": owner, "UNIBOS_NODE_DATABASE_URL": cluster.create_owned()[0],
           "UNIBOS_REDIS_URL": f"redis://127.0.0.1:{redis_port}/3",
           "UNIBOS_MQTT_URL": f"mqtt://{files.agent_username}:{password}@127.0.0.1:{mqtt_port}"}
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def outside(servers, tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("outside"), **servers) as stack:
        stack.claim("node")
        stack.claim("hub")
        yield stack


def test_nothing_of_its_own_is_started(outside, servers):
    assert not outside.pids("redis") and not outside.pids("broker")
    assert not list(outside.data.rglob("*.sqlite"))
    for url in (outside.hub, outside.node):
        state = ask("GET", f"{url}/readyz")
        assert (state.status, [c for c in state.json["checks"] if not c["ok"]]) == (200, [])
    shown = outside.cli("unibos", "status", "--settings").stdout
    assert "UNIBOS_MQTT_URL" in shown
    for secret in (servers["UNIBOS_MQTT_URL"], servers["UNIBOS_NODE_DATABASE_URL"]):
        assert secret not in shown


def test_device(outside):
    credential = outside.device("Shed")
    outside.publish(credential, "homeassistant/sensor/shed/t/config", '{"name": "T", "unique_id": "shed_t", "state_topic": "shed/t", '
                    '"unit_of_measurement": "°C", "device": {"identifiers": ["shed"], "name": "Shed"}}', retain=True)
    outside.publish(credential, "homeassistant/switch/shed/s/config", '{"name": "S", "unique_id": "shed_s", "state_topic": "shed/s", '
                    '"command_topic": "shed/s/set", "device": {"identifiers": ["shed"], "name": "Shed"}}', retain=True)
    announced(outside, "Shed", "T")
    for value in ("3.5", "4.5"):
        outside.publish(credential, "shed/t", value)
        wait_for(lambda value=value: entity(outside, "Shed", "T")["number"] == float(value), 1, "the value did not come")
    device_id, switch = announced(outside, "Shed", "S")
    points = [p for p in history(outside, device_id, entity(outside, "Shed", "T")["id"])["points"] if p["count"]]
    assert (sum(p["count"] for p in points), min(p["low"] for p in points), max(p["high"] for p in points)) == (2, 3.5, 4.5)
    hears = listening(credential, "shed/s/set", outside)
    assert outside.api("POST", f"/api/v1/devices/{device_id}/command/", {"entity": switch, "action": "on"})[0] == 202
    assert hears.communicate(timeout=15)[0].split() == [b"ON"]


def test_document(outside, tmp_path):
    file = tmp_path / "fatura.png"
    file.write_bytes(saved(drawn(["Elektrik faturası", "Ödenecek tutar 845,20 TL"]), "PNG"))
    status, answer = outside.upload(file)
    assert status == 202
    read = ended(outside, answer["id"])
    assert read["status"] == "done" and "faturası" in read["text"], read
    for words in ("FATURA", "ödenecek tutar", "845,20"):
        status, found = outside.api("GET", "/api/v1/documents/?" + urllib.parse.urlencode({"q": words}))
        assert [d["id"] for d in found["items"]] == [answer["id"]]
    assert outside.upload(file)[1]["new"] is False
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4\nnothing")
    read = ended(outside, outside.upload(broken)[1]["id"])
    assert read["status"] == "failed" and read["reason"]


def test_node_and_hub(outside):
    def own() -> dict:
        return next(iter(outside.api("GET", "/api/v1/nodes/", role="hub")[1]["items"]), {})

    wait_for(lambda: own().get("status") == "online", 10)
    assert own()["metrics"]["memory"] > 0


def test_killed_and_started_again_with_everything_there(outside):
    for name in ("node-web", "node-agent"):
        before = outside.pids(name)
        outside.kill(name)
        wait_for(lambda name=name, before=before: outside.pids(name) and not set(outside.pids(name)) & set(before), 10)
    wait_for(lambda: ready(outside.node), 20)
    assert outside.stop() == 0
    outside.lines.clear()
    outside.start()
    assert not outside.said("is not claimed") and not outside.said("applied ")
    assert entity(outside, "Shed", "T")["number"] == 4.5
    assert devices(outside)["Shed"]["credential"] == "Shed"
    _status, listed = outside.api("GET", "/api/v1/documents/")
    assert sorted(d["status"] for d in listed["items"]) == ["done", "failed"]
    assert document(outside, next(d["id"] for d in listed["items"] if d["status"] == "done"))["text"]


def test_no_connection_is_left_open(outside, servers):
    """A request gives its connection back: a hundred of them need no more than a few."""
    for _ in range(100):
        assert outside.api("GET", "/api/v1/devices/")[0] == 200
    name = servers["UNIBOS_NODE_DATABASE_URL"].split("/")[3].split("?")[0]
    count = int(Postgres.shared().execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"))
    assert 0 < count < 30
    stuck = Postgres.shared().execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND state = 'idle in transaction'")
    assert int(stuck) == 0


def test_a_database_that_is_not_there_is_named(servers, tmp_path):
    stack = Stack(tmp_path, **{**servers, "UNIBOS_NODE_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/x"})
    done = subprocess.run([str(BIN / "unibos-dev"), "run"], env=stack.env, cwd=tmp_path, capture_output=True, text=True, timeout=40, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "secret" not in said and "Traceback" not in said, said
    assert "The database does not answer" in said and "port 9" in said
