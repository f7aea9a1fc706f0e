"""What a device is made of, whoever described it: entities, how their messages are read and how commands are written.

Discovery (`homeassistant`, `tasmota`) makes these values; the service keeps them and asks the functions here. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from unibos.features.devices.template import MISSING, Payload, compile_template
from unibos.features.devices.values import clean, number, text
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T, Text

COMPONENTS = ("sensor", "binary_sensor", "switch", "light", "number")
MOST_TOPIC = 512  # bytes; MQTT allows 65535, no device needs them
MOST_TEXT = 255  # characters of a text reading


@dataclass(frozen=True)
class Availability:
    """A topic that tells whether the device is there, and the two words it uses."""

    topic: str
    template: str | None = None
    available: str = "online"
    unavailable: str = "offline"


@dataclass(frozen=True)
class Brightness:
    """How a light is dimmed: where its level is read (topic, template) and written, and the number that means 100 %.

    A light of style "json" carries the level in its own state and command messages: no topics here.
    """

    scale: float = 255
    sources: tuple[tuple[str, str | None], ...] = ()
    command_topic: str | None = None
    command_template: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entity:
    """One thing that a device measures or switches. Empty strings mean that the device said nothing.

    `object_id` is unique among all discovery messages: `sensor/node/object`, `device/object/component`, `tasmota/MAC/POWER1`.
    An empty `name` means the device's main function: show the device's name. `also` are further (topic, template) that tell the
    same state. `expire_after` is in seconds.
    """

    object_id: str
    unique_id: str
    component: str
    name: str = ""
    state_topic: str | None = None
    template: str | None = None
    also: tuple[tuple[str, str | None], ...] = ()
    command_topic: str | None = None
    command_template: str | None = None
    availability: tuple[Availability, ...] = ()
    availability_mode: str = "latest"
    unit: str = ""
    device_class: str = ""
    state_class: str = ""
    category: str = ""
    icon: str = ""
    payload_on: str = "ON"
    payload_off: str = "OFF"
    state_on: str = "ON"
    state_off: str = "OFF"
    minimum: float = 1
    maximum: float = 100
    step: float = 1
    expire_after: float | None = None
    style: str = "plain"
    brightness: Brightness | None = None
    optimistic: bool = False
    retain: bool = False
    qos: int = 0
    enabled: bool = True
    extra: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """Who the device says it is. All of it is a claim; the broker account that sent it is the proof."""

    identifiers: tuple[str, ...] = ()
    connections: tuple[tuple[str, str], ...] = ()
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    sw_version: str = ""
    hw_version: str = ""
    serial: str = ""
    configuration_url: str = ""
    suggested_area: str = ""
    via_device: str = ""

    @property
    def identity(self) -> str:
        """What the device is recognised by: its first identifier, else its first connection; "" for none."""
        return next(iter(self.identifiers), "") or next((f"{kind}:{value}" for kind, value in self.connections), "")


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """What one discovery message says. `removed` are object ids; `cleared`: the message was emptied, all that it told of is gone."""

    device: DeviceInfo = DeviceInfo()
    entities: tuple[Entity, ...] = ()
    removed: tuple[str, ...] = ()
    unsupported: tuple[tuple[str, Text], ...] = ()
    source: str = "homeassistant"
    cleared: bool = False


class Reading(NamedTuple):
    """What a message says about an entity; all None (and falsy) when it says nothing. `brightness` in percent."""

    number: float | None = None
    text: str | None = None
    brightness: float | None = None

    def __bool__(self) -> bool:
        return self != (None, None, None)


NOTHING = Reading()
_NO_NUMBER = ("nan", "inf", "-inf", "+inf", "none", "null", "unknown", "unavailable")


def _evaluate(template: str | None, message: Payload) -> object:
    return message.text if template is None else compile_template(template).evaluate(message)


def _message(payload: bytes | str | Payload, parsed: object) -> Payload:
    return payload if isinstance(payload, Payload) else Payload(payload, parsed)


def _switched(entity: Entity, value: object) -> Reading:
    said = text(value).strip()
    for same in (str, str.casefold):  # exactly first: a device may tell its words apart by case only
        for number_, word, state in ((1.0, "on", entity.state_on), (0.0, "off", entity.state_off)):
            if same(said) == same(state):
                return Reading(number_, word)
    return NOTHING


def _measured(entity: Entity, value: object) -> Reading:
    wordy = entity.device_class in ("enum", "timestamp", "date")
    found = None if wordy or isinstance(value, bool) else number(value)
    if found is not None:
        return Reading(float(found))
    said = clean(text(value), MOST_TEXT)
    measures = entity.unit or entity.state_class or entity.component == "number"
    if said in ("", "None") or (measures and said.casefold() in _NO_NUMBER) or entity.component == "number":
        return NOTHING
    return Reading(text=said)


def _level(brightness: Brightness, value: object) -> float | None:
    found = None if isinstance(value, bool) else number(value)
    return None if found is None else round(min(max(found / brightness.scale, 0), 1) * 100, 1)


def read_state(entity: Entity, payload: bytes | str | Payload, parsed: object = ..., *, topic: str | None = None) -> Reading:
    """Read what a message on `topic` (default: the state topic) says about `entity`; falsy when nothing. Never raises.

    `parsed` is the JSON of the payload (MISSING: it is none) if the caller knows it; a shared `Payload` does the same.
    On and off of binary_sensor, switch and light are 1.0 and 0.0 with the texts "on" and "off". A sensor's text is clean.
    """
    message = _message(payload, parsed)
    topic = entity.state_topic if topic is None else topic
    switchable = entity.component not in ("sensor", "number")
    reading, level = NOTHING, None
    if entity.style == "json" and topic == entity.state_topic:
        state = message.json if isinstance(message.json, dict) else {}
        if isinstance(state.get("state"), (str, bool)):
            reading = _switched(entity, state["state"])
        if entity.brightness:
            level = _level(entity.brightness, state.get("brightness"))
        return reading._replace(brightness=level)
    for source, template in ((entity.state_topic, entity.template), *entity.also):
        if source == topic and not reading:
            value = _evaluate(template, message)
            if value is not MISSING and value is not None:
                reading = _switched(entity, value) if switchable else _measured(entity, value)
    if entity.brightness:
        for source, template in entity.brightness.sources:
            if source == topic and level is None:
                level = _level(entity.brightness, _evaluate(template, message))
    return reading._replace(brightness=level)


def read_availability(source: Availability, payload: bytes | str | Payload, parsed: object = ...) -> bool | None:
    """Whether this message on `source.topic` says that the device is there; None when it says neither.

    Zigbee2MQTT sends plain words or {"state": word} by its settings, whatever it announced: both are taken.
    """
    message = _message(payload, parsed)
    said = [_evaluate(source.template, message), message.text]
    if isinstance(message.text, str) and message.text.lstrip().startswith("{") and isinstance(message.json, dict):
        said.append(message.json.get("state"))
    for same in (str, str.casefold):
        for value in said:
            if value is not MISSING and value is not None:
                word = same(text(value).strip())
                if word in (same(source.available), same(source.unavailable)):
                    return word == same(source.available)
    return None


def available(entity: Entity, said: Mapping[Availability, bool], latest: Availability | None = None) -> bool | None:
    """Put the last words of the entity's availability topics together by its mode; None is "not known (yet)".

    `latest` is the source that spoke last; it alone decides in mode "latest" (the default).
    """
    known = [said[source] for source in entity.availability if source in said]
    if not known:
        return None
    if entity.availability_mode == "all":
        return False if False in known else (True if len(known) == len(entity.availability) else None)
    if entity.availability_mode == "any":
        return True if True in known else (False if len(known) == len(entity.availability) else None)
    return said[latest] if latest in entity.availability and latest in said else known[-1]


def actions(entity: Entity) -> tuple[str, ...]:
    """The actions that `encode_command` takes for this entity."""
    if entity.command_topic is None:
        return ()
    if entity.component == "number":
        return ("set",)
    if entity.component == "light" and entity.brightness and (entity.brightness.command_topic or entity.style == "json"):
        return ("on", "off", "brightness")
    return ("on", "off") if entity.component in ("switch", "light") else ()


def encode_command(entity: Entity, action: str, value: object = None) -> tuple[str, bytes]:
    """The (topic, payload) that makes `entity` do `action`; qos and retain are the entity's.

    `set` takes a number in its range, `brightness` percent from 0 (off) to 100. Raises Invalid naming what is allowed.
    """
    allowed = actions(entity)
    if action not in allowed:
        if not allowed:
            raise Invalid(T("This takes no commands."))
        raise Invalid(T("This can only do: %(actions)s.", actions=", ".join(allowed)))
    if action in ("on", "off"):
        word = entity.payload_on if action == "on" else entity.payload_off
        if entity.style == "json":
            return entity.command_topic, json.dumps({"state": word}).encode()
        return entity.command_topic, _written(entity.command_template, word)
    low, high = (entity.minimum, entity.maximum) if action == "set" else (0, 100)
    wanted = None if isinstance(value, bool) else number(value)
    if wanted is None or not low <= wanted <= high:
        raise Invalid(T("Give a number from %(low)s to %(high)s.", low=f"{low:g}", high=f"{high:g}"))
    wanted = int(wanted) if wanted == int(wanted) else wanted
    if action == "set":
        return entity.command_topic, _written(entity.command_template, wanted)
    if wanted == 0:
        return encode_command(entity, "off")
    level = max(1, round(wanted / 100 * entity.brightness.scale))
    if entity.style == "json":
        return entity.command_topic, json.dumps({"state": entity.payload_on, "brightness": level}).encode()
    return entity.brightness.command_topic, _written(entity.brightness.command_template, level)


def _written(template: str | None, value: object) -> bytes:
    found = value if template is None else compile_template(template).apply(value)
    try:
        return text(found).encode()
    except (TypeError, UnicodeEncodeError):
        raise Invalid(T("The device's command template gives nothing for this.")) from None


def topics(entity: Entity) -> tuple[frozenset[str], frozenset[str]]:
    """The topics that we read for `entity` (the device must be allowed to publish there) and those that we write."""
    light = entity.brightness or Brightness()
    read = [entity.state_topic, *(topic for topic, _ in (*entity.also, *light.sources)), *(each.topic for each in entity.availability)]
    return frozenset(topic for topic in read if topic), frozenset(topic for topic in (entity.command_topic, light.command_topic) if topic)


def valid_topic(topic: object) -> bool:
    """Whether a device may use this as a topic: 1 to MOST_TOPIC bytes of UTF-8, no wildcard, no control character, not `$…`."""
    if not isinstance(topic, str) or not 0 < len(topic) <= MOST_TOPIC or topic[0] == "$" or "+" in topic or "#" in topic:
        return False
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        return False
    return size <= MOST_TOPIC and not any(sign < " " or "\x7f" <= sign <= "\x9f" for sign in topic)


def valid_filter(topic_filter: str) -> bool:
    """Whether this is an MQTT topic filter (MQTT 5.0 section 4.7.1): wildcards fill a level, `#` is the last one."""
    levels = topic_filter.split("/")
    return (0 < len(topic_filter) <= MOST_TOPIC and "\x00" not in topic_filter and "#" not in "".join(levels[:-1])
            and all(len(level) == 1 or not {"+", "#"} & set(level) for level in levels))


def filter_covers(outer: str, inner: str) -> bool:
    """Whether every topic that `inner` (a filter or a topic) matches is matched by `outer` too; `#`, `+` never cover `$…`."""
    if not valid_filter(outer) or not valid_filter(inner) or (inner[0] == "$" and outer[0] in "+#"):
        return False
    have, want = outer.split("/"), inner.split("/")
    for place, level in enumerate(have):
        if level == "#":
            return True
        if place >= len(want) or want[place] == "#" or level not in ("+", want[place]):
            return False
    return len(have) == len(want)


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Whether a message on `topic` is delivered to a subscription to `topic_filter` (MQTT 5.0 section 4.7)."""
    return "+" not in topic and "#" not in topic and filter_covers(topic_filter, topic)
