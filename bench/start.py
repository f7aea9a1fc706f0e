"""Seconds from `make run` to the line `ready:`, with the virtual environment there and, with --full, from a fresh copy without one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench import stand
from tests.stack import Stack

ROUNDS = 3


def ready(checkout: Path, stack: Stack, limit: float) -> float:
    """Run `make run` in `checkout` with the ports and the data of `stack`; returns the seconds to ready, and stops it."""
    environment = {**stack.env, "UNIBOS_NO_INSTALL": "1"}
    began, seconds, last = time.monotonic(), 0.0, ""
    process = subprocess.Popen(["make", "--no-print-directory", "run"], cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True)
    assert process.stdout is not None
    for line in process.stdout:  # ends when the supervisor, too, has closed its output
        last = line
        if line.startswith("ready: ") and not seconds:
            seconds = time.monotonic() - began
            os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
    process.stdout.close()
    if not seconds or seconds > limit:
        raise RuntimeError(f"not ready within {limit:.0f} s: {last.strip()}")
    return seconds


def copy(folder: Path) -> Path:
    """What a fresh clone would hold, with what is not committed yet."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=stand.ROOT, capture_output=True, text=True,
                            check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = stand.ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def measure(full: bool = False) -> None:
    """First starts with new data, starts with the data there, and with `full` one with nothing there."""
    facts, fresh = stand.machine(), 0.0
    runs: dict[str, list[float]] = {"new data": [], "data there": []}
    with stand.folder() as place:
        checkout = stand.ROOT
        if full:
            checkout = copy(place / "clone")
            fresh = ready(checkout, Stack(place / "full"), 900)
        for number in range(ROUNDS):
            stack = Stack(place / f"r{number}")
            for each in runs.values():
                each.append(ready(checkout, stack, 120))
    first, again = (stand.middle(times) for times in runs.values())
    rows = [stand.row("make run to ready, new data", first, "s", must="<= 15 s", goal="<= 6 s", ok=first <= 15, note="migrations and joining the hub included"),
            stand.row("make run to ready, data there", again, "s", must="<= 15 s", goal="<= 6 s", ok=again <= 15)]
    if full:
        rows.append(stand.row("make run to ready, no virtual environment", fresh, "s", must="<= 180 s", ok=fresh <= 180, note="packages fetched by pip"))
    stand.write("start", rows, facts, runs=runs)
