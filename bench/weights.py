"""What imports cost: `python -m bench.weights NAME …` imports them one after another and prints {name: MB of private memory it added}."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path


def private() -> float:
    """Private memory of this process in MB."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"Private_(?:Clean|Dirty): +(\d+)", text)) / 1024


def main(names: list[str]) -> None:
    """Import in the given order; what an earlier one brought along costs a later one nothing."""
    costs = {"python": private()}
    for name in names:
        before = private()
        importlib.import_module(name)
        costs[name] = private() - before
    print(json.dumps({name: round(mb, 1) for name, mb in costs.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
