"""Home Assistant's MQTT discovery: what a configuration message says about a device (appliances.md section 4.1).

Written from the documented format; every string, list and number of a message is bounded here, once. An entity that cannot be used
is reported with the reason and the others of the same message stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from unibos.features.devices import abbreviations
from unibos.features.devices.entities import COMPONENTS, Availability, Brightness, DeviceInfo, Discovered, Entity, valid_topic
from unibos.features.devices.template import compile_template
from unibos.features.devices.values import clean, number, read_json, text
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T, Text

PREFIX = "homeassistant"
MOST_COMPONENTS = 256  # of one device message
MOST_LIST = 16  # identifiers, connections, availability topics
MOST_NAME = 128  # characters of names and ids
MOST_WORD = 1024  # characters of a payload that is sent or compared

_PLACE = re.compile(r"([a-z_]{1,64})/(?:([a-zA-Z0-9_-]+)/)?([a-zA-Z0-9_-]+)/config")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # what neither UTF-8 nor PostgreSQL takes
_SHARED = ("availability", "availability_mode", "availability_template", "availability_topic", "command_topic", "encoding",
           "payload_available", "payload_not_available", "qos", "state_topic")
_KEPT = ("off_delay", "options", "suggested_display_precision", "json_attributes_topic")


def parse_topic(topic: str, prefix: str = PREFIX) -> tuple[str, str | None, str] | None:
    """(component, node id, object id) of `<prefix>/<component>/[<node id>/]<object id>/config`; None for any other topic."""
    if not topic.startswith(f"{prefix}/") or not valid_topic(topic):
        return None
    found = _PLACE.fullmatch(topic[len(prefix) + 1:])
    return found.groups() if found else None


def parse_config(topic: str, payload: bytes, prefix: str = PREFIX) -> Discovered:
    """What a message on a discovery topic says: a device with its entities, a removal, or nothing (the answer to a migration).

    An empty payload clears the topic. Raises Invalid with the reason when the message as a whole cannot be used.
    """
    place = parse_topic(topic, prefix)
    if place is None:
        raise Invalid(T("“%(topic)s” is no discovery topic.", topic=clean(topic, MOST_NAME)))
    component, object_id = place[0], "/".join(part for part in place if part)
    if not payload:
        return Discovered(removed=() if component == "device" else (object_id,), cleared=True)
    config = read_json(payload)
    if not isinstance(config, dict):
        raise Invalid(T("The discovery message is no JSON object."))
    config = _expanded(config)
    if config.get("migrate_discovery") is True:
        return Discovered()
    if component == "device":
        return _device_form(object_id, config, prefix)
    device = _device(config["device"]) if "device" in config else _alone(object_id, config)
    return _collected(device, [(component, object_id, config)], (), prefix)


def _device_form(object_id: str, config: dict[str, object], prefix: str) -> Discovered:
    parts = config.get("components")
    if not isinstance(parts, dict) or "device" not in config:
        raise Invalid(T("A device message needs “device” and “components”."))
    if len(parts) > MOST_COMPONENTS:
        raise Invalid(T("The device lists more than %(most)s components.", most=MOST_COMPONENTS))
    shared = {key: config[key] for key in _SHARED if key in config}
    wanted, removed = [], []
    for key, part in parts.items():
        part_id = f"{object_id}/{clean(key, MOST_NAME).replace('/', '.')}"
        part = _expanded(part, config.get("~")) if isinstance(part, dict) else {}
        if set(part) == {"platform"}:
            removed.append(part_id)
            continue
        own = "availability" in part or "availability_topic" in part
        kept = {name: value for name, value in shared.items() if not (own and name.startswith("availability"))}
        wanted.append((clean(_word(part, "platform"), 64), part_id, {**kept, **part}))
    return _collected(_device(config["device"]), wanted, tuple(removed), prefix)


def _collected(device: DeviceInfo, wanted: list[tuple[str, str, dict[str, object]]], removed: tuple[str, ...], prefix: str) -> Discovered:
    entities: list[Entity] = []
    unsupported: list[tuple[str, Text]] = []
    seen: set[tuple[str, str]] = set()
    for component, object_id, config in wanted:
        try:
            entity = _entity(component, object_id, config, prefix)
            names = {(component, entity.unique_id), ("", object_id)}
            if names & seen:
                raise Invalid(T("its id is taken by another entity of the message"))
            seen |= names
            entities.append(entity)
        except Invalid as refused:
            name = clean(_word(config, "name"), MOST_NAME) or object_id
            unsupported.append((component, T("%(name)s: %(why)s", name=name, why=refused.text)))
    return Discovered(device=device, entities=tuple(entities), removed=removed, unsupported=tuple(unsupported))


# --- keys -------------------------------------------------------------------------------------------------------------

def _long(config: Mapping[str, object], table: Mapping[str, str]) -> dict[str, object]:
    return {table.get(key, key): value for key, value in config.items()}


def _expanded(config: dict[str, object], base: object = None) -> dict[str, object]:
    """The message with full keys, the availability as a list, and `~` replaced in its topics."""
    config = _long(config, abbreviations.ABBREVIATIONS)
    several = config.get("availability")
    if isinstance(several, (list, dict)):
        several = [_long(each, abbreviations.ABBREVIATIONS) if isinstance(each, dict) else each
                   for each in (several if isinstance(several, list) else [several])]
        config["availability"] = several
    base = config.get("~", base)
    if isinstance(base, str):
        for holder in (config, *(several if isinstance(several, list) else ())):
            for key, value in holder.items() if isinstance(holder, dict) else ():
                if key.endswith("topic") and isinstance(value, str):
                    value = base + value[1:] if value.startswith("~") else value
                    holder[key] = value[:-1] + base if value.endswith("~") else value
    return config


def _word(config: Mapping[str, object], key: str, default: str = "") -> str:
    """A text, number or truth as Home Assistant writes it."""
    value = config.get(key)
    return text(value) if isinstance(value, (str, int, float)) else default


def _name(config: Mapping[str, object], key: str) -> str:
    return clean(_word(config, key), MOST_NAME)


def _payload(config: Mapping[str, object], key: str, default: str) -> str:
    found = _word(config, key, default)
    if len(found) > MOST_WORD or _NO_TEXT.search(found):
        raise Invalid(T("“%(key)s” is too long or no text", key=key))
    return found


def _flag(config: Mapping[str, object], key: str, default: bool = False) -> bool:
    value = config.get(key, default)
    return value is True or (isinstance(value, str) and value.casefold() in ("true", "yes", "on", "1"))


def _number(config: Mapping[str, object], key: str, default: float | None = None) -> float | None:
    if config.get(key) is None:
        return default
    found = number(config[key])
    if found is None:
        raise Invalid(T("“%(key)s” is no number", key=key))
    return float(found)


def _topic(config: Mapping[str, object], key: str, *, needed: bool = False, prefix: str | None = None) -> str | None:
    """The topic under `key`; with `prefix` it is one that we write, and writing discovery messages for a device is refused."""
    topic = config.get(key)
    if topic is None or topic == "":
        if needed:
            raise Invalid(T("“%(key)s” is missing", key=key))
        return None
    if not valid_topic(topic):
        raise Invalid(T("“%(key)s” is no usable topic", key=key))
    if prefix is not None and (parse_topic(topic, prefix) or topic.startswith("tasmota/discovery/")):
        raise Invalid(T("“%(key)s” would write a discovery message", key=key))
    return topic


def _template(config: Mapping[str, object], *keys: str) -> str | None:
    source = next((config[key] for key in keys if config.get(key) not in (None, "")), None)
    if source is None:
        return None
    if not isinstance(source, str) or _NO_TEXT.search(source):
        raise Invalid(T("“%(key)s” is no text", key=keys[0]))
    return compile_template(source).source


# --- device -----------------------------------------------------------------------------------------------------------

def _device(block: object) -> DeviceInfo:
    if not isinstance(block, dict):
        raise Invalid(T("The device block is no JSON object."))
    block = _long(block, abbreviations.DEVICE)
    ids = block.get("identifiers")
    ids = ids if isinstance(ids, list) else [ids]
    pairs = block.get("connections")
    identifiers = tuple(name for each in ids[:MOST_LIST] if isinstance(each, (str, int, float)) and (name := _identity(text(each))))
    connections = tuple((_identity(pair[0]), _identity(pair[1]).lower()) for pair in (pairs if isinstance(pairs, list) else ())[:MOST_LIST]
                        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) and each.strip() for each in pair))
    if not identifiers and not connections:
        raise Invalid(T("The device block has neither identifiers nor connections."))
    url = _word(block, "configuration_url")
    return DeviceInfo(
        identifiers=identifiers, connections=connections, name=_name(block, "name"), manufacturer=_name(block, "manufacturer"),
        model=_name(block, "model"), sw_version=_name(block, "sw_version"), hw_version=_name(block, "hw_version"),
        serial=_name(block, "serial_number"), suggested_area=_name(block, "suggested_area"), via_device=_name(block, "via_device"),
        # Anything else than plain web addresses would run in the browser of whoever clicks it.
        configuration_url=url if re.fullmatch(r"https?://[\x21\x23-\x3b\x3d\x3f-\x7e]{1,240}", url) else "",
    )


def _identity(words: str) -> str:
    """An identifier; a long or disguised one is refused, because cutting or cleaning it could make two devices one."""
    if len(words) > MOST_NAME or clean(words, MOST_NAME) != words.strip():
        raise Invalid(T("An identifier of the device is too long or has hidden characters."))
    return words.strip()


def _alone(object_id: str, config: Mapping[str, object]) -> DeviceInfo:
    """A device made of the entity itself, for messages without a device block."""
    return DeviceInfo(identifiers=(object_id,), name=_name(config, "name") or clean(object_id.rpartition("/")[2], MOST_NAME))


# --- entities ---------------------------------------------------------------------------------------------------------

def _availability(config: Mapping[str, object]) -> tuple[Availability, ...]:
    listed = config.get("availability")
    if not isinstance(listed, list):
        listed = [{"topic": config["availability_topic"], "value_template": config.get("availability_template"),
                   "payload_available": config.get("payload_available"), "payload_not_available": config.get("payload_not_available")}
                  ] if config.get("availability_topic") else []
    if len(listed) > MOST_LIST or not all(isinstance(each, dict) for each in listed):
        raise Invalid(T("“%(key)s” is no list of at most %(most)s topics", key="availability", most=MOST_LIST))
    return tuple(Availability(topic=_topic(each, "topic", needed=True), template=_template(each, "value_template"),
                              available=_payload(each, "payload_available", "online"),
                              unavailable=_payload(each, "payload_not_available", "offline")) for each in listed)


def _entity(component: str, object_id: str, config: dict[str, object], prefix: str) -> Entity:
    """The entity of an expanded configuration; raises Invalid with the reason why it cannot be used."""
    if component not in COMPONENTS:
        raise Invalid(T("devices of the kind “%(kind)s” are not supported yet", kind=component or "?"))
    if _word(config, "encoding", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Invalid(T("the encoding “%(name)s” is not supported", name=_name(config, "encoding")))
    commanded = component in ("switch", "light", "number")
    qos, mode, expire = _number(config, "qos", 0), _word(config, "availability_mode"), _number(config, "expire_after")
    state_topic, icon = _topic(config, "state_topic", needed=not commanded), _word(config, "icon")
    common = {
        "object_id": object_id, "unique_id": _name(config, "unique_id") or object_id, "component": component, "name": _name(config, "name"),
        "state_topic": state_topic, "template": _template(config, "value_template"), "availability": _availability(config),
        "availability_mode": mode if mode in ("all", "any") else "latest", "unit": clean(_word(config, "unit_of_measurement"), 32),
        "device_class": _name(config, "device_class"), "state_class": _name(config, "state_class"),
        "category": _name(config, "entity_category"), "icon": icon if re.fullmatch(r"mdi:[a-z0-9-]{1,64}", icon) else "",
        "payload_on": _payload(config, "payload_on", "ON"), "payload_off": _payload(config, "payload_off", "OFF"),
        "expire_after": expire if expire and expire > 0 else None, "qos": int(qos) if qos in (0, 1, 2) else 0,
        "enabled": _flag(config, "enabled_by_default", True), "extra": _extra(config),
    }
    common["state_on"], common["state_off"] = common["payload_on"], common["payload_off"]
    if not commanded:
        return Entity(**common)
    common |= {"command_topic": _topic(config, "command_topic", needed=True, prefix=prefix), "retain": _flag(config, "retain"),
               "command_template": _template(config, "command_template"), "optimistic": _flag(config, "optimistic", state_topic is None)}
    return {"switch": _switch, "light": _light, "number": _range}[component](config, common, prefix)


def _extra(config: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    found = {key: config[key] for key in _KEPT if isinstance(config.get(key), (str, int, float, list))}
    if isinstance(found.get("options"), list):
        found["options"] = tuple(clean(text(each), MOST_NAME) for each in found["options"][:64] if isinstance(each, (str, int, float)))
    return tuple((key, clean(value, MOST_NAME) if isinstance(value, str) else value) for key, value in found.items()
                 if not isinstance(value, list))


def _switch(config: dict[str, object], common: dict[str, object], prefix: str) -> Entity:
    common["state_on"] = _payload(config, "state_on", common["payload_on"])
    common["state_off"] = _payload(config, "state_off", common["payload_off"])
    return Entity(**common)


def _range(config: dict[str, object], common: dict[str, object], prefix: str) -> Entity:
    low, high, step = _number(config, "min", 1), _number(config, "max", 100), _number(config, "step", 1)
    if low > high or step <= 0:
        raise Invalid(T("“min”, “max” and “step” make no range"))
    return Entity(**common, minimum=low, maximum=high, step=step)


def _light(config: dict[str, object], common: dict[str, object], prefix: str) -> Entity:
    style = _word(config, "schema", "basic").lower()
    if style not in ("basic", "default", "json"):
        raise Invalid(T("lights of the schema “%(name)s” are not supported yet", name=clean(style, 64)))
    scale = _number(config, "brightness_scale", 255)
    if scale <= 0:
        raise Invalid(T("“%(key)s” is no number above 0", key="brightness_scale"))
    if style == "json":
        modes = config.get("supported_color_modes")
        dimmed = _flag(config, "brightness") or (isinstance(modes, list) and any(mode not in ("onoff", "unknown") for mode in modes))
        common |= {"template": None, "command_template": None, "style": "json"}
        return Entity(**common, brightness=Brightness(scale) if dimmed else None)
    common["template"] = _template(config, "state_value_template", "value_template")
    command, state = _topic(config, "brightness_command_topic", prefix=prefix), _topic(config, "brightness_state_topic")
    if command is None and state is None:
        return Entity(**common)
    sources = ((state, _template(config, "brightness_value_template")),) if state else ()
    return Entity(**common, brightness=Brightness(scale, sources, command, _template(config, "brightness_command_template")))
