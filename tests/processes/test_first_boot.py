"""The first boot of a flashed card, with the units of the Pi 4's image: a name of its own, unibos.toml applied or refused, no secret left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RENDERED = Path(__file__).parent.parent / "rendered" / "image-pi-4"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMTv8c0KVMzEHsIfCVWZ9Yhf0TbQvbA1vZuxNKZLVb3O ada@example.org"
FILE = f"""# my box
hostname = "attic"
language = "tr"
ssh_keys = ["{KEY}"]

[wifi]
country = "TR"
ssid = "Evimiz"
password = "dort alakasiz kelime"
"""


@pytest.fixture
def boot(machines):
    """Starts a node fresh from its card, with this unibos.toml on its boot partition."""

    def start(toml: str | bytes | None):
        files: dict[str, str | bytes] = {"etc/hostname": ""}
        if toml is not None:
            files["boot/firmware/unibos.toml"] = toml
        box = machines("box", RENDERED, files=files)
        box.start()
        box.wait_until_succeeds("curl -sf http://127.0.0.1:8001/readyz", timeout=90)
        box.wait_for_open_port(443)
        return box

    return start


def test_a_card_without_a_file_names_itself(boot):
    box = boot(None)
    name = box.succeed("hostname").strip()
    assert name.startswith("unibos-") and len(name) == 11
    assert box.succeed("cat /etc/hostname").strip() == name
    box.succeed(f"curl -sf --cacert /var/lib/unibos-tls/ca.pem --resolve {name}.local:443:127.0.0.1 https://{name}.local/healthz")
    authority = box.succeed("sha256sum /var/lib/unibos-tls/ca.pem")
    box.crash()
    box.start()
    box.wait_for_open_port(443)
    assert box.succeed("hostname").strip() == name and box.succeed("sha256sum /var/lib/unibos-tls/ca.pem") == authority
    # Whoever holds the web process holds no key of the authority.
    assert box.succeed("stat -c '%U %a' /var/lib/unibos-ca/ca-key.pem").split() == ["unibos-ca", "600"]
    pid = box.succeed("systemctl show -p MainPID --value unibos-node-web").strip()
    box.fail(f"nsenter -t {pid} -m -- setpriv --reuid unibos --regid unibos --clear-groups cat /var/lib/unibos-ca/ca-key.pem")


def test_a_good_file_is_applied_and_leaves_no_password(boot):
    box = boot(FILE)
    assert box.succeed("hostname").strip() == "attic"
    box.succeed("curl -sf --cacert /var/lib/unibos-tls/ca.pem --resolve attic.local:443:127.0.0.1 https://attic.local/healthz")
    assert KEY in box.succeed("cat /var/lib/unibos-appliance/authorized_keys")
    wifi = box.succeed("cat /etc/wpa_supplicant/imperative.conf")
    assert "country=TR" in wifi and b"Evimiz".hex() in wifi
    assert box.succeed("stat -c %a /etc/wpa_supplicant/imperative.conf").strip() == "600"
    box.fail("test -e /boot/firmware/unibos.toml -o -e /run/unibos-provision/plan.json")
    report = box.succeed("cat /boot/firmware/unibos-report.txt")
    assert "dort" not in report and "attic" in report
    assert json.loads(box.succeed("cat /run/unibos-appliance/provision.json"))["state"] == "applied"
    box.fail("journalctl --no-pager | grep -q 'dort alakasiz'")
    # The next boot has nothing to do, and everything is as it was.
    box.crash()
    box.start()
    box.wait_for_open_port(443)
    assert box.succeed("hostname").strip() == "attic"


WIDER = [pytest.param(bad, marks=pytest.mark.slow) for bad in (b"\xff\xfe not a text", 'hostname = "a', "x" * 20000)]


@pytest.mark.parametrize("bad", ['hostname = "attic"\n[wifi]\nssid = "Evimiz"\npassword = "kurz"\n', *WIDER])
def test_a_bad_file_is_reported_and_ignored(boot, bad):
    box = boot(bad)
    assert box.succeed("hostname").strip().startswith("unibos-")
    box.fail("test -e /etc/wpa_supplicant/imperative.conf")
    box.succeed("test -e /boot/firmware/unibos.toml")
    found = json.loads(box.succeed("cat /run/unibos-appliance/provision.json"))
    assert found["state"] == "refused" and found["faults"]
    assert box.succeed("cat /boot/firmware/unibos-report.txt").strip()
    assert "kurz" not in box.succeed("journalctl --no-pager; cat /boot/firmware/unibos-report.txt")
