"""The database: SQLite (WAL, synchronous FULL, immediate transactions) or PostgreSQL by URL, one discipline for both."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peewee

from unibos.kernel.errors import StorageFull, Unavailable
from unibos.kernel.tables import proxy
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.tenants import Finder

_ORG = re.compile(r"[0-9A-Za-z-]{0,64}")
_PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "busy_timeout": 5000, "cache_size": -4000}


def open_peewee(url: str, path: Path, org: Callable[[], str] = str, connections: int = 20) -> peewee.Database:
    """The peewee database of `url` (postgresql://…), where `org()` is the tenant, or the SQLite file at `path` when it is empty."""
    if url:
        from playhouse.db_url import parse

        from unibos.adapters.tenant_postgres import TenantPostgres

        options: dict[str, Any] = parse(url)
        name = options.pop("database")
        return TenantPostgres(name, org=org, max_connections=connections, stale_timeout=300, timeout=5, connect_timeout=5, **options)
    from playhouse.pool import PooledSqliteDatabase

    # A connection with its pragmas costs more than the queries of a small request: it is kept for the next one.
    return PooledSqliteDatabase(str(path), max_connections=64, stale_timeout=300, timeout=5, pragmas=_PRAGMAS,
                                check_same_thread=False)


class Database:
    """Port Db over peewee. A second, in-process lock keeps writers of one process from waiting inside SQLite.

    `alone` finds the one organisation of a device that has no other: it is the tenant wherever none was named. A hub has none.
    """

    def __init__(self, url: str, path: Path, *, alone: Finder | None = None, connections: int = 20):
        self.kind = "postgresql" if url else "sqlite"
        self._lock, self._local = threading.RLock(), threading.local()
        self._alone, self._only = alone if url else None, ""
        self.peewee: Any = open_peewee(url, path, self.org, connections)

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

    # Tenants.

    @contextmanager
    def tenant(self, org_id: str) -> Iterator[None]:
        """See kernel.tables.Db. Also within a transaction, whose earlier tenant comes back at the end."""
        if not _ORG.fullmatch(org_id):
            raise ValueError("this is no organisation's id")
        before = getattr(self._local, "org", "")
        self._become(org_id)
        try:
            yield
        finally:
            self._become(before)

    def _become(self, org_id: str) -> None:
        changed, self._local.org = getattr(self._local, "org", "") != org_id, org_id
        if changed and self.kind == "postgresql" and self.peewee.in_transaction():
            from psycopg2.extensions import TRANSACTION_STATUS_INTRANS

            from unibos.adapters.tenant_postgres import setting

            # A transaction that has failed takes no statement, and shows nothing to anybody any more.
            if self.peewee.connection().info.transaction_status == TRANSACTION_STATUS_INTRANS:
                self.peewee.plain(setting(self.org()))

    def org(self) -> str:
        """See kernel.tables.Db."""
        org_id = getattr(self._local, "org", "")
        if org_id or self._alone is None:
            return org_id
        self._only = self._only or self.find(self._alone)
        return self._only

    def find(self, finder: Finder, value: str = "") -> str:
        """See kernel.tables.Db."""
        return next(iter(self._found(finder, value)), "")

    def finds(self, finder: Finder, value: str = "") -> list[str]:
        """See kernel.tables.Db."""
        return self._found(finder, value)

    def tenants(self, finder: Finder) -> list[str]:
        """See kernel.tables.Db."""
        return self._found(finder, "") if self.kind == "postgresql" else [""]

    def _found(self, finder: Finder, value: str) -> list[str]:
        if self.kind == "postgresql":
            rows = self.peewee.plain(f"SELECT * FROM {finder.function}(%s)", (value,)).fetchall()
        else:
            rows = self.peewee.execute_sql(finder.sql.format(value="?1"), (value,) if "{value}" in finder.sql else ()).fetchall()
        return [row[0] for row in rows]

    def bypasses(self) -> bool:
        """Whether this database's role is one that no policy holds for: a superuser, or one with BYPASSRLS."""
        if self.kind != "postgresql":
            return False
        return self.peewee.execute_sql("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()[0]

    def grant(self, role: str) -> None:
        """Let `role` use the tables and finders of this database, whose owner is asking; never make, empty or change tables."""
        run, name = self.peewee.execute_sql, '"' + role.replace('"', '""') + '"'
        schema = run("SELECT quote_ident(current_schema())").fetchone()[0]
        run(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        owned = run("SELECT relkind, quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
                    "AND relowner = current_user::regrole AND relkind IN ('r', 'S') AND left(relname, 9) <> 'migrated_'").fetchall()
        for kind, relation in owned:
            run(f"GRANT {'USAGE' if kind == 'S' else 'SELECT, INSERT, UPDATE, DELETE'} ON {schema}.{relation} TO {name}")
        finders = run("SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
                      "AND proowner = current_user::regrole AND left(proname, 12) = 'unibos_find_'").fetchall()
        for (function,) in finders:
            run(f"GRANT EXECUTE ON FUNCTION {function} TO {name}")

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
