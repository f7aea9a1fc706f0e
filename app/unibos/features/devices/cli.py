"""`unibos devices`."""

from __future__ import annotations

import click

from unibos.kernel.cli import show, table


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def devices(context, as_json: bool) -> None:
    """List devices, and make and remove their credentials.

    Example: unibos devices add "Garden box" --json
    """
    if context.invoked_subcommand is None:
        answer = context.obj.get("/api/v1/devices/")
        rows = [(d["name"], d["status"], e["name"], e["component"], e["state"], e["unit"], e["at"]) for d in answer["items"] for e in d["entities"]]
        show(answer, as_json, table(rows, ("DEVICE", "STATE", "ENTITY", "KIND", "VALUE", "UNIT", "AT")))


@devices.command()
@click.argument("name")
@click.option("--for", "kind", default="generic", show_default=True,
              type=click.Choice(["generic", "esphome", "zigbee2mqtt", "tasmota", "shelly"]), help="What it speaks.")
@click.option("--allow", multiple=True, help="A further topic filter that it may use (may be repeated).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(context, name: str, kind: str, allow: tuple[str, ...], as_json: bool) -> None:
    """Make a credential for the device NAME; its password is shown only now.

    Example: unibos devices add "Zigbee bridge" --for zigbee2mqtt
    """
    answer = context.post("/api/v1/devices/credentials/", {"name": name, "kind": kind, "allow": list(allow)})
    lines = [(key, answer[key]) for key in ("username", "password", "host", "port", "topic", "discovery")]
    if answer["tls"]:
        lines[4:4] = [("tls", "yes"), ("ca", answer["ca"])]
    show(answer, as_json, "\n".join(f"{key:<10}{value}" for key, value in lines))


@devices.command()
@click.argument("username")
@click.confirmation_option(prompt="Its connection is cut at once; its history is kept. Remove it?")
@click.pass_obj
def remove(context, username: str) -> None:
    """Take a credential away."""
    context.request("DELETE", f"/api/v1/devices/credentials/{username}/")
    click.echo("removed")


@devices.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def refusals(context, as_json: bool) -> None:
    """Show what devices sent that was refused, with how often and why."""
    answer = context.get("/api/v1/devices/refusals/")
    rows = [(r["count"], r["topic"], r["why"], r["at"][:19]) for r in answer["items"]]
    show(answer, as_json, table(rows, ("TIMES", "TOPIC", "WHY", "LAST")))
