"""The programs of an appliance as units run them: real processes, below a directory that stands for the machine."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from unibos.adapters import certificates, mosquitto
from unibos.kernel.errors import SettingError
from unibos.profiles import appliance
from unibos.profiles.build import read_settings

from tests.brokers import installed
from tests.stack import free_port, wait_for

VECTORS = Path(__file__).parent.parent / "vectors" / "provision"
ME = f"{os.geteuid()}:{os.getegid()}"


def run(*words: str, stdin: bytes = b"", code: int = 0, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """One word as a process; its exit code is checked."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}
    done = subprocess.run([sys.executable, "-P", "-m", "unibos.profiles.appliance", *words], input=stdin, capture_output=True, timeout=60, check=False,
                          env={**kept, **environment})
    assert done.returncode == code, done.stderr.decode()
    return done


@pytest.fixture
def machine(tmp_path):
    """A machine with a boot partition."""
    for place in ("etc", "boot", "run"):
        (tmp_path / place).mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    return tmp_path


def apply(machine: Path, content: bytes | None = None, plan: bytes | None = None, code: int = 0, **environment: str) -> str:
    """Both steps with a unibos.toml (or the second with `plan` as the first one's output); returns the report."""
    boot, between = machine / "boot/unibos.toml", machine / "run/plan.json"
    if content is not None:
        boot.write_bytes(content)
        plan = run("provision-read", stdin=content).stdout
    if plan is not None:
        between.write_bytes(plan)
    run("provision-apply", str(between), str(boot), "--root", str(machine), "--owner", ME, code=code, **environment)
    report = machine / "boot/unibos-report.txt"
    return report.read_text(encoding="utf-8") if report.exists() else ""


def test_a_first_start_has_a_name_and_the_next_one_the_same(machine):
    before = socket.gethostname()
    first = run("name", "--root", str(machine)).stdout
    assert first.startswith(b"unibos-") and run("name", "--root", str(machine)).stdout == first
    assert (machine / "etc/hostname").read_bytes() == first and socket.gethostname() == before


@pytest.mark.parametrize("path", [VECTORS / "good/everything.toml", VECTORS / "bad/all-at-once.toml"], ids=lambda p: p.stem)
def test_the_reader_writes_one_line_and_ends_well_either_way(path):
    assert run("provision-read", stdin=path.read_bytes()).stdout.decode() == path.with_suffix(".json").read_text()


def test_the_reader_needs_nothing_and_reads_no_more_than_it_must():
    out = run("provision-read", stdin=b"#" * 5_000_000, HOME="/nonexistent").stdout
    assert json.loads(out) == {"faults": [{"code": "too-large", "value": "16384"}]}


def test_a_good_file_is_done_reported_and_gone(machine):
    report = apply(machine, (VECTORS / "good/everything.toml").read_bytes())
    assert not (machine / "boot/unibos.toml").exists() and not (machine / "run/plan.json").exists()
    assert (machine / "etc/hostname").read_text() == "kitchen-box\n"
    assert "kitchen-box.local" in report and "four unrelated" not in report and "ABCDEFGH" not in report
    assert "okundu" in report, "the report speaks the language that the file asks for"
    assert json.loads((machine / "run/unibos-appliance/provision.json").read_text())["state"] == "applied"


def test_a_bad_file_changes_nothing_stays_and_is_explained(machine):
    content = (VECTORS / "bad/all-at-once.toml").read_bytes()
    report = apply(machine, content)
    assert (machine / "boot/unibos.toml").read_bytes() == content and not (machine / "etc/hostname").exists() and not (machine / "var").exists()
    assert "hostname is “my box”" in report and "wifi.password must have 8 to 63" in report and "hub.token is missing" in report and "short" not in report
    state = json.loads((machine / "run/unibos-appliance/provision.json").read_text())
    assert state["state"] == "refused" and len(state["faults"]) == 9
    assert "Satır 3" in apply(machine, (VECTORS / "bad/syntax.toml").read_bytes(), UNIBOS_LANGUAGE="tr")


@pytest.mark.parametrize("plan", [b"", b"{}", b'{"plan":{"hostname":"../../x"}}', b'{"plan":{"hostname":"Box"}}\n', b"\xff\xfe", b"[" * 300_000])
def test_what_no_reader_wrote_is_not_done(machine, plan):
    (machine / "boot/unibos.toml").write_text('hostname = "box"\n')
    assert "nothing was changed" in apply(machine, plan=plan)
    assert (machine / "boot/unibos.toml").exists() and not (machine / "etc/hostname").exists()


def test_a_reader_that_left_nothing_is_a_fault_too(machine):
    assert "Start it again" in apply(machine)


def test_a_machine_that_cannot_be_changed_keeps_the_file_for_the_next_start(machine):
    (machine / "etc/wpa_supplicant").write_text("a file where a directory belongs")
    content = b'[wifi]\ncountry = "TR"\nssid = "x"\n'
    assert apply(machine, content, code=71) == ""
    assert (machine / "boot/unibos.toml").read_bytes() == content and (machine / "run/plan.json").exists()
    (machine / "etc/wpa_supplicant").unlink()
    assert "Wi-Fi" in apply(machine) and not (machine / "boot/unibos.toml").exists()


def test_an_owner_that_is_not_there_is_said_before_anything_is_changed(machine):
    (machine / "run/plan.json").write_text((VECTORS / "good/everything.json").read_text())
    done = run("provision-apply", str(machine / "run/plan.json"), str(machine / "boot/unibos.toml"), "--root", str(machine), "--owner", "nobody-of-this-name", code=71)
    assert b"nobody-of-this-name" in done.stderr and not (machine / "etc/hostname").exists()


def test_certificates_for_this_machine(tmp_path):
    words = ("certificate", "--ca", str(tmp_path / "ca"), "--leaf", str(tmp_path / "leaf"), "--name", "hub-box.local")
    assert b"trust" in run(*words).stdout and b"good until" in run(*words).stdout
    names, _ = certificates._alternatives(certificates._load(tmp_path / "leaf/leaf.pem")[0])
    own = socket.gethostname().split(".")[0].lower()
    assert {f"{own}.local", own, "hub-box.local"} <= names
    (tmp_path / "file").touch()
    assert b"cannot be written" in run("certificate", "--ca", str(tmp_path / "ca"), "--leaf", str(tmp_path / "file"), code=71).stderr


def test_words_that_are_wrong_are_refused():
    for words in ((), ("nonsense",), ("certificate",), ("provision-apply", "one")):
        assert b"usage" in run(*words, code=2).stderr


def settings(tmp_path, **more: object):
    return read_settings("node", {"UNIBOS_DATA_DIR": str(tmp_path), **{k: str(v) for k, v in more.items()}})


def test_the_listeners_are_what_the_settings_say(tmp_path):
    for name in ("c", "k"):
        (tmp_path / name).touch()
    files = {"UNIBOS_MQTT_CERTIFICATE": tmp_path / "c", "UNIBOS_MQTT_KEY": tmp_path / "k"}
    assert appliance.listeners(settings(tmp_path)) == []
    assert appliance.listeners(settings(tmp_path, UNIBOS_MQTT_TLS_PORT=8883, **files)) == [mosquitto.Lan("", 8883, tmp_path / "c", tmp_path / "k")]
    assert appliance.listeners(settings(tmp_path, UNIBOS_MQTT_PLAIN_PORT=1884)) == [mosquitto.Lan("", 1884)]
    for wrong in ({"UNIBOS_MQTT_TLS_PORT": 8883}, {"UNIBOS_MQTT_TLS_PORT": 8883, **files, "UNIBOS_MQTT_KEY": tmp_path / "none"},
                  {"UNIBOS_MQTT_PLAIN_PORT": 1883}, {"UNIBOS_MQTT_TLS_PORT": 1884, "UNIBOS_MQTT_PLAIN_PORT": 1884, **files}):
        with pytest.raises(SettingError, match="UNIBOS_MQTT_"):
            appliance.listeners(settings(tmp_path, **wrong))


@installed
def test_the_broker_becomes_mosquitto_with_its_listeners(tmp_path):
    run("certificate", "--ca", str(tmp_path / "ca"), "--leaf", str(tmp_path / "leaf"), "--name", "localhost")
    port, tls = free_port(), free_port()
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}, "UNIBOS_DATA_DIR": str(tmp_path / "data"), "UNIBOS_MQTT_PORT": str(port),
           "UNIBOS_MQTT_TLS_PORT": str(tls), "UNIBOS_MQTT_CERTIFICATE": str(tmp_path / "leaf/leaf.pem"), "UNIBOS_MQTT_KEY": str(tmp_path / "leaf/leaf-key.pem")}
    with subprocess.Popen([sys.executable, "-P", "-m", "unibos.profiles.appliance", "broker"], env=env, stderr=subprocess.DEVNULL) as process:
        def code(word: str, *more: str) -> int:
            return subprocess.run(["mosquitto_pub", "-u", "unibos-agent", "-P", word, "-t", "t", "-m", "x", *more], capture_output=True, check=False, timeout=20).returncode

        password = tmp_path / "data/mosquitto/agent-password"
        wait_for(lambda: password.exists() and code(password.read_text(), "-p", str(port), "-i", mosquitto.AGENT_CLIENT) == 0)
        secure = ("-h", "localhost", "-p", str(tls), "--cafile", str(tmp_path / "leaf/ca.pem"))
        assert code(password.read_text(), *secure) == code("wrong", *secure) == 5  # TLS holds, and nobody may log in there as the agent
        assert Path(f"/proc/{process.pid}/exe").resolve() == mosquitto.find_mosquitto().resolve()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_screen_is_drawn_on_a_terminal(tmp_path):
    (tmp_path / "data/node").mkdir(parents=True)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, 60))
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}, "UNIBOS_DATA_DIR": str(tmp_path / "data"), "UNIBOS_LANGUAGE": "tr"}
    with subprocess.Popen([sys.executable, "-P", "-m", "unibos.profiles.appliance", "screen", "--leaf", str(tmp_path), "--root", str(tmp_path)], env=env,
                          stdout=theirs) as process:
        seen = b""
        while "UNIBOS başlıyor.".encode() not in seen:
            seen += os.read(ours, 65536)
        process.terminate()
        assert process.wait(10) == -signal.SIGTERM
    assert seen.startswith(b"\x1b[?25l\x1b[H\x1b[2J") and seen.count(b"\x1b[2J") == 1
    assert max(len(line) for line in seen.decode().splitlines()[1:]) < 60
    os.close(ours)
    os.close(theirs)
