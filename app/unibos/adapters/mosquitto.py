"""Prepares a mosquitto broker of our own: closed to the unknown, persistent, with accounts kept by its dynamic-security plugin.

Sources: mosquitto.conf(5) and the plugin's documentation at https://mosquitto.org/documentation/dynamic-security/.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unibos.kernel.errors import SettingError, StartError
from unibos.kernel.words import T

AGENT = "unibos-agent"
AGENT_CLIENT = "unibos-agent-here"  # its client id: not its user name, which is what a LAN listener makes of client ids
LAN_CONNECTIONS = 500
PAYLOAD_LIMIT = 64 * 1024
_ITERATIONS = 1000  # the password is 256 random bits, so the count matters little; the plugin's own is 101


@dataclass(frozen=True)
class Lan:
    """A listener for devices besides the agent's on loopback. Without a certificate it speaks plain MQTT.

    A device's client id is its user name there, whatever it says, so that no device takes over the session of another or of the
    agent; and the agent's account asks for a client id that is not its user name, so that its login is refused there.
    """

    host: str = ""  # empty: every address, IPv4 and IPv6; devices of the house come from any interface, and a switch that is off by default opens it
    port: int = 1883
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class MosquittoFiles:
    """What `prepare` wrote: the configuration, how to start it, and who the agent is there."""

    config: Path
    argv: tuple[str, ...]
    agent_username: str
    agent_password_file: Path


def find_mosquitto() -> Path | None:
    """The broker program, on PATH or in the system directories (Debian puts it in /usr/sbin), or None."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    return Path(found) if found else None


def find_dynsec() -> Path | None:
    """The dynamic-security plugin: beside the program that was found or a directory of PATH, or in the usual library directories, or None."""
    name = "mosquitto_dynamic_security.so"
    binary = find_mosquitto()
    places = [binary.resolve().parent.parent / "lib"] if binary else []
    # Nix keeps libraries in a package of their own, which is on PATH only by name: …-mosquitto-lib/bin stands for …-mosquitto-lib/lib.
    places += [Path(p).parent / "lib" for p in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(p)]
    places += [Path(p) for p in ("/usr/lib", "/usr/local/lib", "/usr/lib64", "/opt/homebrew/lib", "/run/current-system/sw/lib")]
    for place in places:
        for found in (place / name, *sorted(place.glob(f"*/{name}"))):
            if found.is_file():
                return found
    return None


def prepare(data_dir: Path, port: int, *, lan: Sequence[Lan] = ()) -> MosquittoFiles:
    """Write what the broker needs into `data_dir`/mosquitto (0700, files 0600) and say how to start it.

    The agent listens on 127.0.0.1:`port`; `lan` adds listeners, and with them the agent must connect as AGENT_CLIENT.
    Accounts are seeded once: the agent with a generated password.
    Call it while the broker is not running. Raises StartError when the program or the plugin is missing, SettingError when a
    path cannot be written into the broker's configuration.
    """
    binary, plugin = find_mosquitto(), find_dynsec()
    if binary is None:
        raise StartError(T("The MQTT broker mosquitto is not installed. Install it, or turn devices off."))
    if plugin is None:
        raise StartError(T("mosquitto is installed without its plugin mosquitto_dynamic_security.so, which keeps the device accounts."))
    place = Path(os.path.abspath(data_dir)) / "mosquitto"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    password_file = place / "agent-password"
    if not password_file.exists():
        _write(password_file, secrets.token_urlsafe(32))
    _seed(place / "accounts.json", password_file.read_text().strip(), AGENT_CLIENT if lan else None)
    config = place / "mosquitto.conf"
    _write(config, _config(place, port, plugin, lan))
    return MosquittoFiles(config, (str(binary), "-c", str(config)), AGENT, password_file)


def _config(place: Path, port: int, plugin: Path, lan: Sequence[Lan]) -> str:
    lines = [
        "per_listener_settings false",
        "allow_anonymous false",
        f"plugin {plugin}",
        f"plugin_opt_config_file {place / 'accounts.json'}",
        "persistence true",
        f"persistence_location {place}/",
        "persistence_file sessions.db",
        "autosave_interval 1",
        "persistent_client_expiration 1m",
        # The agent acknowledges in batches, after its commit: the window must hold more than one batch.
        "max_inflight_messages 1000",
        # What waits for an absent agent is bounded by bytes.
        "max_queued_messages 0",
        f"max_queued_bytes {16 << 20}",
        # Most devices send at QoS 0. To the agent, who subscribes at QoS 1, it comes as QoS 1: kept until it is acknowledged.
        # (Not queue_qos0_messages: mosquitto 2.0.11 with both kinds in a queue longer than the window leaves some until the next connect.)
        "upgrade_outgoing_qos true",
        # Refused before it is read, unlike with message_size_limit; what is over a payload is room for the topic and properties.
        f"max_packet_size {PAYLOAD_LIMIT + 4096}",
        "max_keepalive 3600",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "connection_messages false",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it becomes the user mosquitto, who may not enter our directory
    lines += [f"listener {port} 127.0.0.1"]
    for each in lan:
        lines += [f"listener {each.port} {each.host}".rstrip(), "use_username_as_clientid true", f"max_connections {LAN_CONNECTIONS}"]
        if each.certificate and each.key:
            lines += [f"certfile {each.certificate}", f"keyfile {each.key}", "tls_version tlsv1.2"]  # the least, not the only one
    if any(set(line) & set("\r\n\0") for line in lines):
        raise SettingError(T("A path with a line break cannot be given to the MQTT broker."))
    return "\n".join(lines) + "\n"


def _seed(path: Path, password: str, client_id: str | None) -> None:
    """Make sure that the agent's account, bound to `client_id` if there is one, stands in the state file, whatever else does.

    The plugin writes this file without syncing it, so a power cut may leave it empty: the copy made at the last good start is
    then taken, because the device passwords in it are nowhere else.
    """
    copy = path.with_suffix(".good.json")
    state = _read(path) or _read(copy) or {"clients": [], "groups": [], "roles": []}
    state["defaultACLAccess"] = dict.fromkeys(("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), False)
    clients = state.setdefault("clients", [])
    mine = next((c for c in clients if c.get("username") == AGENT), None)
    if mine is None or mine.get("clientid") != client_id or not _verify(mine, password):
        clients[:] = [c for c in clients if c is not mine] + [_client(password, client_id)]
    topics = ("#", "$CONTROL/dynamic-security/#", "$SYS/#")
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern")
    acls = [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for topic in topics for kind in kinds
            if not (topic == "$SYS/#" and kind == "publishClientSend")]
    state["roles"] = [r for r in state.get("roles", []) if r.get("rolename") != AGENT] + [{"rolename": AGENT, "acls": acls}]
    state.pop("anonymousGroup", None)
    text = json.dumps(state, indent=1)
    _write(copy, text)
    _write(path, text)


def _client(password: str, client_id: str | None) -> dict[str, Any]:
    salt = secrets.token_bytes(12)
    return {"username": AGENT, **({"clientid": client_id} if client_id else {}), "roles": [{"rolename": AGENT, "priority": 0}], "iterations": _ITERATIONS,
            "salt": base64.b64encode(salt).decode(), "password": base64.b64encode(_hash(password, salt, _ITERATIONS)).decode()}


def _verify(client: dict[str, Any], password: str) -> bool:
    try:
        salt, known = base64.b64decode(client["salt"]), base64.b64decode(client["password"])
        roles = [r["rolename"] for r in client["roles"]]
        return roles == [AGENT] and hmac.compare_digest(known, _hash(password, salt, int(client["iterations"])))
    except (KeyError, TypeError, ValueError):
        return False


def _hash(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, 64)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        state = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and isinstance(state.get("clients"), list) else None


def _write(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".tmp")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
