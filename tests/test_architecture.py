"""The walls: floors, doors between features, one way out, no effects at import; and that the contracts bite."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from unibos.kernel import compose
from unibos.profiles.lists import BY_ROLE, EVERY

ROOT = Path(__file__).parent.parent
APP = ROOT / "app" / "unibos"
SOURCES = sorted(p for p in APP.rglob("*.py") if "migrations" not in p.parts)


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", str(root / "pyproject.toml")], cwd=root,
                          env={"PYTHONPATH": str(root / "app"), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=120)


def test_the_contracts_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "line", "contract"), [
    ("kernel/errors.py", "import unibos.features.jobs.service", "Floors BROKEN"),
    ("features/export/decide.py", "import unibos.features.orgs.service", "Order of the features BROKEN"),
    ("features/jobs/service.py", "import unibos.adapters.http", "do not know the adapters BROKEN"),
    ("features/devices/service.py", "import paho.mqtt.client", "touch the outside BROKEN"),
    ("wire/proof.py", "import flask", "Wire is pure BROKEN"),
])
def test_a_planted_violation_is_found(tmp_path, file, line, contract):
    import shutil

    shutil.copytree(APP, tmp_path / "app" / "unibos", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / "app" / "unibos" / file
    planted.write_text(planted.read_text(encoding="utf-8").replace("from __future__ import annotations\n", f"from __future__ import annotations\n{line}\n", 1))
    done = lint(tmp_path)
    assert done.returncode != 0 and contract in done.stdout.replace("\n", " "), done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(APP)))
def test_another_feature_is_imported_only_at_its_door(path):
    parts = path.relative_to(APP).parts
    if parts[0] not in ("features", "products") or len(parts) < 3:
        return
    own = f"unibos.{parts[0]}.{parts[1]}"
    needs = {f.name: f for f in EVERY}
    for name in imports(path):
        bits = name.split(".")
        if bits[0] != "unibos" or len(bits) < 4 or bits[1] not in ("features", "products") or ".".join(bits[:3]) == own:
            continue
        assert bits[3] == "service", f"{path}: {name} is not the door of {bits[2]}"
        assert bits[2] in needs[parts[1]].needs, f"{path}: {bits[2]} is not among the needs of {parts[1]}"


OUTSIDE = {"requests", "urllib.request", "http.client", "socket", "smtplib", "ftplib", "asyncio", "simple_websocket"}


def test_there_is_one_way_out():
    """What can open a connection is imported by these files only; each is gated, local, or a server's end."""
    allowed = {"adapters/http.py": {"requests"},                       # asks the gate
               "adapters/mail.py": {"smtplib"},                         # asks the gate, too
               "adapters/console.py": {"http.client", "socket"},       # unix socket only
               "adapters/system.py": {"socket"},                       # names and free ports
               "adapters/redis_server.py": {"socket"}, "adapters/processes.py": {"socket"}, "adapters/mqtt.py": {"socket"},
               "adapters/redis_client.py": {"socket"}, "adapters/redisbus.py": {"socket"},
               "features/identity/door.py": {"socket"},                # constants for SO_PEERCRED
               "panel/shell.py": {"socket"},                           # the host's name
               "kernel/sockets.py": {"simple_websocket"},              # the server's end
               "profiles/dev.py": {"urllib.request"}}                  # readiness of our own processes on loopback
    for path in SOURCES:
        name = str(path.relative_to(APP))
        used = {o for o in OUTSIDE for i in imports(path) if i == o or i.startswith(o + ".")}
        assert used <= allowed.get(name, set()), f"{name} uses {used}: only adapters/http.py and adapters/mail.py leave the device"


def test_every_gated_call_names_data_that_somebody_declared():
    declared = {(f.name, e.data_type) for f in EVERY for e in f.exports}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(k.arg == "destination" for k in node.keywords):
                words = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
                if "module" in words and "data_type" in words:
                    assert (words["module"], words["data_type"]) in declared, f"{path}: {words}"


def test_features_stand_after_what_they_need():
    for features in BY_ROLE.values():
        compose.check_order(features)
    with pytest.raises(ValueError, match="needs"):
        compose.check_order(tuple(reversed(BY_ROLE["node"])))


def test_importing_anything_has_no_effect_and_a_help_text_loads_nothing_heavy():
    code = ("import sys, threading, os; before = set(os.listdir('.'));"
            "from unibos.profiles import programs; programs.table_of('unibos');"
            "heavy = {'flask','peewee','pydantic','redis','rq','paho','gevent','cryptography','PIL','psutil','requests','babel'} & set(sys.modules);"
            "assert not heavy, heavy; assert threading.active_count() == 1; assert set(os.listdir('.')) == before")
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "app"), "PATH": "/usr/bin:/bin"}, timeout=60)


def test_nothing_but_adapters_and_profiles_reads_clock_environment_or_randomness():
    banned = {("time", "time"), ("time", "sleep"), ("os", "environ"), ("os", "urandom"), ("datetime", "now"), ("uuid", "uuid4"), ("random", "random")}
    for path in SOURCES:
        if path.relative_to(APP).parts[0] in ("adapters", "profiles"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in banned:
                raise AssertionError(f"{path}:{node.lineno} reads {node.value.id}.{node.attr}")


def test_files_stay_short():
    long = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long


def test_one_set_of_versions_in_lock_and_bounds():
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / "requirements.lock").read_text(), re.M))
    for wanted in project["dependencies"]:
        name = re.match(r"[a-z0-9-]+", wanted)[0]
        assert name in locked, f"{name} is not in the lock: make lock"
    text = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    assert "http" not in text and text.count("--hash=sha256:") > 100
