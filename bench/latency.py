"""Time of the dashboard and of the list of devices under ten clients, beside a bare Flask application under the same gunicorn.

A client waits for its answer, then pauses 0.1 s: that is what the targets are read with. Without a pause the ten clients ask for all that
the one web process can give, and their time is ten times what one answer costs. The clients share the cores with the server.

The kernel says how long the server waited for a core. A run in which that was much was disturbed by other programs: it is kept in
the file and left out of the medians, as long as there are runs that were not.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from bench import stand
from tests.stack import ADA, Stack, free_port, wait_for

CLIENTS = 10
SECONDS = 4.0
WANTED, MOST = 3, 10  # runs that were not disturbed, and runs in all
QUIET = 0.1  # of the time at most may the server have waited for a core
PAUSE = 0.1
WAYS = {"pause": (PAUSE, CLIENTS), "no pause": (0.0, CLIENTS), "alone": (0.0, 1)}
DEVICES, SENSORS = 10, 5


def fill(stack: Stack) -> None:
    """Ten devices with five sensors each that have reported."""
    for number in range(DEVICES):
        login = stack.device(f"Box {number}")
        name = login["username"]
        parts = {f"s{i}": {"platform": "sensor", "unique_id": f"{name}-{i}", "name": f"Sensor {i}", "state_topic": f"{name}/state",
                           "value_template": "{{ value_json.v" + str(i) + " }}", "unit_of_measurement": "°C"} for i in range(SENSORS)}
        stack.publish(login, f"homeassistant/device/{name}/config", json.dumps(
            {"device": {"identifiers": [name], "name": f"Box {number}"}, "origin": {"name": "bench"}, "components": parts}))
        stack.publish(login, f"{name}/state", json.dumps({f"v{i}": 20 + i + number / 10 for i in range(SENSORS)}))

    def reported() -> bool:
        items = stack.api("GET", "/api/v1/devices/")[1]["items"]
        return sum(e["number"] is not None for d in items for e in d["entities"]) == DEVICES * SENSORS

    wait_for(reported)


def cookie(stack: Stack) -> str:
    """Log in as a browser does; returns the cookies."""
    with urllib.request.urlopen(f"{stack.node}/login/") as answer:
        page, visit = answer.read().decode(), answer.headers.get_all("Set-Cookie") or []
    token = re.search(r'name="_csrf" value="([^"]+)"', page).group(1)  # type: ignore[union-attr]
    body = urllib.parse.urlencode({"_csrf": token, "email": ADA["email"], "password": ADA["password"]})
    link = http.client.HTTPConnection("127.0.0.1", stack.node_port)
    link.request("POST", "/login/", body, {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "; ".join(c.split(";")[0] for c in visit)})
    answer = link.getresponse()
    given = [c.split(";")[0] for c in answer.headers.get_all("Set-Cookie") or []]
    link.close()
    if answer.status != 303 or not given:
        raise RuntimeError(f"the login answered {answer.status}")
    return "; ".join(given)


def _cores(pids: list[int]) -> tuple[float, float]:
    """Seconds that the main threads of the processes have run, and have waited for a core while they could have run."""
    found = [Path(f"/proc/{pid}/schedstat").read_text().split() for pid in pids]
    return sum(int(f[0]) for f in found) / 1e9, sum(int(f[1]) for f in found) / 1e9


def ask(server: list[int], port: int, path: str, pause: float, header: str, clients: int = CLIENTS) -> dict[str, Any]:
    """One run of the clients against the processes `server`; times in ms, cpu of the server for each answer in ms."""
    ran, waited = _cores(server)
    process = stand.program("load", str(port), path, str(clients), str(SECONDS), str(pause), header)
    found = json.loads(process.communicate(timeout=SECONDS + 60)[0])
    times, now = found["times"], _cores(server)
    return {"p50": stand.share(times, 0.5), "p95": stand.share(times, 0.95), "rate": len(times) / SECONDS, "clients_cpu": found["cpu"] / SECONDS,
            "cpu": (now[0] - ran) * 1000 / len(times), "waited": (now[1] - waited) / SECONDS}


def quiet(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs that were not disturbed."""
    return [run for run in kept if run["waited"] < QUIET]


def peer(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The bare application."""
    return subprocess.Popen([sys.executable, "-m", "gunicorn", "-k", "gevent", "--workers", "1", "--bind", f"127.0.0.1:{port}", "--log-level", "error",
                             "bench.peer_web:app()"], cwd=stand.ROOT, env={**os.environ, "BENCH_PEER_FILE": str(folder / "peer.sqlite")})


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def measure() -> None:
    """Each address with and without a pause, in turns with the peer."""
    facts = stand.machine()
    with stand.folder() as folder, Stack(folder) as stack:
        stack.claim("node")
        fill(stack)
        port = free_port()
        bare = peer(folder, port)
        try:
            wait_for(lambda: _answers(port))
            bearer, session = f"Authorization: Bearer {stack.tokens['node']}", f"Cookie: {cookie(stack)}"
            web, workers = stack.pids("node-web"), [int(p) for p in Path(f"/proc/{bare.pid}/task/{bare.pid}/children").read_text().split()]
            asked = {"dashboard": (web, stack.node_port, "/", session), "devices": (web, stack.node_port, "/api/v1/devices/", bearer),
                     "bare page": (workers, port, "/page", "X-Bench: 1"), "bare json": (workers, port, "/json", "X-Bench: 1")}
            runs: dict[str, list[dict[str, Any]]] = {f"{name}, {way}": [] for name in asked for way in WAYS}
            for _round in range(MOST):
                for each, kept in runs.items():
                    name, _, way = each.partition(", ")
                    if len(quiet(kept)) < WANTED:
                        server, where, path, header = asked[name]
                        kept.append(ask(server, where, path, WAYS[way][0], header, WAYS[way][1]))
        finally:
            bare.terminate()
            bare.wait(10)

    def of(name: str, what: str) -> float:
        return stand.middle(r[what] for r in quiet(runs[name]) or runs[name])

    def disturbed(name: str) -> str:
        kept = runs[name]
        return "" if quiet(kept) else f"; DISTURBED: in all runs other programs kept the server waiting, {of(name, 'waited'):.0%} of the time"

    rows = []
    for name, plain, must, goal in (("dashboard", "bare page", 60, 25), ("devices", "bare json", 20, 8)):
        p95 = of(f"{name}, pause", "p95")
        shared = of(f"{name}, pause", "clients_cpu")
        rows.append(stand.row(f"{name}: p95 of {CLIENTS} clients that pause {PAUSE:g} s", p95, "ms", must=f"<= {must} ms", goal=f"<= {goal} ms",
                              ok=p95 <= must, note=f"p50 {of(f'{name}, pause', 'p50'):.1f} ms, {of(f'{name}, pause', 'rate'):.0f} answers/s; the clients share "
                              f"the cores and take {shared:.2f} of one; {of(f'{name}, pause', 'cpu'):.1f} ms of processor an answer; "
                              f"bare {of(f'{plain}, pause', 'p95'):.1f} ms{disturbed(f'{name}, pause')}"))
        rows.append(stand.row(f"{name}: p95 of {CLIENTS} clients without a pause", of(f"{name}, no pause", "p95"), "ms",
                              note=f"p50 {of(f'{name}, no pause', 'p50'):.1f} ms, {of(f'{name}, no pause', 'rate'):.0f} answers/s; "
                              f"bare {of(f'{plain}, no pause', 'p95'):.1f} ms, {of(f'{plain}, no pause', 'rate'):.0f} answers/s"
                              f"{disturbed(f'{name}, no pause')}"))
        rows.append(stand.row(f"{name}: p50 of one client", of(f"{name}, alone", "p50"), "ms", note=f"bare {of(f'{plain}, alone', 'p50'):.1f} ms{disturbed(f'{name}, alone')}"))
    stand.write("latency", rows, facts, clients=CLIENTS, seconds=SECONDS, devices=DEVICES, sensors=DEVICES * SENSORS, runs=runs)
