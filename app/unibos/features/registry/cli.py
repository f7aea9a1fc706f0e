"""Commands of the registry."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def nodes(context, as_json: bool) -> None:
    """List nodes and make enrolment tokens.

    Example: unibos-hub nodes token
    """
    if context.invoked_subcommand is None:
        answer = context.obj.get("/api/v1/nodes/")
        rows = [(n["id"], n["hostname"], n["status"], n["version"], n["last_heartbeat"], n["why"]) for n in answer["items"]]
        show(answer, as_json, table(rows, ("ID", "NAME", "STATE", "VERSION", "LAST REPORT", "WHY")))


@nodes.command()
@click.option("--hours", default=24, show_default=True, help="How long it can be used.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def token(context, hours: int, as_json: bool) -> None:
    """Make a one-time enrolment token for `unibos join`."""
    answer = context.post("/api/v1/nodes/tokens/", {"hours": hours})
    show(answer, as_json, answer["token"])


@click.command()
@click.argument("url")
@click.argument("token")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def join(context, url: str, token: str, as_json: bool) -> None:
    """Join the hub at URL with an enrolment TOKEN, whole as the hub shows it (`-` reads it from standard input).

    Example: unibos join https://hub.example.org -
    """
    value = click.get_text_stream("stdin").readline().strip() if token == "-" else token
    answer = context.post("/api/v1/node/join/", {"url": url, "token": value})
    show(answer, as_json, f"joined {answer['hub']} as node {answer['node_id']}\n{answer['trust']}")


@click.command()
@click.option("--settings", is_flag=True, help="Print every effective setting with where it came from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context, settings: bool, as_json: bool) -> None:
    """Say how this device is: each dependency and what is wrong with it."""
    answer = context.get("/api/v1/status/" + ("?settings=1" if settings else ""))
    rows = [(c["name"], "ok" if c["ok"] else "NOT OK", c["why"]) for c in answer["checks"]]
    text = f"{answer['role']} {answer['version']}: {answer['status']}\n" + table(rows, ("PART", "STATE", "WHY"))
    if settings:
        text = table([(s["name"], s["value"], s["source"]) for s in answer["settings"]], ("SETTING", "VALUE", "FROM"))
    show(answer, as_json, text)
