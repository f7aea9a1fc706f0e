"""PostgreSQL with a tenant: every transaction, and every statement outside of one, carries its organisation in the same message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase

from unibos.kernel.errors import Unavailable
from unibos.kernel.tenants import SETTING
from unibos.kernel.words import T


def setting(org_id: str) -> str:
    """The statement that sets the tenant until the end of the transaction. `org_id` has been checked: letters, digits and hyphens."""
    return f"SELECT set_config('{SETTING}', '{org_id}', true)"


class TenantPostgres(PooledPostgresqlDatabase):
    """peewee's pool, where `org()` says for whom the thread works ("": nobody, who is shown no rows of tenants).

    Statements sent in one message are one transaction (PostgreSQL's manual, "Multiple Statements in a Simple Query"), so that the
    setting ends with the statement it was sent with: a connection that goes back to the pool carries no tenant. psycopg2 answers with
    the last statement's result.
    """

    def __init__(self, *given: Any, org: Callable[[], str], **options: Any):
        self._org = org
        super().__init__(*given, **options)

    def begin(self, isolation_level: Any = None) -> None:
        """Begin a transaction of the tenant."""
        org = self._org()
        if isolation_level or not org:
            super().begin(isolation_level)
            if org:
                self.plain(setting(org))
        else:
            self.plain(f"BEGIN; {setting(org)}")

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement as the tenant; raises peewee's errors."""
        if not self.in_transaction() and (org := self._org()):
            sql = f"{setting(org)}; {sql}"
        return super().execute_sql(sql, params)

    def connect(self, reuse_if_open: bool = False) -> Any:
        """Take a connection; raises Unavailable when all of this process's are in use for too long."""
        try:
            return super().connect(reuse_if_open=reuse_if_open)
        except MaxConnectionsExceeded as error:
            raise Unavailable(T("All connections to the database are in use. Try again in a moment, or allow more with UNIBOS_DATABASE_CONNECTIONS."),
                              retry_after=1.0) from error

    def plain(self, sql: str, params: Any = None) -> Any:
        """Run a statement without setting a tenant."""
        return super().execute_sql(sql, params)
