"""Commands of identity."""

from __future__ import annotations

import click

from unibos.kernel.cli import show


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def whoami(context, as_json: bool) -> None:
    """Say who this command line acts as."""
    answer = context.get("/api/v1/auth/whoami/")
    show(answer, as_json, f"{answer['name']} ({answer['role']}) of organisation {answer['org_id']}, by {answer['via']}")
