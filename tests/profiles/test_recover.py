"""Recovery on the console: removes a lost second factor from the data itself, and says what it cannot do."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PASSWORD

BIN = Path(sys.executable).parent


def run(program, folder, *words, typed=""):
    return subprocess.run([str(BIN / program), *words], env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": "/tmp", "UNIBOS_DATA_DIR": str(folder)},
                          input=typed, capture_output=True, text=True, timeout=60)


def identity(role, folder, monkeypatch):
    from unibos.profiles.build import compose_all

    monkeypatch.setenv("UNIBOS_DATA_DIR", str(folder))
    kit, services = compose_all(role)
    return kit, services["identity"]


@pytest.mark.parametrize(("program", "role"), [("unibos", "node"), ("unibos-hub", "hub")])
def test_a_lost_factor_is_removed_and_the_password_stays(program, role, tmp_path, monkeypatch):
    import base64

    from unibos.features.identity import totp

    assert run(program, tmp_path, "migrate").returncode == 0
    kit, people = identity(role, tmp_path, monkeypatch)
    ada = people.create("ada@example.org", PASSWORD, "Ada")
    session, cookie = people.open_session(ada, "browser", "a", "x")
    secret = base64.b32decode(people.factors.begin(ada.id, "a", PASSWORD)["secret"])
    people.factors.confirm(ada.id, session.id, "a", totp.hotp(secret, totp.step_at(kit.now().timestamp())))
    assert people.factors.on(ada.id)

    assert run(program, tmp_path, "recover", "ada@example.org", typed="n\n").returncode == 130 and people.factors.on(ada.id)
    unknown = run(program, tmp_path, "recover", "bo@example.org", "--yes")
    assert unknown.returncode == 66 and "bo@example.org" in unknown.stderr and "Traceback" not in unknown.stderr
    done = run(program, tmp_path, "recover", "Ada@example.org", typed="y\n")
    assert done.returncode == 0 and "the second step is removed" in done.stdout, done.stderr
    assert not people.factors.on(ada.id) and people.by_cookie(cookie).kind == "nobody"
    assert people.log_in("ada@example.org", PASSWORD, "a").id == ada.id
    assert "had no second step" in run(program, tmp_path, "recover", "ada@example.org", "--yes").stdout
    kit.db.release()


def test_a_code_for_a_new_password_is_shown_and_works_once(tmp_path, monkeypatch):
    assert run("unibos", tmp_path, "migrate").returncode == 0
    kit, people = identity("node", tmp_path, monkeypatch)
    people.create("ada@example.org", PASSWORD, "Ada")
    done = run("unibos", tmp_path, "recover", "ada@example.org", "--password")
    assert done.returncode == 0 and "within an hour" in done.stdout, done.stderr
    code = done.stdout.split("\n")[0]
    assert code not in done.stderr and len(code) == 39
    people.resets.reset(code, "another four words", "a")
    assert people.log_in("ada@example.org", "another four words", "a").email == "ada@example.org"
    assert run("unibos", tmp_path, "recover", "bo@example.org", "--password").returncode == 66
    kit.db.release()


def test_without_data_it_says_so_and_makes_none(tmp_path):
    done = run("unibos", tmp_path / "nowhere", "recover", "ada@example.org", "--yes")
    assert done.returncode == 71 and "There is no data" in done.stderr and not (tmp_path / "nowhere").exists()


def test_data_of_an_older_version_is_left_alone(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "unibos.sqlite").touch()
    done = run("unibos", tmp_path, "recover", "ada@example.org", "--yes")
    assert done.returncode == 71 and "Run migrate first" in done.stderr and "Traceback" not in done.stderr
