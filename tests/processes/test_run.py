"""`unibos-dev run`: it starts, says what is wrong, keeps what it was given, watches its processes and stops them all."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from unibos import __version__
from unibos.adapters import mosquitto

from tests.adapters.documents import pdf
from tests.processes.talk import announced, ask, devices, ended, entity, ready, since
from tests.stack import BIN, Stack, free_port, wait_for

CHECKS = {"hub": {"database", "queue", "agent", "workers", "disk", "clock"}, "node": {"database", "queue", "agent", "workers", "disk", "clock", "broker"}}
NAMES = ("node-web", "node-agent", "node-default", "node-ocr", "hub-web", "hub-agent", "hub-default", "redis", "broker")


def left(data: Path) -> list[str]:
    """The processes that were started for this data directory and still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"UNIBOS_DATA_DIR={data}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def refused(folder: Path, **settings: str) -> tuple[int, str]:
    """(exit code, output) of a start that must end by itself; nothing may be left of it."""
    stack = Stack(folder, **settings)
    done = subprocess.run([str(BIN / "unibos-dev"), "run"], env=stack.env, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert not left(Path(stack.env["UNIBOS_DATA_DIR"]))
    return done.returncode, done.stdout + done.stderr


@contextmanager
def taken_port():
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def test_ready_healthy_and_stopped(tmp_path):
    """One life: ready, health, data, Ctrl-C; starts that are refused; another life: all is there, SIGTERM."""
    stack = Stack(tmp_path).start()
    try:
        assert stack.said("ready: ") == f"ready: hub {stack.hub} node {stack.node}"
        for role, url in (("hub", stack.hub), ("node", stack.node)):
            health, state = ask("GET", f"{url}/healthz"), ask("GET", f"{url}/readyz")
            assert (health.status, health.json) == (200, {"status": "ok", "role": role, "version": __version__})
            assert (state.status, state.json["status"]) == (200, "ready")
            assert {c["name"] for c in state.json["checks"]} == CHECKS[role]
            assert all(c["ok"] and c["why"] for c in state.json["checks"]), state.json
        assert all(stack.pids(name) for name in NAMES)
        stack.claim()
        credential = stack.device("Kept")
        stack.publish(credential, "homeassistant/sensor/kept/t/config", '{"name": "T", "unique_id": "k", "state_topic": "kept/t", '
                      '"unit_of_measurement": "°C", "device": {"identifiers": ["k"], "name": "Kept"}}', retain=True)
        announced(stack, "Kept", "T")
        stack.publish(credential, "kept/t", "4.5")
        file = tmp_path / "kept.pdf"
        file.write_bytes(pdf([["A page that stays"]]))
        document = stack.upload(file)[1]["id"]
        assert ended(stack, document)["status"] == "done"
        wait_for(lambda: entity(stack, "Kept", "T")["number"] == 4.5, 5)
        # Ctrl-C reaches every process of the terminal's group at once.
        began = time.monotonic()
        os.killpg(stack.process.pid, signal.SIGINT)
        assert stack.process.wait(12) == 0
        assert since(began) < 10
        stack.process.stdout.close()
        assert not left(stack.data)

        # Starts that are refused leave the data as they are.
        before = {f: (f.stat().st_mtime_ns, f.stat().st_size) for f in stack.data.rglob("*") if f.is_file()}
        with taken_port() as port:
            assert refused(tmp_path, UNIBOS_MQTT_PORT=port)[0] == 71
        assert refused(tmp_path, UNIBOS_FOO="1")[0] == 78
        assert {f: (f.stat().st_mtime_ns, f.stat().st_size) for f in stack.data.rglob("*") if f.is_file()} == before

        stack.lines.clear()
        stack.start()
        assert not stack.said("node is not claimed") and stack.said("hub is not claimed")
        assert not stack.said("applied ")
        assert devices(stack)["Kept"]["entities"][0]["number"] == 4.5
        assert ended(stack, document)["text"].strip() == "A page that stays"
        stack.publish(credential, "kept/t", "5.5")
        wait_for(lambda: entity(stack, "Kept", "T")["number"] == 5.5, 5, "the credential is no longer good")
        began = time.monotonic()
        assert stack.stop(signal.SIGTERM) == 0
        assert since(began) < 10
        assert not left(stack.data)
    finally:
        stack.__exit__()


@pytest.mark.parametrize(("settings", "words"), [
    ({"UNIBOS_FOO": "1"}, ["UNIBOS_FOO"]),
    ({"UNIBOS_NODE_PROT": "8001"}, ["UNIBOS_NODE_PROT", "Did you mean UNIBOS_NODE_PORT?"]),
    ({"UNIBOS_NODE_PORT": "abc"}, ["UNIBOS_NODE_PORT", "'abc'", "port"]),
    ({"UNIBOS_MQTT_PORT": "70000"}, ["UNIBOS_MQTT_PORT", "70000"]),
    ({"UNIBOS_CONFIG": "/nowhere/unibos.toml"}, ["/nowhere/unibos.toml"]),
])
def test_a_setting_that_cannot_be_used(tmp_path, settings, words):
    code, said = refused(tmp_path, **settings)
    assert (code, len(said.strip().splitlines())) == (78, 1), said
    assert all(word in said for word in words), said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["UNIBOS_HUB_PORT", "UNIBOS_NODE_PORT", "UNIBOS_MQTT_PORT"])
def test_a_port_in_use(tmp_path, name):
    with taken_port() as port:
        code, said = refused(tmp_path, **{name: port})
    assert (code, len(said.strip().splitlines())) == (71, 1), said
    assert name in said and port in said
    assert not [f for f in (tmp_path / "data").rglob("*") if f.is_file()], "a start that was refused wrote files"


def test_one_port_for_two(tmp_path):
    port = str(free_port())
    code, said = refused(tmp_path, UNIBOS_HUB_PORT=port, UNIBOS_NODE_PORT=port)
    assert (code, len(said.strip().splitlines())) == (71, 1), said
    assert "UNIBOS_HUB_PORT" in said and "UNIBOS_NODE_PORT" in said


@pytest.mark.parametrize("place", ["/dev/null/data", "/proc/data"])
def test_a_data_directory_that_cannot_be_written(tmp_path, place):
    code, said = refused(tmp_path, UNIBOS_DATA_DIR=place)
    assert (code, len(said.strip().splitlines())) == (71, 1), said
    assert place in said


def test_a_second_start_on_the_same_data_is_refused(stack):
    """On other ports, so that only the data are shared."""
    second = Stack(stack.folder)
    done = subprocess.run([str(BIN / "unibos-dev"), "run"], env=second.env, cwd=second.folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 71, done.stdout + done.stderr
    assert "already" in done.stdout + done.stderr
    assert ask("GET", f"{stack.node}/readyz").status == 200


def test_two_side_by_side_in_a_very_long_directory(stack, tmp_path):
    """Beside the stack that the stories share; its sockets do not fit into its own data directory."""
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    folder.mkdir(parents=True)
    assert len(str(folder)) > 150
    with Stack(folder) as second:
        second.claim()
        second.device("Second")
        _status, answer = second.api("GET", "/api/v1/devices/credentials/")
        assert [c["name"] for c in answer["items"]] == ["Second"]
        _status, answer = stack.api("GET", "/api/v1/devices/credentials/")
        assert "Second" not in [c["name"] for c in answer["items"]]
        assert ask("GET", f"{stack.node}/readyz").status == 200
    assert not left(second.data)
    assert ask("GET", f"{stack.node}/readyz").status == 200


def test_a_process_that_dies_is_started_again(stack):
    for name in ("node-web", "hub-agent"):
        before = stack.pids(name)
        stack.kill(name)
        wait_for(lambda name=name: stack.said(f"{name} ended by SIGKILL, started again ("), 5, "it was not said")
        wait_for(lambda name=name, before=before: stack.pids(name) and not set(stack.pids(name)) & set(before), 10)
    for url in (stack.hub, stack.node):
        wait_for(lambda url=url: ready(url), 20, "it is not ready again")


@pytest.mark.skipif(not shutil.which("unshare") or os.geteuid() != 0, reason="hides mosquitto in a mount namespace, which needs root")
def test_without_a_broker_it_is_ready_and_says_what_is_missing(tmp_path):
    """mosquitto is looked for in the system directories too, so it is covered by /dev/null in a namespace of the test's own."""
    binary = mosquitto.find_mosquitto()
    if binary is None:
        pytest.skip("there is no mosquitto to hide")
    stack = Stack(tmp_path)
    script = f"mount --bind /dev/null {binary.resolve()} && exec {BIN / 'unibos-dev'} run"
    stack.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], env=stack.env, cwd=tmp_path,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    threading.Thread(target=stack._read, args=(stack.process,), daemon=True).start()
    try:
        wait_for(lambda: stack.said("ready: ") or stack.process.poll() is not None, 60)
        assert stack.said("no MQTT broker"), "\n".join(stack.lines)
        stack.claim()
        state = ask("GET", f"{stack.node}/readyz")
        assert (state.status, state.json["status"]) == (200, "ready")
        (broker,) = [c for c in state.json["checks"] if c["name"] == "broker"]
        assert not broker["ok"] and "Install mosquitto" in broker["why"]
        status, answer = stack.api("POST", "/api/v1/devices/credentials/", {"name": "x"})
        assert status >= 500 and "Install mosquitto" in answer["detail"], answer
        assert stack.api("GET", "/api/v1/devices/credentials/")[1]["items"] == []
    finally:
        stack.__exit__()
    assert not left(stack.data)
