"""`unibos jobs`."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


@click.group(invoke_without_command=True)
@click.option("--state", default="", help="Only this state (open, failed, done …).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def jobs(context, state: str, as_json: bool) -> None:
    """List, cancel and repeat jobs.

    Example: unibos jobs --state failed
    """
    if context.invoked_subcommand is None:
        answer = context.obj.get(f"/api/v1/jobs/?state={state}")
        rows = [(j["id"], j["state"], j["queue"], j["title"], j["subject"], j["error"] or j["stage"]) for j in answer["items"]]
        show(answer, as_json, table(rows, ("ID", "STATE", "QUEUE", "WHAT", "OF", "NOW")))


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def cancel(context, job_id: str) -> None:
    """Cancel a job that waits or runs."""
    show(context.post(f"/api/v1/jobs/{job_id}/cancel/"), False, "cancelled")


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def repeat(context, job_id: str) -> None:
    """Put a failed or cancelled job back into its queue."""
    show(context.post(f"/api/v1/jobs/{job_id}/repeat/"), False, "in its queue again")
