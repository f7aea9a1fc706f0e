"""Series in PostgreSQL, for hubs. The tables are made by `migrate`, which needs the right to create them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from unibos.adapters.files import disk_full
from unibos.adapters.series import Pool, SqlSeries
from unibos.kernel.errors import Unavailable
from unibos.kernel.words import T

_BUCKETS = """ (key int NOT NULL, bucket bigint NOT NULL, low float8 NOT NULL, high float8 NOT NULL, total float8 NOT NULL,
    count bigint NOT NULL, last float8 NOT NULL, last_at bigint NOT NULL, PRIMARY KEY (key, bucket));"""
_TABLES = f"""
SELECT pg_advisory_xact_lock(7231945610227);
CREATE TABLE IF NOT EXISTS series_key (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
    at bigint, value float8, text text, five bigint NOT NULL DEFAULT 0, hour bigint NOT NULL DEFAULT 0,
    raw_from bigint NOT NULL DEFAULT 0, five_from bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);
CREATE TABLE IF NOT EXISTS series_raw (key int NOT NULL, at bigint NOT NULL, value float8, text text, PRIMARY KEY (key, at));
CREATE TABLE IF NOT EXISTS series_five {_BUCKETS}
CREATE TABLE IF NOT EXISTS series_hour {_BUCKETS}
"""


class _Db:
    def __init__(self, cursor: Any):
        self._cursor = cursor

    def run(self, sql: str, *given: Any) -> None:
        self._cursor.execute(sql.replace("?", "%s"), given)

    def one(self, sql: str, *given: Any) -> Any:
        self.run(sql, *given)
        return self._cursor.fetchone()

    def all(self, sql: str, *given: Any) -> list[Any]:
        self.run(sql, *given)
        return self._cursor.fetchall()

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        from psycopg2.extras import execute_batch, execute_values

        before, values, after = sql.partition("VALUES (")
        if values:
            execute_values(self._cursor, f"{before}VALUES %s {after.partition(')')[2]}", rows, page_size=len(rows) or 1)
        else:
            execute_batch(self._cursor, sql.replace("?", "%s"), rows, page_size=500)
        return self._cursor.rowcount


class PostgresSeries(SqlSeries):
    """The Series port on a database; `dsn` is a postgresql:// address, `keep` as in `SqlSeries`."""

    lock_rows = " FOR UPDATE"

    def __init__(self, dsn: str, **keep: int):
        super().__init__(**keep)
        self._dsn, self._pool = dsn, Pool(self._connect)

    def migrate(self) -> None:
        """Make the tables; safe to repeat and by several at once."""
        with self._write() as db:
            db.run(_TABLES)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()

    def _connect(self) -> Any:
        import psycopg2

        connection = psycopg2.connect(self._dsn, connect_timeout=5)
        connection.autocommit = True  # transactions are begun by name, with the isolation each needs
        return connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_Db]:
        import psycopg2

        try:
            with self._pool.taken() as connection, connection.cursor() as cursor:
                cursor.execute(begin)
                yield _Db(cursor)
                cursor.execute("COMMIT")
        except psycopg2.errors.DiskFull as error:
            raise disk_full() from error
        except psycopg2.Error as error:
            self._pool.close()  # after a restart or a failover none of them is good
            reason = str(error).strip().partition("\n")[0]
            raise Unavailable(T("The database of readings does not answer (%(reason)s); try again.", reason=reason),
                              retry_after=1) from error

    def _write(self, *, durable: bool = True) -> Any:
        # Losing the last steps of a roll harms nothing, for they are repeated; waiting for the disk after each would cost.
        return self._transaction("BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit TO off")

    def _read(self) -> Any:
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _is_in(self, values: Sequence[Any]) -> tuple[str, Any]:
        return "= ANY (?)", list(values)
