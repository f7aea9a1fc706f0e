"""The flake as a whole: it evaluates, the kept renderings are its own, and what every host opens and runs is what its role says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nix.conftest import EVALUATOR, PROJECT, evaluate, shown

HUBS, NODES = ("rocksteady", "bebop", "us", "asia", "image-server", "image-server-arm"), ("pi-001", "pi-zero-01", "desktop-01", "image-pi-zero-2w", "image-pi-4",
                                                                                         "image-pi-5", "image-desktop")
HOSTS = (*HUBS, *NODES, "image-pi-5-cluster", "witness", "gpu-server-01")
PAIR = {"rocksteady", "bebop", "us", "asia", "witness"}
ENGINES = {"rocksteady": {"etcd", "patroni"}, "bebop": {"etcd", "patroni"}, "witness": {"etcd"}, "us": {"patroni"}, "asia": {"patroni"},
           "image-server": {"postgresql"}, "image-server-arm": {"postgresql"}, "image-pi-5-cluster": {"postgresql"}}


def services(host: str) -> dict:
    """The host's own services that are on."""
    return {name: unit for name, unit in shown(host)["units"]["service"].items() if unit["enable"]}


def test_every_output_evaluates():
    assert ": 0 error(s)" in evaluate("eval", PROJECT).stdout


def test_the_kept_renderings_are_the_modules_own():
    done = subprocess.run([sys.executable, PROJECT / "scripts/render", "--check"], capture_output=True, text=True, env={**os.environ, "UNIBOS_NIX_EVAL": EVALUATOR})
    assert done.returncode == 0, done.stderr


def test_every_host_is_listed_here():
    said = evaluate("show", PROJECT, "no-such-host", check=False)
    names = (said.stdout + said.stderr).split("but:")[1].split()
    assert {n.rstrip(".,'`)") for n in names} & set(HOSTS) == set(HOSTS)


@pytest.mark.parametrize("host", HOSTS)
def test_ports_of_every_host(host):
    firewall = shown(host)["firewall"]
    tcp = {22} | ({80, 443} if host in (*HUBS, *NODES, "image-pi-5-cluster") else set()) | ({8883} if host in (*NODES, "image-pi-5-cluster") else set()) | (
        {443} if host == "witness" else set())
    assert set(firewall["allowedTCPPorts"]) == tcp
    assert set(firewall["allowedUDPPorts"]) == ({5353} if host in (*HUBS, *NODES, "image-pi-5-cluster") else set())
    assert shown(host)["ownFirewall"] == [], "a module of NixOS opens a port of its own"


@pytest.mark.parametrize("host", HOSTS)
def test_roles_and_engines_of_every_host(host):
    names = set(services(host))
    both = host == "image-pi-5-cluster"
    assert ("unibos-hub-web" in names) == (host in HUBS or both)
    assert ("unibos-node-web" in names) == (host in NODES or both)
    assert ("unibos-worker" in names) == (host == "gpu-server-01")
    assert ("unibos-router" in names) == (host in PAIR)
    enabled = {name.removeprefix("services.") for name in shown(host)["enabled"]}
    assert enabled & {"postgresql", "patroni", "etcd"} == ENGINES.get(host, set())
    # Migrations run where the database is written: on the primary, or where a machine stands alone.
    assert ("unibos-hub-migrate" in names) == (host in ("rocksteady", "image-server", "image-server-arm") or both)


@pytest.mark.parametrize("host", HOSTS)
def test_users_of_services_are_no_people(host):
    users = shown(host)["users"]
    for name, unit in services(host).items():
        for user in unit["service"].get("User", []):
            assert users[user]["isSystemUser"] and not users[user]["isNormalUser"], name


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_fails_an_assertion(host):
    assert shown(host)["assertions"] == [] and shown(host)["warnings"] == []


@pytest.mark.parametrize("host", ["image-pi-4", "image-server", "gpu-server-01", "rocksteady", "witness", "image-pi-5-cluster"])
def test_units_are_well_formed(host, tmp_path: Path):
    said = evaluate("units", PROJECT, host, tmp_path, "--verify")
    assert "verify: 0 error(s)" in said.stdout
    assert not [line for line in said.stdout.splitlines() if "Unknown" in line or "has no effect" in line]


def test_updates_are_declared_and_off():
    for host in ("image-pi-4", "image-server"):
        units = shown(host)["units"]
        assert units["service"]["unibos-update"]["enable"] is False and units["timer"]["unibos-update"]["enable"] is False


def test_the_lock_is_the_flakes_own(tmp_path: Path):
    for name in ("flake.nix", "flake.lock"):
        shutil.copy(PROJECT / name, tmp_path)
    done = subprocess.run(["nix", "--extra-experimental-features", "nix-command flakes", "flake", "metadata", "--offline", "--no-update-lock-file", "--json",
                           f"path:{tmp_path}"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["locks"]["nodes"]["root"]["inputs"]) == {"nixpkgs", "nixos-hardware", "disko"}
