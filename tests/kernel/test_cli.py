"""The five programs: help, JSON, exit codes, and answers when nothing runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PROGRAMS = ("unibos", "unibos-hub", "unibos-worker", "unibos-manager", "unibos-dev")


def run(*words, **environment):
    return subprocess.run([str(BIN / words[0]), *words[1:]], env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": "/tmp", **environment}, capture_output=True, text=True,
                          timeout=60)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_command_and_version_is_told(program):
    from unibos.profiles.programs import table_of

    shown = run(program, "--help")
    assert shown.returncode == 0
    for name, (text, _load) in table_of(program).items():
        assert name in shown.stdout and text.split(",")[0][:30] in shown.stdout.replace("\n", " ")
    assert run(program, "--version").stdout.startswith(f"{program}, version 0.")


@pytest.mark.parametrize(("program", "command"), [(p, c) for p in PROGRAMS for c in __import__("unibos.profiles.programs", fromlist=["table_of"]).table_of(p)])
def test_every_command_loads_and_explains_itself(program, command):
    from click.testing import CliRunner
    from unibos.profiles.programs import table_of

    loaded = table_of(program)[command][1]()
    assert loaded.name == command and CliRunner().invoke(loaded, ["--help"]).exit_code == 0


def test_what_answers_nothing_is_told_with_what_to_do(tmp_path):
    done = run("unibos", "devices", UNIBOS_DATA_DIR=str(tmp_path / "nowhere"))
    assert done.returncode == 69 and "is it running?" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_an_unknown_command_and_a_bad_setting_have_their_exit_codes(tmp_path):
    assert run("unibos", "fly").returncode == 2
    done = run("unibos", "status", UNIBOS_COLOUR="1", UNIBOS_DATA_DIR=str(tmp_path))
    assert done.returncode == 78 and "UNIBOS_COLOUR" in done.stderr


def test_the_contract_and_the_settings_are_json():
    assert {s["name"] for s in json.loads(run("unibos-dev", "settings", "--json").stdout)} >= {"UNIBOS_DATA_DIR", "UNIBOS_PORT", "HUB_ROLE"}
    assert set(json.loads(run("unibos-dev", "contract", "--json").stdout)) >= {"routes", "settings", "ports", "errors", "jobs", "commands", "features"}


def test_a_new_feature_is_made_whole_and_not_twice(tmp_path):
    (tmp_path / "app" / "unibos" / "features").mkdir(parents=True)
    done = run("unibos-dev", "new", "feature", "calendar", "--into", str(tmp_path))
    assert done.returncode == 0 and "docs/add-a-feature.md" in done.stdout
    made = tmp_path / "app" / "unibos" / "features" / "calendar"
    for file in ("__init__.py", "feature.py", "service.py", "api.py"):
        compile((made / file).read_text(), file, "exec")
    assert run("unibos-dev", "new", "feature", "calendar", "--into", str(tmp_path)).returncode == 73
    assert run("unibos-dev", "new", "feature", "No-Good", "--into", str(tmp_path)).returncode == 2
