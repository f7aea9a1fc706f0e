"""The bench: facts of the machine, medians, processes of our own, and the files of results."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("flask", "gunicorn", "gevent", "peewee", "rq", "redis", "pydantic", "click", "paho-mqtt")


def _said(*words: str) -> str:
    """The first line that a program prints about itself; "" without it."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip().split("\n")[0]


def machine() -> dict[str, Any]:
    """What was measured on: cores, memory, kernel, Python and the versions of what does the work."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "cores": len(os.sched_getaffinity(0)), "cpu": cpu or platform.machine(),
            "memory_gb": round(memory / 2**30, 1), "kernel": platform.release(), "load_before": round(os.getloadavg()[0], 2),
            "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "mosquitto": _said("mosquitto", "-h"),
            "packages": {name: metadata.version(name) for name in PACKAGES}}


def row(what: str, value: float, unit: str, *, must: str = "", goal: str = "", ok: bool | None = None, note: str = "", **more: Any) -> dict[str, Any]:
    """One line of the table of results; `ok` says whether what must be is reached (None: there is no such line)."""
    return {"what": what, "value": round(value, 3), "unit": unit, "must": must, "goal": goal, "ok": ok, "note": note, **more}


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(list(values))


def share(values: Iterable[float], part: float) -> float:
    """The value that `part` (0..1) of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(part * 1000) * len(ordered) // 1000) - 1))]


@contextmanager
def folder() -> Iterator[Path]:
    """A directory of our own that is gone afterwards; its name is short, because unix sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="ub-") as made:
        yield Path(made)


def program(module: str, *words: str, **options: Any) -> subprocess.Popen[str]:
    """A program of this package as a process of its own, with its output in a pipe."""
    return subprocess.Popen([sys.executable, "-m", f"bench.{module}", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def write(name: str, rows: list[dict[str, Any]], facts: dict[str, Any], **details: Any) -> None:
    """Keep one measurement's results and make the table anew."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"name": name, "machine": facts, "rows": rows, **details}, indent=1, ensure_ascii=False) + "\n")
    table()


def table() -> None:
    """Write results/README.md from the files that are there."""
    lines = ["# Results", "", "Written by `make bench`; each file holds the single runs. Must and goal are the lines we hold ourselves to.", ""]
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text())
        about = found["machine"]
        lines += [f"## {found['name']}", "", f"{about['at']}: {about['cores']} cores ({about['cpu']}), {about['memory_gb']} GB, Linux {about['kernel']}, "
                  f"Python {about['python']}, load {about['load_before']} before.", "",
                  "| what | measured | must | goal | | note |", "|---|---:|---|---|---|---|"]
        for each in found["rows"]:
            verdict = {True: "reached", False: "**missed**", None: ""}[each["ok"]]
            lines.append(f"| {each['what']} | {each['value']:g} {each['unit']} | {each['must']} | {each['goal']} | {verdict} | {each['note']} |")
        lines.append("")
    (RESULTS / "README.md").write_text("\n".join(lines))
