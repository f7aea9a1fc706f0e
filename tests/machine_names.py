"""Names of what machines leave on this system while they run, so that what a killed session left is known and removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

_MARK = re.compile(r"unibos-machines-(\d+)-(\d+)-")


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22); empty when it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def mark() -> str:
    """The beginning of all names of this process; no later process has the same."""
    return f"unibos-machines-{os.getpid()}-{_started(os.getpid())}-"


def folder(kind: str) -> Path:
    """A new folder of this session that everybody may enter."""
    place = Path(tempfile.mkdtemp(prefix=f"{mark()}{kind}-"))
    place.chmod(0o755)
    return place


def cgroups() -> Path | None:
    """Where cgroups of version 2 are, on a system that has only these or both kinds; None without any."""
    return next((p for p in map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")) if (p / "cgroup.procs").exists() and (p / "cgroup.controllers").exists()), None)


def leftovers(only_dead: bool = False) -> list[Path]:
    """Cgroups and folders of machines; with `only_dead` those whose session is no more."""
    places = [Path(tempfile.gettempdir())] + [p for p in (cgroups(),) if p]
    found = [path for place in places for path in place.glob("unibos-machines-*") if _MARK.match(path.name)]
    return [path for path in found if not (only_dead and _alive(path.name))]


def _alive(name: str) -> bool:
    pid, started = _MARK.match(name).groups()
    return _started(int(pid)) == started


def remove_cgroup(path: Path, seconds: float = 30) -> None:
    """Kill what runs in a cgroup of ours (cgroup.kill, Linux 5.14) and remove it with those below it. Raises TimeoutError."""
    (path / "cgroup.kill").write_text("1")
    until = time.monotonic() + seconds
    while "populated 1" in (path / "cgroup.events").read_text():
        if time.monotonic() > until:
            raise TimeoutError(f"the processes of {path.name} do not end")
        time.sleep(0.01)
    for inner, _folders, _files in os.walk(path, topdown=False):
        os.rmdir(inner)


def remove_folder(path: Path) -> None:
    """Remove a folder in which nothing is mounted, which is looked up first. Raises RuntimeError."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if any(Path(m).is_relative_to(path) for m in mounts):
        raise RuntimeError(f"something is mounted below {path}")
    shutil.rmtree(path)


def sweep() -> None:
    """End and remove what killed sessions left."""
    root = cgroups()
    for path in leftovers(only_dead=True):
        with contextlib.suppress(FileNotFoundError):  # another session sweeps, too
            (remove_cgroup if path.parent == root else remove_folder)(path)
