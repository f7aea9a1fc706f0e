"""The database: SQLite (WAL, synchronous FULL, immediate transactions) or PostgreSQL by URL, one discipline for both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee

from unibos.kernel.errors import StorageFull, Unavailable
from unibos.kernel.tables import proxy
from unibos.kernel.words import T

_PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "busy_timeout": 5000, "cache_size": -4000}


def open_peewee(url: str, path: Path) -> peewee.Database:
    """The peewee database of `url` (postgresql://…), or the SQLite file at `path` when it is empty."""
    if url:
        from playhouse.db_url import parse
        from playhouse.pool import PooledPostgresqlDatabase

        options: dict[str, Any] = parse(url)
        name = options.pop("database")
        return PooledPostgresqlDatabase(name, max_connections=20, stale_timeout=300, timeout=5, connect_timeout=5, **options)
    from playhouse.pool import PooledSqliteDatabase

    # A connection with its pragmas costs more than the queries of a small request: it is kept for the next one.
    return PooledSqliteDatabase(str(path), max_connections=64, stale_timeout=300, timeout=5, pragmas=_PRAGMAS,
                                check_same_thread=False)


class Database:
    """Port Db over peewee. A second, in-process lock keeps writers of one process from waiting inside SQLite."""

    def __init__(self, url: str, path: Path):
        self.peewee = open_peewee(url, path)
        self.kind = "postgresql" if url else "sqlite"
        self._lock, self._local = threading.RLock(), threading.local()

    def bind(self) -> Database:
        """Make this the process's database."""
        proxy.initialize(self.peewee)
        return self

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, immediate on SQLite; inner ones join. Commit hooks run after it, outside the lock."""
        if getattr(self._local, "depth", 0):
            yield
            return
        self._local.depth, self._local.hooks = 1, []
        hooks: list[Callable[[], None]] = []
        try:
            with self._lock if self.kind == "sqlite" else _NoLock():
                try:
                    with self.peewee.atomic("immediate") if self.kind == "sqlite" else self.peewee.atomic():
                        yield
                except peewee.OperationalError as error:
                    raise _translated(error) from error
            hooks = self._local.hooks
        finally:
            self._local.depth, self._local.hooks = 0, []
        for hook in hooks:
            hook()

    def after_commit(self, call: Callable[[], None]) -> None:
        """See kernel.tables.Db."""
        if getattr(self._local, "depth", 0):
            self._local.hooks.append(call)
        else:
            call()

    def ping(self) -> None:
        """Ask for 1; raises Unavailable with the reason."""
        try:
            self.peewee.execute_sql("SELECT 1").fetchone()
        except peewee.PeeweeException as error:
            raise Unavailable(T("The database does not answer: %(why)s.", why=str(error).strip().split("\n")[0])) from error

    def release(self) -> None:
        """Give back this thread's connection, if it has one."""
        if not self.peewee.is_closed():
            self.peewee.close()


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _translated(error: peewee.OperationalError) -> Exception:
    text = str(error).lower()
    if "disk is full" in text or "no space left" in text:
        return StorageFull(T("The disk is full: nothing was saved. Free some room and try again."))
    if "locked" in text:
        return Unavailable(T("The database is busy. Try again in a moment."))
    return error
