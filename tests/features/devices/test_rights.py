"""Whose a discovery is: the rights prove the sender, and nobody speaks for another."""

import json

import pytest
from unibos.features.devices import homeassistant
from unibos.features.devices.rights import Rights, owner_of, rights_for, username_for
from unibos.kernel.errors import Invalid


def login(name, preset="generic", allow=()):
    publish, subscribe = rights_for(name, preset, allow)
    return Rights(name, name, publish, subscribe)


GARDEN, CELLAR, BRIDGE = login("garden"), login("cellar"), login("bridge", "zigbee2mqtt")


def sensor(topic, state_topic, **more):
    return homeassistant.parse_config(topic, json.dumps({"name": "T", "unique_id": "t", "state_topic": state_topic, **more}).encode())


@pytest.mark.parametrize(("name", "username"), [("Garden box", "garden-box"), ("Işıklı Çiçek Ünitesi", "isikli-cicek-unitesi"), ("İSTANBUL", "istanbul"),
                                                (" a  b ", "a-b"), ("x" * 99, "x" * 48), ("Plug/1+#", "plug-1")])
def test_a_name_becomes_a_user_name(name, username):
    assert username_for(name) == username


@pytest.mark.parametrize("name", ["", "***", "日本", "tele", "Homeassistant", "unibos"])
def test_a_name_that_makes_none_is_refused(name):
    with pytest.raises(Invalid):
        username_for(name)


@pytest.mark.parametrize("wide", ["#", "+/x", "$SYS/#", "+", "unibos/#", "a/#/b", "", "$CONTROL/dynamic-security/v1"])
def test_a_filter_that_is_too_wide_cannot_be_allowed(wide):
    with pytest.raises(Invalid):
        rights_for("x", "generic", [wide])


def test_a_device_announces_itself_under_its_name():
    topic = "homeassistant/sensor/garden/t/config"
    owner, found, refused = owner_of(topic, sensor(topic, "garden/state"), [GARDEN, CELLAR], {})
    assert owner is GARDEN and len(found.entities) == 1 and refused == []


@pytest.mark.parametrize(("topic", "state"), [("homeassistant/sensor/garden/t/config", "cellar/state"),
                                              ("homeassistant/sensor/garden/t/config", "anywhere")])
def test_a_topic_that_is_not_its_own_is_refused_by_name(topic, state):
    owner, found, refused = owner_of(topic, sensor(topic, state), [GARDEN, CELLAR], {})
    assert owner is GARDEN and found.entities == () and state in str(refused[0])


def test_nobody_announces_under_a_name_that_no_login_has():
    topic = "homeassistant/sensor/attic/t/config"
    owner, _found, refused = owner_of(topic, sensor(topic, "attic/state"), [GARDEN, CELLAR], {})
    assert owner is None and refused


def test_a_command_topic_must_be_readable_by_the_device_that_names_it():
    topic = "homeassistant/switch/garden/p/config"
    found = homeassistant.parse_config(topic, json.dumps({"name": "P", "unique_id": "p", "command_topic": "cellar/heater/set", "state_topic": "garden/p"}).encode())
    _owner, kept, refused = owner_of(topic, found, [GARDEN, CELLAR], {})
    assert kept.entities == () and "cellar/heater/set" in str(refused[0])


def test_a_bridge_announces_many_and_only_its_own():
    topic = "homeassistant/sensor/0x0015/temperature/config"
    owner, found, _ = owner_of(topic, sensor(topic, "zigbee2mqtt/kitchen"), [GARDEN, BRIDGE], {})
    assert owner is BRIDGE and len(found.entities) == 1
    # It may announce everywhere, so under another's name too; but only what its own topics carry.
    topic = "homeassistant/sensor/garden/t/config"
    owner, found, _ = owner_of(topic, sensor(topic, "garden/state"), [GARDEN, BRIDGE], {})
    assert owner is GARDEN


def test_who_announced_first_keeps_it():
    topic = "homeassistant/sensor/garden/t/config"
    found = sensor(topic, "garden/state")
    object_id = found.entities[0].object_id
    owner, _found, refused = owner_of(topic, found, [BRIDGE], {object_id: "garden"})
    assert owner is None and refused


def test_two_logins_that_could_both_have_sent_it_are_no_proof():
    twin = Rights("twin", "twin", GARDEN.publish, GARDEN.subscribe)
    topic = "homeassistant/sensor/garden/t/config"
    owner, _found, refused = owner_of(topic, sensor(topic, "garden/state"), [GARDEN, twin], {})
    assert owner is None and "Several" in str(refused[0])
