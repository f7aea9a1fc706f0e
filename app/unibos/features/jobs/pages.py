"""Jobs and workers in the panel."""

from __future__ import annotations

from typing import Any

from flask import Response

from unibos.features.jobs.cards import STATES
from unibos.kernel.jobs import Job, unsaid
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import page, say, shell, toast

ROUTES = Routes()


def _row(call: Call, job: Job) -> dict[str, Any]:
    """A job that ended as a row of a table."""
    title = say(call.service.title(job))
    took = (job.ended_at - job.started_at).total_seconds() if job.ended_at and job.started_at else None
    return {"id": job.id, "href": f"/jobs/{job.id}/", "what": f"{title} · {job.subject}" if job.subject else title, "why": say(unsaid(job.error)),
            "tries": job.attempt, "at": job.ended_at, "took": shell().duration(took)}


@ROUTES.get("/jobs/", access="viewer", kind="page")
def overview(call: Call) -> Response:
    """Queues, running and failed jobs, workers."""
    org, service = call.actor.org_id, call.service
    counts = service.counts(org)
    queues = [{"id": q, "name": q, "waiting": c.get("waiting", 0) + c.get("handed", 0), "running": c.get("running", 0), "failed": c.get("failed", 0),
               "done": c.get("done", 0)} for q, c in counts.items()]
    failed, ended = service.list(org, state="failed"), service.list(org, state="done", most=20)
    return page(call, "jobs.html", queue_rows=queues, workers=[{"id": w["name"], **w} for w in service.workers()],
                open=service.list(org, state="open"), failed=failed, failed_rows=[_row(call, job) for job in failed], ended=ended,
                ended_rows=[_row(call, job) for job in ended], title_of=service.title, unsaid=unsaid, job_words=STATES)


@ROUTES.get("/jobs/<job_id>/", access="viewer", kind="page")
def one(call: Call, job_id: str) -> Response:
    """One job: its stage, what it made, why it failed."""
    return page(call, "job.html", job=call.kit.jobs.get(job_id, call.actor.org_id), title_of=call.service.title, unsaid=unsaid, job_words=STATES)


@ROUTES.post("/jobs/<job_id>/cancel/", access="member", kind="page")
def cancel(call: Call, job_id: str) -> Response:
    """Cancel a job."""
    call.kit.jobs.cancel(job_id, call.actor.org_id)
    return toast("/jobs/", T("The job is cancelled."))


@ROUTES.post("/jobs/<job_id>/repeat/", access="member", kind="page")
def repeat(call: Call, job_id: str) -> Response:
    """Repeat a failed job."""
    call.kit.jobs.repeat(job_id, call.actor.org_id)
    return toast("/jobs/", T("The job is in its queue again."))


