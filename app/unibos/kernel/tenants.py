"""Tenants in PostgreSQL: row-level security written by migrations, and the few questions that may be asked before the tenant is known.

A table of tenants shows and takes only rows whose organisation is the setting `unibos.org` of the running transaction; without it, none.
The policy is forced, so that it holds for the owner of the tables, too. It is RESTRICTIVE: no policy added later can widen it. SQLite
has no such thing: there one file holds one organisation, and every function here does nothing.

A `Finder` is the only way to an organisation that is not yet known: a function in the database, run as the owner of the tables, which
answers with ids of organisations and nothing else. Sources: PostgreSQL's manual, "Row Security Policies", CREATE POLICY, CREATE FUNCTION.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee

SETTING = "unibos.org"
FINDING = "unibos.finding"
OPEN_POLICY, POLICY = "unibos_open", "unibos_tenant"
_TENANT = f"{{column}} = nullif(current_setting('{SETTING}', true), '')"
# While a finder runs, and only as the owner whom its function runs as: a role that does not own the table gains nothing by the setting.
_FINDER = (f"(current_setting('{FINDING}', true) = 'on' AND "
           "current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = '{table}'::regclass))")


@dataclass(frozen=True)
class Finder:
    """One question whose answer is ids of organisations: `sql` selects them, `{value}` is what is looked for (text)."""

    name: str
    sql: str

    @property
    def function(self) -> str:
        """The function's name in PostgreSQL."""
        return f"unibos_find_{self.name}"

    def create(self, database: Any) -> None:
        """Make the function; `sql` may read protected tables that were declared as `found`. Safe to repeat."""
        if not _postgres(database):
            return
        schema = database.execute_sql("SELECT quote_ident(current_schema())").fetchone()[0]
        database.execute_sql(f"""
            CREATE OR REPLACE FUNCTION {self.function}(text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, {schema}, pg_temp AS $finder$
            BEGIN
                PERFORM set_config('{FINDING}', 'on', true);
                RETURN QUERY SELECT q.org_id::text FROM ({self.sql.format(value='$1')}) AS q (org_id);
                PERFORM set_config('{FINDING}', '', true);
            END $finder$""")
        database.execute_sql(f"REVOKE ALL ON FUNCTION {self.function}(text) FROM PUBLIC")

    def drop(self, database: Any) -> None:
        """Remove the function."""
        if _postgres(database):
            database.execute_sql(f"DROP FUNCTION IF EXISTS {self.function}(text)")


def protect(database: Any, table: str, column: str = "org_id", *, found: bool = False) -> None:
    """Show and take only rows of `table` whose `column` is the tenant. With `found`, finders may look through all its rows.

    Rows that are there already stay as they are. Call it in a migration; a migration that changes rows later needs `opened`.
    """
    if not _postgres(database):
        return
    tenant = _TENANT.format(column=f'"{column}"')
    run = database.execute_sql
    run(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    run(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
    # Restrictive policies only narrow: without a permissive one nothing would be shown at all.
    run(f'CREATE POLICY {OPEN_POLICY} ON "{table}" USING (true) WITH CHECK (true)')
    if not found:
        run(f'CREATE POLICY {POLICY} ON "{table}" AS RESTRICTIVE USING ({tenant}) WITH CHECK ({tenant})')
        return
    finder = _FINDER.format(table=f'"{table}"')
    run(f'CREATE POLICY {POLICY} ON "{table}" AS RESTRICTIVE FOR SELECT USING ({tenant} OR {finder})')
    run(f'CREATE POLICY {POLICY}_insert ON "{table}" AS RESTRICTIVE FOR INSERT WITH CHECK ({tenant})')
    run(f'CREATE POLICY {POLICY}_update ON "{table}" AS RESTRICTIVE FOR UPDATE USING ({tenant}) WITH CHECK ({tenant})')
    run(f'CREATE POLICY {POLICY}_delete ON "{table}" AS RESTRICTIVE FOR DELETE USING ({tenant})')


def unprotect(database: Any, table: str) -> None:
    """Undo `protect`."""
    if not _postgres(database):
        return
    for name in (OPEN_POLICY, POLICY, *(f"{POLICY}_{verb}" for verb in ("insert", "update", "delete"))):
        database.execute_sql(f'DROP POLICY IF EXISTS {name} ON "{table}"')
    database.execute_sql(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
    database.execute_sql(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')


@contextmanager
def opened(database: Any, table: str) -> Iterator[None]:
    """Within a migration, let the owner of `table` see and change all its rows; nobody else sees more than before."""
    if not _postgres(database):
        yield
        return
    # What fails rolls the migration back, and this with it: there is nothing to clean up after an error.
    database.execute_sql(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
    yield
    database.execute_sql(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')


def _postgres(database: Any) -> bool:
    return isinstance(getattr(database, "obj", database), peewee.PostgresqlDatabase)
