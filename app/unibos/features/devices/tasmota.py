"""Tasmota's own discovery: `tasmota/discovery/<MAC>/config` and `/sensors`, retained, in either order (appliances.md section 4.2).

Topics are built from the full topic `ft`, the prefixes `tp` (command, state, telemetry) and the device's topic `t`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from unibos.features.devices.entities import Availability, Brightness, DeviceInfo, Discovered, Entity, valid_topic
from unibos.features.devices.values import clean, number, read_json
from unibos.kernel.errors import Invalid
from unibos.kernel.words import T, Text

PREFIX = "tasmota/discovery"
MOST_RELAYS = 64
MOST_SENSORS = 128
MOST_LEVELS = 5  # of the sensor tree

_RELAY, _LIGHT, _SHUTTER = 1, 2, 3  # values in `rl`
_FORCE_LIGHT = "30"  # SetOption30: relays are lights

# last key of a value -> (unit, device class, state class); a unit in braces is what the tree itself names
_KINDS = {
    "Temperature": ("{TempUnit}", "temperature", "measurement"), "DewPoint": ("{TempUnit}", "temperature", "measurement"),
    "Humidity": ("%", "humidity", "measurement"), "Moisture": ("%", "moisture", "measurement"),
    "Pressure": ("{PressureUnit}", "pressure", "measurement"), "SeaPressure": ("{PressureUnit}", "pressure", "measurement"),
    "Illuminance": ("lx", "illuminance", "measurement"), "CarbonDioxide": ("ppm", "carbon_dioxide", "measurement"),
    "eCO2": ("ppm", "carbon_dioxide", "measurement"), "TVOC": ("ppb", "", "measurement"), "Noise": ("dB", "sound_pressure", "measurement"),
    "PM1": ("µg/m³", "pm1", "measurement"), "PM2.5": ("µg/m³", "pm25", "measurement"), "PM10": ("µg/m³", "pm10", "measurement"),
    "Distance": ("cm", "distance", "measurement"), "Weight": ("kg", "weight", "measurement"), "UvIndex": ("", "", "measurement"),
    "Speed": ("{SpeedUnit}", "wind_speed", "measurement"),
    "Power": ("W", "power", "measurement"), "ApparentPower": ("VA", "apparent_power", "measurement"),
    "ReactivePower": ("var", "reactive_power", "measurement"), "Factor": ("", "power_factor", "measurement"),
    "Voltage": ("V", "voltage", "measurement"), "Current": ("A", "current", "measurement"),
    "Frequency": ("Hz", "frequency", "measurement"), "Total": ("kWh", "energy", "total_increasing"),
    "Today": ("kWh", "energy", "total_increasing"), "Yesterday": ("kWh", "energy", ""),
}
_UNITS = {"TempUnit": {"C": "°C", "F": "°F"}, "PressureUnit": {}, "SpeedUnit": {}}
_NO_SENSORS = {"Time", "Epoch", "Id", "TotalStartTime", *_UNITS}


@dataclass(frozen=True, kw_only=True)
class Tasmota:
    """What a `config` message says. `states` are the words for off and on, `relays` the kinds of outputs in order."""

    mac: str
    name: str
    friendly: tuple[str, ...]
    model: str
    version: str
    url: str
    topic: str
    full_topic: str
    prefixes: tuple[str, str, str]
    hostname: str
    offline: str
    online: str
    states: tuple[str, str]
    relays: tuple[int, ...]
    dimmer: bool
    lights_only: bool
    fan: bool

    def address(self, prefix: int, leaf: str) -> str:
        """The topic of `leaf` below prefix 0 (command), 1 (state) or 2 (telemetry)."""
        path = self.full_topic.replace("%prefix%", self.prefixes[prefix]).replace("%topic%", self.topic)
        return path.replace("%hostname%", self.hostname).replace("%id%", self.mac[-6:]) + leaf

    def questions(self) -> tuple[tuple[str, bytes], ...]:
        """(topic, payload) to publish once to learn the present state; the answers come on topics that the entities read."""
        return ((self.address(0, "STATE"), b""), (self.address(0, "STATUS"), b"10"))


def parse_topic(topic: str, prefix: str = PREFIX) -> tuple[str, str] | None:
    """(MAC, "config" or "sensors") of a discovery topic; None for any other topic."""
    found = re.fullmatch(r"([0-9A-F]{12})/(config|sensors)", topic[len(prefix) + 1:]) if topic.startswith(f"{prefix}/") else None
    return found.groups() if found else None


def cleared(mac: str) -> Discovered:
    """What an emptied `config` topic says: the device and all that it told of is gone."""
    return Discovered(device=DeviceInfo(identifiers=(mac,)), source="tasmota", cleared=True)


def _message(payload: bytes) -> dict[str, object]:
    found = read_json(payload)
    if not isinstance(found, dict):
        raise Invalid(T("The discovery message is no JSON object."))
    if found.get("ver", 1) != 1:
        raise Invalid(T("Tasmota's discovery version %(version)s is not known.", version=clean(str(found["ver"]), 16)))
    return found


def parse_config(payload: bytes, mac: str | None = None) -> Tasmota:
    """Read a `config` message; `mac` is that of its topic and must be the device's. Raises Invalid with the reason."""
    found = _message(payload)

    def word(key: str, default: str = "", most: int = 64) -> str:
        return clean(found[key], most) if isinstance(found.get(key), str) else default

    def listed(key: str, kind: type, most: int) -> list:
        value = found.get(key)
        return [each if type(each) is kind else kind() for each in value[:most]] if isinstance(value, list) else []

    own = word("mac").replace(":", "").upper()
    if not re.fullmatch(r"[0-9A-F]{12}", own):
        raise Invalid(T("The message names no hardware address."))
    if mac is not None and own != mac.upper():
        raise Invalid(T("The message is about %(own)s, but came on the topic of %(other)s.", own=own, other=clean(mac, 64)))
    prefixes, states, options = listed("tp", str, 3), listed("state", str, 4), found.get("so")
    if len(prefixes) < 3 or len(states) < 2 or not all(prefixes) or not all(states[:2]) or not word("t"):
        raise Invalid(T("The message lacks the topic, the prefixes or the words for on and off."))
    full = found.get("ft") if isinstance(found.get("ft"), str) else "%prefix%/%topic%/"
    full = (full if "%prefix%" in full else f"{full}/%prefix%").rstrip("/") + "/"  # as the firmware does
    device = Tasmota(
        mac=own, name=word("dn") or word("t"), friendly=tuple(clean(each, 64) for each in listed("fn", str, MOST_RELAYS)), model=word("md"),
        version=word("sw"), url=_url(word("ip")), topic=found["t"], full_topic=full, prefixes=tuple(prefixes), hostname=word("hn"),
        offline=word("ofln", "Offline"), online=word("onln", "Online"), states=(clean(states[0], 64), clean(states[1], 64)),
        relays=tuple(listed("rl", int, MOST_RELAYS)), dimmer=(number(found.get("lt_st")) or 0) > 0,
        lights_only=isinstance(options, dict) and options.get(_FORCE_LIGHT) == 1, fan=found.get("if") == 1,
    )
    paths = [device.address(prefix, "STATE") for prefix in range(3)]
    # With one path for commands and states the device would hear itself.
    if not all(valid_topic(path) and not path.startswith(f"{PREFIX}/") for path in paths) or len(set(paths)) < 3:
        raise Invalid(T("The topics of the device cannot be used."))
    return device


def parse_sensors(payload: bytes) -> dict[str, object]:
    """Read a `sensors` message: the tree of values as the device will send it. Raises Invalid with the reason."""
    found = _message(payload).get("sn")
    if not isinstance(found, dict):
        raise Invalid(T("The message has no sensors."))
    return found


def _url(address: str) -> str:
    try:
        ip = ipaddress.IPv4Address(address)
    except ValueError:
        return ""
    return f"http://{ip}" if ip.is_private and not ip.is_unspecified else ""


def to_discovered(config: Tasmota, sensors: dict[str, object] | None = None) -> Discovered:
    """The device with its relays, lights and signal strength, and, once `sensors` are known, all that it measures."""
    entities, unsupported = _outputs(config)
    entities += _measured(config, sensors or {})
    mac = ":".join(config.mac[i:i + 2] for i in range(0, 12, 2)).lower()
    device = DeviceInfo(identifiers=(config.mac,), connections=(("mac", mac),), name=config.name, manufacturer="Tasmota",
                        model=config.model, sw_version=config.version, configuration_url=config.url)
    return Discovered(device=device, entities=tuple(entities), unsupported=tuple(unsupported), source="tasmota")


def _common(config: Tasmota, key: str) -> dict[str, object]:
    there = Availability(config.address(2, "LWT"), None, config.online, config.offline)
    return {"object_id": f"tasmota/{config.mac}/{key}", "unique_id": f"{config.mac}_{key}", "availability": (there,)}


def _outputs(config: Tasmota) -> tuple[list[Entity], list[tuple[str, Text]]]:
    entities: list[Entity] = []
    used = [place for place, kind in enumerate(config.relays) if kind in (_RELAY, _LIGHT)]
    lights = [place for place in used if config.relays[place] == _LIGHT]
    only = len([kind for kind in config.relays if kind]) == 1
    for place in used[:1] if config.fan else used:
        key = f"POWER{place + 1}"
        light = config.relays[place] == _LIGHT or config.lights_only or config.fan
        # A device with one output calls it POWER or POWER1 (SetOption26).
        template = "{{ value_json.POWER1 | default(value_json.POWER) }}" if only and place == 0 else f"{{{{ value_json.{key} }}}}"
        plain = (key, "POWER") if only and place == 0 else (key,)
        brightness = Brightness(100, tuple((config.address(*at), "{{ value_json.Dimmer }}") for at in ((1, "RESULT"), (2, "STATE"))),
                                config.address(0, "Dimmer")) if config.dimmer and lights == [place] and not config.fan else None
        friendly = config.friendly[place] if place < len(config.friendly) else ""
        entities.append(Entity(
            **_common(config, key), component="light" if light else "switch", brightness=brightness,
            name=("" if friendly == config.name else friendly) if only else friendly or key,
            state_topic=config.address(1, "RESULT"), template=template, command_topic=config.address(0, key),
            also=((config.address(2, "STATE"), template), *((config.address(1, leaf), None) for leaf in plain)),
            state_off=config.states[0], state_on=config.states[1],
        ))
    entities.append(Entity(
        **_common(config, "signal"), component="sensor", name="Signal", state_topic=config.address(2, "STATE"),
        template="{{ value_json.Wifi.Signal }}", unit="dBm", device_class="signal_strength", state_class="measurement",
        category="diagnostic",
        also=((config.address(1, "RESULT"), "{{ value_json.Wifi.Signal }}"),),
    ))
    missing = [kind for kind, there in (("fan", config.fan), ("cover", _SHUTTER in config.relays)) if there]
    return entities, [(kind, T("%(name)s: %(why)s", name=config.name, why=T("devices of the kind “%(kind)s” are not supported yet",
                                                                             kind=kind))) for kind in missing]


def _leaves(tree: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(tree, (dict, list)) and len(path) < MOST_LEVELS:
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            # A key that could end the quotes of a template is none that the firmware makes.
            plain = isinstance(key, int) or (clean(key, 64) == key and re.fullmatch(r"[^'\"\\{}%#]+", key))
            if plain and key not in _NO_SENSORS:
                yield from _leaves(value, (*path, key))
    elif isinstance(tree, (str, int, float)) and path:
        yield path, tree


def _measured(config: Tasmota, sensors: dict[str, object]) -> list[Entity]:
    entities: list[Entity] = []
    for path, value in _leaves(sensors):
        if len(entities) >= MOST_SENSORS:
            break
        key = "_".join(str(step) for step in path)
        last = next(step for step in reversed(path) if isinstance(step, str))
        steps = "".join(f"[{step!r}]" if isinstance(step, int) else f"['{step}']" for step in path)
        switch = isinstance(value, str) and len(path) == 1 and last.startswith("Switch")
        unit, device_class, state_class = _KINDS.get(last, ("", "", "measurement")) if number(value) is not None else ("", "", "")
        if unit.startswith("{"):
            given = sensors.get(unit[1:-1])
            unit = _UNITS[unit[1:-1]].get(given, clean(given, 16)) if isinstance(given, str) else ""
        entities.append(Entity(
            **_common(config, key), component="binary_sensor" if switch else "sensor",
            name=" ".join(str(step + 1) if isinstance(step, int) else step for step in path),
            state_topic=config.address(2, "SENSOR"), template=f"{{{{ value_json{steps} }}}}",
            also=((config.address(1, "STATUS10"), f"{{{{ value_json['StatusSNS']{steps} }}}}"),),
            unit=unit, device_class=device_class, state_class=state_class, state_off=config.states[0], state_on=config.states[1],
        ))
    return entities
