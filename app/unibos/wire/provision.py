"""The file `unibos.toml` that a person leaves on the boot partition (docs/spec/provision.md): TOML 1.0 in, a checked Plan out.

Two halves, so that what parses foreign bytes is not what acts: `parse` reads TOML, `read_result` reads only canonical JSON that was made
from a Plan. Both apply the same rules to every value. No fault ever holds a secret: values of passwords, tokens, keys and unknown
names are left out, and what is shown is cut and made printable.
"""

from __future__ import annotations

import base64
import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 16 * 1024
MAX_JSON = 256 * 1024
MAX_KEYS = 32
MAX_FAULTS = 64
CODES = frozenset({"too-large", "encoding", "syntax", "unreadable", "unknown-key", "unknown-section", "missing", "type", "too-many", "hostname", "language",
                   "timezone", "ssh-key", "private-key", "country", "ssid", "password", "url", "token"})
LANGUAGES = ("en", "tr")
SECTIONS: dict[str, tuple[str, ...]] = {"": ("hostname", "language", "timezone", "ssh_keys"),
                                        "wifi": ("country", "ssid", "password", "hidden"), "hub": ("url", "token")}
NAMES = tuple(f"{section}.{key}".lstrip(".") for section, keys in SECTIONS.items() for key in keys)
# Type of an OpenSSH public key (RFC 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.u2f): how many fields follow the type in its blob.
SSH_TYPES = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2, "ecdsa-sha2-nistp521": 2,
             "sk-ssh-ed25519@openssh.com": 2, "sk-ecdsa-sha2-nistp256@openssh.com": 3}
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}")
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{8,256}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: `code` of CODES, the dotted `key`, the `value` when it is no secret, the `near`est known name, the
    `line` (from 1) where the file cannot be read any further."""

    code: str
    key: str = ""
    value: str = ""
    near: str = ""
    line: int | None = None


class ProvisionError(ValueError):
    """The file cannot be used; `faults` says everything that is wrong with it, at least one thing."""

    def __init__(self, faults: tuple[Fault, ...]):
        self.faults = faults[:MAX_FAULTS]
        super().__init__("; ".join(f"{f.code} {f.key}".strip() for f in self.faults))


@dataclass(frozen=True)
class Wifi:
    """A wireless network: ISO 3166 country in capitals, SSID as UTF-8 of 1 to 32 bytes, `password` as passphrase or 64 hex digits, empty: open."""

    country: str
    ssid: str
    password: str = field(default="", repr=False)
    hidden: bool = False


@dataclass(frozen=True)
class Hub:
    """The hub to join (scheme://host[:port]) with a one-time token."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """What the file asks for; what it does not name is empty or None."""

    hostname: str = ""
    language: str = ""
    timezone: str = ""
    ssh_keys: tuple[str, ...] = ()
    wifi: Wifi | None = None
    hub: Hub | None = None


def parse(data: bytes) -> Plan:
    """The plan in the bytes of a `unibos.toml`. Raises ProvisionError with all its faults, and nothing else."""
    if len(data) > MAX_BYTES:
        raise ProvisionError((Fault("too-large", value=str(MAX_BYTES)),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProvisionError((Fault("encoding", line=data[:error.start].count(b"\n") + 1),)) from None
    try:
        return _plan(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProvisionError((Fault("syntax", line=_line(str(error), text)),)) from None
    except ProvisionError:
        raise
    except (ValueError, RecursionError):  # a number with thousands of digits, brackets in brackets: the parser's own bounds
        raise ProvisionError((Fault("syntax"),)) from None


def _line(message: str, text: str) -> int:
    """The line that tomllib's message speaks of; its words are left out, since they may quote the file."""
    found = re.search(r"at line (\d+)", message)
    return int(found[1]) if found else text.rstrip().count("\n") + 1


class _Faults:
    """Gathers faults while values are read."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, code: str, key: str, value: str = "", near: str = "") -> None:
        self.found.append(Fault(code, printable(key), printable(value), near))

    def text(self, table: Mapping[str, Any], section: str, key: str, rule: Callable[[str], str | None], *, secret: bool = False) -> str:
        """The value by its rule (None: refused, with the key as code); empty when it is absent or wrong."""
        if key not in table:
            return ""
        name, value = f"{section}.{key}".lstrip("."), table[key]
        if not isinstance(value, str):
            self.add("type", name, "text")
            return ""
        kept = rule(value)
        if kept is None:
            self.add(key, name, "" if secret else value)
        return kept or ""

    def names(self, table: Mapping[str, Any], section: str) -> None:
        """Note every name that is not known there."""
        for key, value in table.items():
            if section == "" and key in SECTIONS and key:
                continue
            if key not in SECTIONS[section]:
                unknown = section == "" and isinstance(value, dict)
                self.add("unknown-section" if unknown else "unknown-key", f"{section}.{key}".lstrip("."), near=nearest(section, key, unknown))


def nearest(section: str, key: str, table: bool = False) -> str:
    """The known name that was probably meant, dotted; empty when none is near. A key of another section is found there."""
    key = key[:64].lower()
    if table:
        return next(iter(difflib.get_close_matches(key, [s for s in SECTIONS if s], 1, 0.5)), "")
    own = difflib.get_close_matches(key, SECTIONS[section], 1, 0.6)
    if own:
        return f"{section}.{own[0]}".lstrip(".")
    return next((name for name in NAMES for one in difflib.get_close_matches(key, [name.rpartition(".")[2]], 1, 0.75) if one), "")


def printable(text: str, most: int = 60) -> str:
    """`text` without what could move a terminal's cursor or hide, cut at `most` characters."""
    kept = "".join(c if c.isprintable() else "\ufffd" for c in text[:most])
    return kept + "…" if len(text) > most else kept


def _plan(table: Mapping[str, Any]) -> Plan:
    faults = _Faults()
    faults.names(table, "")
    hostname = faults.text(table, "", "hostname", _hostname)
    language = faults.text(table, "", "language", lambda v: v if v in LANGUAGES else None)
    timezone = faults.text(table, "", "timezone", lambda v: v if len(v) <= 64 and _ZONE.fullmatch(v) else None)
    plan = Plan(hostname, language, timezone, _ssh_keys(table, faults), _section(table, "wifi", _wifi, faults), _section(table, "hub", _hub, faults))
    if faults.found:
        raise ProvisionError(tuple(faults.found))
    return plan


def _section(table: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], _Faults], Any], faults: _Faults) -> Any:
    if name not in table:
        return None
    if not isinstance(table[name], dict):
        faults.add("type", name, "table")
        return None
    faults.names(table[name], name)
    return read(table[name], faults)


def _hostname(value: str) -> str | None:
    """RFC 1123 section 2.1: one label. ASCII is asked for first, since some letters become ASCII in lower case."""
    low = value.lower() if value.isascii() else ""
    return low if _LABEL.fullmatch(low) and low != "localhost" else None


def _ssh_keys(table: Mapping[str, Any], faults: _Faults) -> tuple[str, ...]:
    keys = table.get("ssh_keys", [])
    if not isinstance(keys, list):
        faults.add("type", "ssh_keys", "list")
        return ()
    if len(keys) > MAX_KEYS:
        faults.add("too-many", "ssh_keys", str(MAX_KEYS))
        return ()
    kept = []
    for number, key in enumerate(keys, 1):
        name = f"ssh_keys[{number}]"
        if not isinstance(key, str):
            faults.add("type", name, "text")
        elif "PRIVATE KEY" in key:
            faults.add("private-key", name)
        elif (line := ssh_key(key)) is None:
            faults.add("ssh-key", name)
        else:
            kept.append(line)
    return tuple(dict.fromkeys(kept))


def ssh_key(text: str) -> str | None:
    """An OpenSSH public key as one line (type, base64, comment), or None. Options are refused: a line is nothing but a key."""
    kind, _, rest = text.strip().partition(" ")
    blob, _, comment = rest.strip().partition(" ")
    comment = comment.strip()
    if kind not in SSH_TYPES or not comment.isprintable() or not blob.isascii():
        return None
    try:
        raw = base64.b64decode(blob, validate=True)
    except ValueError:
        return None
    fields = _fields(raw)
    if fields is None or fields[0] != kind.encode() or len(fields) != SSH_TYPES[kind] + 1 or not all(fields):
        return None
    if kind == "ssh-ed25519" and len(fields[1]) != 32:
        return None
    return " ".join(part for part in (kind, base64.b64encode(raw).decode(), comment) if part)


def _fields(raw: bytes) -> list[bytes] | None:
    """The strings of an SSH blob (RFC 4251 section 5: four bytes of length, big-endian, then the bytes), or None when they do not fill it."""
    found, at = [], 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at:at + 4], "big")
        if at + 4 > len(raw) or end > len(raw):
            return None
        found.append(raw[at + 4:end])
        at = end
    return found or None


def _wifi(table: Mapping[str, Any], faults: _Faults) -> Wifi | None:
    for key in ("country", "ssid"):
        if key not in table:
            faults.add("missing", f"wifi.{key}")
    country = faults.text(table, "wifi", "country", lambda v: v.upper() if v.isascii() and len(v) == 2 and v.isalpha() else None)
    ssid = faults.text(table, "wifi", "ssid", lambda v: v if 1 <= len(v.encode(errors="replace")) <= 32 and not _halves(v) else None)
    password = faults.text(table, "wifi", "password", _password, secret=True)
    hidden = table.get("hidden", False)
    if not isinstance(hidden, bool):
        faults.add("type", "wifi.hidden", "boolean")
    return Wifi(country, ssid, password, hidden is True)


def _halves(value: str) -> bool:
    """Whether there is half of a UTF-16 pair in it, which JSON can say and no text holds."""
    return any("\ud800" <= c <= "\udfff" for c in value)


def _password(value: str) -> str | None:
    """IEEE 802.11-2020 annex J.4: a passphrase of 8 to 63 printable ASCII characters, or the 256-bit key as 64 hexadecimal digits."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        return value.lower()
    return value if re.fullmatch(r"[ -~]{8,63}", value) else None


def _hub(table: Mapping[str, Any], faults: _Faults) -> Hub | None:
    for key, other in (("url", "token"), ("token", "url")):
        if key not in table and other in table:
            faults.add("missing", f"hub.{key}")
    url = faults.text(table, "hub", "url", _url, secret=bool(set("@?#") & set(str(table.get("url", "")))))
    token = faults.text(table, "hub", "token", lambda v: v.strip() if _TOKEN.fullmatch(v.strip()) else None, secret=True)
    return Hub(url, token) if url and token else None


def _url(value: str) -> str | None:
    """http(s)://host[:port], without user, path, query or fragment; without a scheme it is https."""
    value = value.strip()
    if len(value) > 255 or not value.isascii() or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"https://{value}")
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            host = f"[{ipaddress.IPv6Address(host)}]"
        elif not _HOST.fullmatch(host) or len(host) > 253:
            return None
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.path not in ("", "/") or port == 0 or set("?#\\%") & set(value):
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def to_json(plan: Plan) -> str:
    """The plan as canonical JSON: what is empty is left out, names in the order of the alphabet, ASCII, no spaces."""
    return _canonical(_bare(plan))


def _bare(plan: Plan) -> dict[str, Any]:
    found = {key: value for key, value in asdict(plan).items() if value}
    if plan.wifi:
        found["wifi"] = {key: value for key, value in found["wifi"].items() if value}
    return found


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Plan:
    """The plan of `to_json`. Strict: every value is checked as in `parse`, and the text must be what `to_json` writes. Raises ProvisionError."""
    plan = _plan(_object(text))
    if to_json(plan) != text:
        raise ProvisionError((Fault("unreadable"),))
    return plan


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if len(text) <= MAX_JSON else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProvisionError((Fault("unreadable"),))
    return found


def result(data: bytes) -> str:
    """What the reader tells the one who acts: {"plan": …} or {"faults": […]}, as one line of canonical JSON."""
    try:
        return _canonical({"plan": _bare(parse(data))})
    except ProvisionError as error:
        return _canonical({"faults": [{k: v for k, v in asdict(f).items() if v not in ("", None)} for f in error.faults]})


def read_result(text: str) -> Plan:
    """The plan in what `result` wrote. Raises ProvisionError with the faults that it says, or `unreadable` for anything else: the
    reader saw foreign bytes and is not believed further than this check."""
    found = _object(text)
    if _canonical(found) != text.removesuffix("\n"):
        raise ProvisionError((Fault("unreadable"),))
    if set(found) == {"plan"} and isinstance(found["plan"], dict):
        return from_json(_canonical(found["plan"]))
    if set(found) == {"faults"}:
        raise ProvisionError(read_faults(found["faults"]))
    raise ProvisionError((Fault("unreadable"),))


def read_faults(found: Any) -> tuple[Fault, ...]:
    """The faults in a list of JSON objects, 1 to MAX_FAULTS, each checked. Raises ProvisionError for anything else."""
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_FAULTS:
        raise ProvisionError((Fault("unreadable"),))
    return tuple(_fault(each) for each in found)


def _fault(found: Any) -> Fault:
    kinds = {"code": str, "key": str, "value": str, "near": str, "line": int}
    good = isinstance(found, dict) and found.get("code") in CODES and all(type(v) is kinds.get(k) for k, v in found.items())
    if not good or not 1 <= found.get("line", 1) <= MAX_BYTES + 1 or any(v != printable(v) for v in found.values() if isinstance(v, str)):
        raise ProvisionError((Fault("unreadable"),))
    return Fault(**found)
