"""Tasmota discovery: recorded shapes, either order of the messages, hostile ones refused."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unibos.features.devices.entities import Availability, Reading, encode_command, read_availability, read_state, topics
from unibos.features.devices.tasmota import cleared, parse_config, parse_sensors, parse_topic, to_discovered
from unibos.kernel.errors import Invalid


def recorded(name: str) -> dict[str, bytes]:
    rows = json.loads((Path(__file__).parent / "payloads" / f"{name}.json").read_text())
    return {row["topic"].rpartition("/")[2]: json.dumps(row["payload"]).encode() for row in rows}


PLUG, BOX = recorded("tasmota_plug"), recorded("tasmota_box")


def fit_to_show(words: str) -> bool:
    return not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(sign) in (
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") for sign in words)


def changed(**keys: object) -> bytes:
    return json.dumps({**json.loads(PLUG["config"]), **keys}).encode()


@pytest.mark.parametrize(("topic", "expected"), [
    ("tasmota/discovery/DC4F22A1B2C3/config", ("DC4F22A1B2C3", "config")), ("tasmota/discovery/DC4F22A1B2C3/sensors", ("DC4F22A1B2C3",
    "sensors")),
    ("tasmota/discovery/DC4F22A1B2C3", None), ("tasmota/discovery/xx/config", None), ("tasmota/discovery/DC4F22A1B2C3/config\n", None),
    ("a", None),
])
def test_parse_topic(topic, expected):
    assert parse_topic(topic) == expected


def test_plug_before_its_sensors_are_known():
    found = to_discovered(parse_config(PLUG["config"], "DC4F22A1B2C3"))
    assert (found.source, found.device.identity, found.device.connections) == ("tasmota", "DC4F22A1B2C3", (("mac", "dc:4f:22:a1:b2:c3"),))
    assert (found.device.name, found.device.model, found.device.sw_version) == ("Washing machine", "Gosund SP111", "14.2.0")
    assert found.device.configuration_url == "http://192.168.4.31"
    relay, signal = found.entities
    assert (relay.component, relay.object_id, relay.name) == ("switch", "tasmota/DC4F22A1B2C3/POWER1", "")
    assert topics(relay) == ({"stat/wash/RESULT", "tele/wash/STATE", "stat/wash/POWER1", "stat/wash/POWER", "tele/wash/LWT"},
        {"cmnd/wash/POWER1"})
    assert encode_command(relay, "on") == ("cmnd/wash/POWER1", b"ON")
    assert relay.availability == (Availability("tele/wash/LWT", None, "Online", "Offline"),)
    assert read_availability(relay.availability[0], b"Offline") is False
    assert read_state(relay, PLUG["STATE"], topic="tele/wash/STATE") == Reading(1.0, "on")
    assert read_state(relay, b'{"POWER":"OFF"}') == read_state(relay, b'{"POWER1":"OFF"}') == Reading(0.0, "off")
    assert read_state(relay, b"ON", topic="stat/wash/POWER") == Reading(1.0, "on")
    assert not read_state(relay, b'{"Dimmer":3}')
    assert read_state(signal, PLUG["STATE"]) == Reading(-63.0)


def test_plug_measures():
    found = to_discovered(parse_config(PLUG["config"]), parse_sensors(PLUG["sensors"]))
    measured = {each.name: each for each in found.entities[2:]}
    assert {name: (each.unit, each.state_class, read_state(each, PLUG["SENSOR"]).number) for name, each in measured.items()} == {
        "ENERGY Total": ("kWh", "total_increasing", 241.402), "ENERGY Yesterday": ("kWh", "", 1.204), "ENERGY Today": ("kWh",
            "total_increasing", 0.536),
        "ENERGY Power": ("W", "measurement", 1998.0), "ENERGY ApparentPower": ("VA", "measurement", 2040.0),
        "ENERGY ReactivePower": ("var", "measurement", 380.0), "ENERGY Factor": ("", "measurement", 0.98), "ENERGY Voltage": ("V",
            "measurement", 230.0),
        "ENERGY Current": ("A", "measurement", 8.87)}
    power = measured["ENERGY Power"]
    assert (power.object_id, power.state_topic) == ("tasmota/DC4F22A1B2C3/ENERGY_Power", "tele/wash/SENSOR")
    assert read_state(power, b'{"StatusSNS":{"ENERGY":{"Power":7}}}', topic="stat/wash/STATUS10") == Reading(7.0)


def test_box_with_its_own_words_and_topics():
    config = parse_config(BOX["config"])
    found = to_discovered(config, parse_sensors(BOX["sensors"]))
    heater, valve, lamp = found.entities[:3]
    assert [(each.component, each.name) for each in (heater, valve, lamp)] == [("switch", "Heater"), ("switch", "Valve"), ("light", "Lamp")]
    assert heater.availability == (Availability("home/box/tele/LWT", None, "Da", "Weg"),)
    assert read_state(valve, b'{"POWER1":"AUS","POWER2":"AN"}', topic="home/box/stat/RESULT") == Reading(1.0, "on")
    assert read_state(lamp, b'{"POWER3":"AN","Dimmer":40}') == Reading(1.0, "on", 40.0)
    assert encode_command(lamp, "brightness", 55) == ("home/box/cmnd/Dimmer", b"55")
    assert encode_command(valve, "off") == ("home/box/cmnd/POWER2", b"OFF")
    assert [(kind, str(why)) for kind, why in found.unsupported] == [("cover",
        "Boiler box: devices of the kind “cover” are not supported yet")]
    measured = {each.name: each for each in found.entities[4:]}
    assert set(measured) == {"Switch1", "DS18B20-1 Temperature", "DS18B20-2 Temperature", "BME280 Temperature", "BME280 Humidity",
        "BME280 DewPoint",
                             "BME280 Pressure", "ENERGY Power 1", "ENERGY Power 2", "ENERGY Total"}
    assert [measured[name].unit for name in ("DS18B20-1 Temperature", "BME280 Pressure", "BME280 Humidity", "ENERGY Power 2")] == ["°F",
        "hPa", "%", "W"]
    assert read_state(measured["DS18B20-2 Temperature"], b'{"DS18B20-2":{"Id":"3C","Temperature":139.9}}') == Reading(139.9)
    assert read_state(measured["ENERGY Power 2"], b'{"ENERGY":{"Power":[12,3]}}') == Reading(3.0)
    assert measured["Switch1"].component == "binary_sensor"
    assert read_state(measured["Switch1"], b'{"Switch1":"AN"}') == Reading(1.0, "on")
    assert config.questions() == (("home/box/cmnd/STATE", b""), ("home/box/cmnd/STATUS", b"10"))


@pytest.mark.parametrize(("keys", "expected"), [
    ({"so": {"30": 1}}, ["light"]), ({"rl": [2], "lt_st": 1}, ["light"]), ({"rl": [0, 1]}, ["switch"]), ({"rl": []}, []), ({"rl": "x"}, []),
    ({"rl": [1, 1, 1], "if": 1}, ["light"]), ({"rl": [3, 3]}, []),
])
def test_outputs(keys, expected):
    assert [each.component for each in to_discovered(parse_config(changed(**keys))).entities[:-1]] == expected


def test_a_path_without_prefix_gets_one_as_in_the_firmware():
    assert parse_config(changed(ft="iot/%topic%")).address(1, "RESULT") == "iot/wash/stat/RESULT"
    assert parse_config(changed(ft="%prefix%/%hostname%/%id%")).address(0, "POWER") == "cmnd/wash-2755/A1B2C3/POWER"


@pytest.mark.parametrize(("payload", "words"), [
    (b"", "not JSON"), (b"[]", "no JSON object"), (b"{}", "no hardware address"), (b'{"ver":2}', "version 2 is not known"),
    (changed(mac="DC4F22A1B2C4"), "came on the topic of DC4F22A1B2C3"), (changed(mac="' or 1"), "no hardware address"),
    (changed(tp=["cmnd", "stat"]), "lacks the topic"), (changed(tp=[1, 2, 3]), "lacks the topic"), (changed(t=""), "lacks the topic"),
    (changed(state=[]), "lacks the topic"), (changed(t="#"), "cannot be used"), (changed(t="a/+/b"), "cannot be used"),
    (changed(ft="$SYS/%prefix%/"), "cannot be used"), (changed(tp=["x", "x", "x"]), "cannot be used"), (changed(t="x" * 600),
    "cannot be used"),
    (changed(ft="tasmota/discovery/%prefix%/%topic%/"), "cannot be used"),
])
def test_config_that_is_refused(payload, words):
    with pytest.raises(Invalid) as caught:
        parse_config(payload, "DC4F22A1B2C3")
    assert words in str(caught.value.text)


def test_sensors_that_are_refused():
    with pytest.raises(Invalid) as caught:
        parse_sensors(b'{"sn": [1]}')
    assert "has no sensors" in str(caught.value.text)


@pytest.mark.parametrize("ip", ["8.8.8.8", "0.0.0.0", "x", "", "127.0.0.1:80/../"])
def test_only_local_addresses_are_linked(ip):
    assert to_discovered(parse_config(changed(ip=ip))).device.configuration_url == ""


def test_hostile_sensor_names_make_no_template_and_the_tree_is_bounded():
    config = parse_config(PLUG["config"])
    hostile = {"a'] }}{{ value": 1, "a\\": 1, '"': 1, "x\x00": 1, "y" * 65: 1, "": 1, "ok": {"ok": 2}}
    assert [each.name for each in to_discovered(config, hostile).entities[2:]] == ["ok ok"]
    assert len(to_discovered(config, {str(n): n for n in range(500)}).entities) == 130
    deep: object = 1
    for _ in range(15):
        deep = {"d": deep}
    assert len(to_discovered(config, {"d": deep}).entities) == 2


def test_cleared():
    assert (cleared("DC4F22A1B2C3").cleared, cleared("DC4F22A1B2C3").device.identity) == (True, "DC4F22A1B2C3")


WORDS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.lists(st.integers() | st.text(max_size=4),
    max_size=4))
TREES = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["ip", "dn", "fn", "hn", "md", "ofln", "onln", "state", "sw", "t", "ft", "tp", "rl", "so", "lt_st",
    "if"]), WORDS),
       st.dictionaries(st.text(max_size=6), TREES, max_size=4), st.binary(max_size=60))
def test_no_message_raises_anything_else(keys, tree, junk):
    for call in (lambda: parse_config(junk), lambda: parse_sensors(junk)):
        with pytest.raises(Invalid):
            call()
    try:
        found = to_discovered(parse_config(changed(**keys)), parse_sensors(json.dumps({"sn": tree}).encode()))
    except Invalid as wrong:
        assert str(wrong.text)
        return
    for entity in found.entities:
        assert fit_to_show(entity.name)
        read_state(entity, json.dumps(tree).encode())
