"""/nix/store of a machine: scripts of the rendered host, and Debian's programs in the place of NixOS'."""

from __future__ import annotations

import functools
import glob
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.machine_python import STORE as UNIBOS
from tests.machine_python import environment

# The name in the store, without version, and the Debian packages whose programs and libraries stand in.
PACKAGES: dict[str, tuple[str, ...]] = {
    "avahi": ("avahi-daemon", "avahi-utils"), "bash": ("bash", "dash"), "bash-interactive": ("bash", "dash"), "caddy": ("caddy",), "coreutils": ("coreutils",),
    "coreutils-full": ("coreutils",), "curl": ("curl",), "dbus": ("dbus", "dbus-bin", "dbus-daemon"), "diffutils": ("diffutils",), "e2fsprogs": ("e2fsprogs",),
    "findutils": ("findutils",), "gawk": ("mawk", "gawk"), "gnugrep": ("grep",), "gnused": ("sed",), "gnutar": ("tar",), "gzip": ("gzip",),
    "haproxy": ("haproxy",), "hostname": ("hostname",), "iproute2": ("iproute2",), "iputils": ("iputils-ping",), "jq": ("jq",), "kmod": ("kmod",),
    "mosquitto": ("mosquitto", "mosquitto-clients"), "nftables": ("nftables",), "openssl": ("openssl",), "poppler-utils": ("poppler-utils",),
    "poppler_utils": ("poppler-utils",), "procps": ("procps",), "redis": ("redis-server", "redis-tools"), "shadow": ("passwd", "login"),
    "systemd": ("systemd", "systemd-sysv"), "systemd-minimal": ("systemd",), "tesseract": ("tesseract-ocr", "tesseract-ocr-eng", "tesseract-ocr-tur"),
    "util-linux": ("util-linux", "mount", "bsdutils"), "valkey": ("redis-server", "redis-tools"),
}
# Programs under another name.
RENAMED: dict[str, dict[str, str]] = {
    "coreutils": {"bin/kill": "/usr/bin/kill", "bin/uptime": "/usr/bin/uptime"}, "coreutils-full": {"bin/kill": "/usr/bin/kill"},
    "valkey": {f"bin/valkey-{p}": f"/usr/bin/redis-{p}" for p in ("server", "cli", "sentinel", "benchmark", "check-aof", "check-rdb")},
    "gawk": {"bin/awk": "/usr/bin/awk", "bin/gawk": "/usr/bin/awk"},
    "bash": {"bin/sh": "/usr/bin/bash"}, "bash-interactive": {"bin/sh": "/usr/bin/bash"},
    "python3": {"bin/python3": f"{UNIBOS}/bin/python3", "bin/python": f"{UNIBOS}/bin/python3"},
}
# Whole folders, by pattern: the newest that is there.
FOLDERS: dict[str, dict[str, str]] = {
    "postgresql": {"bin": "/usr/lib/postgresql/*/bin", "share": "/usr/share/postgresql/*"},
    "tesseract": {"share/tessdata": "/usr/share/tesseract-ocr/*/tessdata"},
    "tzdata": {"share/zoneinfo": "/usr/share/zoneinfo"},
    "cacert": {"etc/ssl/certs": "/etc/ssl/certs"},
    "nss-cacert": {"etc/ssl/certs": "/etc/ssl/certs"},
}
_PATH = re.compile(r"/nix/store/([A-Za-z0-9+._?=-]+)((?:/[A-Za-z0-9+._@-]+)*)")
_VERSION = re.compile(r"(-v?\d[A-Za-z0-9.+]*)?(-(bin|out|lib|doc|dev|man|wrapped|env))*$")
_PROGRAM = re.compile(r"(?:/usr)?/s?bin/([^/]+)$")
_LIBRARY = re.compile(r"/usr/(lib(?:exec)?)/(?:[a-z0-9_]+-linux-gnu[a-z0-9]*/)?(.+)$")


class MissingFromStore(Exception):
    """The rendered host names programs for which nothing stands in; the text lists them all."""


def mentioned(texts: Iterable[str]) -> dict[str, set[str]]:
    """Store names in `texts`, each with the paths below it that are named."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, rest in _PATH.findall(text):
            found.setdefault(name.rstrip("."), set()).add(rest.strip("/").rstrip("."))
    return found


@functools.cache
def _links(name: str) -> Mapping[str, str] | None:
    """Path below /nix/store/NAME -> path on Debian; None for an unknown name."""
    known = next((n for n in (name, _VERSION.sub("", name)) if n in PACKAGES or n in RENAMED or n in FOLDERS), None)
    if known is None:
        return None
    links: dict[str, str] = {}
    for package in PACKAGES.get(known, ()):
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
        for path in listed.stdout.splitlines():
            if found := _PROGRAM.fullmatch(path):
                links[f"bin/{found[1]}"] = path
            elif (found := _LIBRARY.fullmatch(path)) and Path(path).is_file():
                links[f"{found[1]}/{found[2]}"] = path
    for place, pattern in FOLDERS.get(known, {}).items():
        if there := sorted(glob.glob(pattern)):
            links[place] = there[-1]
    return links | RENAMED.get(known, {})


def fill(store: Path, texts: Iterable[str], scripts: Mapping[str, str]) -> None:
    """Write what `texts` and `scripts` name below `store`, the folder that becomes /nix/store. Raises MissingFromStore."""
    names = mentioned([*texts, *scripts, *scripts.values()])
    for path, text in scripts.items():
        target = store / path.removeprefix("/nix/store/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o555)
    missing = [problem for name, paths in sorted(names.items()) for problem in _fill_name(store, name, paths)]
    if missing:
        raise MissingFromStore("nothing stands in for: " + ", ".join(missing) + " (the tables are in tests/machine_store.py)")


def _fill_name(store: Path, name: str, paths: set[str]) -> list[str]:
    """Link one name; returns what is missing of it."""
    if name == "unibos":
        return [f"/nix/store/unibos/{p}" for p in sorted(paths) if p.startswith("bin/") and not (environment().folder / p).is_symlink()
                and not (environment().folder / p).exists()]
    links = _links(name)
    if links is None:
        return [] if (store / name).exists() else [f"/nix/store/{name}"]
    for path, target in links.items():
        link = store / name / path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists() and not link.is_symlink():
            link.symlink_to(target)
    return [f"/nix/store/{name}/{p}" for p in sorted(paths) if p.startswith(("bin/", "lib/", "libexec/"))
            and not any(p == known or p.startswith(f"{known}/") or known.startswith(f"{p}/") for known in links) and not (store / name / p).exists()]
