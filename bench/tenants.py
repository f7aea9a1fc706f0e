"""What a tenant costs on PostgreSQL: the same work with policies and a tenant, and without both, in turns on two databases of one server."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench import stand

ORGS, NODES, TIMES = 20, 50, 600
TABLES = ("organisation", "member", "node", "pulse", "enrol_token", "job", "change")


def fill(urls: tuple[str, str], *, protected: bool) -> Any:
    """A hub's database with `NODES` nodes in each of `ORGS` organisations, opened as the programs' role."""
    from unibos.adapters.database import Database
    from unibos.features.registry.models import Node
    from unibos.kernel import compose
    from unibos.kernel.tenants import unprotect
    from unibos.profiles.lists import HUB

    owner = Database(urls[0], Path("none")).bind()
    compose.migrate(HUB, owner.peewee)
    now = dt.datetime.now(dt.UTC)
    for org in range(ORGS):
        with owner.tenant(f"org-{org}"), owner.transaction():
            for number in range(NODES):
                Node.insert(id=f"{org}-{number}", org_id=f"org-{org}", hostname=f"pi-{number}", public_key=f"{org}-{number}", created_at=now).execute()
    if not protected:
        for table in TABLES:
            unprotect(owner.peewee, table)
    owner.peewee.execute_sql("ANALYZE node")
    owner.grant("unibos_app")
    owner.release()
    return Database(urls[1], Path("none"))


def _ways(db: Any) -> dict[str, Callable[[str], Any]]:
    from unibos.features.registry.models import Node

    def read(org_id: str) -> Any:
        return Node.get(Node.id == f"{org_id[4:]}-7", Node.org_id == org_id)

    def list_(org_id: str) -> Any:
        return list(Node.select().where(Node.org_id == org_id).order_by(Node.hostname))

    def write(org_id: str) -> Any:
        with db.transaction():
            node = read(org_id)
            return Node.update(version="2").where(Node.id == node.id).execute()

    return {"one row read outside of a transaction": read, f"{NODES} rows of {NODES * ORGS} read": list_, "a transaction that reads and writes a row": write}


def measure() -> None:
    """The same work both ways, in turns."""
    from tests.postgres import Postgres

    facts, server = stand.machine(), Postgres()
    server.start()
    try:
        both = {name: fill(server.create_owned(), protected=name == "with") for name in ("with", "without")}
        runs: dict[str, dict[str, list[float]]] = {what: {"with": [], "without": []} for what in _ways(None)}
        for turn in range(TIMES):
            for name, db in both.items():
                db.bind()
                org_id = f"org-{turn % ORGS}"
                for what, way in _ways(db).items():
                    began = time.perf_counter()
                    with db.tenant(org_id) if name == "with" else nullcontext():
                        way(org_id)
                    runs[what][name].append((time.perf_counter() - began) * 1000)
        for db in both.values():
            db.release()
            db.peewee.close_all()
    finally:
        server.stop()
    rows = []
    for what, way in runs.items():
        tenant, plain = stand.middle(way["with"]), stand.middle(way["without"])
        rows.append(stand.row(f"{what}: with a tenant / without", tenant / plain, "x", note=f"{tenant:.3f} ms against {plain:.3f} ms, median of {TIMES}"))
    stand.write("tenants", rows, facts, orgs=ORGS, nodes=NODES)
