"""`unibos export`."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


def _shown(answer: dict, as_json: bool) -> None:
    rows = [(f"{i['module']}.{i['data_type']}", *("allow" if i["to"][d]["allowed"] else "deny" for d in ("hub", "peer", "internet")), i["sentence"])
            for i in answer["items"]]
    show(answer, as_json, f"kill switch: {'ON' if answer['kill_switch'] else 'off'}\n" + table(rows, ("DATA", "HUB", "PEER", "INTERNET", "WHAT IT IS")))


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def export(context, as_json: bool) -> None:
    """Show and change what may leave this device.

    Example: unibos export allow registry heartbeat hub
    """
    if context.invoked_subcommand is None:
        _shown(context.obj.get("/api/v1/export/"), as_json)


@export.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context, as_json: bool) -> None:
    """Show what may leave this device."""
    _shown(context.get("/api/v1/export/"), as_json)


def _rule(decision: str, sentence: str) -> click.Command:
    @click.command(decision, help=sentence)
    @click.argument("module")
    @click.argument("data_type")
    @click.argument("destination", type=click.Choice(["hub", "peer", "internet"]))
    @click.pass_obj
    def command(context, module: str, data_type: str, destination: str) -> None:
        body = {"module": module, "data_type": data_type, "destination": destination, "decision": decision}
        _shown(context.post("/api/v1/export/rules/", body), False)

    return command


export.add_command(_rule("allow", "Let one kind of data go to one destination."))
export.add_command(_rule("deny", "Keep one kind of data from one destination."))


@export.command("kill-switch")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_obj
def kill_switch(context, state: str) -> None:
    """Stop everything that leaves this device at once, or let the rules decide again."""
    _shown(context.post("/api/v1/export/kill-switch/", {"on": state == "on"}), False)


@export.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def log(context, as_json: bool) -> None:
    """Show what asked to leave lately, and the answers."""
    answer = context.get("/api/v1/export/log/")
    rows = [(i["at"][:19], f"{i['module']}.{i['data_type']}", i["destination"], "allowed" if i["allowed"] else "BLOCKED", i["records"], i["bytes"],
             i["why"]) for i in answer["items"]]
    show(answer, as_json, table(rows, ("TIME", "DATA", "TO", "ANSWER", "RECORDS", "BYTES", "WHY")))
