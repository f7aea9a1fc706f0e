"""What machines refuse, what their parts make of a rendered host, and that nothing of them is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import machine_names
from tests import machines as driver
from tests.machine_root import accounts, firewall, read_units
from tests.machine_store import MissingFromStore
from tests.machines import Lan, Machine, MachineError
from tests.processes import conftest
from tests.processes.small_hosts import HELLO, render
from tests.stack import wait_for

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent


# What cannot be.


def test_where_machines_cannot_run_tests_are_skipped_but_in_ci_they_fail(monkeypatch):
    monkeypatch.setattr(conftest, "why_not", lambda: "no namespaces")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="no namespaces"):
        next(conftest._machines())
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no namespaces"):
        next(conftest._machines())


def test_all_programs_without_a_stand_in_are_named(machines, tmp_path):
    units = {"one": "ExecStart=/nix/store/frobnicator-2.1/bin/frob\n", "two": "ExecStart=/nix/store/unibos/bin/unheard /nix/store/coreutils-9.5/bin/frob\n"}
    with pytest.raises(MissingFromStore, match="/nix/store/coreutils-9.5/bin/frob, /nix/store/frobnicator-2.1, /nix/store/unibos/bin/unheard"):
        machines("ada", render(tmp_path / "host", units))


def test_names_and_addresses_are_taken_once_and_lie_in_the_subnet(machines, tmp_path):
    host = render(tmp_path / "host", {})
    machines("ada", host, "10.78.0.11")
    for name, address in (("ada", "10.78.0.12"), ("bo", "10.78.0.11"), ("bo", "10.79.0.12")):
        with pytest.raises(ValueError):
            machines(name, host, address)


def test_a_unit_or_drop_in_asks_for_its_substitute(tmp_path):
    (tmp_path / "avahi-daemon.service.d").mkdir()
    (tmp_path / "avahi-daemon.service.d/overrides.conf").write_text("[Service]\nNice=1\n")
    (tmp_path / "own.service").write_text("[Unit]\nAfter=postgresql.target\n")
    assert read_units(tmp_path).keys() == {"own.service", "avahi-daemon.service", "avahi-daemon.service.d/overrides.conf", "postgresql.target",
                                           "postgresql.service", "postgresql-setup.service"}
    (tmp_path / "own.text").touch()
    with pytest.raises(ValueError, match="own.text"):
        read_units(tmp_path)


def test_the_substitute_for_postgresql_is_a_database_of_ours(machines, tmp_path):
    hub = machines("hub", render(tmp_path / "host", {}, users={"unibos": {"group": "unibos", "isSystemUser": True}}, enabled=["services.postgresql"]))
    hub.start()
    hub.wait_for_unit("postgresql.target", 60)
    query = "psql -h /run/postgresql -tAc 'SELECT current_user, current_setting($$data_checksums$$)'"
    assert hub.succeed(f"setpriv --reuid unibos --regid unibos --clear-groups {query} -U unibos_hub_app unibos_hub") == "unibos_hub_app|on\n"
    assert "failed for user" in hub.execute(f"setpriv --reuid unibos --regid unibos --clear-groups {query} -U unibos_hub unibos_hub 2>&1")[1]
    assert "failed for user" in hub.execute(f"setpriv --reuid nobody --regid nogroup --clear-groups {query} -U unibos_hub unibos_hub 2>&1")[1]


def test_firewall_rules():
    rules = firewall({"allowedTCPPorts": [22], "allowedUDPPortRanges": [{"from": 5, "to": 9}], "trustedInterfaces": ["lo", "wg0"],
                      "interfaces": {"eth1": {"allowedTCPPorts": [80, 443]}}})
    for line in ("policy drop;", "tcp dport { 22 } accept", "udp dport { 5-9 } accept", 'iifname "wg0" accept', 'iifname "eth1" tcp dport { 80, 443 } accept'):
        assert line in rules


def test_accounts_get_numbers_of_their_own():
    user = {"group": "a", "isSystemUser": True, "extraGroups": []}
    passwd, group = accounts({"users": {"a": {**user, "uid": 900}, "b": {**user, "uid": None}, "root": {"uid": 0, "group": "root"}}, "groups": ["c"]})
    assert len({f[2] for f in passwd}) == len(passwd) and len({f[2] for f in group}) == len(group)
    assert {f[0] for f in passwd} >= {"a", "b", "root", "nobody"} and {f[0] for f in group} >= {"a", "c", "root", "nogroup"}


# Nothing is left behind.


def test_a_failure_leaves_nothing(machines, tmp_path):
    host = render(tmp_path / "host", {"hello": HELLO})
    mounts = Path("/proc/self/mountinfo").read_text()
    before = machine_names.leftovers()
    with pytest.raises(ZeroDivisionError), Lan("fails") as lan:
        machine = Machine("ada", host, lan, "10.78.0.11")
        machine.start()
        first = machine._pid
        assert machine_names.leftovers() != before and Path(f"/proc/{first}").exists()
        raise ZeroDivisionError
    assert machine_names.leftovers() == before
    assert not Path(f"/proc/{first}").exists() and Path("/proc/self/mountinfo").read_text() == mounts


def test_a_machine_that_does_not_boot_leaves_nothing_and_says_why(machines, tmp_path, monkeypatch):
    broken = tmp_path / "machine.sh"
    broken.write_text(driver.SCRIPT.read_text().replace("  hostname \"$name\"\n", "  echo no such luck >&2; exit 1\n"))
    ada = machines("ada", render(tmp_path / "host", {}))
    monkeypatch.setattr(driver, "SCRIPT", broken)
    with pytest.raises(MachineError, match="no such luck"):
        ada.start()
    assert not ada.running and not ada._cgroup.exists()


def test_a_killed_session_leaves_nothing_but_what_the_next_removes(machines, tmp_path):
    host = render(tmp_path / "host", {"hello": HELLO})
    code = ("import sys; from pathlib import Path; from tests.machines import Lan, Machine; lan = Lan('killed');"
            f"m = Machine('ada', Path({str(host)!r}), lan, '10.78.0.11'); m.start(); print(m._pid, lan.folder, m._cgroup, flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'app'}"}, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as session:
        first, folder, cgroup = session.stdout.readline().split()
        assert Path(f"/proc/{first}/comm").read_text() == "systemd\n"
        session.kill()
    wait_for(lambda: not Path(f"/proc/{first}").exists(), 20, "the machine runs on")
    assert Path(folder).exists() and Path(cgroup).exists()
    machine_names.sweep()
    assert not Path(folder).exists() and not Path(cgroup).exists()


def test_machines_refuse_to_be_put_together_outside_of_namespaces(tmp_path):
    done = subprocess.run(["bash", str(driver.SCRIPT), "disk", os.readlink("/proc/self/ns/mnt"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and "own mount namespace" in done.stderr and list(tmp_path.iterdir()) == []
