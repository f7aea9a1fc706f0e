"""The core jobs."""

from __future__ import annotations

from typing import Any

from unibos.kernel.jobs import Task
from unibos.kernel.words import T


def health_check(task: Task, _payload: dict[str, Any]) -> dict[str, Any]:
    """Prove that a worker takes work: report and end."""
    task.progress(T("Checking"), 0.5)
    task.kit.db.ping()
    return {"ok": True}


def cleanup(task: Task, _payload: dict[str, Any]) -> dict[str, Any]:
    """Forget what the retention says."""
    task.progress(T("Forgetting old jobs"), None)
    done = [task.kit.jobs.sweep()]
    if task.kit.clock.trusted():
        # A clock that was never set would call every reading old, or none.
        task.progress(T("Thinning out old readings"), None)
        done.append(task.kit.series.roll(task.kit.now_ms()))
    return {"done": done}
