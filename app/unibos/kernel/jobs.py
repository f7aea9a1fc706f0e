"""Jobs: work to do later. A job is a row first (decision 20): the table is the truth, the queue only a wake-up.

States: waiting → handed → running → done | failed | cancelled. `put` inserts in the caller's transaction; the
dispatcher hands ids to the queues; a worker claims a row by compare-and-set, renews its lease while it works, and a
sweep takes back what no worker finished. So a job survives the death of any process at any moment.
"""

from __future__ import annotations

import datetime as dt
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import peewee

from unibos.kernel.errors import Conflict, Invalid, NotFound, UnibosError
from unibos.kernel.tables import Json, Moment, Table
from unibos.kernel.tenants import Finder
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.feature import JobType
    from unibos.kernel.kit import Kit

LEASE = 30.0
HANDED_LEASE = 60.0
IN_FLIGHT = 8
# Jobs of this queue are done by the agent itself, which alone may reach other machines; no worker serves it.
AGENT = "agent"
DUE = 200
KEEP_DONE = dt.timedelta(days=7)
KEEP_FAILED = dt.timedelta(days=90)
OPEN = ("waiting", "handed", "running")


class Job(Table):
    """One piece of work, from its request to its end."""

    id = peewee.CharField(36, primary_key=True)
    type = peewee.CharField(64)
    queue = peewee.CharField(64)
    org_id = peewee.CharField(36, default="")
    actor_id = peewee.CharField(36, default="")
    subject = peewee.CharField(200, default="")
    payload = Json(default=dict)
    priority = peewee.IntegerField(default=5)
    state = peewee.CharField(12, default="waiting")
    attempt = peewee.IntegerField(default=0)
    attempts = peewee.IntegerField(default=3)
    due = Moment()
    lease = Moment(null=True)
    worker = peewee.CharField(120, default="")
    stage = Json(null=True)
    fraction = peewee.FloatField(null=True)
    error = Json(null=True)
    result = Json(null=True)
    cancel = peewee.BooleanField(default=False)
    correlation = peewee.CharField(64, default="")
    created_at = Moment()
    started_at = Moment(null=True)
    ended_at = Moment(null=True)

    class Meta:
        indexes = ((("state", "queue", "priority", "created_at"), False), (("created_at",), False))


KERNEL_TABLES = (Job,)

ORG_OF_JOB = Finder("job", "SELECT org_id FROM job WHERE id = {value}")
WITH_OPEN_JOBS = Finder("open_jobs", "SELECT DISTINCT org_id FROM job WHERE state IN ('waiting', 'handed', 'running')")
WITH_JOBS = Finder("jobs", "SELECT DISTINCT org_id FROM job")


def said(text: Text | str) -> dict[str, Any]:
    """A sentence as JSON, to be rendered in the reader's language later."""
    if isinstance(text, str):
        return {"text": text, "params": {}}
    return {"text": text.message, "params": {k: said(v) if isinstance(v, Text) else v for k, v in text.params.items()}}


def unsaid(value: Mapping[str, Any] | None) -> Text | None:
    """The sentence that `said` kept."""
    return Text(value["text"], {k: unsaid(v) if isinstance(v, dict) else v for k, v in value.get("params", {}).items()}) if value else None


class Cancelled(Exception):
    """Raised inside a task when its cancellation was asked for."""


class LeaseLost(Exception):
    """Raised inside a task when another worker has the job now."""


def backoff(attempt: int, spread: float) -> float:
    """Seconds until try `attempt + 1`: 2, 8, 32 … at most 900, times 1 to 1.5 by `spread` in [0, 1)."""
    return min(900.0, 2.0 * 4 ** max(0, attempt - 1)) * (1 + spread / 2)


@dataclass
class Task:
    """What a running task gets: the kit, the services, its job row, and ways to report."""

    kit: Kit
    services: Mapping[str, Any]
    job: Job

    def progress(self, stage: Text, fraction: float | None = None) -> None:
        """Tell how far the work is. Raises Cancelled or LeaseLost when it is to stop."""
        now = self.kit.now()
        with self.kit.db.transaction():
            changed = (Job.update(stage=said(stage), fraction=fraction, lease=now + dt.timedelta(seconds=LEASE))
                       .where(Job.id == self.job.id, Job.state == "running", Job.attempt == self.job.attempt).execute())
            wanted = Job.select(Job.cancel).where(Job.id == self.job.id).scalar()
            self.kit.changed("jobs", f"job:{self.job.id}")
        if not changed:
            raise LeaseLost
        if wanted:
            raise Cancelled


class Jobs:
    """Put, list, cancel and repeat jobs; and the two ends that move them: `dispatch` and `run`."""

    def __init__(self, kit: Kit, types: Mapping[str, JobType], load: Callable[[str], Callable[..., Any]] | None = None):
        self._kit, self.types, self._load = kit, types, load

    def put(self, type_name: str, payload: Mapping[str, Any], *, org_id: str = "", actor_id: str = "", subject: str = "",
            priority: int = 5, delay: float = 0.0, correlation: str = "") -> Job:
        """Insert a job in the caller's transaction, of the tenant unless `org_id` says so; it is handed to a worker after the commit."""
        kind = self.types.get(type_name)
        if kind is None:
            raise Invalid(T("There is no kind of job named %(name)s.", name=type_name))
        now = self._kit.now()
        with self._kit.db.transaction():
            job = Job.create(id=self._kit.random.uuid(), type=type_name, queue=kind.queue, org_id=org_id or self._kit.db.org(), actor_id=actor_id,
                             subject=subject[:200], payload=dict(payload), priority=priority, attempts=kind.attempts,
                             due=now + dt.timedelta(seconds=delay), created_at=now, correlation=correlation)
            self._kit.changed("jobs")
            self._kit.db.after_commit(self.wake)
        return job

    def wake(self) -> None:
        """Tell the dispatcher that there may be something to hand."""
        self._kit.tell("dispatch", {})

    def get(self, job_id: str, org_id: str | None = None) -> Job:
        """One job; raises NotFound, also for another organisation's."""
        job = Job.get_or_none(Job.id == job_id)
        if job is None or (org_id is not None and job.org_id not in ("", org_id)):
            raise NotFound(T("There is no job with this id."))
        return job

    def cancel(self, job_id: str, org_id: str | None = None) -> None:
        """Stop a job: at once when it waits, at its next progress report when it runs."""
        job = self.get(job_id, org_id)
        with self._kit.db.transaction():
            ended = (Job.update(state="cancelled", ended_at=self._kit.now(), lease=None)
                     .where(Job.id == job.id, Job.state.in_(("waiting", "handed"))).execute())
            running = 0 if ended else Job.update(cancel=True).where(Job.id == job.id, Job.state == "running").execute()
            if not ended and not running:
                raise Conflict(T("This job has ended already."))
            self._kit.changed("jobs", f"job:{job.id}")

    def repeat(self, job_id: str, org_id: str | None = None) -> None:
        """Put a failed or cancelled job back into its queue, with all its tries."""
        job = self.get(job_id, org_id)
        with self._kit.db.transaction():
            # The attempt number goes on rising: it is what tells an old wake-up from the new one.
            changed = (Job.update(state="waiting", due=self._kit.now(), error=None, cancel=False, ended_at=None, fraction=None,
                                  stage=None, attempts=Job.attempt + self.types[job.type].attempts)
                       .where(Job.id == job.id, Job.state.in_(("failed", "cancelled"))).execute())
            if not changed:
                raise Conflict(T("Only a job that failed or was cancelled can be repeated."))
            self._kit.changed("jobs", f"job:{job.id}")
            self._kit.db.after_commit(self.wake)

    # The dispatcher's end.

    def dispatch(self) -> str:
        """Hand due jobs to their queues, the most urgent first, a bounded number in flight a queue."""
        now, handed = self._kit.now(), []
        flying: Counter[str] = Counter()
        due: list[tuple[str, Job]] = []
        for org_id in self._kit.db.tenants(WITH_OPEN_JOBS):
            with self._kit.db.tenant(org_id):
                flying.update(dict(Job.select(Job.queue, peewee.fn.COUNT(Job.id)).where(Job.state == "handed").group_by(Job.queue).tuples()))
                rows = (Job.select(Job.id, Job.queue, Job.attempt, Job.type, Job.priority, Job.created_at)
                        .where(Job.state == "waiting", Job.due <= now).order_by(Job.priority, Job.created_at).limit(DUE))
                due += [(org_id, job) for job in rows]
        chosen: dict[str, list[Job]] = {}
        for org_id, job in sorted(due, key=lambda pair: (pair[1].priority, pair[1].created_at))[:DUE]:
            if flying[job.queue] < IN_FLIGHT:
                flying[job.queue] += 1
                chosen.setdefault(org_id, []).append(job)
        for org_id, jobs in chosen.items():
            handed += self._hold(org_id, jobs, now + dt.timedelta(seconds=HANDED_LEASE))
        handed.sort(key=lambda pair: (pair[1].priority, pair[1].created_at))
        for number, (_org_id, job) in enumerate(handed):
            kind = self.types.get(job.type)
            try:
                if job.queue == AGENT:
                    self._kit.bus.publish("agent-jobs", {"job": job.id, "attempt": job.attempt + 1})
                else:
                    self._kit.queue.hand(job.queue, job.id, job.attempt + 1, kind.timeout if kind else 600)
            except UnibosError:
                self._unhand(handed[number:])
                raise
        return f"handed {len(handed)}"

    def _hold(self, org_id: str, jobs: list[Job], lease: dt.datetime) -> list[tuple[str, Job]]:
        """Mark jobs of one organisation as handed; those that somebody else has marked or ended meanwhile are left out."""
        with self._kit.db.tenant(org_id), self._kit.db.transaction():
            return [(org_id, job) for job in jobs if Job.update(state="handed", attempt=job.attempt + 1, lease=lease).where(
                Job.id == job.id, Job.state == "waiting", Job.attempt == job.attempt).execute()]

    def _unhand(self, jobs: list[tuple[str, Job]]) -> None:
        """The queue took none of these: they wait on, which costs no attempt."""
        for org_id, job in jobs:
            with self._kit.db.tenant(org_id), self._kit.db.transaction():
                Job.update(state="waiting", attempts=Job.attempts + 1, lease=None).where(
                    Job.id == job.id, Job.state == "handed", Job.attempt == job.attempt + 1).execute()

    def sweep(self) -> str:
        """Take back what no worker finished in its lease, and forget what ended long ago."""
        late = gone = 0
        for org_id in self._kit.db.tenants(WITH_JOBS):
            with self._kit.db.tenant(org_id):
                some, old = self._sweep()
            late, gone = late + some, gone + old
        return f"took back {late}, forgot {gone}"

    def _sweep(self) -> tuple[int, int]:
        now = self._kit.now()
        with self._kit.db.transaction():
            late = list(Job.select().where(Job.state.in_(("handed", "running")), Job.lease < now).limit(100))
            for job in late:
                self._take_back(job, T("Its worker stopped answering."))
            gone = Job.delete().where(((Job.state.in_(("done", "cancelled"))) & (Job.ended_at < now - KEEP_DONE)) |
                                      ((Job.state == "failed") & (Job.ended_at < now - KEEP_FAILED))).execute()
        return len(late), gone

    def release(self, worker: str) -> int:
        """Take back what a worker of this name was running when it died; called when it starts again."""
        count = 0
        for org_id in self._kit.db.tenants(WITH_OPEN_JOBS):
            with self._kit.db.tenant(org_id), self._kit.db.transaction():
                left = list(Job.select().where(Job.state == "running", Job.worker == worker))
                for job in left:
                    self._take_back(job, T("Its worker was killed."))
                if left:
                    self._kit.db.after_commit(self.wake)
                count += len(left)
        return count

    def _take_back(self, job: Job, why: Text) -> None:
        kind = self.types.get(job.type)
        if job.state == "handed":
            # No worker began it: the wake-up was lost, which is no fault of the job and costs no attempt.
            Job.update(state="waiting", attempt=job.attempt, attempts=job.attempts + 1, lease=None).where(
                Job.id == job.id, Job.state == "handed", Job.attempt == job.attempt).execute()
        elif job.cancel:
            self._end(job, "cancelled")
        elif kind is not None and kind.idempotent and job.attempt < job.attempts:
            Job.update(state="waiting", due=self._kit.now(), lease=None, worker="", error=said(why)).where(
                Job.id == job.id, Job.state == "running", Job.attempt == job.attempt).execute()
        else:
            self._end(job, "failed", error=said(why))
        self._kit.changed("jobs", f"job:{job.id}", org_id=job.org_id)

    # The worker's end.

    def run(self, job_id: str, attempt: int, worker: str, services: Mapping[str, Any]) -> str:
        """Claim and do one job, as its organisation; returns what became of it. Never raises for what the task does."""
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_JOB, job_id)):
            return self._run(job_id, attempt, worker, services)

    def _run(self, job_id: str, attempt: int, worker: str, services: Mapping[str, Any]) -> str:
        now = self._kit.now()
        with self._kit.db.transaction():
            claimed = (Job.update(state="running", worker=worker, started_at=now, stage=None, fraction=None,
                                  lease=now + dt.timedelta(seconds=LEASE))
                       .where(Job.id == job_id, Job.state == "handed", Job.attempt == attempt).execute())
            self._kit.changed("jobs", f"job:{job_id}")
        if not claimed:
            return "not ours"
        job = Job.get_by_id(job_id)
        kind = self.types.get(job.type)
        try:
            if kind is None or self._load is None:
                raise Invalid(T("This worker does not know jobs of kind %(type)s.", type=job.type))
            result = self._load(job.type)(Task(self._kit, services, job), job.payload)
        except Cancelled:
            return self._end(job, "cancelled")
        except LeaseLost:
            return "lost"
        except UnibosError as error:
            return self._failed(job, error.text, error.retry)
        except Exception as error:  # noqa: BLE001 - whatever a task does must end as a failed job, not as a dead worker
            self._kit.log.error("job %s (%s) broke: %s", job.id, job.type, traceback.format_exc())
            return self._failed(job, T("The work broke off (%(kind)s); the log of the worker has the details.",
                                       kind=type(error).__name__), kind is not None and kind.idempotent)
        return self._end(job, "done", result=result, fraction=1.0)

    def renew(self, job_id: str, worker: str) -> bool:
        """Keep the lease of a running job; False when it is not this worker's any more."""
        with self._kit.db.tenant(self._kit.db.find(ORG_OF_JOB, job_id)), self._kit.db.transaction():
            return bool(Job.update(lease=self._kit.now() + dt.timedelta(seconds=LEASE))
                        .where(Job.id == job_id, Job.state == "running", Job.worker == worker).execute())

    def _tell(self, job: Job, state: str) -> None:
        """Let whoever asked for the job know, on whatever page they have open now."""
        kind = self.types.get(job.type)
        words = T("Done: %(what)s · %(subject)s") if state == "done" else T("Failed: %(what)s · %(subject)s")
        text = Text(words.message, {"what": kind.title if kind else job.type, "subject": job.subject})
        self._kit.tell("live", {"type": "toast", "actor": job.actor_id, "org": job.org_id, "level": "good" if state == "done" else "bad", "text": said(text)})

    def _failed(self, job: Job, why: Text | str, retry: bool) -> str:
        if retry and job.attempt < job.attempts:
            delay = backoff(job.attempt, self._kit.random.bytes(1)[0] / 256)
            return self._end(job, "waiting", error=said(why), due=self._kit.now() + dt.timedelta(seconds=delay))
        return self._end(job, "failed", error=said(why))

    def _end(self, job: Job, state: str, **fields: Any) -> str:
        ended = None if state == "waiting" else self._kit.now()
        with self._kit.db.transaction():
            changed = (Job.update(state=state, lease=None, ended_at=ended, **fields)
                       .where(Job.id == job.id, Job.state == "running", Job.attempt == job.attempt).execute())
            self._kit.changed("jobs", f"job:{job.id}", *(("alerts",) if state == "failed" else ()), org_id=job.org_id)
            if changed and job.actor_id and state in ("done", "failed"):
                self._kit.db.after_commit(lambda: self._tell(job, state))
            self._kit.db.after_commit(self.wake)
        return state if changed else "lost"
