"""What only a real broker and real processes can show: files, kills, hangs, listeners."""

from __future__ import annotations

import datetime as dt
import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time

import pytest
from unibos.adapters import certificates, mosquitto
from unibos.kernel.errors import Forbidden, SettingError, StartError, Unavailable

from tests.brokers import LAMP, Agents, RealDevice, RealRig, eventually, installed
from tests.stack import free_port


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


@pytest.fixture
def lan(tmp_path):
    """A broker with a TLS and a plain listener besides the agent's, and its authority's certificate."""
    now = dt.datetime.now(dt.UTC)
    certificates.ensure(tmp_path / "ca", tmp_path / "leaf", ["box.local", "localhost"], ["192.168.1.2"], now, now)
    rig = RealRig(tmp_path)
    rig.close()
    rig.tls, rig.plain, rig.authority = free_port(), free_port(), tmp_path / "leaf/ca.pem"
    rig.files = mosquitto.prepare(tmp_path, rig.port, lan=[
        mosquitto.Lan(port=rig.tls, certificate=tmp_path / "leaf/leaf.pem", key=tmp_path / "leaf/leaf-key.pem"), mosquitto.Lan("127.0.0.1", rig.plain)])
    rig.back()
    yield rig
    rig.close()


@installed
def test_the_lan_listeners_are_as_closed_as_the_other(lan, agents):
    here = agents(lan.broker(mosquitto.AGENT_CLIENT)).up()
    here.broker.put_account(LAMP, "pw")
    for username, password in (("", ""), ("lamp", "wrong")):
        with pytest.raises(Forbidden):
            RealDevice(lan.plain, username, password)
    device = RealDevice(lan.plain, "lamp", "pw")
    assert not device.subscribe("#") and device.subscribe("cmnd/lamp/x")
    device.close()


@installed
def test_the_agents_login_works_on_loopback_only(lan, agents):
    here = agents(lan.broker(mosquitto.AGENT_CLIENT)).up()
    here.broker.put_account(LAMP, "pw")
    password = lan.files.agent_password_file.read_text()
    for port in (lan.plain, lan.tls):
        assert shell(lan, port, "lamp", "pw", "-t", "tele/lamp/x", "-m", "x") == 0
        for client in (mosquitto.AGENT_CLIENT, mosquitto.AGENT, "other"):
            assert shell(lan, port, mosquitto.AGENT, password, "-i", client, "-t", "t", "-m", "x") == 5  # not authorised
    here.broker.subscribe(["t"])
    here.broker.publish("t", b"still here")
    here.waits_for(b"still here")


@installed
def test_a_device_cannot_take_over_the_agents_session(lan, agents):
    here = agents(lan.broker(mosquitto.AGENT_CLIENT)).up()
    here.broker.subscribe(["tele/#"])
    here.broker.put_account(LAMP, "pw")
    for n in range(3):
        assert shell(lan, lan.plain, "lamp", "pw", "-i", mosquitto.AGENT_CLIENT, "-t", "tele/lamp/x", "-m", str(n), "-q", "1") == 0
    here.waits_for(b"0", b"1", b"2")
    assert [up for up, _why in here.states] == [True]


def shell(lan, port: int, username: str, password: str, *more: str, host: str = "localhost") -> int:
    """The exit code of mosquitto_pub; where there is TLS it trusts the authority alone and checks the name."""
    trust = ("-h", host, "--cafile", str(lan.authority)) if port == lan.tls else ("-h", "127.0.0.1")
    return subprocess.run(["mosquitto_pub", *trust, "-p", str(port), "-u", username, "-P", password, *more], capture_output=True, timeout=20,
                          check=False).returncode


@installed
def test_a_client_that_trusts_the_authority_talks_over_tls(lan, agents, tmp_path):
    here = agents(lan.broker(mosquitto.AGENT_CLIENT)).up()
    here.broker.subscribe(["tele/#"])
    here.broker.put_account(LAMP, "pw")
    trusting = ssl.create_default_context(cafile=lan.authority)
    for family, host, most in ((socket.AF_INET, "127.0.0.1", "TLSv1.3"), (socket.AF_INET6, "::1", "TLSv1.2")):
        trusting.maximum_version = ssl.TLSVersion[most.replace(".", "_")]
        with socket.socket(family) as plain:
            plain.settimeout(10)
            plain.connect((host, lan.tls))
            with trusting.wrap_socket(plain, server_hostname="box.local") as tls:
                assert tls.version() == most
    said = ("-t", "tele/lamp/x", "-q", "1", "-m")
    assert shell(lan, lan.tls, "lamp", "pw", *said, "over TLS") == 0
    assert shell(lan, lan.tls, "lamp", "pw", *said, "under another name", host="127.0.0.1") != 0
    certificates.ensure(tmp_path / "x/ca", tmp_path / "x/leaf", ["localhost"], [], (now := dt.datetime.now(dt.UTC)), now)
    lan.authority = tmp_path / "x/leaf/ca.pem"
    assert shell(lan, lan.tls, "lamp", "pw", *said, "to a stranger") != 0
    here.waits_for(b"over TLS")


@installed
def test_lan_on_and_off_again_binds_and_frees_the_agents_account(tmp_path):
    def agent():
        files = json.loads((tmp_path / "mosquitto/accounts.json").read_text())
        return next(c for c in files["clients"] if c["username"] == mosquitto.AGENT).get("clientid")

    for listeners, wanted in (([], None), ([mosquitto.Lan(port=8883)], mosquitto.AGENT_CLIENT), ([], None)):
        mosquitto.prepare(tmp_path, 1883, lan=listeners)
        assert agent() == wanted


@installed
def test_a_line_break_cannot_smuggle_a_setting_in(tmp_path):
    with pytest.raises(SettingError):
        mosquitto.prepare(tmp_path / "a\nallow_anonymous true", 1883)


def test_the_plugin_may_lie_in_a_package_of_its_own(tmp_path, monkeypatch):
    for place in ("mosquitto/bin", "mosquitto-lib/lib"):
        (tmp_path / place).mkdir(parents=True)
    program, plugin = tmp_path / "mosquitto/bin/mosquitto", tmp_path / "mosquitto-lib/lib/mosquitto_dynamic_security.so"
    program.touch(mode=0o755)
    plugin.touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/mosquitto/bin:relative/bin:{tmp_path}/mosquitto-lib/bin")
    assert (mosquitto.find_mosquitto(), mosquitto.find_dynsec()) == (program, plugin)


def test_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(mosquitto, "find_mosquitto", lambda: None)
    with pytest.raises(StartError, match="not installed"):
        mosquitto.prepare(tmp_path, 1883)
