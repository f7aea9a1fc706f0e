"""What makes a machine an appliance: its name, and what the file `unibos.toml` asks for (docs/spec/provision.md).

Every path lies below `root`, which is / on a machine. Directories that a service owns are entered by descriptor, so that a link planted
there leads root nowhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unibos.adapters import atomic
from unibos.adapters.atomic import Owner
from unibos.kernel.words import T, Text
from unibos.wire.provision import Fault, Plan, Wifi, printable, read_faults

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"  # no look-alikes, no u, so that few words come out
STATE = Path("run/unibos-appliance/provision.json")
CHOICES = Path("var/lib/unibos-appliance/choices.json")
REPORT = "unibos-report.txt"


def choose_name(root: Path) -> str:
    """The machine's name: what etc/hostname says, or else unibos-xxxx, made of the machine id, the same at every start, and written there."""
    path = root / "etc/hostname"
    try:
        kept = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        kept = ""
    if kept:
        return kept
    # The id itself is to stay on the machine (machine-id(5)): a hash of it under a label of our own is not the id.
    digest = hashlib.sha256(b"unibos-name-v1:" + _machine_id(root)).digest()
    name = "unibos-" + "".join(ALPHABET[b % len(ALPHABET)] for b in digest[:4])
    atomic.write(path, name.encode() + b"\n", 0o644)
    return name


def _machine_id(root: Path) -> bytes:
    try:
        found = (root / "etc/machine-id").read_bytes().strip()
    except FileNotFoundError:
        found = b""
    return found if len(found) == 32 else secrets.token_bytes(16)


def apply(plan: Plan, root: Path, owner: Owner) -> list[Text]:
    """Do what the plan asks for; returns what was done, in sentences without secrets. Doing it again changes nothing.

    `owner` (uid, gid) is the node's. Raises OSError; what was done before stays, each file whole, and the next run does the rest.
    """
    done = []
    if plan.hostname:
        atomic.write(root / "etc/hostname", plan.hostname.encode() + b"\n", 0o644)
        done.append(T("The name is %(name)s: open https://%(name)s.local", name=plan.hostname))
    if plan.language or plan.timezone:
        _choose(root, {k: v for k, v in (("language", plan.language), ("timezone", plan.timezone)) if v})
        done.append(T("Language and time zone are noted."))
    if plan.timezone and not _use_timezone(plan.timezone, root):
        done.append(T("This box knows no time zone %(name)s: it goes on with the one that it had.", name=plan.timezone))
    if plan.ssh_keys:
        atomic.write(root / "var/lib/unibos-appliance/authorized_keys", "".join(f"{key}\n" for key in plan.ssh_keys).encode(), 0o644)
        done.append(T("SSH keys: %(count)s. They may log in.", count=len(plan.ssh_keys)))
    if plan.wifi:
        _write_wifi(plan.wifi, root)
        done.append(T("The Wi-Fi network %(ssid)s is set up.", ssid=printable(plan.wifi.ssid)))
    if plan.hub:
        _write_enrolment({"url": plan.hub.url, "token": plan.hub.token}, root, owner)
        done.append(T("The box will join the hub %(url)s.", url=plan.hub.url))
    return done


def _use_timezone(name: str, root: Path) -> bool:
    """Make etc/localtime the zone `name`, as timedatectl(1) does; False when the system has no such zone."""
    if not (root / "etc/zoneinfo" / name).is_file():
        return False
    fresh = root / "etc/.localtime.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(f"/etc/zoneinfo/{name}")
    fresh.rename(root / "etc/localtime")
    atomic.sync(root / "etc")
    return True


def choices(root: Path) -> dict[str, str]:
    """What was chosen of {language, timezone}; a file that cannot be read says nothing."""
    try:
        found = json.loads((root / CHOICES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def _choose(root: Path, chosen: dict[str, str]) -> None:
    atomic.write(root / CHOICES, json.dumps({**choices(root), **chosen}, sort_keys=True).encode() + b"\n", 0o644)


def wpa_conf(wifi: Wifi) -> str:
    """The network in the words of wpa_supplicant.conf(5). All that people typed is written as hexadecimal digits, which can mean nothing else.

    WPA2 takes the key made of SSID and passphrase; WPA3 (SAE) needs the passphrase itself, and a supplicant that may use SAE and has
    only the key fails on networks that offer both. A ready key (64 digits) is therefore for WPA2 alone.
    """
    ssid = wifi.ssid.encode()
    lines = [f"ssid={ssid.hex()}"]
    if wifi.hidden:
        lines.append("scan_ssid=1")
    if not wifi.password:
        lines.append("key_mgmt=NONE")
    elif len(wifi.password) == 64:
        lines += [f"psk={wifi.password}", "key_mgmt=WPA-PSK", "ieee80211w=1"]
    else:
        lines += [f"psk={psk(wifi.password, ssid)}", f"sae_password={wifi.password.encode().hex()}", "key_mgmt=WPA-PSK SAE", "ieee80211w=1"]
    return f"country={wifi.country}\nnetwork={{\n" + "".join(f"\t{line}\n" for line in lines) + "}\n"


def psk(passphrase: str, ssid: bytes) -> str:
    """The 256-bit key of a passphrase as hexadecimal digits (IEEE 802.11-2020 annex J.4: PBKDF2-HMAC-SHA1, 4096 rounds, salted by the SSID)."""
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode("ascii"), ssid, 4096, 32).hex()


def _write_wifi(wifi: Wifi, root: Path) -> None:
    with atomic.folder(root / "etc/wpa_supplicant") as held:
        # The supplicant may run as a user of its own, who is then the owner of the file or of its directory, and must go on reading it.
        try:
            before = os.stat("imperative.conf", dir_fd=held, follow_symlinks=False)
        except FileNotFoundError:
            before = os.fstat(held)
        atomic.put(held, "imperative.conf", wpa_conf(wifi).encode(), 0o600, (before.st_uid, before.st_gid))


def _write_enrolment(content: dict[str, str], root: Path, owner: Owner) -> None:
    with atomic.folder(root / "var/lib/unibos", 0o700, owner) as home, atomic.folder_in(home, "node", 0o700, owner) as node:
        atomic.put(node, "enrol.json", json.dumps(content).encode(), 0o600, owner)


def retire(path: Path, report: Sequence[str], *, good: bool) -> None:
    """Write `report` (lines) beside the file at `path`; when it was `good`, overwrite it and remove it, else let it stay."""
    with atomic.folder(path.parent) as held:
        text = "".join(f"{line}\r\n" for line in report)  # read on any desktop system
        atomic.put(held, REPORT, text.encode(), 0o644)
        if not good:
            return
        try:
            file = os.open(path.name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
        except FileNotFoundError:
            return
        with os.fdopen(file, "wb") as out:
            # A comment from end to end: cut off between this and the removal, the next start finds a file that asks for nothing.
            out.write(b"#" * os.fstat(file).st_size)
            out.flush()
            os.fsync(file)
        os.unlink(path.name, dir_fd=held)
        os.fsync(held)


def note(root: Path, faults: Sequence[Fault], now: dt.datetime) -> None:
    """Leave word for the screen: applied, or refused with the faults."""
    found = {"state": "refused" if faults else "applied", "faults": [{k: v for k, v in asdict(f).items() if v not in ("", None)} for f in faults],
             "at": now.isoformat(timespec="seconds")}
    atomic.write(root / STATE, json.dumps(found, sort_keys=True).encode() + b"\n", 0o644)


def noted(root: Path) -> tuple[Fault, ...]:
    """The faults that `note` left, none when all was well, nothing was said, or it cannot be read."""
    try:
        found: Any = json.loads((root / STATE).read_text(encoding="utf-8"))
        return read_faults(found["faults"]) if found["faults"] else ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()

