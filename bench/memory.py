"""Memory of an idle node: the proportional set size (shared pages divided among those that share them) of each process, 20 s after ready.

The hub of the same stack, and any other program of this Python on the machine, takes a share of the pages and makes the figure smaller:
a node that stands alone needs more. So the others are counted, and private memory, which depends on nobody, is given beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path

from bench import stand
from tests.stack import Stack

SECONDS = 20
NODE = ("node-web", "node-agent", "node-default", "broker", "redis")
OTHERS = ("node-ocr", "hub-web", "hub-agent", "hub-default")
# In the order in which a process meets them; the rest of each is our own code.
STEPS = {
    "node-web": ("gevent.monkey", "gunicorn.app.wsgiapp", "gunicorn.workers.ggevent", "peewee", "flask", "pydantic", "redis",
                 "cryptography.hazmat.primitives.asymmetric.ed25519",
                 "jwt", "unibos.kernel.web", "unibos.panel.shell", "rq", "argon2", "babel.dates", "psutil", "unibos.profiles.build"),
    "node-agent": ("peewee", "redis", "cryptography.hazmat.primitives.asymmetric.ed25519", "paho.mqtt.client", "psutil", "rq", "requests",
                   "unibos.profiles.build"),
    "node-default": ("rq", "peewee", "redis", "cryptography.hazmat.primitives.asymmetric.ed25519", "psutil", "unibos.profiles.build"),
}


def pss(pid: int) -> float:
    """MB."""
    found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def private(pid: int) -> float:
    """MB that only this process has."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", text, re.MULTILINE)) / 1024


def sharers(own: set[int]) -> int:
    """How many other processes of this Python there are now."""
    python, count = Path(sys.executable).resolve(), 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            with contextlib.suppress(OSError):
                count += Path(os.readlink(entry / "exe")) == python
    return count


def measure() -> None:
    """One idle stack, and what the imports of each kind of process cost in a process of their own."""
    facts = stand.machine()
    with stand.folder() as folder, Stack(folder) as stack:
        stack.claim("node")
        time.sleep(SECONDS)  # idle is what is measured: there is no condition to wait for
        pids = {name: stack.pids(name) for name in (*NODE, *OTHERS)}
        foreign = sharers({pid for each in pids.values() for pid in each} | {os.getpid(), stack.process.pid})
        sizes = {name: [round(pss(pid), 1) for pid in each] for name, each in pids.items()}
        alone = sum(private(pid) for name in NODE for pid in pids[name])
    costs = {}
    for name, steps in STEPS.items():
        process = stand.program("weights", *steps)
        costs[name] = json.loads(process.communicate(timeout=60)[0])
    total = sum(sum(sizes[name]) for name in NODE)
    rows = [stand.row("an idle node", total, "MB", must="<= 150 MB", goal="<= 120 MB", ok=total <= 150, note=f"{', '.join(NODE)}; beside a hub and {foreign} other "
                      "processes of this Python that share pages")]
    rows.append(stand.row("private memory of the same", alone, "MB", note="lower bound: what is shared counts nowhere"))
    rows += [stand.row(name, sum(each), "MB", note=f"{len(each)} processes" if len(each) > 1 else ("" if name in NODE else "not in the sum"))
             for name, each in sizes.items()]
    rows += [stand.row(f"imports of {name}", sum(each.values()), "MB", note=", ".join(f"{n} {mb:g}" for n, mb in
                       sorted(each.items(), key=lambda x: -x[1])[:6])) for name, each in costs.items()]
    stand.write("memory", rows, facts, processes=sizes, imports=costs, others=foreign)
