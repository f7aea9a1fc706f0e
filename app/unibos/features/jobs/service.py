"""The verbs of jobs: lists for people, and the register of workers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import peewee

from unibos import __version__
from unibos.features.jobs.models import Worker
from unibos.kernel.jobs import AGENT, OPEN, Job
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

SILENT = dt.timedelta(seconds=60)


class Work:
    """Jobs and workers as people see them."""

    def __init__(self, kit: Kit):
        self._kit = kit
        # Machines that only work, of an organisation: {name, queue, version, capabilities, started_at, seen_at, alive}. Whoever knows them says it here.
        self.machines: Callable[[str], list[dict[str, Any]]] = lambda _org_id: []

    def list(self, org_id: str, *, state: str = "", queue: str = "", most: int = 50) -> list[Job]:
        """Jobs of an organisation, the newest first; `state` may be `open`."""
        rows = Job.select().where(Job.org_id.in_(("", org_id)))
        if state:
            rows = rows.where(Job.state.in_(OPEN if state == "open" else (state,)))
        if queue:
            rows = rows.where(Job.queue == queue)
        return list(rows.order_by(Job.created_at.desc()).limit(most))

    def counts(self, org_id: str) -> dict[str, dict[str, int]]:
        """How many jobs are in each state, by queue."""
        found: dict[str, dict[str, int]] = {queue: {} for queue in {t.queue for t in self._kit.jobs.types.values()}}
        rows = (Job.select(Job.queue, Job.state, peewee.fn.COUNT(Job.id)).where(Job.org_id.in_(("", org_id)))
                .group_by(Job.queue, Job.state).tuples())
        for queue, state, count in rows:
            found.setdefault(queue, {})[state] = count
        return dict(sorted(found.items()))

    def oldest(self, queue: str) -> dt.datetime | None:
        """Since when the longest-waiting job of a queue waits."""
        return Job.select(peewee.fn.MIN(Job.created_at)).where(Job.queue == queue, Job.state == "waiting").scalar()

    def title(self, job: Job) -> Text:
        """What a job does, in words."""
        kind = self._kit.jobs.types.get(job.type)
        return kind.title if kind else Text(job.type)

    # Workers.

    def hello(self, name: str, queue: str, pid: int, capabilities: Mapping[str, Any]) -> None:
        """A worker says that it starts; what one of this name left undone is taken back."""
        now = self._kit.now()
        with self._kit.db.transaction():
            Worker.delete().where((Worker.name == name) | (Worker.seen_at < now - dt.timedelta(days=1))).execute()
            Worker.create(name=name, queue=queue, pid=pid, version=__version__, capabilities=dict(capabilities), started_at=now, seen_at=now)
            self._kit.changed("jobs")
        self._kit.jobs.release(name)

    def beat(self, name: str, job_id: str) -> None:
        """A worker says that it is still there."""
        with self._kit.db.transaction():
            Worker.update(seen_at=self._kit.now(), job_id=job_id).where(Worker.name == name).execute()

    def bye(self, name: str) -> None:
        """A worker says that it ends."""
        with self._kit.db.transaction():
            Worker.delete().where(Worker.name == name).execute()
            self._kit.changed("jobs")

    def workers(self) -> list[dict[str, Any]]:
        """All workers with whether they answer."""
        now = self._kit.now()
        return [{"name": w.name, "queue": w.queue, "pid": w.pid, "version": w.version, "capabilities": w.capabilities, "started_at": w.started_at,
                 "seen_at": w.seen_at, "job_id": w.job_id, "alive": now - w.seen_at < SILENT} for w in Worker.select().order_by(Worker.name)]


def health(kit: Kit, services: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """The queue and the workers, for /readyz and the dashboard."""

    def check() -> list[dict[str, Any]]:
        alive = {w["queue"] for w in services["jobs"].workers() if w["alive"]}
        wanted = {t.queue for t in kit.jobs.types.values()} - {AGENT}
        missing = sorted(wanted - alive)
        return [{"name": "workers", "ok": not missing, "required": False, "why": T("All queues have a worker.") if not missing else
                 T("No worker serves %(queues)s: its jobs wait.", queues=", ".join(missing))}]

    return check


def build(kit: Kit, _services: Mapping[str, Any]) -> Work:
    """The service."""
    return Work(kit)
