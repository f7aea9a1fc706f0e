"""Records: every row that may ever sync, written only here, with the change log appended in the same transaction.

A stamp is a hybrid logical clock reading (48-bit milliseconds, 16-bit counter, origin), as sortable text. The clock's
high-water mark lies in the database, so stamps never go back across processes, restarts or a clock that was set back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import peewee

from unibos.kernel.tables import Json, Moment, Table

if TYPE_CHECKING:
    from unibos.kernel.ports import Clock, Random
    from unibos.kernel.tables import Db

R = TypeVar("R", bound="Record")


class ClockMark(Table):
    """The highest stamp this device has given or seen (one row)."""

    id = peewee.IntegerField(primary_key=True)
    ms = peewee.BigIntegerField()
    counter = peewee.IntegerField()


class Change(Table):
    """One change of one record, in the order it was applied here."""

    seq = peewee.BigAutoField()
    org_id = peewee.CharField(64)
    model = peewee.CharField(64)
    record_id = peewee.CharField(64)
    stamp = peewee.CharField(64)
    origin = peewee.CharField(64)
    fields = Json()
    deleted = peewee.BooleanField(default=False)
    actor_id = peewee.CharField(64, default="")
    at = Moment()

    class Meta:
        indexes = ((("model", "record_id", "seq"), False), (("origin", "stamp"), True))


class Record(Table):
    """Base of rows that may sync. `extra` carries fields that a newer version knows, unharmed."""

    id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36, default="")
    owner_id = peewee.CharField(36, default="")
    stamp = peewee.CharField(64, default="")
    origin = peewee.CharField(64, default="")
    created_at = Moment()
    deleted_at = Moment(null=True)
    extra = Json(default=dict)


_OWN = {"id", "stamp", "origin", "created_at", "deleted_at"}


def format_stamp(ms: int, counter: int, origin: str) -> str:
    """A stamp as text that sorts as the clock does."""
    return f"{ms:012x}-{counter:04x}-{origin}"


class Records:
    """The only writer of records. Call inside `db.transaction()`; outside one is opened for the single write."""

    def __init__(self, db: Db, clock: Clock, random: Random, origin: str):
        self._db, self._clock, self._random, self.origin = db, clock, random, origin

    def stamp(self) -> str:
        """The next reading of the hybrid logical clock. Must be called in a transaction."""
        now = int(self._clock.now().timestamp() * 1000)
        row = self._mark()
        ms, counter = (row.ms, row.counter) if row else (0, 0)
        ms, counter = (now, 0) if now > ms else (ms, counter + 1)
        if counter > 0xFFFF:
            ms, counter = ms + 1, 0
        ClockMark.replace(id=1, ms=ms, counter=counter).execute() if self._db.kind == "sqlite" else (
            ClockMark.insert(id=1, ms=ms, counter=counter).on_conflict(
                conflict_target=[ClockMark.id], update={"ms": ms, "counter": counter}).execute())
        return format_stamp(ms, counter, self.origin)

    def _mark(self) -> ClockMark | None:
        """The clock's row. On PostgreSQL it is this transaction's until its end: of two that write at once, the second reads what the first wrote.
        (SQLite has one writer at a time anyway.)"""
        asked = ClockMark.select().where(ClockMark.id == 1)
        if self._db.kind == "sqlite":
            return asked.first()
        row = asked.for_update().first()
        if row is None:
            ClockMark.insert(id=1, ms=0, counter=0).on_conflict_ignore().execute()
            row = asked.for_update().first()
        return row

    def create(self, model: type[R], *, org_id: str, owner_id: str = "", actor_id: str = "", id: str | None = None,
               **fields: Any) -> R:
        """Insert a new record and log it; returns the row."""
        with self._db.transaction():
            row = model(id=id or self._random.uuid(), org_id=org_id, owner_id=owner_id, created_at=self._clock.now(),
                        origin=self.origin, stamp=self.stamp(), **fields)
            row.save(force_insert=True)
            self._log(row, {**self._written(row)}, actor_id)
        return row

    def update(self, row: R, *, actor_id: str = "", **fields: Any) -> R:
        """Change fields of a record and log those that differ; nothing is written when none does."""
        different = {k: v for k, v in fields.items() if getattr(row, k) != v}
        if not different:
            return row
        with self._db.transaction():
            for name, value in different.items():
                setattr(row, name, value)
            row.stamp, row.origin = self.stamp(), self.origin
            row.save(only=[getattr(type(row), name) for name in (*different, "stamp", "origin")])
            self._log(row, {k: self._plain(row, k) for k in different}, actor_id)
        return row

    def delete(self, row: R, *, actor_id: str = "") -> None:
        """Mark a record as deleted (a tombstone) and log it."""
        with self._db.transaction():
            row.deleted_at, row.stamp, row.origin = self._clock.now(), self.stamp(), self.origin
            row.save(only=[type(row).deleted_at, type(row).stamp, type(row).origin])
            self._log(row, {}, actor_id, deleted=True)

    def _written(self, row: Record) -> Mapping[str, Any]:
        return {name: self._plain(row, name) for name in row._meta.fields if name not in _OWN}

    @staticmethod
    def _plain(row: Record, name: str) -> Any:
        field, value = row._meta.fields[name], getattr(row, name)
        return value if isinstance(field, Json) else field.db_value(value)

    def _log(self, row: Record, fields: Mapping[str, Any], actor_id: str, deleted: bool = False) -> None:
        Change.insert(org_id=row.org_id, model=row._meta.table_name, record_id=row.id, stamp=row.stamp, origin=row.origin,
                      fields=dict(fields), deleted=deleted, actor_id=actor_id, at=self._clock.now()).execute()


KERNEL_TABLES = (ClockMark, Change)
