"""A throwaway PostgreSQL for tests: `Postgres.shared().create_database()` gives the address of an empty database."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BINARIES = Path(os.environ.get("UNIBOS_TEST_POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
# Durability off, for speed; none of it changes what a query answers.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "shared_buffers=32MB",
         "max_connections=60", "jit=off")


class Postgres:
    """A cluster of its own in a temporary directory, on a unix socket and a free port of 127.0.0.1.

    The superuser is `postgres`, without a password. Run by root, the server runs as the system's user postgres or nobody.
    """

    _started: list[Postgres] = []

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.port = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._roles, self._admin = False, None
        self.reserved: set[str] = set()
        self._templates: set[str] = set()
        self._started.append(self)

    @classmethod
    @functools.cache
    def shared(cls) -> Postgres:
        """The one cluster of this process, started at first use and stopped at exit. Skips the test where there are no binaries."""
        if not (BINARIES / "postgres").exists():
            import pytest

            pytest.skip(f"no PostgreSQL in {BINARIES} (UNIBOS_TEST_POSTGRES_BIN names another place)")
        cluster = cls()
        atexit.register(cluster.stop)
        cluster.start()
        return cluster

    def start(self) -> None:
        """Make the cluster and wait until it answers; raises RuntimeError with the server's log."""
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket's path has 107 bytes at most
        as_user = []
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(name) for name in ("postgres", "nobody") if any(entry.pw_name == name for entry in pwd.getpwall()))
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.directory)}
        data, log = self.directory / "data", self.directory / "log"
        subprocess.run([*as_user, BINARIES / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                        "--no-sync", "--no-instructions"], check=True, env=environment, cwd="/", stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = (*QUICK, "listen_addresses=127.0.0.1", f"unix_socket_directories={self.directory}", f"port={self.port}")
        options = [part for setting in settings for part in ("-c", setting)]
        with log.open("wb") as output:
            self._server = subprocess.Popen([*as_user, BINARIES / "postgres", "-D", data, *options], env=environment, cwd="/",
                                            stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
        ready = [BINARIES / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port), "-U", "postgres"]
        deadline = time.monotonic() + 30
        while subprocess.run(ready, check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{said}")
            time.sleep(0.02)

    def url(self, database: str = "postgres", role: str = "postgres") -> str:
        """The address of a database over the unix socket."""
        return f"postgresql://{role}@/{database}?host={self.directory}&port={self.port}"

    def create_database(self, template: str | None = None) -> str:
        """Make a database (as a copy of the one called `template`, which nobody may be using) and give its address."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return self.url(name)

    def create_owned(self) -> tuple[str, str]:
        """Make a database as a hub's operator does: the addresses for its owner (unibos_owner) and for the programs (unibos_app), who own nothing."""
        self._make_roles()
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 OWNER unibos_owner")
        return self.url(name, "unibos_owner"), self.url(name, "unibos_app")

    def reserve_owned(self) -> tuple[str, str]:
        """As `create_owned`, for a database that `make_like` makes later."""
        self._make_roles()
        name = f"test_{next(self._numbers)}"
        self.reserved.add(name)
        return self.url(name, "unibos_owner"), self.url(name, "unibos_app")

    @classmethod
    def of(cls, url: str) -> Postgres | None:
        """The cluster that reserved the database of this address, or None."""
        name = urlsplit(url).path.strip("/")
        return next((cluster for cluster in cls._started if name in cluster.reserved and f"{cluster.port}" in url), None)

    def make_like(self, url: str, template: str, prepare: Callable[[str], None]) -> None:
        """Make a reserved database as a copy of `template`, which `prepare`, given the owner's address, fills once."""
        if template not in self._templates:
            self.execute(f"CREATE DATABASE {template} TEMPLATE template0 OWNER unibos_owner")
            prepare(self.url(template, "unibos_owner"))
            self._templates.add(template)
        name = urlsplit(url).path.strip("/")
        self.reserved.discard(name)
        self._administrator().execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER unibos_owner STRATEGY FILE_COPY")

    def _administrator(self) -> Any:
        import psycopg2

        if self._admin is None:
            self._admin = psycopg2.connect(self.url())
            self._admin.autocommit = True
        return self._admin.cursor()

    def _make_roles(self) -> None:
        if not self._roles:
            self.execute("CREATE ROLE unibos_owner LOGIN; CREATE ROLE unibos_app LOGIN;")
            self._roles = True

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as the superuser through psql; gives what it printed."""
        return subprocess.run([BINARIES / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql],
                              check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        """Stop the server at once and remove everything."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if self._server is not None:
            if self._server.poll() is None:
                self._server.send_signal(signal.SIGQUIT)  # immediate: nobody needs this data again
            self._server.wait(timeout=30)
            self._server = None
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None
