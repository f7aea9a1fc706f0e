"""Entities as JSON and back, for the table."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

from unibos.features.devices.entities import Availability, Brightness, Entity

_PLAIN = {f.name: f.default for f in dataclasses.fields(Entity)}


def pack(entity: Entity) -> dict[str, Any]:
    """What differs from the defaults, as JSON types."""
    full = dataclasses.asdict(entity)
    return {k: v for k, v in full.items() if getattr(entity, k) != _PLAIN[k]}


@functools.lru_cache(maxsize=4096)
def unpack_text(text: str) -> Entity:
    """`unpack` of the JSON text as the table holds it; remembered, because lists ask for the same ones again and again."""
    return unpack(json.loads(text))


def _pairs(value: Any) -> tuple:
    return tuple((a, b) for a, b in value)


def unpack(value: dict[str, Any]) -> Entity:
    """The Entity that `pack` wrote; fields of a newer version are passed over."""
    found = {k: v for k, v in value.items() if k in _PLAIN}
    if "availability" in found:
        found["availability"] = tuple(Availability(**a) for a in found["availability"])
    if found.get("brightness"):
        found["brightness"] = Brightness(**{**found["brightness"], "sources": _pairs(found["brightness"]["sources"])})
    for name in ("also", "extra"):
        if name in found:
            found[name] = _pairs(found[name])
    return Entity(**found)
