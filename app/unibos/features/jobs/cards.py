"""The jobs' card on the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.kernel.actors import Actor
from unibos.kernel.jobs import unsaid
from unibos.kernel.words import T
from unibos.panel.shell import Words

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


STATES = Words(waiting=T("waits"), handed=T("waits for a worker"), running=T("runs"), done=T("done"), failed=T("failed"), cancelled=T("cancelled"))


def card(_kit: Kit, services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """What runs and what failed."""
    work = services["jobs"]

    def show(actor: Actor) -> dict[str, Any]:
        counts = work.counts(actor.org_id)
        total = {state: sum(c.get(state, 0) for c in counts.values()) for state in ("waiting", "handed", "running", "failed")}
        return {"template": "card_jobs.html", "order": 40, "jobs": work.list(actor.org_id, state="open", most=5), "total": total,
                "title_of": work.title, "unsaid": unsaid, "words": {"job_words": STATES}}

    return show
