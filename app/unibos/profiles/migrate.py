"""The one step before all others: tables, keys and the claim code. Run by `unibos-dev run` and by a unit on appliances."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from unibos.kernel import compose
from unibos.profiles.build import build_kit, folder, read_settings
from unibos.profiles.lists import BY_ROLE

LOCK = 0x756E69626F73


@contextmanager
def _alone(database, kind: str, data_dir: Path):
    """Only one migration at a time: an advisory lock in PostgreSQL, a locked file beside SQLite."""
    if kind == "postgresql":
        database.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            yield
        finally:
            database.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK,))
        return
    import fcntl

    with (data_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrate(role: str) -> list[str]:
    """Bring the role's data up to this version; returns what was applied. Safe to run again and by several at once."""
    from unibos.adapters.database import Database

    settings = read_settings(role)
    kit = build_kit(settings)
    owner = Database(settings["UNIBOS_DATABASE_OWNER_URL"] or settings["UNIBOS_DATABASE_URL"], folder(settings) / "unibos.sqlite")
    owner.bind()
    owner.ping()
    with _alone(owner.peewee, owner.kind, kit.data_dir):
        applied = compose.migrate(BY_ROLE[role], owner.peewee)
    owner.release()
    if owner.kind == "postgresql":
        from unibos.adapters.series import open_series

        series = open_series(settings["UNIBOS_DATABASE_OWNER_URL"] or settings["UNIBOS_DATABASE_URL"])
        series.migrate()
        series.close()
        if settings["UNIBOS_DATABASE_OWNER_URL"]:
            owner.grant(kit.db.bind().peewee.execute_sql("SELECT current_user").fetchone()[0])
            owner.release()
    if kit.db.bind().bypasses():
        kit.log.warning("the role of UNIBOS_DATABASE_URL is a superuser or has BYPASSRLS: the database does not keep organisations apart for it")
    services = compose.services(BY_ROLE[role], kit)
    services["orgs"].home()
    services["orgs"].code()
    kit.db.release()
    return applied
