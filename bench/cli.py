"""How long `unibos --help` takes, beside the smallest click program with as many commands, both with this Python."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench import stand
from tests.stack import BIN

TIMES = 20
PEER = """#!{python}
import click

@click.group(help="Peer.")
def peer(): pass

for name in "abcdefghijkl":
    peer.command(name, help="Do " + name + ".")(lambda: None)

peer()
"""


def took(*words: str) -> float:
    """Milliseconds that a program runs. Without a timeout, because with one Python looks only every 50 ms whether it has ended."""
    began = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def measure() -> None:
    """Twenty runs of each, in turns."""
    facts = stand.machine()
    with stand.folder() as folder:
        peer = Path(folder) / "peer"
        peer.write_text(PEER.format(python=sys.executable))
        peer.chmod(0o755)
        runs: dict[str, list[float]] = {"unibos": [], "click": []}
        for _ in range(TIMES + 1):
            runs["unibos"].append(took(str(BIN / "unibos"), "--help"))
            runs["click"].append(took(str(peer), "--help"))
    ours, theirs = (stand.middle(times[1:]) for times in runs.values())  # the first may have written bytecode
    stand.write("cli", [stand.row("unibos --help / bare click program", ours / theirs, "x", must="<= 1.5x", ok=ours / theirs <= 1.5,
                                  note=f"{ours:.0f} ms against {theirs:.0f} ms, median of {TIMES}")], facts, runs=runs)
