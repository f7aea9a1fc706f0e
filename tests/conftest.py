"""What all tests share: a kit with a hand-moved clock on a fresh database of either kind, and the services over it."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from unibos.kernel import compose
from unibos.kernel.kit import Kit
from unibos.kernel.settings import load
from unibos.profiles.lists import BY_ROLE

PASSWORD = "four unrelated words"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[object]:
    """A throwaway PostgreSQL, or the one of UNIBOS_TEST_POSTGRES_URL."""
    from tests.postgres import Postgres

    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Empty for SQLite, or the address of a fresh PostgreSQL database for a role that owns nothing: what uses it runs on both."""
    if request.param == "sqlite":
        return ""
    return request.getfixturevalue("postgres_server").reserve_owned()[1]


@functools.cache
def _empty_file(role: str) -> bytes:
    """A migrated SQLite file of a role without a row of anybody's."""
    with tempfile.TemporaryDirectory() as place:
        _migrate(role, "", Path(place) / "empty.sqlite")
        return (Path(place) / "empty.sqlite").read_bytes()


def _migrate(role: str, owner_url: str, file: Path) -> None:
    from unibos.adapters.database import Database

    owner = Database(owner_url, file).bind()
    compose.migrate(BY_ROLE[role], owner.peewee)
    if owner_url:
        owner.grant("unibos_app")
    owner.release()
    owner.peewee.close_all()


def _tables(role: str, url: str, file: Path) -> None:
    """Make the tables: once a role and kind of database by the migrations, from then on by copying. What is there already is migrated."""
    from tests.postgres import Postgres

    cluster = Postgres.of(url) if url else None
    if cluster is not None:
        cluster.make_like(url, f"template_{role}", lambda owner_url: _migrate(role, owner_url, file))
    elif url or file.exists():
        _migrate(role, url.replace("unibos_app@", "unibos_owner@"), file)
    else:
        file.write_bytes(_empty_file(role))


def build(role: str, folder: Path, url: str = "", **environment: str) -> SimpleNamespace:
    """Kit and services of `role` on the fakes, with a migrated database; `url` is the programs' address of `create_owned`."""
    from unibos.adapters.database import Database
    from unibos.adapters.memory.bus import MemoryBus
    from unibos.adapters.memory.files import MemoryStore
    from unibos.adapters.memory.queue import MemoryQueue
    from unibos.adapters.memory.series import MemorySeries
    from unibos.adapters.memory.system import CountedRandom, HandClock, MemoryKeys
    from unibos.features.orgs.models import HOME

    features = BY_ROLE[role]
    declared = {s.name: s for some in BY_ROLE.values() for s in compose.settings(some)}
    settings = load(declared.values(), role, {"UNIBOS_DATA_DIR": str(folder), **environment})
    _tables(role, url, folder / f"{role}.sqlite")
    db = Database(url, folder / f"{role}.sqlite", alone=HOME if role == "node" else None).bind()
    clock = HandClock()
    metrics = {"cpu": 5.0, "memory": 20.0, "disk": 30.0, "temperature": None, "uptime": 60.0, "disk_free": 1e9, "disk_total": 2e9}
    kit = Kit(role=role, settings=settings, data_dir=folder, clock=clock, random=CountedRandom(), db=db, secret=MemoryKeys(), bus=MemoryBus(),
              queue=MemoryQueue(), files=MemoryStore(lambda org_id: kit.quota(org_id)), series=MemorySeries(),
              machine=lambda: {"hostname": "box", "capabilities": {"cpu_cores": 2, "ram_gb": 4.0, "platform": "linux"}, "metrics": metrics})
    services = compose.services(features, kit)
    if url:
        services["orgs"].home()
    return SimpleNamespace(kit=kit, services=services, clock=clock, features=features, db=db, metrics=metrics)


def close(built: SimpleNamespace) -> None:
    """Let go of the database and the files."""
    built.kit.files.close()
    built.db.release()
    if hasattr(built.db.peewee, "close_all"):
        built.db.peewee.close_all()


@pytest.fixture
def node(tmp_path: Path, database_url: str) -> Iterator[SimpleNamespace]:
    """A node's kit and services, once per kind of database."""
    built = build("node", tmp_path, database_url)
    yield built
    close(built)


@pytest.fixture
def hub(tmp_path: Path, database_url: str) -> Iterator[SimpleNamespace]:
    """A hub's kit and services, once per kind of database."""
    built = build("hub", tmp_path, database_url)
    yield built
    close(built)


@pytest.fixture
def node_web(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A node with its web application on SQLite; `client` is Flask's."""
    yield from _web("node", tmp_path)


@pytest.fixture
def hub_web(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A hub with its web application on SQLite."""
    yield from _web("hub", tmp_path)


def _web(role: str, folder: Path) -> Iterator[SimpleNamespace]:
    from unibos.kernel.web import build_app
    from unibos.panel.shell import Shell

    built = build(role, folder)
    authenticate = next(f.load(f.authenticate)(built.kit, built.services) for f in built.features if f.authenticate)
    built.app = build_app(compose.routes(built.features), built.kit, built.services, hostname="box", authenticate=authenticate,
                          guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features)))
    built.client = built.app.test_client()
    yield built
    close(built)


def claim(built: SimpleNamespace) -> str:
    """Make Ada the owner through the API; returns her token."""
    answer = built.client.post("/api/v1/claim", json={"code": built.services["orgs"].code(), "email": "ada@example.org", "password": PASSWORD,
                                                      "name": "Ada"})
    assert answer.status_code == 201, answer.text
    return answer.json["token"]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("UNIBOS_", "HUB_", "WORKER_")) and not name.startswith("UNIBOS_TEST_"):
            monkeypatch.delenv(name)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run: what it needs is to be installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped") and session.exitstatus == 0:
        reporter.write_line("tests were skipped, which CI does not allow", red=True)
        session.exitstatus = 1
