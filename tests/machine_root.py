"""What a machine's disk holds beyond Debian's programs: units, accounts, /etc and /nix/store of a rendered host.

A rendered host is a folder with `units/` (systemd units as NixOS writes them, store paths without hash) and `host.json`:
{"hostName", "users": {name: {uid, group, isSystemUser, home, extraGroups}}, "groups": [name], "etc": {path below /etc: text}, "firewall": {…},
"tmpfiles": [rule], "store": {path: text of a script}, "enabled": [option]}; everything but the units may be absent. Units of NixOS' own modules are not
rendered: `rendered/substitutes/` has stand-ins, taken where a rendered unit or drop-in names one, or its option is enabled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.machine_python import libraries
from tests.machine_store import fill

SUBSTITUTES = Path(__file__).parent / "rendered" / "substitutes"
SUFFIXES = (".service", ".target", ".timer", ".path", ".socket", ".mount", ".slice")
_SUBSTITUTE_OF = {"services.avahi": "avahi-daemon.service", "services.postgresql": "postgresql.target"}
_DEBIAN_ACCOUNTS = {"root", "daemon", "nobody", "nogroup", "messagebus", "avahi", "postgres"}
_DEPENDENCY = re.compile(r"^(?:Wants|Requires|BindsTo|Requisite|PartOf|After|Upholds)=(.*)$", re.M)
_INSTALL = re.compile(r"^(WantedBy|RequiredBy|UpheldBy|Alias)=(.*)$", re.M)
# Debian's own units that every machine starts; its other ones start only when a unit of the host asks for them.
_BASE = {"sysinit.target": ("systemd-journald.service", "systemd-journal-flush.service"),
         "sockets.target": ("systemd-journald.socket", "systemd-journald-dev-log.socket", "dbus.socket")}
_TMPFILES = """[Unit]
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/systemd-tmpfiles --create --boot /etc/tmpfiles.d/rendered.conf

[Install]
WantedBy=sysinit.target
"""
_FIREWALL = """[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/firewall.nft

[Install]
WantedBy=sysinit.target
"""


def build(seed: Path, rendered: Path, name: str, files: Mapping[str, str | bytes]) -> None:
    """Write the disk's content below `seed`. Raises MissingFromStore for programs that nothing stands in for, ValueError for a bad host."""
    described = rendered / "host.json"
    host = json.loads(described.read_text()) if described.is_file() else {}
    units = read_units(rendered / "units", (_SUBSTITUTE_OF[e] for e in host.get("enabled", ()) if e in _SUBSTITUTE_OF))
    if host.get("tmpfiles"):
        units["systemd-tmpfiles-setup.service"] = _TMPFILES
        _write(seed / "etc/tmpfiles.d/rendered.conf", "".join(f"{rule}\n" for rule in host["tmpfiles"]))
    if host.get("firewall", {}).get("enable"):
        units["firewall.service"] = _FIREWALL
        _write(seed / "etc/firewall.nft", firewall(host["firewall"], json.loads(host.get("etc", {}).get("unibos/served.json", "{}")).get("rules", ())))
    for target, text in host.get("etc", {}).items():
        _write(seed / "etc" / target, text)
    _write(seed / "etc/hostname", f"{name}\n")
    _write(seed / "etc/machine-id", f"{uuid.uuid5(uuid.NAMESPACE_DNS, name).hex}\n")
    _write(seed / "etc/resolv.conf", "# A LAN without a name server.\n")
    _accounts(seed, host)
    _units(seed, units)
    fill(seed / "nix/store", [*units.values(), *host.get("etc", {}).values(), *(f for f in files.values() if isinstance(f, str))], host.get("store", {}))
    if libraries():
        _write(seed / "etc/ld.so.conf.d/000-unibos.conf", f"{libraries()}\n")
    for path, text in files.items():
        _write(seed / path.lstrip("/"), text)


def _write(path: Path, text: str | bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


# Units.


def read_units(folder: Path, wanted: Iterable[str] = ()) -> dict[str, str]:
    """Name (or NAME.d/FILE.conf) -> text of the host's units, with the substitutes that they name and those `wanted`. Raises ValueError."""
    units = {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}
    if bad := [n for n in units if not n.endswith((*SUFFIXES, ".conf"))]:
        raise ValueError(f"no units: {', '.join(bad)}")
    there = {p.name: p for p in SUBSTITUTES.glob("*") if p.is_file()}
    ask = {*wanted, *(n.rpartition(".d/")[0] for n in units if n.endswith(".conf")), *_named(units.values())}
    while new := ask & there.keys() - units.keys():
        units.update({n: there[n].read_text() for n in new})
        ask |= _named(units[n] for n in new)
    return units


def _named(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for words in _DEPENDENCY.findall(text) for word in words.split()}


def _units(seed: Path, units: Mapping[str, str]) -> None:
    own = seed / "etc/systemd/system"
    for package in ("systemd", "dbus", "dbus-system-bus-common"):
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True).stdout.splitlines()
        for path in map(Path, listed):
            if path.parent.match("lib/systemd/system") and path.is_file():
                target = seed / "usr/lib/systemd/system" / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)
    for name, text in units.items():
        _write(own / name, text)
        for kind, words in _INSTALL.findall(text):
            for word in words.split():
                _install(own, name, kind, word)
    for target, needs in _BASE.items():
        for need in needs:
            _link(own / f"{target}.wants" / need, f"/usr/lib/systemd/system/{need}")


def _install(own: Path, unit: str, kind: str, word: str) -> None:
    """What `systemctl enable` would link for one word of an [Install] section."""
    folder = {"WantedBy": f"{word}.wants", "RequiredBy": f"{word}.requires", "UpheldBy": f"{word}.upholds"}
    _link(own / word if kind == "Alias" else own / folder[kind] / unit, f"/etc/systemd/system/{unit}")


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(target)


# Accounts.


def _debian(path: str) -> dict[str, list[str]]:
    """Accounts of this system that Debian's programs need: name -> fields."""
    lines = [line.split(":") for line in Path(path).read_text().splitlines() if line]
    return {f[0]: f for f in lines if f[0] in _DEBIAN_ACCOUNTS or f[0].startswith("systemd-") or (path == "/etc/group" and int(f[2]) < 100)}


def accounts(host: Mapping[str, Any]) -> tuple[list[list[str]], list[list[str]]]:
    """(passwd, group), each a list of fields: the host's, over those that Debian's programs need. An unset uid or gid is the next from 900."""
    passwd, group = _debian("/etc/passwd"), _debian("/etc/group")
    users: dict[str, Mapping[str, Any]] = host.get("users", {})
    used = {int(f[2]) for f in [*passwd.values(), *group.values()]} | {u["uid"] for u in users.values() if u.get("uid") is not None}
    free = iter(n for n in range(900, 1000) if n not in used)
    names = [*host.get("groups", ()), *(u.get("group") for u in users.values()), *(g for u in users.values() for g in u.get("extraGroups", ()))]
    for name in dict.fromkeys(n for n in names if n):
        if name not in group:
            group[name] = [name, "x", str(next(free)), ""]
    for name, user in users.items():
        old = passwd.get(name)
        uid = user["uid"] if user.get("uid") is not None else int(old[2]) if old else next(free)
        gid = group[user["group"]][2] if user.get("group") else "65534"
        shell = "/usr/sbin/nologin" if user.get("isSystemUser") else "/bin/bash"
        passwd[name] = [name, "x", str(uid), gid, "", user.get("home") or "/var/empty", old[6] if old else shell]
        for extra in user.get("extraGroups", ()):
            members = [m for m in group[extra][3].split(",") if m]
            group[extra][3] = ",".join(dict.fromkeys([*members, name]))
    return list(passwd.values()), list(group.values())


def _accounts(seed: Path, host: Mapping[str, Any]) -> None:
    passwd, group = accounts(host)
    _write(seed / "etc/passwd", "".join(":".join(f) + "\n" for f in passwd))
    _write(seed / "etc/group", "".join(":".join(f) + "\n" for f in group))
    _write(seed / "etc/shadow", "".join(f"{f[0]}:*:1::::::\n" for f in passwd), 0o640)
    for name, user in host.get("users", {}).items():
        home = Path(user.get("home") or "/var/empty")
        if not user.get("isSystemUser") and home.is_relative_to("/home"):
            place = seed / home.relative_to("/")
            place.mkdir(parents=True)
            fields = next(f for f in passwd if f[0] == name)
            os.chown(place, int(fields[2]), int(fields[3]))
            place.chmod(0o700)


# Firewall.


def firewall(rules: Mapping[str, Any], extra: Iterable[str] = ()) -> str:
    """nftables' input chain for NixOS' `networking.firewall`: loopback, answers and ICMP come in, what is listed, and the `extra` rules."""
    lines = ["iif lo accept", "ct state established,related accept", "meta l4proto { icmp, ipv6-icmp } accept"]
    lines += [f'iifname "{name}" accept' for name in rules.get("trustedInterfaces", ()) if name != "lo"]
    lines += _ports(rules, "")
    for name, own in rules.get("interfaces", {}).items():
        lines += _ports(own, f'iifname "{name}" ')
    lines += extra
    body = "\n".join(f"    {line}" for line in lines)
    return f"table inet firewall {{\n  chain input {{\n    type filter hook input priority filter; policy drop;\n{body}\n  }}\n}}\n"


def _ports(rules: Mapping[str, Any], match: str) -> list[str]:
    lines = []
    for protocol in ("TCP", "UDP"):
        ports = [str(p) for p in rules.get(f"allowed{protocol}Ports", ())]
        ports += [f"{r['from']}-{r['to']}" for r in rules.get(f"allowed{protocol}PortRanges", ())]
        if ports:
            lines.append(f"{match}{protocol.lower()} dport {{ {', '.join(ports)} }} accept")
    return lines
