"""Who may say what, pure: the topics of a credential, and to which credential a discovery belongs.

MQTT does not tell a subscriber who published. The proof is the broker's ACL: a credential may announce things only where
its own name stands in the discovery topic (or where the owner allowed it), and name only topics that are its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from unibos.features.devices.entities import Discovered, Entity, filter_covers, topics, valid_filter
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T, Text

PRESETS = {
    "generic": (),
    "esphome": (),
    "zigbee2mqtt": ("zigbee2mqtt/#", "homeassistant/#"),
    "tasmota": ("tasmota/discovery/+/+",),
    "shelly": ("shellies/#",),
}


@dataclass(frozen=True)
class Rights:
    """A credential as the rules see it."""

    id: str
    username: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def username_for(name: str) -> str:
    """The user name made of a device's name: a-z, 0-9 and dashes. Raises Invalid when nothing is left."""
    plain = unicodedata.normalize("NFKD", name.replace("ı", "i")).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48]
    if not found or found in ("homeassistant", "tasmota", "unibos", "stat", "tele", "cmnd", "agent"):
        raise Invalid(T("Give the device a name with letters or digits that is not one of MQTT's own words."),
                      fields={"name": T("Such as “Garden box”.")})
    return found


def rights_for(username: str, preset: str, allow: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(publish, subscribe) filters of a new credential. Raises Invalid for a filter that is too wide."""
    extra = [*PRESETS[preset], *allow]
    for wanted in extra:
        if not valid_filter(wanted) or wanted[0] in "#+$" or wanted.startswith("unibos"):
            raise Invalid(T("“%(filter)s” cannot be allowed: a topic begins with a name of its own.", filter=wanted[:80]),
                          fields={"allow": T("Such as zigbee2mqtt/# or sensors/cellar/+.")})
    publish = [f"{username}/#", f"homeassistant/+/{username}/config", f"homeassistant/+/{username}/+/config", f"tele/{username}/#",
               f"stat/{username}/#", *extra]
    subscribe = [f"{username}/#", f"cmnd/{username}/#", "homeassistant/status", *extra]
    return tuple(dict.fromkeys(publish)), tuple(dict.fromkeys(subscribe))


def _covered(filters: Sequence[str], topic: str) -> bool:
    return any(filter_covers(f, topic) for f in filters)


def _foreign(rights: Rights, entity: Entity) -> str:
    """The first topic of an entity that is not its credential's own; empty when all are."""
    read, written = topics(entity)
    return next((t for t in sorted(read) if not _covered(rights.publish, t)),
                next((t for t in sorted(written) if not _covered(rights.subscribe, t)), ""))


def owner_of(topic: str, found: Discovered, all_rights: Sequence[Rights], known: Mapping[str, str]) -> tuple[Rights | None, Discovered, list[Text]]:
    """Which credential a discovery on `topic` belongs to, what of it stands, and what was refused and why.

    `known` maps object ids to the credential that announced them first: it keeps them. Where several credentials might
    have sent it, the one to whose topics all of it belongs; if that is not one alone, nobody.
    """
    senders = [r for r in all_rights if _covered(r.publish, topic)]
    first = {known[e.object_id] for e in found.entities if e.object_id in known} | {known[i] for i in found.removed if i in known}
    if first:
        senders = [r for r in senders if r.id in first]
    if len(senders) > 1:
        senders = [r for r in senders if not any(_foreign(r, e) for e in found.entities)]
    if len(senders) != 1:
        why = T("Nobody who may announce this owns its topics.") if not senders else T("Several credentials could have sent this.")
        return None, found, [why]
    owner, kept, refused = senders[0], [], []
    for entity in found.entities:
        foreign = _foreign(owner, entity)
        if foreign:
            refused.append(T("It names the topic %(topic)s, which is not its own.", topic=foreign[:120]))
        else:
            kept.append(entity)
    return owner, replace(found, entities=tuple(kept)), refused
