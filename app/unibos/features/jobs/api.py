"""JSON v1 of jobs and workers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from unibos.kernel.errors import Conflict
from unibos.kernel.jobs import Job, unsaid
from unibos.kernel.web import Call, Routes
from unibos.panel.shell import say

ROUTES = Routes()


class Filter(BaseModel):
    """Which jobs."""

    state: Literal["", "open", "waiting", "handed", "running", "done", "failed", "cancelled"] = ""
    queue: str = Field("", max_length=64)
    limit: int = Field(50, ge=1, le=500)


class JobView(BaseModel):
    """A job. `fraction` is 0 to 1, or null while nobody can say."""

    id: str
    type: str
    title: str
    queue: str
    state: str
    subject: str
    stage: str
    fraction: float | None
    error: str
    attempt: int
    attempts: int
    worker: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    result: Any


class Jobs(BaseModel):
    """Jobs, and how many there are in each state by queue."""

    items: list[JobView]
    queues: dict[str, dict[str, int]]


def shown(call: Call, job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {"id": job.id, "type": job.type, "title": say(call.services["jobs"].title(job)), "queue": job.queue, "state": job.state,
            "subject": job.subject, "stage": say(unsaid(job.stage)), "fraction": job.fraction, "error": say(unsaid(job.error)),
            "attempt": job.attempt, "attempts": job.attempts, "worker": job.worker, "created_at": job.created_at.isoformat(),
            "started_at": job.started_at.isoformat() if job.started_at else None,
            "ended_at": job.ended_at.isoformat() if job.ended_at else None, "result": job.result}


@ROUTES.get("/api/v1/jobs/", access="viewer", query=Filter, answer=Jobs)
def jobs(call: Call) -> dict:
    """Jobs, the newest first, and how many there are in each state by queue."""
    rows = call.service.list(call.actor.org_id, state=call.query.state, queue=call.query.queue, most=call.query.limit)
    return {"items": [shown(call, job) for job in rows], "queues": call.service.counts(call.actor.org_id)}


@ROUTES.get("/api/v1/jobs/<job_id>/", access="viewer", answer=JobView)
def job(call: Call, job_id: str) -> dict:
    """One job."""
    return shown(call, call.kit.jobs.get(job_id, call.actor.org_id))


@ROUTES.post("/api/v1/jobs/<job_id>/cancel/", access="member", answer=JobView, raises=(Conflict,))
def cancel(call: Call, job_id: str) -> dict:
    """Cancel a job that waits or runs."""
    call.kit.jobs.cancel(job_id, call.actor.org_id)
    return job(call, job_id)


@ROUTES.post("/api/v1/jobs/<job_id>/repeat/", access="member", answer=JobView, raises=(Conflict,))
def repeat(call: Call, job_id: str) -> dict:
    """Put a failed or cancelled job back into its queue."""
    call.kit.jobs.repeat(job_id, call.actor.org_id)
    return job(call, job_id)


class WorkerOut(BaseModel):
    """Who works: a process of this device (`pid`, `job_id`), or a machine of its own."""

    name: str
    kind: Literal["process", "machine"]
    queue: str
    pid: int | None
    version: str
    capabilities: dict[str, Any]
    started_at: str
    seen_at: str | None
    job_id: str
    alive: bool


class WorkersOut(BaseModel):
    """Workers."""

    items: list[WorkerOut]


@ROUTES.get("/api/v1/workers/", access="viewer", answer=WorkersOut)
def workers(call: Call) -> dict:
    """The workers that have said they are there: this device's processes, and machines that only work."""
    found = [{**w, "kind": "process"} for w in call.service.workers()]
    found += [{"pid": None, "job_id": "", **w, "kind": "machine"} for w in call.service.machines(call.actor.org_id)]
    return {"items": [{**w, "started_at": w["started_at"].isoformat(), "seen_at": w["seen_at"].isoformat() if w["seen_at"] else None} for w in found]}
