"""`python -m bench [--full] [NAME …]`: measure all, or what is named, and write bench/results."""

from __future__ import annotations

import argparse
import importlib
import json

from bench import stand

NAMES = ("cli", "search", "tenants", "logins", "start", "memory", "latency", "ingest")


def main() -> None:
    """Measure one after another, never two at once."""
    words = argparse.ArgumentParser(prog="python -m bench", description="Measure UNIBOS on this machine.")
    words.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    words.add_argument("--full", action="store_true", help="also start from a fresh clone with a new virtual environment")
    asked = words.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        words.error(f"there is no {', '.join(sorted(unknown))}")
    for name in asked.names or NAMES:
        module = importlib.import_module(f"bench.{name}")
        module.measure(**({"full": asked.full} if name == "start" else {}))
        for row in json.loads((stand.RESULTS / f"{name}.json").read_text())["rows"]:
            print(f"{name}: {row['what']}: {row['value']:g} {row['unit']}  must {row['must'] or '-'} goal {row['goal'] or '-'}  {row['note']}", flush=True)


if __name__ == "__main__":
    main()
