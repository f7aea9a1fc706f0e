"""Commands of orgs."""

from __future__ import annotations

import json

import click

from unibos.kernel.cli import console


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def claim_code(context, as_json: bool) -> None:
    """Show the code that claims this device (empty when it has an owner)."""
    path = context.data_dir / "claim-code"
    code = path.read_text(encoding="ascii").strip() if path.exists() else ""
    click.echo(json.dumps({"code": code}) if as_json else code or console("This device has an owner: there is no code."))
