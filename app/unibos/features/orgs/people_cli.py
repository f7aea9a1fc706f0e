"""Commands for people and organisations. They speak the API by the unix socket, so whoever reaches that is the owner."""

from __future__ import annotations

import sys
from typing import Any

import click

from unibos.kernel.cli import Problem, show, table

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ORG = click.option("--org", metavar="SLUG", help="Another organisation of this hub than its first one.")
ROLES = click.Choice(["owner", "admin", "member", "viewer"])
MEMBERS = "/api/v1/organisation/members/"


def _in(context: Any, org: str | None) -> Any:
    """The context, for that organisation."""
    if org:
        context.headers = {"X-Unibos-Organisation": org}
    return context


def _one(context: Any, who: str) -> dict[str, Any]:
    """The member with that e-mail, name or id; raises Problem."""
    items = context.get(MEMBERS)["items"]
    found = [m for m in items if who in (m["user_id"], m["email"])] or [m for m in items if m["name"].casefold() == who.casefold()]
    if len(found) != 1:
        raise Problem(f"{'nobody' if not found else 'more than one'} here is called {who}", 66)
    return found[0]


def _line(m: dict[str, Any]) -> tuple[Any, ...]:
    return m["name"], m["email"], m["role"], m["joined_at"][:16], (m["expires_at"] or "")[:16], "disabled" if m["disabled"] else "", m["user_id"]


@click.group(invoke_without_command=True)
@JSON
@ORG
@click.pass_context
def users(context, as_json: bool, org: str | None) -> None:
    """List, invite and remove people, give them roles, and let guests in.

    Example: unibos-hub users invite --role viewer --email bo@example.org
    """
    _in(context.obj, org)
    if context.invoked_subcommand is None:
        answer = context.obj.get(MEMBERS)
        show(answer, as_json, table([_line(m) for m in answer["items"]], ("NAME", "E-MAIL", "ROLE", "SINCE", "UNTIL", "STATE", "ID")))


@users.command("show")
@click.argument("who")
@JSON
@click.pass_obj
def show_one(context, who: str, as_json: bool) -> None:
    """Show one person, by e-mail, name or id."""
    found = _one(context, who)
    show(found, as_json, "\n".join(f"{key}: {value}" for key, value in found.items() if value not in ("", None, False)))


@users.command()
@click.argument("email")
@click.option("--name", default="", help="How they are called (with --password-stdin).")
@click.option("--role", type=ROLES, default="member", show_default=True)
@click.option("--hours", default=168, show_default=True, help="How long the link can be used.")
@click.option("--password-stdin", is_flag=True, help="Make the account now, with the password on the first line of standard input.")
@JSON
@click.pass_obj
def add(context, email: str, name: str, role: str, hours: int, password_stdin: bool, as_json: bool) -> None:
    """Make an invitation link for EMAIL, or the account itself.

    Example: unibos users add bo@example.org --name Bo --password-stdin < password.txt
    """
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        answer = context.post("/api/v1/users/", {"email": email, "name": name or email.partition("@")[0], "password": password, "role": role})
        return show(answer, as_json, f"{answer['name']} ({answer['email']}) is a {answer['role']} now")
    return _invite(context, as_json, role=role, email=email, hours=hours)


def _invite(context: Any, as_json: bool, **wanted: Any) -> None:
    answer = context.post("/api/v1/organisation/invitations/", wanted)
    show(answer, as_json, f"{answer['url']}\nIt is shown only now, and can be used until {answer['expires_at'][:16]} UTC.")


@users.command()
@click.option("--role", type=ROLES, default="member", show_default=True)
@click.option("--email", default="", help="Only this address can join by it.")
@click.option("--hours", default=168, show_default=True, help="How long the link can be used.")
@click.option("--uses", default=1, show_default=True, help="How many people can join by it.")
@JSON
@click.pass_obj
def invite(context, role: str, email: str, hours: int, uses: int, as_json: bool) -> None:
    """Make an invitation link."""
    _invite(context, as_json, role=role, email=email, hours=hours, uses=uses)


@users.command()
@click.option("--name", default="", help="Who it is for.")
@click.option("--hours", "stay", default=24, show_default=True, help="How long the guest stays.")
@click.option("--pin-stdin", is_flag=True, help="Ask for a PIN, which is read from standard input.")
@JSON
@click.pass_obj
def guest(context, name: str, stay: int, pin_stdin: bool, as_json: bool) -> None:
    """Make a link that lets a guest in for a time, without e-mail and password."""
    pin = sys.stdin.readline().strip() if pin_stdin else ""
    _invite(context, as_json, role="guest", label=name, guest_hours=stay, hours=24, pin=pin)


@users.command()
@JSON
@click.pass_obj
def invitations(context, as_json: bool) -> None:
    """List open invitations."""
    answer = context.get("/api/v1/organisation/invitations/")
    rows = [(i["id"], i["role"], i["email"] or i["label"], f"{i['used']}/{i['uses']}", i["expires_at"][:16]) for i in answer["items"]]
    show(answer, as_json, table(rows, ("ID", "ROLE", "FOR", "USED", "UNTIL")))


@users.command()
@click.argument("invitation_id")
@JSON
@click.pass_obj
def revoke(context, invitation_id: str, as_json: bool) -> None:
    """Take an invitation back."""
    context.request("DELETE", f"/api/v1/organisation/invitations/{invitation_id}/")
    show({"revoked": invitation_id}, as_json, "taken back")


@users.command()
@click.argument("who")
@click.argument("role", type=ROLES)
@JSON
@click.pass_obj
def role(context, who: str, role: str, as_json: bool) -> None:
    """Give somebody another role."""
    answer = context.request("PATCH", f"{MEMBERS}{_one(context, who)['user_id']}/", {"role": role})
    show(answer, as_json, f"{answer['name']} is a {answer['role']} now")


@users.command()
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_obj
def remove(context, who: str, yes: bool, as_json: bool) -> None:
    """Take somebody out of the organisation, or end a guest's visit. What they made stays."""
    found = _one(context, who)
    if not yes:
        click.confirm(f"Remove {found['name']}?", abort=True)
    context.request("DELETE", f"{MEMBERS}{found['user_id']}/")
    show({"removed": found["user_id"]}, as_json, f"{found['name']} is removed")


@users.command()
@click.argument("who")
@JSON
@click.pass_obj
def disable(context, who: str, as_json: bool) -> None:
    """Let somebody in no more, in any organisation of this device. Their records stay."""
    found = _one(context, who)
    context.post(f"/api/v1/users/{found['user_id']}/disable/")
    show({"disabled": found["user_id"]}, as_json, f"{found['name']} is let in no more; what they made stays")


@users.command()
@click.argument("who")
@JSON
@click.pass_obj
def enable(context, who: str, as_json: bool) -> None:
    """Let a disabled person in again."""
    found = _one(context, who)
    context.post(f"/api/v1/users/{found['user_id']}/enable/")
    show({"enabled": found["user_id"]}, as_json, f"{found['name']} is let in again")


@users.command()
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_obj
def erase(context, who: str, yes: bool, as_json: bool) -> None:
    """Forget who somebody was. Their records stay with their organisations, without a name."""
    found = _one(context, who)
    if not yes:
        click.confirm(f"Erase the account of {found['name']}? This cannot be undone.", abort=True)
    context.request("DELETE", f"/api/v1/users/{found['user_id']}/")
    show({"erased": found["user_id"]}, as_json, f"{found['name']} is forgotten; what they made stays")


@users.command()
@click.argument("who")
@JSON
@click.pass_obj
def transfer(context, who: str, as_json: bool) -> None:
    """Offer the ownership to a member; from the console it also replaces an owner who is lost."""
    found = _one(context, who)
    context.post("/api/v1/organisation/transfer/", {"user_id": found["user_id"]})
    show({"offered_to": found["user_id"]}, as_json, f"offered to {found['name']}, who has seven days to accept it on the page Organisation")


# Organisations.


def _organisation(answer: dict[str, Any]) -> str:
    bound = {k: "no limit" if v is None else v for k, v in answer["limits"].items()}
    used = answer["used"]
    return (f"{answer['name']} ({answer['slug']})\n{answer['type']}, plan {answer['plan']}\npeople {used['users']} of {bound['users']}, "
            f"nodes {used['nodes']} of {bound['nodes']}, storage {used['storage']} of {bound['storage']} bytes\nid {answer['id']}")


@click.group(invoke_without_command=True)
@JSON
@click.pass_context
def orgs(context, as_json: bool) -> None:
    """List, make and change organisations of this hub.

    Example: unibos-hub orgs add "Reading society" --owner bo@example.org --plan starter
    """
    if context.invoked_subcommand is None:
        answer = context.obj.get("/api/v1/organisations/")
        rows = [(o["slug"], o["name"], o["type"], o["plan"], o["users"], o["id"]) for o in answer["items"]]
        show(answer, as_json, table(rows, ("SLUG", "NAME", "TYPE", "PLAN", "PEOPLE", "ID")))


@orgs.command("show")
@click.argument("slug", required=False)
@JSON
@click.pass_obj
def show_org(context, slug: str | None, as_json: bool) -> None:
    """Show one organisation: what it may and uses."""
    answer = _in(context, slug).get("/api/v1/organisation/")
    show(answer, as_json, _organisation(answer))


@orgs.command("add")
@click.argument("name")
@click.option("--owner", default="", help="E-mail of its owner, who has an account; without it, a link that makes one is printed.")
@click.option("--type", "type_", default="team", show_default=True)
@click.option("--plan", default="free", show_default=True)
@JSON
@click.pass_obj
def add_org(context, name: str, owner: str, type_: str, plan: str, as_json: bool) -> None:
    """Make an organisation."""
    made = context.post("/api/v1/organisations/", {"name": name, "type": type_, "plan": plan, "owner": owner})
    if not owner:
        made["invitation"] = _in(context, made["slug"]).post("/api/v1/organisation/invitations/", {"role": "owner", "hours": 168})["url"]
    show(made, as_json, f"{made['slug']}" + (f"\nIts owner joins by {made['invitation']}" if not owner else ""))


@orgs.command("set")
@click.argument("slug")
@click.option("--name")
@click.option("--type", "type_")
@click.option("--plan")
@click.option("--max-users", help="A number, or `plan` for what the plan says.")
@click.option("--max-nodes", help="A number, or `plan`.")
@click.option("--max-storage-gb", help="A number, or `plan`.")
@click.option("--modules", help="Comma list of the modules it has; `all` for all.")
@click.option("--domain", help="Its own domain; empty for none.")
@JSON
@click.pass_obj
def set_org(context, slug: str, name, type_, plan, max_users, max_nodes, max_storage_gb, modules, domain, as_json: bool) -> None:
    """Change an organisation.

    Example: unibos-hub orgs set reading-0a1b2c3d4e --plan professional --max-users 40
    """
    wanted: dict[str, Any] = {k: v for k, v in (("name", name), ("type", type_), ("plan", plan), ("custom_domain", domain)) if v is not None}
    for key, value in (("max_users", max_users), ("max_nodes", max_nodes), ("max_storage_gb", max_storage_gb)):
        if value is not None:
            if value != "plan" and not value.isdecimal():
                raise click.UsageError(f"--{key.replace('_', '-')} takes a number or `plan`")
            wanted[key] = None if value == "plan" else int(value)
    if modules is not None:
        wanted["enabled_modules"] = [] if modules == "all" else [m.strip() for m in modules.split(",") if m.strip()]
    answer = _in(context, slug).request("PATCH", "/api/v1/organisation/", wanted)
    show(answer, as_json, _organisation(answer))


@orgs.command("transfer")
@click.argument("slug")
@click.argument("who")
@JSON
@click.pass_context
def transfer_org(context, slug: str, who: str, as_json: bool) -> None:
    """Offer the ownership of an organisation to one of its members."""
    _in(context.obj, slug)
    context.invoke(transfer, who=who, as_json=as_json)
