"""Commands of the registry."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from unibos.kernel.cli import Problem, show, table

HEAD = ("ID", "NAME", "STATE", "TRUST", "VERSION", "LAST REPORT", "WHY")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _rows(items: list[dict[str, Any]]) -> str:
    return table([(n["id"], n["hostname"], n["status"], n["trust_name"], n["version"], n["last_heartbeat"], n["why"]) for n in items], HEAD)


def _pairs(node: dict[str, Any]) -> str:
    resting = node["maintenance"]
    lines = [("name", node["hostname"]), ("id", node["id"]), ("state", f"{node['status']}: {node['why']}"),
             ("trust", f"{node['trust']} {node['trust_name']}: {node['trust_why']}"), ("fingerprint", node["fingerprint"]), ("address", node["url"]),
             ("kind", f"{node['kind']}, {node['type']}, {node['platform']}"), ("version", node["version"]), ("last report", node["last_heartbeat"]),
             ("clock", node["clock_why"] or ("right" if node["clock_offset"] is not None else "not known")),
             ("has", ", ".join(f"{k} {v}" if not isinstance(v, bool) else k for k, v in node["capabilities"].items() if v and k != "platform")),
             *([("maintenance", f"{resting['why']} until {resting['until'] or 'somebody ends it'}")] if resting else []),
             *([("revoked", f"{node['revoked_at']} {node['revoked_why']}".strip())] if node["revoked_at"] else [])]
    return "\n".join(f"{name:12} {value}" for name, value in lines)


@click.group(invoke_without_command=True)
@click.option("--status", type=click.Choice(["online", "offline", "maintenance", "unreachable"]), help="Only nodes in this state.")
@click.option("--capability", type=click.Choice(["gpu", "camera", "gpio", "lora", "storage_gb", "ram_gb", "cpu_cores"]), help="Only nodes that have it.")
@click.option("--type", "kind", type=click.Choice(["standard", "edge", "desktop"]), help="Only nodes of this type.")
@json_option
@click.pass_context
def nodes(context, status: str | None, capability: str | None, kind: str | None, as_json: bool) -> None:
    """Look after nodes. Without a command: list them.

    \b
    Examples:
      unibos-hub nodes --status offline
      unibos-hub nodes --capability gpu --json
      unibos-hub nodes token
      unibos-hub nodes approve 0b7c…
      unibos-hub nodes maintenance on pi-001 --why "new disk" --hours 4
      unibos-hub nodes revoke pi-001 --why stolen
    """
    if context.invoked_subcommand is None:
        wanted = {k: v for k, v in (("status", status), ("capability", capability), ("type", kind)) if v}
        answer = context.obj.get("/api/v1/nodes/" + (f"?{urlencode(wanted)}" if wanted else ""))
        show(answer, as_json, _rows(answer["items"]))


def _found(context: Any, name: str) -> str:
    """The id of the node that `name` means: its id, or its name where only one has it."""
    items = context.get("/api/v1/nodes/")["items"]
    found = [n["id"] for n in items if n["id"] == name] or [n["id"] for n in items if n["hostname"] == name]
    if len(found) != 1:
        raise Problem(f"there is no node {name}" if not found else f"{len(found)} nodes are called {name}: give the id", 66)
    return found[0]


@nodes.command("show")
@click.argument("node")
@json_option
@click.pass_obj
def show_node(context, node: str, as_json: bool) -> None:
    """Show all about one NODE (its name or id).

    Example: unibos-hub nodes show pi-001
    """
    answer = context.get(f"/api/v1/nodes/{_found(context, node)}/")
    show(answer, as_json, _pairs(answer))


@nodes.command()
@click.option("--hours", default=24, show_default=True, help="How long it can be used.")
@click.option("--worker", is_flag=True, help="For a machine that only works.")
@json_option
@click.pass_obj
def token(context, hours: int, worker: bool, as_json: bool) -> None:
    """Make a one-time enrolment token for `unibos join`.

    Example: unibos-hub nodes token --hours 1
    """
    answer = context.post("/api/v1/nodes/tokens/", {"hours": hours, "kind": "worker" if worker else "node"})
    show(answer, as_json, answer["token"])


@nodes.command()
@json_option
@click.pass_obj
def waiting(context, as_json: bool) -> None:
    """List nodes that ask to join, with the fingerprint to compare.

    Example: unibos-hub nodes waiting
    """
    answer = context.get("/api/v1/nodes/applications/")
    rows = [(w["id"], w["hostname"], w["address"], w["fingerprint"], w["created_at"]) for w in answer["items"]]
    show(answer, as_json, table(rows, ("ID", "NAME", "ADDRESS", "FINGERPRINT", "ASKED")))


@nodes.command()
@click.argument("application")
@click.option("--trust", "level", default=3, show_default=True, type=click.IntRange(1, 5), help="From 1 (unknown) to 5 (owner).")
@json_option
@click.pass_obj
def approve(context, application: str, level: int, as_json: bool) -> None:
    """Let in the node that asked under the id APPLICATION. Compare its fingerprint first.

    Example: unibos-hub nodes approve 0b7c1f0e-… --trust 4
    """
    answer = context.post(f"/api/v1/nodes/applications/{application}/approve/", {"trust": level})
    show(answer, as_json, f"{answer['hostname']} is let in as node {answer['id']}")


@nodes.command()
@click.argument("application")
@click.pass_obj
def refuse(context, application: str) -> None:
    """Refuse the node that asked under the id APPLICATION.

    Example: unibos-hub nodes refuse 0b7c1f0e-…
    """
    context.post(f"/api/v1/nodes/applications/{application}/refuse/")
    click.echo("refused")


@nodes.command()
@click.argument("node")
@click.argument("level", type=click.IntRange(0, 5))
@json_option
@click.pass_obj
def trust(context, node: str, level: int, as_json: bool) -> None:
    """Say how far NODE is trusted: 0 blocked, 1 unknown, 2 known, 3 trusted, 4 verified, 5 owner.

    Example: unibos-hub nodes trust pi-001 4
    """
    answer = context.post(f"/api/v1/nodes/{_found(context, node)}/trust/", {"trust": level})
    show(answer, as_json, f"{answer['hostname']}: {answer['trust_name']}. {answer['trust_why']}")


@nodes.command()
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.argument("node")
@click.option("--why", default="", help="What is done.")
@click.option("--hours", type=click.FloatRange(0.1, 2160), help="Ends by itself after so many hours.")
@json_option
@click.pass_obj
def maintenance(context, switch: str, node: str, why: str, hours: float | None, as_json: bool) -> None:
    """Begin or end a maintenance of NODE: it raises no alarm, gets no work and is not called back.

    Example: unibos-hub nodes maintenance on pi-001 --why "new disk" --hours 4
    """
    answer = context.post(f"/api/v1/nodes/{_found(context, node)}/maintenance/", {"on": switch == "on", "why": why, "hours": hours})
    show(answer, as_json, f"{answer['hostname']}: {answer['why']}")


@nodes.command()
@click.argument("node")
@click.option("--why", default="", help="The reason, for the log and the page.")
@json_option
@click.pass_obj
def revoke(context, node: str, why: str, as_json: bool) -> None:
    """Take the trust from NODE at once: it is refused, and no token lets it in again.

    Example: unibos-hub nodes revoke pi-001 --why stolen
    """
    answer = context.post(f"/api/v1/nodes/{_found(context, node)}/revoke/", {"why": why})
    show(answer, as_json, f"{answer['hostname']}: {answer['why']} People whose logins were on it should change their passwords.")


@nodes.command()
@click.argument("node")
@json_option
@click.pass_obj
def unrevoke(context, node: str, as_json: bool) -> None:
    """Give NODE its trust back (the owner only).

    Example: unibos-hub nodes unrevoke pi-001
    """
    answer = context.post(f"/api/v1/nodes/{_found(context, node)}/unrevoke/")
    show(answer, as_json, f"{answer['hostname']}: {answer['trust_name']} again")


@click.command()
@json_option
@click.pass_obj
def hubs(context, as_json: bool) -> None:
    """List the hubs that work on this hub's database; the exit code is 1 when one of them is silent.

    Example: unibos-manager hubs
    """
    answer = context.get("/api/v1/hubs/")
    rows = [(h["name"], h["status"], h["role"], h["region"], h["version"], h["seen_at"]) for h in answer["items"]]
    show(answer, as_json, table(rows, ("NAME", "STATE", "ROLE", "REGION", "VERSION", "LAST SEEN")))
    _exit(all(h["status"] == "online" for h in answer["items"]))


@click.command()
@json_option
@click.pass_obj
def workers(context, as_json: bool) -> None:
    """List who does the work: this hub's workers, and machines that only work. The exit code is 1 when one is silent.

    Example: unibos-manager workers
    """
    answer = context.get("/api/v1/workers/")
    rows = [(w["name"], w["kind"], "ok" if w["alive"] else "SILENT", w["queue"], w["version"], w["seen_at"]) for w in answer["items"]]
    show(answer, as_json, table(rows, ("NAME", "KIND", "STATE", "QUEUES", "VERSION", "LAST SEEN")))
    _exit(all(w["alive"] for w in answer["items"]))


@click.command("status")
@json_option
@click.pass_obj
def fleet_status(context, as_json: bool) -> None:
    """Say how this hub and its nodes are. The exit code is 0 while all is well, else 1.

    Example: unibos-manager status || mail -s "look at the hub" ada
    """
    own, every, silent = context.get("/api/v1/status/"), context.get("/api/v1/nodes/")["items"], context.get("/api/v1/alerts/")["items"]
    silent = [a for a in silent if a["ended_at"] is None]
    counts = {state: sum(n["status"] == state for n in every) for state in ("online", "offline", "unreachable", "maintenance")}
    well = own["status"] == "ready" and not silent and not counts["unreachable"]
    lines = [f"hub {own['version']}: {own['status']}", ", ".join(f"{count} {state}" for state, count in counts.items()),
             *(f"{a['hostname']} is silent since {a['since']}" for a in silent), *(f"{c['name']}: {c['why']}" for c in own["checks"] if not c["ok"])]
    show({"well": well, "hub": own, "nodes": counts, "silent": silent}, as_json, "\n".join(lines))
    _exit(well)


def _exit(well: bool) -> None:
    if not well:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("url")
@click.argument("token", default="")
@click.option("--organisation", default="", help="Without a token: whom to ask, by the short name on the hub; else its first one.")
@click.option("--pin", default="", help="Without a token: the pin of the hub's own authority, which its nodes page shows.")
@click.option("--drop", is_flag=True, help="Do not ask this hub any more.")
@json_option
@click.pass_obj
def join(context, url: str, token: str, organisation: str, pin: str, drop: bool, as_json: bool) -> None:
    """Join the hub at URL with an enrolment TOKEN, whole as the hub shows it (`-` reads it from standard input), or ask it without one.

    \b
    Examples:
      unibos join https://hub.example.org -
      unibos join https://hub.example.org
    """
    if drop:
        context.post("/api/v1/node/join/drop/", {"url": url})
        click.echo(f"{url} is not asked any more")
        return
    value = click.get_text_stream("stdin").readline().strip() if token == "-" else token
    more = {k: v for k, v in (("organisation", organisation), ("pin", pin)) if v}
    answer = context.post("/api/v1/node/join/", {"url": url, "token": value, **more})
    text = f"joined {answer['hub']} as node {answer['node_id']}\n{answer['trust']}"
    if answer["state"] == "pending":
        text = f"asked {answer['hub']}. {answer['trust']}\nfingerprint  {answer['fingerprint']}"
    show(answer, as_json, text)


@click.command()
@click.option("--settings", is_flag=True, help="Print every effective setting with where it came from.")
@json_option
@click.pass_obj
def status(context, settings: bool, as_json: bool) -> None:
    """Say how this device is: each dependency and what is wrong with it; on a node also its fingerprint and its hubs.

    Example: unibos status --json
    """
    answer = context.get("/api/v1/status/" + ("?settings=1" if settings else ""))
    rows = [(c["name"], "ok" if c["ok"] else "NOT OK", c["why"]) for c in answer["checks"]]
    text = f"{answer['role']} {answer['version']}: {answer['status']}\n" + table(rows, ("PART", "STATE", "WHY"))
    if answer["role"] == "node" and not settings:
        own = answer["node"] = context.get("/api/v1/node/")
        text += f"\nfingerprint  {own['fingerprint']}"
        text += "".join(f"\nhub          {h['url']}: {h['failure'] or 'it answers'}" for h in own["hubs"])
        text += "".join(f"\nasked        {w['url']}: {w['state']}{', ' + w['why'] if w['why'] else ''}" for w in own["waiting"])
    if settings:
        text = table([(s["name"], s["value"], s["source"]) for s in answer["settings"]], ("SETTING", "VALUE", "FROM"))
    show(answer, as_json, text)
