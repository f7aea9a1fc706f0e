"""`unibos documents`."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


@click.command()
@click.argument("words", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def documents(context, words: tuple[str, ...], as_json: bool) -> None:
    """List documents, or search them for WORDS.

    Example: unibos documents fatura 2026
    """
    from urllib.parse import quote

    answer = context.get("/api/v1/documents/?q=" + quote(" ".join(words)))
    rows = [(d["id"], d["status"], d["title"], d["page_count"], d["snippet"][:60].replace("\n", " ")) for d in answer["items"]]
    show(answer, as_json, table(rows, ("ID", "STATE", "TITLE", "PAGES", "TEXT")))
