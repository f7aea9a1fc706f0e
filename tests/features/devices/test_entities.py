"""Reading, availability, commands and topic filters of entities."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unibos.features.devices.entities import (
    NOTHING,
    Availability,
    Brightness,
    DeviceInfo,
    Entity,
    Reading,
    actions,
    available,
    encode_command,
    filter_covers,
    read_availability,
    read_state,
    topic_matches,
    topics,
    valid_filter,
    valid_topic,
)
from unibos.features.devices.template import MISSING, Payload
from unibos.kernel.errors import Invalid


def make(component: str = "sensor", **more: object) -> Entity:
    return Entity(object_id="x", unique_id="x", component=component, state_topic="d/state", **more)


@pytest.mark.parametrize(("entity", "payload", "expected"), [
    (make(), b"21.5", Reading(21.5)),
    (make(), b" -3 ", Reading(-3.0)),
    (make(), b"wet", Reading(text="wet")),
    (make(), b"a\x00\x1b[1m\n b", Reading(text="a [1m b")),
    (make(), b"y" * 5000, Reading(text="y" * 255)),
    (make(), b"", NOTHING),
    (make(), b"None", NOTHING),
    (make(), b"\xff", NOTHING),
    (make(), b"nan", Reading(text="nan")),
    (make(unit="%"), b"nan", NOTHING),
    (make(state_class="measurement"), b"unavailable", NOTHING),
    (make(unit="%"), b"error 3", Reading(text="error 3")),
    (make(device_class="timestamp"), b"20250101", Reading(text="20250101")),
    (make(template="{{ value_json.a }}"), b'{"a": true}', Reading(text="True")),
    (make(template="{{ value_json.a }}"), b'{"a": null}', NOTHING),
    (make(template="{{ value_json.a }}"), b'{"b": 1}', NOTHING),
    (make(template="{{ value_json.a }}"), b'{"a": [1, {"c": "\\u202e"}]}', Reading(text='[1,{"c":" "}]')),
    (make("number"), b"4", Reading(4.0)),
    (make("number"), b"None", NOTHING),
    (make("number"), b"much", NOTHING),
    (make("binary_sensor"), b"ON", Reading(1.0, "on")),
    (make("binary_sensor"), b"OFF", Reading(0.0, "off")),
    (make("binary_sensor"), b"on", Reading(1.0, "on")),
    (make("binary_sensor"), b"maybe", NOTHING),
    (make("switch", state_on="a", state_off="A"), b"A", Reading(0.0, "off")),
    (make("switch", state_on="True", state_off="False", template="{{ value_json.s }}"), b'{"s": false}', Reading(0.0, "off")),
    (make("switch", state_on="1", state_off="0", template="{{ value_json.s }}"), b'{"s": 1}', Reading(1.0, "on")),
    (make("light", style="json", brightness=Brightness(254)), b'{"state": "ON", "brightness": 127}', Reading(1.0, "on", 50.0)),
    (make("light", style="json", brightness=Brightness(254)), b'{"brightness": 254}', Reading(None, None, 100.0)),
    (make("light", style="json"), b'{"state": "OFF", "brightness": 3}', Reading(0.0, "off")),
    (make("light", style="json"), b"ON", NOTHING),
    (make("light", style="json", brightness=Brightness()), b'{"state": {"x": 1}, "brightness": "x"}', NOTHING),
])
def test_it_reads(entity, payload, expected):
    assert read_state(entity, payload) == expected
    assert read_state(entity, Payload(payload)) == expected
    assert bool(read_state(entity, payload)) is (expected != NOTHING)


def test_parsed_json_is_used_instead_of_the_payload():
    entity = make(template="{{ value_json.a }}")
    assert read_state(entity, b'{"a": 1}', {"a": 2}) == Reading(2.0)
    assert read_state(entity, b'{"a": 1}', MISSING) == NOTHING


def test_state_comes_from_every_named_topic():
    light = make("light", template="{{ value_json.P }}", also=(("d/P", None), ("d/tele", "{{ value_json.P }}")),
                 brightness=Brightness(100, (("d/state", "{{ value_json.D }}"), ("d/dim", None))))
    assert read_state(light, b'{"P": "ON", "D": 30}') == Reading(1.0, "on", 30.0)
    assert read_state(light, b"OFF", topic="d/P") == Reading(0.0, "off")
    assert read_state(light, b'{"P": "ON"}', topic="d/tele") == Reading(1.0, "on")
    assert read_state(light, b"250", topic="d/dim") == Reading(None, None, 100.0)
    assert read_state(light, b"ON", topic="d/else") == NOTHING


PLAIN, JSON = Availability("d/a"), Availability("b/a", "{{ value_json.state }}")


@pytest.mark.parametrize(("source", "payload", "expected"), [
    (PLAIN, b"online", True), (PLAIN, b"offline", False), (PLAIN, b"Online", True), (PLAIN, b"", None), (PLAIN, b"away", None),
    (PLAIN, b'{"state":"offline"}', False), (JSON, b'{"state":"online"}', True), (JSON, b"offline", False), (JSON, b'{"x":1}', None),
    (PLAIN, b"\xff", None), (Availability("t", None, "1", "0"), b"0", False),
])
def test_availability_of_one_message(source, payload, expected):
    assert read_availability(source, payload) is expected


@pytest.mark.parametrize(("mode", "said", "latest", "expected"), [
    ("all", {PLAIN: True, JSON: True}, None, True), ("all", {PLAIN: True, JSON: False}, None, False), ("all", {PLAIN: True}, None, None),
    ("all", {PLAIN: False}, None, False), ("any", {PLAIN: True}, None, True), ("any", {PLAIN: False}, None, None),
    ("any", {PLAIN: False, JSON: False}, None, False), ("latest", {PLAIN: True, JSON: False}, PLAIN, True),
    ("latest", {PLAIN: True, JSON: False}, JSON, False), ("latest", {PLAIN: True}, None, True), ("latest", {}, None, None),
    ("all", {Availability("other"): True}, None, None),
])
def test_availability_of_an_entity(mode, said, latest, expected):
    assert available(make(availability=(PLAIN, JSON), availability_mode=mode), said, latest) is expected


SWITCH = make("switch", command_topic="d/set", payload_on="1", payload_off="0")
RANGE = make("number", command_topic="d/set", minimum=-5, maximum=5.5)
BULB = make("light", style="json", command_topic="d/set", brightness=Brightness(254))
LAMP = make("light", command_topic="d/set", brightness=Brightness(255, (), "d/dim", "L{{ value }}"))


@pytest.mark.parametrize(("entity", "action", "value", "expected"), [
    (SWITCH, "on", None, ("d/set", b"1")), (SWITCH, "off", None, ("d/set", b"0")),
    (make("switch", command_topic="d/set", command_template='{"s": "{{ value | lower }}"}'), "on", None, ("d/set", b'{"s": "on"}')),
    (RANGE, "set", 5.5, ("d/set", b"5.5")), (RANGE, "set", "-5", ("d/set", b"-5")), (RANGE, "set", 2.0, ("d/set", b"2")),
    (make("number", command_topic="c", command_template="{{ value * 10 }}"), "set", 12, ("c", b"120")),
    (BULB, "off", None, ("d/set", b'{"state": "OFF"}')), (BULB, "brightness", 50, ("d/set", b'{"state": "ON", "brightness": 127}')),
    (BULB, "brightness", 0, ("d/set", b'{"state": "OFF"}')), (BULB, "brightness", 0.1, ("d/set", b'{"state": "ON", "brightness": 1}')),
    (LAMP, "brightness", 100, ("d/dim", b"L255")), (LAMP, "on", None, ("d/set", b"ON")),
])
def test_commands(entity, action, value, expected):
    assert encode_command(entity, action, value) == expected


@pytest.mark.parametrize(("entity", "action", "value", "words"), [
    (make(), "on", None, "takes no commands"), (make("switch"), "on", None, "takes no commands"),
    (SWITCH, "toggle", None, "can only do: on, off"), (SWITCH, "brightness", 5, "can only do: on, off"),
    (LAMP, "set", 5, "can only do: on, off, brightness"), (RANGE, "on", None, "can only do: set"),
    (RANGE, "set", 5.6, "from -5 to 5.5"), (RANGE, "set", None, "from -5"), (RANGE, "set", float("nan"), "from -5"),
    (RANGE, "set", True, "from -5"), (RANGE, "set", "5; reboot", "from -5"), (LAMP, "brightness", 101, "from 0 to 100"),
    (make("number", command_topic="c", command_template="{{ value_json.x }}"), "set", 12, "gives nothing"),
])
def test_commands_that_are_refused(entity, action, value, words):
    with pytest.raises(Invalid) as caught:
        encode_command(entity, action, value)
    assert words in str(caught.value.text)


def test_actions_are_what_commands_take():
    assert actions(LAMP) == actions(BULB) == ("on", "off", "brightness")
    assert actions(make("binary_sensor", command_topic="x")) == ()


def test_topics_are_told_apart_by_direction():
    entity = make("light", command_topic="d/set", also=(("d/tele", None),), availability=(PLAIN,),
                  brightness=Brightness(255, (("d/bri", None),), "d/dim"))
    assert topics(entity) == ({"d/state", "d/tele", "d/a", "d/bri"}, {"d/set", "d/dim"})


def test_identity_is_the_first_identifier_or_connection():
    assert DeviceInfo(identifiers=("a", "b"), connections=(("mac", "c"),)).identity == "a"
    assert DeviceInfo(connections=(("mac", "c"),)).identity == "mac:c"
    assert DeviceInfo().identity == ""


@pytest.mark.parametrize(("topic", "good"), [
    ("a", True), ("a/b c/ü", True), ("/", True), ("", False), ("a/+", False), ("a#", False), ("$SYS/x", False), ("a\x00", False), ("a\nb",
    False),
    ("a\x9fb", False), ("\ud800", False), ("x" * 512, True), ("x" * 513, False), ("ü" * 257, False), (None, False), (7, False),
])
def test_valid_topic(topic, good):
    assert valid_topic(topic) is good


@pytest.mark.parametrize(("topic_filter", "good"), [
    ("#", True), ("+", True), ("a/+/#", True), ("a/b", True), ("/", True), ("", False), ("a#", False), ("a/#/b", False), ("a+/b", False),
    ("a/+b", False),
])
def test_valid_filter(topic_filter, good):
    assert valid_filter(topic_filter) is good


@pytest.mark.parametrize(("topic_filter", "topic", "expected"), [
    ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/+", "a/b", True), ("a/+", "a", False), ("a/+", "a/", True), ("+/+", "/x", True),
    ("a/#", "a", True), ("a/#", "a/b/c", True), ("a/#", "ab", False), ("#", "a/b", True), ("#", "$SYS/x", False), ("+/x", "$SYS/x", False),
    ("$SYS/#", "$SYS/x", True), ("a/+/c", "a/b/c", True), ("a/+/c", "a/b/d", False), ("a", "A", False), ("a/#", "a/+", False), ("a#", "a",
    False),
])
def test_topic_matches(topic_filter, topic, expected):
    assert topic_matches(topic_filter, topic) is expected


@pytest.mark.parametrize(("outer", "inner", "expected"), [
    ("#", "#", True), ("#", "a/+", True), ("a/#", "a/#", True), ("a/#", "a/+/c", True), ("a/#", "a", True), ("a/#", "#", False),
    ("a/+", "a/+", True), ("a/+", "a/#", False), ("+/b", "a/b", True), ("a/b", "a/+", False), ("a/+/#", "a/#", False), ("a/+", "a/b/c",
    False),
    ("a/b/c", "a/b", False), ("#", "$SYS/#", False), ("a/#/b", "a", False), ("a", "a+", False),
])
def test_filter_covers(outer, inner, expected):
    assert filter_covers(outer, inner) is expected


LEVEL = st.sampled_from(["a", "b", "", "$s"])
FILTERS = st.lists(st.sampled_from(["a", "b", "+", "", "#", "$s"]), min_size=1, max_size=4).map("/".join).filter(valid_filter)


@settings(deadline=None, max_examples=500)
@given(FILTERS, FILTERS, st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool))
def test_what_a_filter_covers_it_delivers(outer, inner, topic):
    if filter_covers(outer, inner) and topic_matches(inner, topic):
        assert topic_matches(outer, topic)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["sensor", "binary_sensor", "switch", "number", "light"]), st.sampled_from([None, "{{ value_json.a }}",
    "{{ value | float }}"]),
       st.sampled_from(["plain", "json"]), st.binary(max_size=60) | st.dictionaries(
           st.sampled_from(["a", "state", "brightness"]), st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=9),
               st.lists(st.none())),
       ).map(lambda data: json.dumps(data).encode()))
def test_no_message_breaks_reading(component, template, style, payload):
    entity = make(component, template=template, style=style if component == "light" else "plain", brightness=Brightness())
    found = read_state(entity, payload)
    assert found.text is None or not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in found.text)
    assert found.brightness is None or 0 <= found.brightness <= 100
    assert read_availability(Availability("t", template), payload) in (True, False, None)
