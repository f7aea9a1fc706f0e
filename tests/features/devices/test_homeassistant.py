"""Home Assistant discovery: recorded shapes make the expected devices, hostile ones are refused with the reason."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unibos.features.devices.abbreviations import ABBREVIATIONS, DEVICE
from unibos.features.devices.entities import Availability, Discovered, Reading, encode_command, read_availability, read_state, topics
from unibos.features.devices.homeassistant import parse_config, parse_topic
from unibos.kernel.errors import Invalid

TOPIC = "homeassistant/sensor/node/t/config"


def fit_to_show(words: str) -> bool:
    return not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(sign) in (
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") for sign in words)


def recorded(name: str) -> list[tuple[str, bytes]]:
    rows = json.loads((Path(__file__).parent / "payloads" / f"{name}.json").read_text())
    return [(row["topic"], json.dumps(row["payload"]).encode()) for row in rows]


def config(topic: str = TOPIC, **keys: object) -> Discovered:
    return parse_config(topic, json.dumps(keys).encode())


def refused(call) -> str:
    with pytest.raises(Invalid) as caught:
        call()
    return str(caught.value.text)


@pytest.mark.parametrize(("topic", "expected"), [
    ("homeassistant/sensor/t/config", ("sensor", None, "t")), ("homeassistant/sensor/node_1/t-2/config", ("sensor", "node_1", "t-2")),
    ("homeassistant/device/a1/config", ("device", None, "a1")), ("homeassistant/status", None), ("homeassistant/sensor/config", None),
    ("homeassistant/sensor/a/b/c/config", None), ("homeassistant/sensor/a b/config", None), ("homeassistant/sensor/ä/config", None),
    ("homeassistant/sensor/a/config\n", None), ("homeassistant/sensor/a/state", None), ("ha/sensor/a/config", None),
    ("homeassistant//a/config", None),
    ("homeassistant/sensor/+/config", None), ("homeassistant/sensor/" + "x" * 600 + "/config", None),
])
def test_parse_topic(topic, expected):
    assert parse_topic(topic) == expected


def test_another_prefix():
    assert parse_topic("my/ha/sensor/t/config", "my/ha") == ("sensor", None, "t")
    assert parse_topic("my/ha/sensor/t/config") is None


def test_zigbee2mqtt_sensor():
    *configs, (_, state) = recorded("zigbee2mqtt_climate")
    found = [parse_config(*each) for each in configs]
    device = found[0].device
    assert {each.device for each in found} == {device}
    assert (device.identity, device.name, device.manufacturer, device.hw_version) == ("zigbee2mqtt_0x00158d0005abcdef", "cellar/climate",
        "Aqara", "1")
    assert device.via_device == "zigbee2mqtt_bridge_0x00124b0012345678"
    temperature, humidity, battery, quality = (entity for each in found for entity in each.entities)
    assert temperature.object_id == "sensor/0x00158d0005abcdef/temperature"
    assert (temperature.unit, temperature.device_class, temperature.state_class, temperature.name) == ("°C", "temperature", "measurement",
        "")
    assert temperature.availability_mode == "all"
    assert [read_state(each, state) for each in (temperature, humidity, battery, quality)] == [
        Reading(17.42), Reading(61.33), Reading(97.0), Reading(102.0)]
    assert (quality.enabled, quality.category, quality.icon, battery.enabled) == (False, "diagnostic", "mdi:signal", True)
    assert found[4].entities == ()
    assert [(kind, str(why)) for kind, why in found[4].unsupported] == [
        ("update", "update/0x00158d0005abcdef/update: devices of the kind “update” are not supported yet")]


def test_zigbee2mqtt_bulb():
    *configs, (_, state) = recorded("zigbee2mqtt_bulb")
    light, transition, presence = (entity for each in configs for entity in parse_config(*each).entities)
    assert read_state(light, state) == Reading(1.0, "on", 50.0)
    assert encode_command(light, "brightness", 25) == ("zigbee2mqtt/Lamp/set", b'{"state": "ON", "brightness": 64}')
    assert read_state(transition, state) == Reading(1.5)
    assert (transition.minimum, transition.maximum, transition.step) == (0.5, 3.5, 0.5)
    assert encode_command(transition, "set", 2) == ("zigbee2mqtt/Lamp/set/transition", b"2")
    assert (presence.payload_on, presence.payload_off) == ("True", "False")
    assert read_state(presence, state) == Reading(1.0, "on")
    assert read_availability(light.availability[1], b'{"state":"online"}') is True
    assert topics(light) == ({"zigbee2mqtt/Lamp", "zigbee2mqtt/bridge/state", "zigbee2mqtt/Lamp/availability"}, {"zigbee2mqtt/Lamp/set"})


def test_esphome_node():
    found = [parse_config(*each) for each in recorded("esphome_node")]
    device = found[0].device
    assert (device.identity, device.connections, device.model) == ("c45bbe101112", (("mac", "c45bbe101112"),), "esp32dev")
    soil, door, pump, light, target, build = (each.entities[0] for each in found)
    assert soil.availability == (Availability("greenhouse/status"),)
    assert (soil.expire_after, soil.unique_id) == (180.0, "ESPsensorsoil_moisture")
    assert read_state(soil, b"41.50000") == Reading(41.5)
    assert not read_state(soil, b"nan")
    assert read_state(door, b"ON") == Reading(1.0, "on")
    assert (encode_command(pump, "off"), pump.icon, pump.optimistic) == (("greenhouse/switch/pump/command", b"OFF"), "mdi:water-pump",
        False)
    assert read_state(light, b'{"color_mode":"brightness","state":"ON","brightness":51,"color":{}}') == Reading(1.0, "on", 20.0)
    assert encode_command(target, "set", 12.5) == ("greenhouse/number/target/command", b"12.5")
    assert read_state(build, b"greenhouse 2025-06-20") == Reading(text="greenhouse 2025-06-20")


def test_device_form():
    (topic, payload), (_, state) = recorded("device_form")
    found = parse_config(topic, payload)
    assert (found.device.identity, found.device.serial, found.device.configuration_url) == ("a1", "0017", "http://192.168.4.40/")
    assert found.removed == ("device/a1/old",)
    assert {kind: str(why) for kind, why in found.unsupported} == {
        "valve": "Valve: devices of the kind “valve” are not supported yet",
        "sensor": "Moon: The value template uses the name “state_attr”, which is not supported."}
    entities = {each.object_id: each for each in found.entities}
    assert set(entities) == {f"device/a1/{key}" for key in ("t", "pump", "lamp", "limit")}
    assert {each.qos for each in found.entities} == {1}
    assert {each.availability for each in found.entities} == {(Availability("garden/a1/online"),)}
    assert {each.state_topic for each in found.entities} == {"garden/a1/state"}
    assert [read_state(each, state) for each in found.entities] == [
        Reading(19.9), Reading(1.0, "on"), Reading(1.0, "on", 40.0), Reading(22.5)]
    assert encode_command(entities["device/a1/pump"], "on") == ("garden/a1/set", b"1")
    assert encode_command(entities["device/a1/lamp"], "brightness", 30) == ("garden/a1/lamp/level", b"30")
    assert encode_command(entities["device/a1/limit"], "set", 12) == ("garden/a1/limit/set", b'{"limit": 120 }')


def test_a_component_overrides_what_is_shared():
    found = config("homeassistant/device/x/config", dev={"ids": "x"}, avty=[{"t": "shared"}], avty_mode="all", stat_t="s", cmps={
        "a": {"p": "sensor", "~": "own", "avty_t": "~/a", "stat_t": "~/s"}, "b": {"p": "sensor", "name": "B"}})
    own, shared = found.entities
    assert (own.state_topic, own.availability, own.availability_mode) == ("own/s", (Availability("own/a"),), "latest")
    assert (shared.state_topic, shared.availability, shared.availability_mode) == ("s", (Availability("shared"),), "all")


@pytest.mark.parametrize(("topic", "removed"), [
    ("homeassistant/sensor/node/t/config", ("sensor/node/t",)), ("homeassistant/switch/p/config", ("switch/p",)),
    ("homeassistant/device/a1/config", ()),
])
def test_an_empty_message_clears(topic, removed):
    assert parse_config(topic, b"") == Discovered(removed=removed, cleared=True)


def test_migration_changes_nothing():
    assert config(migrate_discovery=True) == Discovered()


def test_without_a_device_block_the_entity_is_the_device():
    found = config(name="Rain", stat_t="rain")
    assert (found.device.identity, found.device.name) == ("sensor/node/t", "Rain")
    assert found.entities[0].unique_id == "sensor/node/t"


def test_defaults():
    device = {"ids": ["d"]}
    switch, = config("homeassistant/switch/p/config", dev=device, cmd_t="set").entities
    assert (switch.payload_on, switch.payload_off, switch.state_on, switch.state_off) == ("ON", "OFF", "ON", "OFF")
    assert (switch.optimistic, switch.retain, switch.qos, switch.enabled, switch.availability_mode) == (True, False, 0, True, "latest")
    words, = config("homeassistant/switch/p/config", dev=device, cmd_t="set", stat_t="s", pl_on=1, stat_off="aus").entities
    assert (words.payload_on, words.state_on, words.state_off, words.optimistic) == ("1", "1", "aus", False)
    number, = config("homeassistant/number/p/config", dev=device, cmd_t="set").entities
    assert (number.minimum, number.maximum, number.step) == (1, 100, 1)


def test_base_is_replaced_at_either_end_of_topics_only():
    found = config(**{"~": "b", "stat_t": "~/s", "avty": {"t": "x/~"}, "name": "~/n", "unit_of_meas": " ",
        "json_attr_t": "~/j"}).entities[0]
    assert (found.state_topic, found.availability[0].topic, found.name, found.unit) == ("b/s", "x/b", "~/n", "")
    assert dict(found.extra) == {"json_attributes_topic": "b/j"}


def test_unknown_keys_are_ignored_and_long_keys_work():
    found = config(state_topic="s", nonsense={"a": [1]}, origin="x", options=["a\x00b", 1, {}], off_delay=3)
    assert dict(found.entities[0].extra) == {"options": ("a b", "1"), "off_delay": 3}


def test_abbreviations():
    assert {key: ABBREVIATIONS[key] for key in ("cmd_t", "avty", "avty_t", "avty_mode", "pl_not_avail", "uniq_id", "json_attr_t",
        "fanspd_lst", "hum_stat_t",
                                                "whit_val_stat_t", "bri_scl", "cmps", "o", "p", "t", "exp_aft")} == {
        "cmd_t": "command_topic", "avty": "availability", "avty_t": "availability_topic", "avty_mode": "availability_mode",
        "pl_not_avail": "payload_not_available", "uniq_id": "unique_id", "json_attr_t": "json_attributes_topic",
            "fanspd_lst": "fan_speed_list",
        "hum_stat_t": "target_humidity_state_topic", "whit_val_stat_t": "white_value_state_topic", "bri_scl": "brightness_scale",
        "cmps": "components", "o": "origin", "p": "platform", "t": "topic", "exp_aft": "expire_after"}
    assert (DEVICE["sn"], DEVICE["cu"]) == ("serial_number", "configuration_url")
    assert not set(ABBREVIATIONS) & set(ABBREVIATIONS.values())


@pytest.mark.parametrize(("component", "keys", "words"), [
    ("sensor", {}, "“state_topic” is missing"),
    ("sensor", {"stat_t": "a/#"}, "“state_topic” is no usable topic"),
    ("sensor", {"stat_t": "$SYS/broker/log"}, "“state_topic” is no usable topic"),
    ("sensor", {"stat_t": ["a"]}, "“state_topic” is no usable topic"),
    ("sensor", {"stat_t": "s", "val_tpl": "{{ now() }}"}, "the name “now”"),
    ("sensor", {"stat_t": "s", "val_tpl": 5}, "“value_template” is no text"),
    ("sensor", {"stat_t": "s", "e": "latin-1"}, "the encoding “latin-1”"),
    ("sensor", {"stat_t": "s", "exp_aft": "soon"}, "“expire_after” is no number"),
    ("sensor", {"stat_t": "s", "avty": ["x"]}, "“availability” is no list"),
    ("sensor", {"stat_t": "s", "avty": [{"t": "a"}] * 17}, "“availability” is no list of at most 16"),
    ("sensor", {"stat_t": "s", "avty": [{}]}, "“topic” is missing"),
    ("sensor", {"stat_t": "s", "avty_t": "a", "avty_tpl": "{% for x in y %}"}, "the statement “for”"),
    ("binary_sensor", {"stat_t": "s", "pl_on": "x" * 1025}, "“payload_on” is too long"),
    ("binary_sensor", {"stat_t": "s", "pl_on": "\ud800"}, "“payload_on” is too long or no text"),
    ("binary_sensor", {"stat_t": "s", "pl_on": "\x00"}, "“payload_on” is too long or no text"),
    ("sensor", {"stat_t": "s", "val_tpl": "{{ value }}\x00"}, "“value_template” is no text"),
    ("switch", {"stat_t": "s"}, "“command_topic” is missing"),
    ("switch", {"cmd_t": "homeassistant/switch/victim/config", "pl_on": "{}"}, "would write a discovery message"),
    ("switch", {"cmd_t": "tasmota/discovery/AABBCCDDEEFF/config"}, "would write a discovery message"),
    ("light", {"cmd_t": "c", "bri_cmd_t": "homeassistant/light/x/config"}, "would write a discovery message"),
    ("light", {"cmd_t": "c", "schema": "template"}, "the schema “template”"),
    ("light", {"cmd_t": "c", "bri_scl": 0}, "“brightness_scale” is no number above 0"),
    ("number", {"cmd_t": "c", "min": 5, "max": 1}, "make no range"),
    ("number", {"cmd_t": "c", "step": 0}, "make no range"),
    ("climate", {"stat_t": "s"}, "of the kind “climate” are not supported yet"),
])
def test_an_entity_that_cannot_be_used_is_reported(component, keys, words):
    found = config(f"homeassistant/{component}/x/config", dev={"ids": ["d"]}, name="Thing", **keys)
    assert (found.entities, found.device.identity) == ((), "d")
    (kind, why), = found.unsupported
    assert kind == component
    assert str(why).startswith("Thing: ")
    assert words in str(why)


@pytest.mark.parametrize(("payload", "words"), [
    (b"{", "not JSON"), (b"[]", "no JSON object"), (b"null", "no JSON object"), (b"\xff\xfe", "not JSON"),
    (b'{"a":' * 30 + b"1" + b"}" * 30, "nested deeper than 20"), (b'{"name": "' + b"x" * 65_536 + b'"}', "longer than 65536"),
    (b'{"min": NaN}', "not JSON"), (b'{"dev": "x"}', "device block is no JSON object"), (b'{"dev": {"name": "x"}}', "neither identifiers"),
    (b'{"dev": {"ids": ["", null, {}]}}', "neither identifiers"), (b'{"dev": {"cns": [["mac"], "x", ["mac", 5]]}}', "neither identifiers"),
    (b'{"dev": {"ids": "' + b"x" * 129 + b'"}}', "too long or has hidden"), (b'{"dev": {"ids": "a\\u202eb"}}', "too long or has hidden"),
])
def test_a_message_that_cannot_be_used_is_refused(payload, words):
    assert words in refused(lambda: parse_config(TOPIC, payload))


@pytest.mark.parametrize(("keys", "words"), [
    ({"dev": {"ids": "x"}}, "needs “device” and “components”"), ({"cmps": {}}, "needs “device” and “components”"),
    ({"dev": {"ids": "x"}, "cmps": []}, "needs “device” and “components”"),
    ({"dev": {"ids": "x"}, "cmps": {str(n): {"p": "sensor"} for n in range(257)}}, "more than 256 components"),
])
def test_a_device_message_that_cannot_be_used_is_refused(keys, words):
    assert words in refused(lambda: config("homeassistant/device/x/config", **keys))


def test_other_topics_are_refused():
    assert "“a/b” is no discovery topic" in refused(lambda: parse_config("a/b", b"{}"))


def test_broken_components_do_not_harm_their_neighbours():
    found = config("homeassistant/device/x/config", dev={"ids": "x"}, stat_t="s", cmps={
        "good": {"p": "sensor", "uniq_id": "1"}, "twin": {"p": "sensor", "uniq_id": "1"}, "none": 5,
        "list": {"p": ["sensor"], "name": "L"}, "a/b": {"p": "sensor", "name": "A"}, "a.b": {"p": "sensor", "name": "B"}})
    assert [each.object_id for each in found.entities] == ["device/x/good", "device/x/a.b"]
    assert ["id is taken" in str(why) for _, why in found.unsupported] == [True, False, False, True]


def test_what_people_see_is_clean_and_short():
    found = config(name="\x1b[31mRed\u202e" + "x" * 500, stat_t="s", ic="mdi:x\"onload=", unit_of_meas="°" * 90, dev={
        "ids": ["d"], "name": "a\nb", "cu": "javascript:alert(1)", "mf": {"x": 1}})
    entity = found.entities[0]
    assert fit_to_show(entity.name)
    assert (len(entity.name), entity.icon, len(entity.unit)) == (128, "", 32)
    assert (found.device.name, found.device.configuration_url, found.device.manufacturer) == ("a b", "", "")


@pytest.mark.parametrize("url", ["http://x\"onclick=", "https://x/<b>", "ftp://x", "http://", "http://x\n", "https://" + "x" * 300])
def test_configuration_urls_are_plain_web_addresses(url):
    assert config(stat_t="s", dev={"ids": "d", "cu": url}).device.configuration_url == ""


KEYS = st.sampled_from(["~", "name", "stat_t", "cmd_t", "val_tpl", "avty", "avty_t", "dev", "device", "ids", "cns", "cmps", "p", "t",
    "min", "max", "step",
                        "qos", "pl_on", "schema", "bri_cmd_t", "sup_clrm", "ops", "uniq_id", "exp_aft", "e", "state_topic", "a"])
WORDS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(["~", "~/x", "x", "sensor",
    "light", "json"]))
TREES = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25)
TOPICS = st.sampled_from([f"homeassistant/{kind}/x/config" for kind in ("sensor", "switch", "light", "number", "device", "fan")])


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(TOPICS, st.binary(max_size=80) | st.dictionaries(KEYS, TREES).map(lambda tree: json.dumps(tree).encode()))
def test_no_message_raises_anything_else(topic, payload):
    try:
        found = parse_config(topic, payload)
    except Invalid as wrong:
        assert str(wrong.text)
        return
    for entity in found.entities:
        assert fit_to_show(entity.name)
        read_state(entity, b"1")
    assert all(str(why) for _, why in found.unsupported)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60) | st.text(max_size=20).map(lambda words: f"homeassistant/{words}/config"))
def test_any_topic_is_one_or_none(topic):
    found = parse_topic(topic)
    assert found is None or "/".join(part for part in ("homeassistant", *found, "config") if part) == topic
