"""Tests of what the flake evaluates to. They run with the evaluator named by UNIBOS_NIX_EVAL (`eval|show|units PROJECT`) and are not collected without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

EVALUATOR = os.environ.get("UNIBOS_NIX_EVAL", "")
PROJECT = Path(__file__).parent.parent.parent
collect_ignore_glob = [] if EVALUATOR else ["test_*.py"]


def evaluate(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the evaluator."""
    done = subprocess.run([EVALUATOR, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@cache
def shown(host: str) -> dict[str, Any]:
    """What `show` says of a host of ours."""
    return json.loads(evaluate("show", PROJECT, host, "--json").stdout)


@pytest.fixture
def probe(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Evaluate a host of one's own in a copy of the flake: `probe("unibos.node.enable = true;")` gives what `show` ends with."""

    def look(body: str, command: str = "show", *more: str) -> subprocess.CompletedProcess[str]:
        copy = tmp_path / "flake"
        if not copy.exists():
            files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
            for file in files:
                if (PROJECT / file).is_file() and not file.startswith(("tests/rendered", "docs", "bench")):
                    (copy / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(PROJECT / file, copy / file)
            flake = copy / "flake.nix"
            flake.write_text(flake.read_text().replace("nixosConfigurations = {", "nixosConfigurations = { probe = machine ./probe.nix;", 1))
        (copy / "probe.nix").write_text(
            '{ fileSystems."/" = { device = "/dev/x"; fsType = "ext4"; }; boot.loader.grub.device = "nodev";\n'
            f'  nixpkgs.hostPlatform = "x86_64-linux"; networking.hostName = "probe";\n  {body}\n}}\n')
        return evaluate(command, copy, *(["--host"] if command == "eval" else []), "probe", *more, check=False)

    return look
