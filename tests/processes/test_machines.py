"""The machines themselves: that they are whole systems with real walls, on a real network, and that the driver does what it says."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.machines import LOST_CAPABILITIES, Machine, MachineError
from tests.processes.small_hosts import HELLO, ONESHOT, PYTHON, render
from tests.stack import wait_for

# The stories run on these machines in every run of the tests; that the machines are what they say is the wider suite's.
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent
CAPABILITIES = {"sys_module": 16, "sys_rawio": 17, "sys_pacct": 20, "sys_boot": 22, "sys_time": 25, "mknod": 27, "audit_control": 30, "mac_override": 32,
                "mac_admin": 33, "syslog": 34, "wake_alarm": 35, "block_suspend": 36, "audit_read": 37, "perfmon": 38}  # linux/capability.h
CONNECT = ("DynamicUser=yes\nType=oneshot\n"
           "ExecStart=/nix/store/coreutils/bin/timeout 1 /nix/store/bash/bin/bash -c '</dev/tcp/10.78.0.1/22'\n")
# Ada's; only hello and tidy start by themselves.
UNITS = {
    "hello": HELLO,
    "writes": ONESHOT + "ExecStart=/nix/store/bash/bin/sh -c 'for place in /tmp /var/tmp /run /etc /usr /var/lib; do echo x >$place/unibos-machine-wrote; done'\n",
    "strict": ONESHOT + "ProtectSystem=strict\nExecStart=/nix/store/coreutils/bin/touch /usr/strict\n",
    "loose": ONESHOT + "ExecStart=/nix/store/coreutils/bin/touch /usr/loose\n",
    "filtered": ONESHOT + "LimitCORE=0\nSystemCallFilter=~uname\nExecStart=/nix/store/coreutils/bin/uname\n",
    "unfiltered": ONESHOT + "LimitCORE=0\nExecStart=/nix/store/coreutils/bin/uname\n",
    "anywhere": CONNECT,
    "nowhere": CONNECT + "IPAddressDeny=any\n",
    "secret": "DynamicUser=yes\nType=oneshot\nLoadCredential=word:/etc/word\nExecStart=/nix/store/bash/bin/bash -c 'cat $CREDENTIALS_DIRECTORY/word'\n"
              "Environment=PATH=/nix/store/coreutils/bin\n",
    "late": ONESHOT + "ExecStart=/nix/store/coreutils/bin/sleep 0.7\n",
    "broken": "ExecStart=/nix/store/bash/bin/sh -c 'echo the reason; exit 3'\nType=oneshot\n",
    "idle": "ExecStart=/nix/store/coreutils/bin/sleep 1000\n",
    "tidy": ONESHOT + "StateDirectory=tidy\nExecStart=/nix/store/coreutils/bin/true\nExecStop=/nix/store/coreutils/bin/touch /var/lib/tidy/stopped\n",
    "web": f"DynamicUser=yes\nExecStartPre=/nix/store/coreutils/bin/sleep 0.5\nExecStart={PYTHON} -m http.server --bind 0.0.0.0 8080\n",
    "hidden": f"DynamicUser=yes\nExecStart={PYTHON} -m http.server --bind 0.0.0.0 8081\n",
    "patroni": f"DynamicUser=yes\nStateDirectory=role\nWorkingDirectory=/var/lib/role\nExecStart={PYTHON} -m http.server --bind 127.0.0.1 8008\n",
}
ADA = {"hostName": "ada", "users": {"lamp": {"uid": None, "group": "lamp", "isSystemUser": True, "home": "/var/lib/lamp", "extraGroups": ["light"]}},
       "groups": ["lamp", "light"], "tmpfiles": ["d /var/lib/lamp 0750 lamp lamp -"], "etc": {"unibos/settings.toml": "hostname = 'ada'\n"},
       "firewall": {"enable": True, "allowedTCPPorts": [8080], "allowedUDPPorts": [5353]}, "enabled": ["services.avahi"],
       "store": {"/nix/store/greet/bin/greet": "#!/nix/store/bash/bin/bash\n/nix/store/coreutils/bin/echo hello from the store\n"}}


@pytest.fixture(scope="module")
def pair(module_machines, tmp_path_factory) -> tuple[Machine, Machine]:
    """Ada with every unit, and Bo with few."""
    ada = module_machines("ada", render(tmp_path_factory.mktemp("ada") / "host", UNITS, **ADA), files={"/etc/word": "geheim"})
    bo = module_machines("bo", render(tmp_path_factory.mktemp("bo") / "host", {"hello": HELLO}, enabled=["services.avahi"]))
    for machine in (ada, bo):
        machine.start()
        machine.wait_for_unit("multi-user.target", 30)
    return ada, bo


@pytest.fixture
def ada(pair) -> Machine:
    pair[0].start()
    return pair[0]


@pytest.fixture
def bo(pair) -> Machine:
    pair[1].start()
    return pair[1]


# A whole system.


def test_systemd_is_the_first_process_and_starts_what_is_installed(ada):
    assert ada.succeed("cat /proc/1/comm") == "systemd\n"
    assert ada.wait_until_succeeds("systemctl is-system-running", 20) == "running\n"
    assert ada.succeed("systemctl is-active hello tidy") == "active\nactive\n"
    assert ada.fail("systemctl is-active loose") == "inactive\n"
    assert ada.succeed("hostname; getent hosts ada bo | awk '{print $1, $2}'") == "ada\n10.78.0.11 ada\n10.78.0.12 bo\n"


def test_an_unprivileged_service_finds_our_package(ada):
    path, uid = ada.succeed("cat /var/lib/hello/said").split()
    assert path.startswith("/nix/store/unibos/lib/") and path.endswith("/site-packages/unibos/__init__.py")
    assert int(uid) >= 61184  # DynamicUser (systemd.exec(5))
    assert ada.succeed("unibos --version").startswith("unibos, version ")


def test_the_described_accounts_files_and_scripts_are_there(ada):
    assert ada.succeed("id -nG lamp; stat -c '%U %G %a' /var/lib/lamp") == "lamp light\nlamp lamp 750\n"
    assert ada.succeed("cat /etc/unibos/settings.toml") == "hostname = 'ada'\n"
    assert ada.succeed("/nix/store/greet/bin/greet") == "hello from the store\n"


def test_credentials_reach_a_service_and_nobody_else(ada):
    ada.succeed("systemctl start secret")
    assert "geheim" in ada.journal("secret")
    assert ada.fail("ls /run/credentials/secret.service/word") == ""


# Walls between the machine and this system.


def test_what_a_machine_writes_stays_in_it(ada):
    places = ["/tmp", "/var/tmp", "/run", "/etc", "/usr", "/var/lib"]
    ada.succeed("systemctl start writes")
    for place in places:
        assert ada.succeed(f"cat {place}/unibos-machine-wrote") == "x\n"
        assert not Path(place, "unibos-machine-wrote").exists()


def test_a_machine_sees_neither_our_files_nor_our_processes_nor_our_mounts(ada):
    assert ROOT.exists() and ada.fail(f"test -e {ROOT}") == ""
    assert ada.succeed("ls -A /root /home /mnt /opt 2>/dev/null || true").replace("\n", "") == "/home:/mnt:/root:"
    inside = {int(p) for p in ada.succeed("ls /proc | grep '^[0-9]*$'").split()}
    assert len(inside) < 60 and not ada.succeed("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").count("pytest")
    assert str(ada.folder) not in Path("/proc/self/mountinfo").read_text()


def test_root_in_a_machine_has_no_power_over_the_kernel(ada):
    for place in ("/proc/1/status", "/proc/self/status"):
        held = {line.split()[0]: int(line.split()[1], 16) for line in ada.succeed(f"grep Cap {place}").splitlines()}
        for name in LOST_CAPABILITIES:
            assert not any(mask >> CAPABILITIES[name] & 1 for mask in held.values()), f"{place} holds cap_{name}"
        assert held["CapEff:"] >> 21 & 1  # sys_admin, so the masks are those of root
    ada.fail("test -w /proc/sys/kernel/panic -o -w /proc/sysrq-trigger -o -w /sys/kernel/mm")
    ada.succeed("test -w /proc/sys/net/ipv4/ip_forward")
    assert "Operation not permitted" in ada.execute("mknod /tmp/null c 1 3 2>&1")[1]


# The hardening of units is real.


def test_a_strict_unit_cannot_write_usr_and_a_loose_one_can(ada):
    ada.fail("systemctl start strict")
    assert "Read-only file system" in ada.journal("strict")
    ada.succeed("systemctl start loose; test -e /usr/loose; ! test -e /usr/strict")


def test_a_forbidden_system_call_kills(ada):
    ada.succeed("systemctl start unfiltered")
    ada.fail("systemctl start filtered")
    assert ada.succeed("systemctl show -P ExecMainStatus filtered") == f"{int(signal.SIGSYS)}\n"


def test_a_unit_without_addresses_reaches_nobody(ada):
    ada.fail("systemctl start anywhere")
    assert "Connection refused" in ada.journal("anywhere")
    ada.fail("systemctl start nowhere")
    assert ada.succeed("systemctl show -P ExecMainStatus anywhere nowhere").split() == ["1", "124"]  # 124: what it sent was dropped


# The network.


def pings(machine: Machine, name: str) -> bool:
    return machine.execute(f"ping -c 1 -W 1 {name}")[0] == 0


def test_a_blocked_machine_hears_and_reaches_nobody(ada, bo):
    assert pings(ada, "bo") and pings(bo, "ada")
    ada.block()
    assert not pings(ada, "bo") and not pings(bo, "ada")
    assert "10.78.0.11" in ada.succeed("ip address show eth1; cat /sys/class/net/eth1/carrier | grep 0")
    ada.unblock()
    ada.wait_until_succeeds("ping -c 1 -W 1 bo", 10)
    assert pings(bo, "ada")


def test_machines_hear_each_others_multicast(ada, bo):
    assert ada.wait_until_succeeds("avahi-resolve -4 -n bo.local", 30).split() == ["bo.local", "10.78.0.12"]
    assert bo.wait_until_succeeds("avahi-resolve -4 -n ada.local", 30).split() == ["ada.local", "10.78.0.11"]


def test_another_lan_with_the_same_addresses_is_another_lan(ada, module_machines, tmp_path):
    cy = module_machines("cy", render(tmp_path / "host", {}), "10.78.0.13", module_machines.lan("other"))
    cy.start()
    assert pings(cy, "10.78.0.1") and not pings(cy, "10.78.0.11") and not pings(ada, "10.78.0.13")
    assert "No route to host" in cy.execute("exec 2>&1 3<>/dev/tcp/192.0.2.1/80")[1]
    cy.crash()


def test_the_firewall_lets_in_what_is_listed(ada, bo):
    ada.succeed("systemctl start web hidden")
    ada.wait_for_open_port(8080, timeout=20)
    ada.wait_for_open_port(8081, timeout=20)
    bo.wait_for_open_port(8080, "ada", 20)
    assert bo.execute("timeout 1 bash -c '</dev/tcp/ada/8081'")[0] == 124
    ada.succeed("systemctl stop web hidden")
    ada.fail("bash -c '</dev/tcp/localhost/8080'")


# On and off.


def test_a_crash_keeps_the_disk_and_nothing_else(ada):
    ada.succeed("echo kept >/var/lib/kept; echo lost >/run/lost; logger -t before the power went")
    ada.succeed("journalctl --sync")
    first = ada.succeed("cat /proc/sys/kernel/random/boot_id")
    ada.crash()
    assert not ada.running
    with pytest.raises(MachineError, match="is off"):
        ada.execute("true")
    ada.start()
    assert ada.succeed("cat /var/lib/kept") == "kept\n" and ada.fail("cat /run/lost") == ""
    assert ada.fail("test -e /var/lib/tidy/stopped") == ""
    assert ada.succeed("cat /proc/sys/kernel/random/boot_id") != first
    assert "the power went" in ada.succeed("journalctl -t before") and "the power went" not in ada.execute("journalctl -q -b -t before")[1]
    ada.wait_for_unit("hello", 20)
    assert pings(ada, "bo")


def test_a_shutdown_stops_the_units(ada):
    ada.wait_for_unit("tidy", 20)
    ada.shutdown()
    assert not ada.running
    ada.start()
    ada.succeed("rm /var/lib/tidy/stopped")


@pytest.mark.slow  # systemd waits ten seconds for processes whose parent is not its own, as the driver's are, if they end at the wrong moment
def test_a_command_may_switch_the_machine_off(bo):
    assert bo.execute("systemctl poweroff; sleep 60", 30)[0] != 0
    wait_for(lambda: not bo.running, 20, "it stays on")


def test_the_cable_stays_out_over_a_crash(ada, bo):
    ada.block()
    ada.crash()
    ada.start()
    assert not pings(ada, "bo")
    ada.unblock()
    ada.wait_until_succeeds("ping -c 1 -W 1 bo", 10)


# What the methods do.


def test_succeed_and_fail(ada):
    assert ada.succeed("echo one; echo noise >&2", "echo two") == "one\ntwo\n"
    assert ada.fail("echo out; exit 3") == "out\n"
    with pytest.raises(MachineError, match="(?s)ended with 3.*out.*err"):
        ada.succeed("echo out; echo err >&2; exit 3")
    with pytest.raises(MachineError, match="ended with 0"):
        ada.fail("true")
    with pytest.raises(MachineError):
        ada.succeed("false | true")
    with pytest.raises(MachineError):
        ada.succeed("echo $unset")
    assert ada.execute("exit 7") == (7, "")


def test_a_command_that_takes_too_long_or_leaves_a_child(ada):
    assert ada.execute("sleep 60", 0.3)[0] == 124
    began = time.monotonic()
    assert ada.succeed("sleep 30 & echo $!", timeout=20).strip().isdigit()
    assert time.monotonic() - began < 15


def test_wait_until(ada):
    ada.succeed("rm -f /tmp/there; (sleep 0.5; echo here >/tmp/there) &")
    assert ada.wait_until_succeeds("cat /tmp/there | grep here", 20) == "here\n"
    ada.succeed("(sleep 0.5; rm /tmp/there) &")
    ada.wait_until_fails("cat /tmp/there", 20)
    with pytest.raises(MachineError, match="(?s)after 0 s.*ended last with 1.*No such file"):
        ada.wait_until_succeeds("cat /tmp/there", 0.3)
    with pytest.raises(MachineError, match="ended last with 0"):
        ada.wait_until_fails("true", 0.3)


def test_wait_for_unit(ada):
    ada.succeed("systemctl start --no-block late")
    ada.wait_for_unit("late", 20)
    ada.execute("systemctl start broken")
    began = time.monotonic()
    with pytest.raises(MachineError, match="(?s)broken is failed.*the reason"):
        ada.wait_for_unit("broken", 60)
    with pytest.raises(MachineError, match="idle is inactive"):
        ada.wait_for_unit("idle", 60)
    with pytest.raises(MachineError, match="unheard-of is inactive"):
        ada.wait_for_unit("unheard-of", 60)
    assert time.monotonic() - began < 30
    ada.succeed("systemctl reset-failed broken")


def test_wait_for_open_port(ada):
    with pytest.raises(MachineError):
        ada.wait_for_open_port(8080, timeout=0.3)
    ada.succeed("systemctl start web")
    ada.wait_for_open_port(8080, timeout=20)
    ada.succeed("systemctl stop web")


def test_wait_for_role(ada):
    ada.succeed("systemctl start patroni")
    ada.wait_for_open_port(8008, timeout=20)
    with pytest.raises(MachineError):
        ada.wait_for_role("primary", 0.3)
    ada.succeed("touch /var/lib/role/primary")
    ada.wait_for_role("primary", 20)
    with pytest.raises(MachineError):
        ada.wait_for_role("replica", 0.3)
    ada.succeed("systemctl stop patroni")
