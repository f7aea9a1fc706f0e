"""Commands for a hub's signing keys."""

from __future__ import annotations

from typing import Any

import click

from unibos.kernel.cli import show, table


def _shown(answer: dict[str, Any], as_json: bool) -> None:
    show(answer, as_json, table([(k["kid"], k["state"], k["starts_at"], k["made_at"]) for k in answer["items"]], ("KEY", "STATE", "SIGNS FROM", "MADE")))


@click.group("keys")
def keys() -> None:
    """List and turn the keys that sign tokens."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(context, as_json: bool) -> None:
    """Show which key signs, which comes next, and which are still published."""
    _shown(context.get("/api/v1/auth/keys/ring/"), as_json)


@keys.command("rotate")
@click.option("--at-once", is_flag=True, help="The new key signs now; older ones end with all their tokens, so everybody logs in again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def rotate(context, at_once: bool, as_json: bool) -> None:
    """Make a new key. It signs after a day, when every node knows it."""
    _shown(context.post("/api/v1/auth/keys/ring/", {"at_once": at_once}), as_json)
