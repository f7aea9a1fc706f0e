"""Tables: the base class, the one transaction discipline, and time and JSON columns that are alike on both databases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import peewee

if TYPE_CHECKING:
    from unibos.kernel.tenants import Finder

proxy = peewee.DatabaseProxy()


class Db(Protocol):
    """The database as features see it."""

    kind: str

    def transaction(self) -> AbstractContextManager[None]:
        """Write in one transaction (immediate on SQLite). Nested use joins the outer one. Nothing in it may yield."""

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` after the outermost transaction is committed; at once when none is open, never when it fails."""

    def tenant(self, org_id: str) -> AbstractContextManager[None]:
        """Work for one organisation on this thread: on PostgreSQL no other rows are shown or taken; "" is none at all. Raises ValueError."""

    def org(self) -> str:
        """For whom this thread works: the innermost `tenant`, or the one organisation of a device that has no other; "" for nobody."""

    def find(self, finder: Finder, value: str = "") -> str:
        """The organisation that `finder` gives for `value`, whatever the tenant is; "" for none."""

    def finds(self, finder: Finder, value: str = "") -> list[str]:
        """All organisations that `finder` gives for `value`, whatever the tenant is, on either database."""

    def tenants(self, finder: Finder) -> list[str]:
        """The organisations that `finder` lists, to be gone through one `tenant` after another. On SQLite it is [""]: one pass sees all."""

    def ping(self) -> None:
        """Ask the database something; raises Unavailable with the reason."""

    def release(self) -> None:
        """Give this thread's connection back."""


class Table(peewee.Model):
    """Base of all tables; the process's one database is bound to `proxy` by its profile."""

    class Meta:
        database = proxy
        legacy_table_names = False


class Moment(peewee.BigIntegerField):
    """A time in UTC, kept as microseconds since 1970, read as an aware datetime."""

    def db_value(self, value: dt.datetime | None) -> int | None:
        if value is None:
            return None
        return int(value.timestamp() * 1_000_000) if isinstance(value, dt.datetime) else int(value)

    def python_value(self, value: int | None) -> dt.datetime | None:
        return None if value is None else dt.datetime.fromtimestamp(value / 1_000_000, dt.UTC)


class Json(peewee.TextField):
    """A JSON value kept as text, so that both databases keep the same bytes."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)
