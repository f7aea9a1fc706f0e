"""The machine-readable contract (decision 6): routes, settings, ports, errors, jobs, commands and features as data."""

from __future__ import annotations

import json
from typing import Any

import click

from unibos import __version__
from unibos.kernel import compose
from unibos.profiles.lists import BY_ROLE

PORTS = {"hub": 8000, "node": 8001, "job monitor": 5555, "postgresql": 5432, "redis": 6379, "mqtt": 1883, "mqtt tls": 8883, "mesh": 8002}


def settings() -> list[dict[str, Any]]:
    """Every setting once, in the order of declaration."""
    found = {s.name: s for features in BY_ROLE.values() for s in compose.settings(features)}
    return [{"name": s.name, "type": s.kind, "default": list(s.default) if isinstance(s.default, tuple) else s.default, "by_role": dict(s.by_role),
             "secret": s.secret, "sentence": str(s.sentence)} for s in found.values()]


def commands() -> list[dict[str, str]]:
    """Every command of the five programs."""
    from unibos.profiles.programs import TITLES, table_of

    return [{"program": program, "name": name, "help": text} for program in TITLES for name, (text, _load) in sorted(table_of(program).items())]


def contract() -> dict[str, Any]:
    """The whole contract."""
    from unibos.kernel import errors

    routes = []
    for role, features in BY_ROLE.items():
        for feature, route in compose.routes(features):
            routes.append({"role": role, "feature": feature.name, "method": route.method, "path": route.path, "access": route.access, "kind": route.kind,
                           "status": route.status, "summary": route.summary,
                           "body": route.body.model_json_schema() if route.body and route.kind == "api" else None})
    return {
        "version": __version__, "settings": settings(), "routes": routes, "ports": PORTS, "commands": commands(),
        "errors": [{"code": e.code, "status": e.status, "exit": e.exit, "retry": e.retry, "title": str(e.title)} for e in errors.every()],
        "jobs": [{"name": j.name, "queue": j.queue, "idempotent": j.idempotent} for fs in BY_ROLE.values() for j in compose.job_types(fs).values()],
        "features": {role: [f.name for f in features] for role, features in BY_ROLE.items()},
    }


def openapi_of(role: str) -> dict[str, Any]:
    """The OpenAPI document of a role, as the running process answers it at /api/v1/openapi.json."""
    from unibos.kernel.openapi import document

    return document(compose.routes(BY_ROLE[role]), role=role, version=__version__, cookie=f"__Host-unibos-{role}")


def _print(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings_command(as_json: bool) -> None:
    """Print every setting with its type, default and sentence."""
    if as_json:
        return _print(settings())
    from unibos.kernel.cli import table

    click.echo(table([(s["name"], s["type"], s["default"], s["sentence"]) for s in settings()], ("NAME", "TYPE", "DEFAULT", "WHAT IT IS")))
    return None


def _cells(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows])


def reference() -> str:
    """docs/reference.md: every setting, route, command, error and job, as the code declares them."""
    found = contract()
    routes: dict[tuple[str, str], list[Any]] = {}
    for r in found["routes"]:
        routes.setdefault((r["method"], r["path"]), []).append(r)
    parts = [
        "# Reference\n\nWritten by `unibos-dev contract --markdown`; a test keeps it true. Do not edit by hand.",
        "## Settings\n\nAs environment variables, or as lower-case keys of the TOML file named by `UNIBOS_CONFIG`. On a hub or node "
        "`UNIBOS_X` may be written `UNIBOS_HUB_X` or `UNIBOS_NODE_X`; a secret may be given as `…_FILE`.",
        _cells(("name", "type", "default", "secret", "what it is"), [
            (f"`{s['name']}`", s["type"].replace("choice:", ""), "; ".join([str(s["default"]), *(f"{k}: {v}" for k, v in s["by_role"].items())]),
             "yes" if s["secret"] else "", s["sentence"]) for s in found["settings"]]),
        "## Routes\n\n`access` is who may: `open` anybody, `node` a node by its key, else the least role in the organisation.",
        _cells(("method", "path", "on", "access", "what it does"), [
            (m, f"`{p}`", ", ".join(dict.fromkeys(r["role"] for r in rs)), rs[0]["access"], rs[0]["summary"]) for (m, p), rs in sorted(
                routes.items(), key=lambda item: (item[0][1], item[0][0]))]),
        "## Commands", _cells(("program", "command", "what it does"), [(f"`{c['program']}`", f"`{c['name']}`", c["help"]) for c in found["commands"]]),
        "## Errors\n\nAPI errors are problem documents (RFC 9457) with the type `urn:unibos:problem:CODE`; programs end with the exit number.",
        _cells(("code", "status", "exit", "retry can help", "title"), [
            (f"`{e['code']}`", e["status"], e["exit"], "yes" if e["retry"] else "", e["title"]) for e in found["errors"]]),
        "## Jobs", _cells(("job", "queue", "repeated by itself"), sorted({
            (f"`{j['name']}`", f"`{j['queue']}`", "yes" if j["idempotent"] else "no") for j in found["jobs"]})),
    ]
    return "\n\n".join(parts) + "\n"


@click.command("contract")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (the default).")
@click.option("--markdown", is_flag=True, help="Print docs/reference.md.")
@click.option("--openapi", type=click.Choice(["hub", "node"]), help="Print the OpenAPI document of a role's JSON API.")
def contract_command(as_json: bool, markdown: bool, openapi: str | None) -> None:
    """Print the machine-readable contract: routes, settings, ports, errors, jobs, commands, features."""
    if openapi:
        return _print(openapi_of(openapi))
    click.echo(reference(), nl=False) if markdown and not as_json else _print(contract())
    return None


@click.command("features")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def features_command(as_json: bool) -> None:
    """Print the features of each profile."""
    found = {role: [f.name for f in features] for role, features in BY_ROLE.items()}
    if as_json:
        return _print(found)
    for role, names in found.items():
        click.echo(f"{role}: {' '.join(names)}")
    return None
