"""What only a real broker and real processes can show: files, kills, hangs, listeners."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from unibos.adapters import mosquitto
from unibos.kernel.errors import Forbidden, SettingError, StartError, Unavailable

from tests.brokers import LAMP, Agents, RealDevice, RealRig, eventually, installed


@pytest.fixture
def real(tmp_path):
    it = RealRig(tmp_path)
    yield it
    it.close()


@pytest.fixture
def agents():
    made = Agents()
    yield made
    made.stop()


@installed
def test_a_client_that_was_killed_gets_its_messages_again(real, agents):
    code = """
import sys
from unibos.adapters.mqtt import MqttBroker
broker = MqttBroker("127.0.0.1", int(sys.argv[1]), sys.argv[2], open(sys.argv[3]).read(), "agent")
broker.start(lambda m: print(m.payload.decode(), flush=True), lambda up, why: up and print("up", flush=True))
broker.subscribe(["t"])
sys.stdin.read()
"""
    argv = [sys.executable, "-c", code, str(real.port), real.files.agent_username, str(real.files.agent_password_file)]
    other = agents(real.broker("other")).up()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        other.broker.publish("t", b"precious")
        assert process.stdout.readline() == "precious\n"
        process.kill()
    other.broker.publish("t", b"meanwhile")
    agents(real.broker()).up().waits_for(b"precious", b"meanwhile")


@installed
def test_stops_soon_though_the_broker_hangs(real, agents):
    here = agents(real.broker()).up()
    real.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match="did not confirm"):
            here.broker.publish("t", b"1", timeout=0.2)
        began = time.monotonic()
        here.broker.stop()
        assert time.monotonic() - began < 3
    finally:
        real.process.send_signal(signal.SIGCONT)


@installed
def test_too_large_packets_of_a_device_never_arrive(real, agents):
    here = agents(real.broker()).up()
    here.broker.subscribe(["tele/#"])
    here.broker.put_account(LAMP, "pw")
    lamp = real.device("lamp", "pw")
    lamp.publish("tele/lamp/x", b"x" * 65536)
    lamp.publish("tele/lamp/x", b"x" * 80_000, qos=0)
    eventually(lambda: not lamp.connected)
    real.device("lamp", "pw").publish("tele/lamp/x", b"small")
    eventually(lambda: len(here.heard) == 2)
    assert [len(m.payload) for m in here.heard] == [65536, 5]


@installed
def test_the_files_are_ours_alone_and_no_secret_is_in_the_command(tmp_path):
    files = mosquitto.prepare(tmp_path, 1883)
    place = files.config.parent
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in place.iterdir()} == dict.fromkeys(
        ("mosquitto.conf", "accounts.json", "accounts.good.json", "agent-password"), 0o600)
    word = files.agent_password_file.read_text()
    assert len(word) >= 32
    assert not any(word in text for text in (*files.argv, files.config.read_text(), (place / "accounts.json").read_text()))
    lines = files.config.read_text().splitlines()
    assert "allow_anonymous false" in lines
    assert [line for line in lines if line.startswith("listener")] == ["listener 1883 127.0.0.1"]
    state = json.loads((place / "accounts.json").read_text())
    assert state["defaultACLAccess"] == dict.fromkeys(("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), False)
    assert "anonymousGroup" not in state
    assert mosquitto.prepare(tmp_path, 1883).agent_password_file.read_text() == word


@installed
@pytest.mark.parametrize("loss", ["", "{", "[]"])
def test_accounts_survive_a_state_file_that_a_power_cut_ruined(tmp_path, agents, loss):
    rig = RealRig(tmp_path)
    here = agents(rig.broker()).up()
    here.broker.put_account(LAMP, "pw")
    here.broker.stop()
    rig.close()
    mosquitto.prepare(tmp_path, rig.port)
    (rig.files.config.parent / "accounts.json").write_text(loss)
    mosquitto.prepare(tmp_path, rig.port)
    rig.back()
    assert rig.device("lamp", "pw").connected
    rig.close()


@installed
def test_a_lost_agent_password_is_made_anew(tmp_path, agents):
    mosquitto.prepare(tmp_path, 1883).agent_password_file.unlink()
    rig = RealRig(tmp_path)
    agents(rig.broker()).up().broker.stop()
    rig.close()


@installed
def test_the_lan_listener_is_as_closed_as_the_other(tmp_path, agents):
    rig = RealRig(tmp_path)
    rig.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rig.files = mosquitto.prepare(tmp_path, rig.port, lan=[mosquitto.Lan("127.0.0.1", port)])
    rig.back()
    here = agents(rig.broker()).up()
    here.broker.put_account(LAMP, "pw")
    here.broker.stop()
    with pytest.raises(Forbidden):
        RealDevice(port, "", "")
    device = RealDevice(port, "lamp", "pw")
    assert not device.subscribe("#")
    device.close()
    rig.close()


@installed
def test_a_line_break_cannot_smuggle_a_setting_in(tmp_path):
    with pytest.raises(SettingError):
        mosquitto.prepare(tmp_path / "a\nallow_anonymous true", 1883)


def test_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    with pytest.raises(StartError, match="not installed"):
        mosquitto.prepare(tmp_path, 1883)
