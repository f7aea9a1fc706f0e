"""Series in an SQLite file of its own: WAL, synchronous NORMAL, written by several threads and processes."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unibos.adapters.files import disk_full
from unibos.adapters.series import Pool, SqlSeries
from unibos.kernel.errors import Unavailable, UnibosError
from unibos.kernel.words import T

_BUCKETS = """ (key INTEGER NOT NULL, bucket INTEGER NOT NULL, low REAL NOT NULL, high REAL NOT NULL, total REAL NOT NULL,
    count INTEGER NOT NULL, last REAL NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (key, bucket)) WITHOUT ROWID"""
_TABLES = (
    """CREATE TABLE IF NOT EXISTS series_key (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, at INTEGER, value REAL, text TEXT,
    five INTEGER NOT NULL DEFAULT 0, hour INTEGER NOT NULL DEFAULT 0, raw_from INTEGER NOT NULL DEFAULT 0,
    five_from INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS series_raw (key INTEGER NOT NULL, at INTEGER NOT NULL, value REAL, text TEXT,
    PRIMARY KEY (key, at)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS series_five" + _BUCKETS,
    "CREATE TABLE IF NOT EXISTS series_hour" + _BUCKETS,
)


class _Db:
    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def one(self, sql: str, *given: Any) -> Any:
        return self._connection.execute(sql, given).fetchone()

    def all(self, sql: str, *given: Any) -> list[Any]:
        return self._connection.execute(sql, given).fetchall()

    def run(self, sql: str, *given: Any) -> None:
        self._connection.execute(sql, given)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._connection.executemany(sql, rows).rowcount


class SqliteSeries(SqlSeries):
    """The Series port on a file, made at first use.

    `flush`: after how many seconds an append also fsyncs the log; `keep` as in `SqlSeries`.
    """

    def __init__(self, path: Path, *, flush: float = 5.0, **keep: int):
        super().__init__(**keep)
        self._path, self._flush, self._flushed = Path(path), flush, 0.0
        self._pool, self._writer = Pool(self._connect), threading.Lock()

    def migrate(self) -> None:
        """Make the file and its tables, as the first use does as well."""
        with self._read():
            pass

    def close(self) -> None:
        """Close the connections; the last one folds the log into the file."""
        self._pool.close()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            # Small pages, because each reading of another key touches another page: half the bytes written of the usual 4096.
            for pragma in ("busy_timeout = 5000", "page_size = 1024", "auto_vacuum = incremental", "journal_mode = wal",
                           "synchronous = normal", "wal_autocheckpoint = 4096", "journal_size_limit = 16777216", "cache_size = -4000"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            if connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'series!_%' ESCAPE '!'").fetchone()[0] < len(_TABLES):
                connection.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    connection.execute(table)
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_Db]:
        try:
            with self._pool.taken() as connection:
                connection.execute(begin)
                yield _Db(connection)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _said(error) from error

    @contextmanager
    def _write(self, *, durable: bool = True) -> Iterator[_Db]:
        with self._writer, self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    def _read(self) -> Any:
        return self._transaction("BEGIN")

    def _is_in(self, values: Sequence[Any]) -> tuple[str, Any]:
        return "IN (SELECT value FROM json_each(?))", json.dumps(values)

    def _kept(self) -> None:
        now = time.monotonic()
        if now - self._flushed >= self._flush:
            self._flushed = now
            with suppress(FileNotFoundError):  # SQLite's locks are on other files, so this descriptor harms none
                fd = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def _tidy(self) -> None:
        try:
            with self._writer, self._pool.taken() as connection:
                # As a script: execute() would take one step, which gives one page back.
                connection.executescript("PRAGMA incremental_vacuum(8000); PRAGMA wal_checkpoint(PASSIVE);")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY:  # busy: the next time will do
                raise _said(error) from error


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _said(error: sqlite3.Error) -> UnibosError:
    if _code(error) == sqlite3.SQLITE_FULL:
        return disk_full()
    if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable(T("The readings are being written by somebody else; try again."), retry_after=1)
    return Unavailable(T("The file of readings cannot be used (%(reason)s). Look at the disk of this device.", reason=str(error)))
