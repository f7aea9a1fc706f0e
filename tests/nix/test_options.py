"""The options: they agree with the programs' settings in names, types and defaults, and none of them can carry a secret."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from unibos.kernel.settings import load
from unibos.profiles import contract
from unibos.profiles.build import compose
from unibos.profiles.lists import BY_ROLE

DECLARED = {s.name: s for features in BY_ROLE.values() for s in compose.settings(features)}
OPEN = [s for s in contract.settings() if not s["secret"] and s["name"] not in ("UNIBOS_CONFIG", "UNIBOS_NO_INSTALL")]
OTHER = {"text": "other", "path": "/other", "url": "https://other.example.org", "port": 4242, "integer": 77, "seconds": 4321, "list": ["a.example.org", "b"]}


def nix(value: object) -> str:
    """`value` as a Nix expression."""
    return f"[ {' '.join(map(nix, value))} ]" if isinstance(value, list) else json.dumps(value)


def other(setting: dict) -> object:
    """A value that is not the default."""
    kind = setting["type"]
    if kind.startswith("choice:"):
        return next(c for c in kind.removeprefix("choice:").split("|") if c != setting["default"])
    return (not setting["default"]) if kind == "boolean" else OTHER[kind]


def plain(setting: dict) -> object:
    """The default, as an option has it."""
    return [] if setting["type"] == "list" and setting["default"] == "" else setting["default"]


def toml(probe, assignments: dict[str, object]) -> str:
    """The settings file of a host with these values of machine settings."""
    body = "".join(f"unibos.settings.{name.lower()} = lib.mkForce {nix(value)};\n" for name, value in assignments.items())
    said = probe(f"imports = [ ({{ lib, ... }}: {{ unibos.worker.enable = true;\n"
                 f"unibos.hub.secrets.unibos_database_url = \"/run/x\";\n{body} }}) ];", "show", "--json")
    assert said.returncode == 0, said.stdout + said.stderr
    return next(e["text"] for e in json.loads(said.stdout)["etc"].values() if e["target"] == "unibos/settings.toml")


def test_every_default_is_the_programs_default(probe):
    assert toml(probe, {s["name"]: plain(s) for s in OPEN}) == "", "an option that has its default is written, so the defaults differ"


def test_every_setting_arrives_as_it_was_set(probe, tmp_path: Path):
    values = {s["name"]: other(s) for s in OPEN}
    file = tmp_path / "settings.toml"
    file.write_text(toml(probe, values))
    settings = load(DECLARED.values(), "hub", {"UNIBOS_CONFIG": str(file)})
    for name, value in values.items():
        found = settings[name]
        assert (list(found) if isinstance(found, tuple) else str(found) if DECLARED[name].kind == "path" else found) == value, name


@pytest.mark.parametrize(("name", "bad"), [("unibos_port", "70000"), ("unibos_port", '"8000"'), ("unibos_log_level", '"loud"'), ("unibos_tls_proxy", '"yes"'),
                                           ("unibos_access_seconds", "0"), ("unibos_hubs", '"a,b"'), ("unibos_public_url", '"hub.example.org"'),
                                           ("unibos_prot", "1")])
def test_what_the_programs_refuse_the_options_refuse(probe, name, bad):
    said = probe(f"unibos.node.enable = true; unibos.settings.{name} = {bad};", "eval")
    assert said.returncode != 0 and name in said.stdout + said.stderr


def test_a_role_has_settings_of_its_own(probe):
    said = probe("unibos.colocated.enable = true; unibos.hub.settings.unibos_port = 9000; unibos.node.settings.unibos_port = 9001;", "show", "--json")
    text = next(e["text"] for e in json.loads(said.stdout)["etc"].values() if e["target"] == "unibos/settings.toml")
    assert "unibos_hub_port = 9000\n" in text and "unibos_node_port = 9001\n" in text


def test_a_secret_is_a_path_at_run_time(probe, tmp_path: Path):
    """A secret is planted where an evaluation could pick it up, and looked for in everything that comes out."""
    planted = "planted-" + secrets.token_hex(16)
    secret = tmp_path / "database-url"
    secret.write_text(f"postgresql://app:{planted}@db/unibos")
    body = f'unibos.hub.enable = true; unibos.database.local = false; unibos.hub.secrets.unibos_database_url = "{secret}";'
    folder = tmp_path / "units"
    outputs = [probe(body, "show", "--json"), probe(body, "units", str(folder))]
    assert [o.returncode for o in outputs] == [0, 0], outputs[0].stdout + outputs[0].stderr
    everything = "".join(o.stdout + o.stderr for o in outputs) + "".join(f.read_text() for f in folder.rglob("*") if f.is_file())
    assert planted not in everything
    web = (folder / "etc/systemd/system/unibos-hub-web.service").read_text()
    assert f"LoadCredential=unibos_database_url:{secret}\n" in web
    assert "Environment=UNIBOS_HUB_DATABASE_URL_FILE=%d/unibos_database_url\n" in web


@pytest.mark.parametrize("line", ['unibos.settings.unibos_database_url = "postgresql://app:x@db/u";', "unibos.hub.secrets.unibos_database_url = ./flake.nix;",
                                  'unibos.hub.secrets.unibos_database_url = "postgresql://app:x@db/u";',
                                  'unibos.settings.unibos_public_url = "https://me:x@hub.example.org";', "unibos.accessPoint.passwordFile = ./flake.nix;"])
def test_no_option_takes_a_secret(probe, line):
    said = probe(f"unibos.hub.enable = true; {line}", "eval")
    assert said.returncode != 0 and line.split(" =")[0].split(".")[-1] in said.stdout


@pytest.mark.parametrize(("body", "sentence"), [
    ('unibos.hub.enable = true; unibos.pair = { enable = true; hubs.a = "10.0.0.1"; witness.address = "10.0.0.3"; };', "a pair has two"),
    ('unibos.hub.enable = true; unibos.pair = { enable = true; hubs = { a = "10.0.0.1"; probe = "10.0.0.2"; }; witness = { name = "a"; address = "10.0.0.3"; }; };',
     "Name a third machine"),
    ('unibos.hub.enable = true; unibos.pair = { enable = true; hubs = { a = "10.0.0.1"; b = "10.0.0.2"; }; witness.address = "10.0.0.3"; };', "does not know"),
    ("unibos.worker.enable = true;", "run-time files"),
    ('unibos.node.enable = true; unibos.node.type = "edge"; unibos.documents.ocr = true;', "512 MB"),
    ('unibos.node.enable = true; unibos.proxy.publicName = "node.example.org";', "is for hubs"),
    ('unibos.node.enable = true; unibos.wifi.enable = true; unibos.accessPoint = { enable = true; country = "TR"; };', "the same radio"),
])
def test_what_cannot_work_is_refused_with_a_sentence(probe, body, sentence):
    said = probe(body)
    assert sentence in said.stdout + said.stderr
