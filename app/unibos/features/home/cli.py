"""Commands of home."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def modules(context, as_json: bool) -> None:
    """List the modules of this node."""
    answer = context.get("/api/v1/modules/")
    show(answer, as_json, table([(i["name"],) for i in answer["items"]], ("MODULE",)))
