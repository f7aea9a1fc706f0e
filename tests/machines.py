"""Machines of a rendered host: systemd as PID 1 of its own namespaces, on a LAN of their own, driven like NixOS' test machines.

    with Lan("home") as lan:
        node = Machine("node", Path("tests/rendered/node"), lan, "10.78.0.11")
        node.start()
        node.wait_for_unit("unibos-web.service")

A machine's disk is an overlay over this system's programs, on a tmpfs that outlives crash() and ends with the LAN. All its mounts are in the LAN's
namespace, none in this system's. What it shares with this system is the kernel: time, modules, and whatever has no namespace; the
capabilities for these are taken from it, /sys and /proc/sys (but for the network) can only be read, and limits (MemoryMax= and the like) need controllers of cgroups v2. One hole is known: a unit of root with
ProtectProc= or ProcSubset= and without ProtectKernelTunables= gets a /proc of its own, in which it could move a switch of the kernel.
A crash loses what processes held, not what the kernel had yet to write.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from tests import machine_names as names
from tests.machine_python import environment
from tests.machine_root import build

SCRIPT = Path(__file__).with_name("machine.sh")
LOGIN_PATH = "/nix/store/unibos/bin:/run/wrappers/bin:/run/current-system/sw/bin:/run/current-system/sw/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

# What root in a machine must not be able to do, for the kernel is everybody's: move the clock, load modules, make devices, read its log, restart it.
LOST_CAPABILITIES = ("sys_time", "sys_module", "sys_rawio", "sys_boot", "mknod", "syslog", "wake_alarm", "block_suspend", "audit_control", "audit_read",
                     "mac_admin", "mac_override", "sys_pacct", "perfmon")
_LOST = ",".join(f"-{name}" for name in LOST_CAPABILITIES)


class MachineError(AssertionError):
    """A machine did not do what the test asked of it; the text holds what it said."""


def why_not() -> str:
    """Why machines cannot run here; empty when they can."""
    if os.geteuid() != 0:
        return "machines need root"
    if not Path("/lib/systemd/systemd").exists():
        return "machines need systemd, which is not installed here"
    if missing := [p for p in ("unshare", "nsenter", "setpriv", "ip", "dpkg") if not shutil.which(p)]:
        return f"machines need {', '.join(missing)}"
    if tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) < (5, 14):
        return "machines need Linux 5.14 or newer"
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        return "machines need overlayfs, which this kernel has not"
    root = names.cgroups()
    if root is None or not os.access(root, os.W_OK):
        return "machines need cgroups of version 2 that can be written"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup", "true"], capture_output=True, text=True)
    return f"machines need namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Lan:
    """A switch in a namespace of its own: a bridge that passes multicast, and a router at .1 that knows no way further.

    `subnet` is the first three numbers of an IPv4 /24. Several LANs may have the same. close() ends everything on it, also after a failure.
    """

    def __init__(self, name: str, subnet: str = "10.78.0"):
        names.sweep()
        self.name, self.subnet, self.gateway = name, subnet, str(ipaddress.IPv4Address(f"{subnet}.1"))
        self.machines: list[Machine] = []
        self.folder = names.folder(f"lan-{name}")
        # The holder of the namespaces is PID 1 of its own: when it ends, and it ends when this process does, all machines end.
        self._holder = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", "echo up; read -r _"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        try:
            if self._holder.stdout.readline() != b"up\n":
                raise MachineError("the namespaces of the LAN cannot be made")
            self._pid = children(self._holder.pid)[0]
            for words in ("link set lo up", "link add switch type bridge mcast_snooping 0", f"address add {self.gateway}/24 dev switch", "link set switch up",
                          "route add unreachable default"):
                self.ip(*words.split())
            run([*self.enter("net"), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])  # else what it cannot pass on is lost silently
        except BaseException:
            self.close()
            raise

    def enter(self, *kinds: str) -> list[str]:
        """The beginning of a command that is to run in the LAN's namespaces of these kinds."""
        return ["nsenter", "-t", str(self._pid), *(f"--{kind}" for kind in kinds), "--"]

    def ip(self, *words: str) -> str:
        """ip(8) at the switch. Raises MachineError."""
        return run([*self.enter("net"), "ip", *words])

    def plug(self, port: str, pid: int, up: bool) -> None:
        """Connect a new `port` of the switch to eth1 of the process's network namespace."""
        # The kernel takes the namespace of a machine that crashed away when it finds the time; its cable may still be there.
        with contextlib.suppress(MachineError):
            self.ip("link", "delete", port)
        self.ip("link", "add", port, "type", "veth", "peer", "name", "eth1", "netns", str(pid))
        self.ip("link", "set", port, "master", "switch", "up" if up else "down")

    def add(self, machine: Machine) -> int:
        """Take a machine, and make its name known to all; returns its number at the switch."""
        self.machines.append(machine)
        known = "".join(f"{m.address} {m.name}\n" for m in self.machines)
        for each in self.machines:
            each.hosts.write_text(f"127.0.0.1 localhost\n::1 localhost\n{known}")
        return len(self.machines)

    def close(self) -> None:
        """End all machines and remove every trace."""
        for machine in self.machines:
            machine.crash()
        with contextlib.suppress(BrokenPipeError):
            self._holder.stdin.close()
        try:
            self._holder.wait(10)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait(10)
        self._holder.stdout.close()
        if self.folder.exists():
            names.remove_folder(self.folder)

    def __enter__(self) -> Lan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(command: list[str]) -> str:
    """Run a program and return what it says. Raises MachineError."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise MachineError(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def children(pid: int) -> list[int]:
    """Processes that a process has started, oldest first."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Machine:
    """One host on a LAN. Methods are named and behave as those of NixOS' test driver; `timeout` is in seconds, and every failure a MachineError.

    `files` (path -> content) are put on the disk beside what is rendered; `address` is that of eth1.
    """

    def __init__(self, name: str, rendered: Path, lan: Lan, address: str, files: Mapping[str, str | bytes] | None = None):
        if ipaddress.ip_address(address) not in ipaddress.ip_network(f"{lan.subnet}.0/24"):
            raise ValueError(f"{address} is not in {lan.subnet}.0/24")
        if any(name == m.name or address == m.address for m in lan.machines):
            raise ValueError(f"there is a {name} or a {address} already")
        self.name, self.lan, self.address = name, lan, address
        self.folder = lan.folder / name
        self.hosts, self.console = self.folder / "hosts", self.folder / "console.log"
        (self.folder / "seed").mkdir(parents=True)
        build(self.folder / "seed", rendered, name, files or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._blocked = False
        number = lan.add(self)
        self._port, self._mac = f"port{number}", "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        self._cgroup = names.cgroups() / f"{names.mark()}{lan.folder.name.rpartition('-')[2]}-{name}"
        run([*lan.enter("mount", "pid"), *self._script("disk")])

    # On and off.

    def _script(self, mode: str, *words: str) -> list[str]:
        return ["bash", str(SCRIPT), mode, os.readlink("/proc/self/ns/mnt"), str(self.folder), *words]

    @property
    def running(self) -> bool:
        """Whether it is switched on."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60) -> None:
        """Switch on; returns when systemd takes commands, which is before its units are up. Nothing happens when it is on."""
        if self.running:
            return
        self._off()
        (self._cgroup / "driver").mkdir(parents=True)
        boot = self._script("boot", _LOST, self.name, self._mac, f"{self.address}/24", self.lan.gateway, *map(str, environment()))
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                [*_into(self._cgroup), *self.lan.enter("mount", "pid"), "unshare", "--cgroup", "--mount", "--pid", "--fork", "--kill-child", "--net",
                 "--uts", "--ipc", "--mount-proc", *boot],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=console, start_new_session=True)
        if self._process.stdout.readline() != b"waiting\n":
            self._off()
            raise MachineError(f"{self.name} does not boot:\n{self.console.read_text()}")
        self._find()
        self.lan.plug(self._port, self._pid, not self._blocked)
        self._process.stdin.write(b"go\n")
        self._process.stdin.close()
        self._process.stdout.close()
        self._until(self._answers, timeout, "systemd does not answer")

    def _find(self) -> None:
        """Find the machine's first process, and take those over it out of its cgroup, which systemd wants for itself."""
        above = [self._process.pid, *children(self._process.pid)]
        self._pid = children(above[-1])[0]
        for pid in above:
            (self._cgroup / "driver" / "cgroup.procs").write_text(str(pid))

    def _answers(self) -> bool:
        if not self.running:
            raise MachineError(f"{self.name} does not boot:\n{self.console.read_text()}")
        return self.execute("systemctl is-system-running")[1].strip() in ("initializing", "starting", "running", "degraded", "maintenance")

    def crash(self) -> None:
        """Cut the power: every process is killed at once, the disk stays."""
        self._off()

    def shutdown(self, timeout: float = 120) -> None:
        """Shut down as a person would, and wait until it is off."""
        if self.running:
            os.kill(self._pid, signal.SIGRTMIN + 4)  # poweroff.target (systemd(1))
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise MachineError(f"{self.name} does not shut down:\n{self.execute('systemctl list-jobs')[1]}") from None
        self._off()

    def _off(self) -> None:
        """End what is left of the last boot, commands included, and forget it."""
        if self._cgroup.exists():
            names.remove_cgroup(self._cgroup)
        if self._process is not None:
            self._process.wait(30)
            self._process.stdin.close()
            self._process.stdout.close()
        self._process, self._pid = None, 0

    # The cable.

    def block(self) -> None:
        """Pull the cable at the switch: eth1 keeps its address and has no carrier. It stays out over a crash."""
        self._cable(False)

    def unblock(self) -> None:
        """Plug the cable in."""
        self._cable(True)

    def _cable(self, up: bool) -> None:
        self._blocked = not up
        if self.running:
            self.lan.ip("link", "set", self._port, "up" if up else "down")

    # Commands.

    def execute(self, command: str, timeout: float = 900) -> tuple[int, str]:
        """Run a command with bash as root; returns its exit code (124 when it took too long) and what it wrote to its standard output."""
        code, out, _err = self._execute(command, timeout)
        return code, out

    def _execute(self, command: str, timeout: float) -> tuple[int, str, str]:
        if not self.running:
            raise MachineError(f"{self.name} is off: {command}")
        inside = ["env", "-i", f"PATH={LOGIN_PATH}", "HOME=/root", "USER=root", "LANG=C.UTF-8", "setpriv", "--bounding-set", _LOST, "--inh-caps", _LOST, "timeout", "-k", "5", str(timeout),
                  "bash", "-c", f"set -euo pipefail\n{command}"]
        kinds = ("mount", "uts", "ipc", "net", "pid", "cgroup")
        # It is `timeout` that forks into the machine: a waiting nsenter would stop with its child, when a shutdown stops all processes, and never go on.
        enter = ["nsenter", "-t", str(self._pid), *(f"--{kind}" for kind in kinds), "--root", "--wd", "--no-fork", "--", *inside]
        # Files, not pipes: what the command leaves running in the background may keep them.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = subprocess.run([*_into(self._cgroup / "driver"), *enter], stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                                  timeout=timeout + 30).returncode
            return code if code >= 0 else 128 - code, _text(out), _text(err)

    def succeed(self, *commands: str, timeout: float = 900) -> str:
        """Run commands that must end with 0; returns what they wrote to their standard output."""
        return "".join(self._demand(command, timeout, True) for command in commands)

    def fail(self, *commands: str, timeout: float = 900) -> str:
        """Run commands that must not end with 0; returns what they wrote to their standard output."""
        return "".join(self._demand(command, timeout, False) for command in commands)

    def _demand(self, command: str, timeout: float, well: bool) -> str:
        code, out, err = self._execute(command, timeout)
        if (code == 0) != well:
            raise MachineError(f"{self.name}: `{command}` ended with {code}:\n{out}{err}")
        return out

    def wait_until_succeeds(self, command: str, timeout: float = 900) -> str:
        """Repeat a command until it ends with 0; returns what it wrote to its standard output then."""
        return self._repeat(command, timeout, True)

    def wait_until_fails(self, command: str, timeout: float = 900) -> str:
        """Repeat a command until it does not end with 0; returns what it wrote to its standard output then."""
        return self._repeat(command, timeout, False)

    def _repeat(self, command: str, timeout: float, well: bool) -> str:
        until = time.monotonic() + timeout
        last: list[tuple[int, str, str]] = []

        def done() -> bool:
            last[:] = [self._execute(command, max(0.1, until - time.monotonic()))]
            return (last[0][0] == 0) == well

        self._until(done, timeout, lambda: f"`{command}` ended last with {last[0][0]}:\n{last[0][1]}{last[0][2]}")
        return last[0][1]

    def _until(self, done: Callable[[], bool], timeout: float, why: str | Callable[[], str], pause: float = 0.1) -> None:
        until = time.monotonic() + timeout
        while not done():
            if time.monotonic() > until:
                raise MachineError(f"{self.name}, after {timeout:.0f} s: {why if isinstance(why, str) else why()}")
            time.sleep(pause)

    # Units, ports and roles.

    def wait_for_unit(self, unit: str, timeout: float = 900) -> None:
        """Wait until a unit is active; fails at once when it has failed, or is inactive and nothing is about to start it."""
        idle = 0

        def active() -> bool:
            nonlocal idle
            state = self._state(unit)
            idle = idle + 1 if state == "inactive" and "No jobs" in self.execute("systemctl list-jobs")[1] else 0
            if state == "failed" or idle > 1:
                raise MachineError(f"{self.name}: {unit} is {state}\n{self._tail(unit)}")
            return state == "active"

        self._until(active, timeout, lambda: f"{unit} is {self._state(unit)}\n{self._tail(unit)}")

    def _state(self, unit: str) -> str:
        return self.execute(f"systemctl show --property=ActiveState --value -- {shlex.quote(unit)}")[1].strip()

    def _tail(self, unit: str) -> str:
        return self.execute(f"systemctl status --no-pager --lines=0 -- {shlex.quote(unit)} 2>&1")[1] + "\n".join(self.journal(unit).splitlines()[-40:])

    def journal(self, unit: str) -> str:
        """What a unit, and systemd about it, said since the last boot."""
        return self.execute(f"journalctl --sync; journalctl --boot --no-pager --quiet --unit={shlex.quote(unit)}")[1]

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: float = 900) -> None:
        """Wait until something listens on a TCP port, seen from the machine."""
        self.wait_until_succeeds(f"timeout 2 bash -c {shlex.quote(f'</dev/tcp/{addr}/{port}')}", timeout)

    def wait_for_role(self, role: str, timeout: float = 900, url: str = "http://localhost:8008") -> None:
        """Wait until Patroni's REST API on the machine says that it is `primary` or `replica`: GET /ROLE answers 200 only then."""
        self.wait_until_succeeds(f"curl --fail --silent --insecure --max-time 2 --output /dev/null {shlex.quote(f'{url}/{role}')}", timeout)


class Machines:
    """Makes machines for a test, on one LAN unless another is given, and removes them with all LANs in the end."""

    def __init__(self) -> None:
        self._ends = contextlib.ExitStack()
        self._lan: Lan | None = None

    def lan(self, name: str = "lan", subnet: str = "10.78.0") -> Lan:
        """A LAN more."""
        return self._ends.enter_context(Lan(name, subnet))

    def __call__(self, name: str, rendered: Path, address: str = "", lan: Lan | None = None, files: Mapping[str, str | bytes] | None = None) -> Machine:
        """A machine that is off; without `address` it has the next from .11."""
        if lan is None:
            lan = self._lan = self._lan or self.lan()
        return Machine(name, rendered, lan, address or f"{lan.subnet}.{11 + len(lan.machines)}", files)

    def close(self) -> None:
        """Remove everything."""
        self._ends.close()


def _into(cgroup: Path) -> list[str]:
    """The beginning of a command that is to run in a cgroup."""
    return ["bash", "-c", 'echo 0 >"$0/cgroup.procs"; exec "$@"', str(cgroup)]


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
