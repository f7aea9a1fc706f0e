"""What a node and its hub tell each other about people (docs/spec/tokens.md): what the node has kept, and what of it is still so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unibos.wire.tokens import keys_of

MOST = 500
ROLES = ("guest", "viewer", "member", "admin", "owner")
STATES = ("unchanged", "permissions", "credential", "revoked")
_TEXTS = {"id": 36, "email": 254, "name": 120, "role": 12}


@dataclass(frozen=True)
class Person:
    """A person as a hub tells a node: `version` counts their credentials, `factor` says that the hub asks them for a second step."""

    id: str
    email: str
    name: str
    version: int
    role: str
    factor: bool
    org: Mapping[str, Any]
    permissions: Mapping[str, Any]

    def shown(self) -> dict[str, Any]:
        """As it travels."""
        return {"id": self.id, "email": self.email, "name": self.name, "version": self.version, "role": self.role, "factor": self.factor,
                "org": dict(self.org), "permissions": dict(self.permissions)}


def fingerprint(person: Person) -> str:
    """32 hexadecimal digits over all that a node keeps of a person but the credentials' version: what differs has to be sent anew."""
    said = {**person.shown(), "version": 0}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:32]


def person(value: Any) -> Person:
    """Read a person. Raises ValueError for anything that is not exactly one."""
    if not isinstance(value, Mapping):
        raise ValueError("no person")
    for name, most in _TEXTS.items():
        text = value.get(name)
        if not isinstance(text, str) or not 1 <= len(text) <= most or "\0" in text:
            raise ValueError(f"{name} of a person")
    version, org, permissions = value.get("version"), value.get("org"), value.get("permissions")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 2**31 or not isinstance(value.get("factor"), bool):
        raise ValueError("version or factor of a person")
    if value["role"] not in ROLES or not isinstance(org, Mapping) or not isinstance(permissions, Mapping):
        raise ValueError("rights of a person")
    return Person(value["id"], value["email"], value["name"], version, value["role"], value["factor"], dict(org), dict(permissions))


@dataclass(frozen=True)
class Answer:
    """What a hub says at a contact: who signs (`issuer`, `keys` as a JWK set), and of each person asked for one state, with the person where it changed."""

    issuer: str
    keys: Mapping[str, Any]
    people: tuple[tuple[str, str, Person | None], ...]


def answer(value: Any) -> Answer:
    """Read a hub's answer. Raises ValueError; nothing of a damaged answer may be used."""
    if not isinstance(value, Mapping) or not isinstance(value.get("issuer"), str) or not 1 <= len(value["issuer"]) <= 200:
        raise ValueError("no issuer")
    if not keys_of(value.get("keys")):
        raise ValueError("no keys")
    listed = value.get("people")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or len(listed) > MOST:
        raise ValueError("no people")
    return Answer(value["issuer"], {"keys": list(value["keys"]["keys"])}, tuple(_state(one) for one in listed))


def _state(value: Any) -> tuple[str, str, Person | None]:
    if not isinstance(value, Mapping) or not isinstance(value.get("id"), str) or value.get("state") not in STATES:
        raise ValueError("no state of a person")
    told = person(value.get("person")) if value["state"] in ("permissions", "credential") else None
    if told is not None and told.id != value["id"]:
        raise ValueError("another person")
    return value["id"], value["state"], told
