"""Time of the dashboard and of the list of devices under ten clients, beside a bare Flask application under the same gunicorn.

A client waits for its answer, then pauses 0.1 s: that is what the targets are read with. Without a pause the ten clients ask for all that
the one web process can give, and their time is ten times what one answer costs. The clients share the cores with the server.
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
SECONDS = 5.0
ROUNDS = 3
PAUSE = 0.1
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


def ask(port: int, path: str, pause: float, *headers: str, clients: int = CLIENTS) -> dict[str, Any]:
    """One run of the clients."""
    process = stand.program("load", str(port), path, str(clients), str(SECONDS), str(pause), *headers)
    found = json.loads(process.communicate(timeout=SECONDS + 60)[0])
    times = found["times"]
    return {"p50": stand.share(times, 0.5), "p95": stand.share(times, 0.95), "rate": len(times) / SECONDS, "clients_cpu": found["cpu"] / SECONDS}


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
            asked = {"dashboard": (stack.node_port, "/", session), "devices": (stack.node_port, "/api/v1/devices/", bearer),
                     "bare page": (port, "/page", "X-Bench: 1"), "bare json": (port, "/json", "X-Bench: 1")}
            runs: dict[str, list[dict[str, Any]]] = {}
            for _round in range(ROUNDS):
                for name, where in asked.items():
                    for pause in (PAUSE, 0.0):
                        runs.setdefault(f"{name}, {'pause' if pause else 'no pause'}", []).append(ask(where[0], where[1], pause, where[2]))
                    runs.setdefault(f"{name}, alone", []).append(ask(where[0], where[1], 0.0, where[2], clients=1))
        finally:
            bare.terminate()
            bare.wait(10)

    def of(name: str, what: str) -> float:
        return stand.middle(r[what] for r in runs[name])

    rows = []
    for name, plain, must, goal in (("dashboard", "bare page", 60, 25), ("devices", "bare json", 20, 8)):
        p95 = of(f"{name}, pause", "p95")
        shared = of(f"{name}, pause", "clients_cpu")
        rows.append(stand.row(f"{name}: p95 of {CLIENTS} clients that pause {PAUSE:g} s", p95, "ms", must=f"<= {must} ms", goal=f"<= {goal} ms",
                              ok=p95 <= must, note=f"p50 {of(f'{name}, pause', 'p50'):.1f} ms, {of(f'{name}, pause', 'rate'):.0f} answers/s; the clients share "
                              f"the cores and take {shared:.2f} of one; bare {of(f'{plain}, pause', 'p95'):.1f} ms"))
        rows.append(stand.row(f"{name}: p95 of {CLIENTS} clients without a pause", of(f"{name}, no pause", "p95"), "ms",
                              note=f"p50 {of(f'{name}, no pause', 'p50'):.1f} ms, {of(f'{name}, no pause', 'rate'):.0f} answers/s; "
                              f"bare {of(f'{plain}, no pause', 'p95'):.1f} ms, {of(f'{plain}, no pause', 'rate'):.0f} answers/s"))
        rows.append(stand.row(f"{name}: p50 of one client", of(f"{name}, alone", "p50"), "ms", note=f"bare {of(f'{plain}, alone', 'p50'):.1f} ms"))
    stand.write("latency", rows, facts, clients=CLIENTS, seconds=SECONDS, devices=DEVICES, sensors=DEVICES * SENSORS, runs=runs)
