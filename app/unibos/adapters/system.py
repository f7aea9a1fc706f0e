"""The machine itself: clock, randomness, key files, metrics, names."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
import time
import uuid
from pathlib import Path
from typing import IO, Any

from unibos.kernel.errors import StartError
from unibos.kernel.words import T

# Before this moment no release existed: a clock that says less is a clock that was never set.
BUILT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


class SystemClock:
    """The machine's clock. A file `clock-offset` (seconds) in the data directory moves it, in development only."""

    def __init__(self, offset_file: Path | None = None):
        self._file, self._offset, self._seen = offset_file, dt.timedelta(0), -1.0

    def now(self) -> dt.datetime:
        """The time in UTC."""
        if self._file is not None:
            try:
                changed = self._file.stat().st_mtime
            except FileNotFoundError:
                changed = 0.0
            if changed != self._seen:
                self._seen = changed
                self._offset = dt.timedelta(seconds=float(self._file.read_text() or 0)) if changed else dt.timedelta(0)
        return dt.datetime.now(dt.UTC) + self._offset

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def trusted(self) -> bool:
        """False while the clock shows a time from before this software was made."""
        return self.now() > BUILT


class SystemRandom:
    """The operating system's randomness."""

    def bytes(self, n: int) -> bytes:
        """`n` unpredictable bytes."""
        return secrets.token_bytes(n)

    def uuid(self) -> str:
        """A random UUID as text."""
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


class KeyFiles:
    """Secrets of this device, one file each, 0600, made on first use and never shown."""

    def __init__(self, folder: Path):
        self._folder, self._known = folder, {}

    def __call__(self, name: str, size: int = 32) -> bytes:
        """The key `name`; made of `size` random bytes when there is none. Safe against two makers at once."""
        if name not in self._known:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / name
            if not path.exists():
                fresh = self._folder / f".{name}.{os.getpid()}"
                fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(fd, "wb") as out:
                    out.write(secrets.token_bytes(size))
                    out.flush()
                    os.fsync(out.fileno())
                try:
                    os.link(fresh, path)
                except FileExistsError:
                    pass
                fresh.unlink()
            self._known[name] = path.read_bytes()
        return self._known[name]


def data_directory(path: Path, role: str) -> Path:
    """The role's folder below the data directory, made 0700; raises StartError when it cannot be written."""
    folder = path.absolute() / role
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(T("The data directory %(path)s cannot be written: %(why)s. Choose another with UNIBOS_DATA_DIR.",
                           path=str(folder), why=error.strerror or str(error))) from error
    return folder


def lock_directory(path: Path) -> IO[bytes]:
    """Take the data directory for this process as long as the returned file is open; raises StartError when another has it."""
    import fcntl

    held = (path.absolute() / "lock").open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise StartError(T("UNIBOS runs already on the data directory %(path)s. Stop it, or choose another with UNIBOS_DATA_DIR.",
                           path=str(path.absolute()))) from error
    return held


def port_free(host: str, port: int) -> bool:
    """Whether a server could listen on host:port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def hostname() -> str:
    """The machine's short name."""
    return socket.gethostname().split(".")[0] or "unibos"


def set_hostname(name: str) -> None:
    """Make the kernel use `name`, if it does not yet. Raises PermissionError for who is not root."""
    if socket.gethostname() != name:
        socket.sethostname(name)


def addresses() -> list[str]:
    """The addresses of this machine's interfaces without loopback, IPv4 first; of IPv6 none that is changed for privacy (RFC 8981)."""
    import ipaddress

    import psutil

    found = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries
             if entry.family in (socket.AF_INET, socket.AF_INET6)} - _temporary()
    kept = [a for a in map(ipaddress.ip_address, found) if not (a.is_loopback or a.is_unspecified)]
    return [str(a) for a in sorted(kept, key=lambda a: (a.version, a.is_link_local, int(a)))]


def _temporary() -> set[str]:
    """IPv6 addresses that the kernel marks as temporary, tentative or deprecated (linux/if_addr.h), from proc(5)."""
    import ipaddress

    try:
        rows = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    except OSError:
        return set()
    return {str(ipaddress.IPv6Address(int(row[0], 16))) for row in rows if len(row) >= 5 and int(row[4], 16) & (0x01 | 0x20 | 0x40)}


def network_changes() -> socket.socket | None:
    """A socket that can be read when a link or an address comes or goes (rtnetlink(7)), or None where there is none. `settle` empties it."""
    link, addresses_v4, addresses_v6 = 0x1, 0x10, 0x100
    try:
        watch = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except (OSError, AttributeError):
        return None
    try:
        watch.bind((0, link | addresses_v4 | addresses_v6))
    except OSError:
        watch.close()
        return None
    return watch


def settle(watch: socket.socket) -> None:
    """Read and forget what is in the socket of `network_changes`; an overflow (ENOBUFS) only says that there was much."""
    for _ in range(1000):
        try:
            watch.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            continue


def notify(state: str) -> bool:
    """Tell the service manager `state`, such as READY=1, as sd_notify(3) does; whether it could be told. Silent without a manager."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place[:1] not in ("/", "@"):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1.0)
            out.connect("\0" + place[1:] if place[0] == "@" else place)
            out.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_seconds() -> float | None:
    """How long the service manager waits for WATCHDOG=1 before it ends this process (sd_watchdog_enabled(3)), or None when it does not."""
    try:
        microseconds, pid = int(os.environ.get("WATCHDOG_USEC", "")), int(os.environ.get("WATCHDOG_PID", "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 and pid in (0, os.getpid()) else None


def _temperature() -> float | None:
    for zone in sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp")):
        try:
            return int(zone.read_text()) / 1000
        except (OSError, ValueError):
            continue
    return None


def metrics(data_dir: Path) -> dict[str, Any]:
    """Load of the machine: CPU, memory and disk in percent, temperature in °C where there is a sensor, uptime in s."""
    import psutil

    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(data_dir))
    return {"cpu": psutil.cpu_percent(None), "memory": memory.percent, "disk": disk.percent, "temperature": _temperature(),
            "memory_total": memory.total, "disk_total": disk.total, "disk_free": disk.free,
            "uptime": time.time() - psutil.boot_time()}


def capabilities() -> dict[str, Any]:
    """What this machine has, as the registry keeps it (spec section 5)."""
    import platform

    import psutil

    return {"cpu_cores": os.cpu_count() or 1, "ram_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "storage_gb": round(psutil.disk_usage("/").total / 2**30), "gpu": Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists(),
            "camera": Path("/dev/video0").exists(), "gpio": Path("/dev/gpiochip0").exists(), "lora": False,
            "platform": f"{platform.system()} {platform.machine()}".lower()}
