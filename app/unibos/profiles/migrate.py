"""The one step before all others: tables, keys and the claim code. Run by `unibos-dev run` and by a unit on appliances."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from unibos.kernel import compose
from unibos.profiles.build import build_kit, folder, read_settings
from unibos.profiles.lists import BY_ROLE

if TYPE_CHECKING:
    from unibos.kernel.settings import Settings

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
    """Bring the role's data up to this version; returns what was applied. Safe to run again and by several at once.

    UNIBOS_MIGRATION splits it in two, so that the tables can belong to a database role that no serving process can become.
    """
    settings = read_settings(role)
    part = settings["UNIBOS_MIGRATION"]
    applied = _schema(settings) if part != "data" else []
    if part != "schema":
        _first_rows(settings)
    return applied


def _schema(settings: Settings) -> list[str]:
    """Make the tables as the owner, and let the programs' role use them."""
    from unibos.adapters.database import Database
    from unibos.adapters.system import data_directory

    url, owner_url = settings["UNIBOS_DATABASE_URL"], settings["UNIBOS_DATABASE_OWNER_URL"]
    place = folder(settings) if owner_url or url else data_directory(Path(settings["UNIBOS_DATA_DIR"]), settings.role)
    owner = Database(owner_url or url, place / "unibos.sqlite").bind()
    owner.ping()
    with _alone(owner.peewee, owner.kind, place):
        applied = compose.migrate(BY_ROLE[settings.role], owner.peewee)
    owner.release()
    if owner.kind == "postgresql":
        from unibos.adapters.series import open_series

        series = open_series(owner_url or url)
        series.migrate()
        series.close()
        if owner_url:
            owner.grant(_user(url))
            owner.release()
    return applied


def _user(url: str) -> str:
    """The database role of an address: the one that it names, or the one that it leads to."""
    from urllib.parse import unquote, urlsplit

    named = urlsplit(url).username
    if named:
        return unquote(named)
    from unibos.adapters.database import Database

    database = Database(url, Path())
    found = database.peewee.execute_sql("SELECT current_user").fetchone()[0]
    database.release()
    return found


def _first_rows(settings: Settings) -> None:
    """Keys, the first organisation and the claim code."""
    kit = build_kit(settings)
    if kit.db.bypasses():
        kit.log.warning("the role of UNIBOS_DATABASE_URL is a superuser or has BYPASSRLS: the database does not keep organisations apart for it")
    services = compose.services(BY_ROLE[settings.role], kit)
    services["orgs"].home()
    services["orgs"].code()
    kit.db.release()
