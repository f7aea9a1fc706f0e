"""What the flake's hosts render to, as it is kept in tests/rendered: who is root, what listens, how exposed each unit is, no secret.

`tests/nix` proves with an evaluator that the kept files are those of the modules.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from unibos.adapters import redis_server
from unibos.profiles import contract
from unibos.profiles.lists import EVERY

PROJECT = Path(__file__).parent.parent
RENDERED = PROJECT / "tests" / "rendered"
HOSTS = sorted(p.name for p in RENDERED.iterdir() if (p / "host.json").exists())

# Root, and why (docs/operate.md has the same list for people).
ROOT = {
    "unibos-name.service": "sets the host name",
    "unibos-provision-apply.service": "writes what the verified plan says",
    "unibos-certificate-changed.service": "asks systemd to restart two units",
}
NODE = {("tcp", 22), ("tcp", 80), ("tcp", 443), ("tcp", 8883), ("udp", 5353)}
HUB = {("tcp", 22), ("tcp", 80), ("tcp", 443), ("udp", 5353)}
PORTS = {"image-pi-4": NODE, "image-pi-zero-2w": NODE, "image-pi-5-cluster": NODE, "image-server": HUB, "rocksteady": HUB, "bebop": HUB,
         "witness": {("tcp", 22), ("tcp", 443)}, "gpu-server-01": {("tcp", 22)}}
ROLES = {"image-pi-4": {"node"}, "image-pi-zero-2w": {"node"}, "image-pi-5-cluster": {"hub", "node"}, "image-server": {"hub"}, "rocksteady": {"hub"}, "bebop": {"hub"},
         "witness": set(), "gpu-server-01": set()}


def units(host: str) -> dict[str, dict[str, list[str]]]:
    """Settings of the services of `host` that are whole."""
    found = {}
    for file in sorted((RENDERED / host / "units").glob("*.service")):
        settings: dict[str, list[str]] = {}
        for line in file.read_text().splitlines():
            key, sign, value = line.partition("=")
            if sign:
                settings.setdefault(key, []).append(value)
        found[file.name] = settings
    return found


def described(host: str) -> dict:
    """host.json."""
    return json.loads((RENDERED / host / "host.json").read_text())


def test_each_kind_of_machine_is_here():
    assert set(HOSTS) == set(PORTS) == set(ROLES)


@pytest.mark.parametrize("host", HOSTS)
def test_only_listed_one_shots_are_root(host):
    for name, settings in units(host).items():
        root = settings.get("User", ["root"]) == ["root"] and settings.get("DynamicUser") != ["true"]
        assert root == (name in ROOT), name
        if root:
            assert settings["Type"] == ["oneshot"] and settings["PrivateNetwork"] == ["true"], name
            assert settings["RestrictAddressFamilies"] == ["AF_UNIX"], name


@pytest.mark.parametrize("host", HOSTS)
def test_open_ports_are_exactly_these(host):
    firewall = described(host)["firewall"]
    assert firewall["enable"] is True
    found = {("tcp", p) for p in firewall["allowedTCPPorts"]} | {("udp", p) for p in firewall["allowedUDPPorts"]}
    assert found == PORTS[host]
    assert not firewall["allowedTCPPortRanges"] and not firewall["allowedUDPPortRanges"] and not firewall["interfaces"]
    assert firewall["trustedInterfaces"] in ([], ["lo"])


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_runs_what_its_role_says(host):
    standby = host == "bebop"  # migrations run on the primary
    for role in ("hub", "node"):
        own = {name for name in units(host) if name.startswith(f"unibos-{role}-")}
        kinds = {"web", "agent", "default", *(() if standby else ("migrate",))} if role in ROLES[host] else set()
        assert {f"unibos-{role}-{kind}.service" for kind in kinds} <= own
        assert bool(own) == (role in ROLES[host])
    assert ("unibos-node-ocr.service" in units(host)) == (host in ("image-pi-4", "image-pi-5-cluster"))  # not on 512 MB
    assert ("unibos-broker.service" in units(host)) == ("node" in ROLES[host])
    assert ("unibos-worker.service" in units(host)) == (host == "gpu-server-01")
    assert ("unibos-sentinel.service" in units(host)) == (host in ("rocksteady", "bebop", "witness"))


@pytest.mark.parametrize("host", HOSTS)
def test_exposure_is_at_most_two(host, tmp_path):
    shutil.copytree(RENDERED / host / "units", tmp_path / "etc/systemd/system")
    for name in units(host):
        said = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--root={tmp_path}", name], capture_output=True, text=True)
        level = re.search(r"exposure level for .*: ([0-9.]+)", said.stdout)
        assert level, said.stdout + said.stderr
        assert float(level[1]) <= 2.0, f"{name}: {said.stdout}"


@pytest.mark.parametrize("host", HOSTS)
def test_a_secret_is_a_file_at_run_time(host):
    paths = re.compile(r"[a-z.-]+:/var/lib/unibos(-[a-z]+)?/[a-z.-]+")
    for name, settings in units(host).items():
        for value in settings.get("LoadCredential", []):
            assert re.fullmatch(r"[a-z_.-]+:/var/lib/unibos(-[a-z]+)?/[a-z.-]+", value), f"{name}: {value} ({paths.pattern})"
        for line in settings.get("Environment", []):
            variable, _, value = line.strip('"').partition("=")
            if re.search("PASSWORD|TOKEN|SECRET|KEY", variable):
                assert value.startswith("%d/"), f"{name}: {line}"
            assert not re.search(r"://[^/]*:[^/]*@", value), f"{name}: {line}"


def test_the_module_options_are_the_settings_of_the_programs():
    assert json.loads((PROJECT / "modules/contracts/settings.json").read_text()) == contract.settings(), \
        "run: unibos-dev settings --json > modules/contracts/settings.json"


def test_features_of_the_modules_are_features_of_the_programs():
    modules = {p.stem for p in (PROJECT / "modules/features").glob("*.nix")}
    assert modules and modules <= {feature.name for feature in EVERY}


def test_the_queue_is_started_as_in_development(tmp_path):
    def options(command: list[str]) -> dict[str, str]:
        words = [w for w in command if w]
        pairs: dict[str, str] = {}
        for word in words[1:]:
            if word.startswith("--"):
                name = word[2:]
                pairs[name] = ""
            else:
                pairs[name] = word.strip('"')
        return pairs

    ours = options(redis_server.redis_command("redis", tmp_path, tmp_path / "s"))
    theirs = options(units("image-pi-4")["unibos-queue.service"]["ExecStart"][0].split())
    # Where it lies, who may connect, and who watches it differ; what is kept and what is dropped does not.
    for name in ("dir", "unixsocket", "unixsocketperm", "supervised", "logfile", "set-proc-title"):
        ours.pop(name, None), theirs.pop(name, None)
    assert ours == theirs


def test_the_package_that_nixpkgs_has_not_is_the_locked_one():
    nix = (PROJECT / "app/peewee.nix").read_text()
    version, sri = re.search(r'version = "([^"]+)"', nix)[1], re.search(r'hash = "sha256-([^"]+)"', nix)[1]
    lock = (PROJECT / "requirements.lock").read_text()
    assert f"peewee=={version} " in lock
    assert f"--hash=sha256:{base64.b64decode(sri).hex()}" in lock.split(f"peewee=={version} ")[1].split("==")[0]


def test_every_dependency_stands_in_the_package():
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = {re.split("[<>=]", d)[0] for d in project["dependencies"]} | {"psycopg2"}  # the extra `postgres`, from nixpkgs and not as a wheel
    listed = re.search(r"dependencies = (.*?)\);\n", (PROJECT / "app/package.nix").read_text(), re.S)[1]
    found = set(re.findall(r"^\s+([a-z0-9-]+)$", listed, re.M))
    assert found == wanted


def test_nothing_of_an_image_depends_on_its_builder():
    for file in [*PROJECT.glob("**/*.nix")]:
        text = file.read_text()
        assert not re.search(r"currentTime|currentSystem|getEnv|<nixpkgs>|lastModifiedDate", text), file


def test_a_pair_is_reached_by_its_peers_alone():
    wanted = {"rocksteady": {5432, 8008, 2379, 2380, 6379, 26379}, "witness": {2379, 2380, 26379}}
    for host, ports in wanted.items():
        found = json.loads(described(host)["etc"]["unibos/served.json"])
        assert {s["port"] for s in found["served"] if s["to"] == "peers"} == ports
        assert not ports & set(described(host)["firewall"]["allowedTCPPorts"])
        for rule in found["rules"]:
            assert re.fullmatch(r'ip saddr [0-9.]+ tcp dport \d+ accept comment "[^"]+"', rule), rule
        assert {rule.split()[2] for rule in found["rules"]} == set(found["peers"]) and len(found["peers"]) == 5


def test_digests_are_not_of_an_empty_file():
    lock = json.loads((PROJECT / "flake.lock").read_text())
    empty = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    for node in lock["nodes"].values():
        if "locked" in node:
            assert node["locked"]["narHash"] != f"sha256-{empty}" and len(node["locked"]["rev"]) == 40
