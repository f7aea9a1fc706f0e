"""From a message to a device, its state, its history and its commands, on both databases with a broker in memory."""

import json
import threading

import pytest
from unibos.features.devices.agent import loops
from unibos.features.devices.ingest import Heard, Ingest
from unibos.features.devices.models import Refusal
from unibos.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from unibos.kernel.ports import Message

from tests.stack import wait_for


@pytest.fixture
def house(node):
    """A node whose agent's loops run on the broker in memory."""
    from unibos.adapters.memory.broker import MemoryBroker, MemoryServer

    node.server = MemoryServer()
    node.kit.broker = MemoryBroker(node.server)
    node.kit.broker.host, node.kit.broker.port = "127.0.0.1", 1883
    node.devices = node.services["devices"]
    stop = threading.Event()
    threads = [threading.Thread(target=guarded(node, loop), args=(stop.is_set,), daemon=True) for _name, loop in loops(node.kit, node.services)]
    for thread in threads:
        thread.start()
    wait_for(lambda: node.devices.broker()["connected"])
    yield node
    stop.set()
    for thread in threads:
        thread.join(5)
    node.kit.broker.stop()


def guarded(node, loop):
    def run(stop):
        try:
            loop(stop)
        finally:
            node.db.release()
    return run


def join(house, name, *allow, kind="generic"):
    made = house.devices.add(name, preset=kind, allow=allow)
    made["device"] = house.server.connect_device(made["username"], made["password"])
    return made


def announce(device, name="garden-box", component="sensor", object_id="t", **more):
    config = {"name": "Temperature", "unique_id": f"{name}_{object_id}", "state_topic": f"{name}/state", "unit_of_measurement": "°C",
              "value_template": "{{ value_json.t }}", "device": {"identifiers": [name], "name": "Garden box"}, **more}
    device.publish(f"homeassistant/{component}/{name}/{object_id}/config", json.dumps(config).encode())


def entity(house, index=0):
    found = house.devices.list()
    return found[0]["entities"][index] if found and len(found[0]["entities"]) > index else None


def test_a_device_appears_with_its_values_and_history(house):
    made = join(house, "Garden box")
    announce(made["device"])
    made["device"].publish("garden-box/state", b'{"t": 21.5}')
    house.clock.advance(10)
    wait_for(lambda: entity(house) and entity(house)["number"] == 21.5)
    made["device"].publish("garden-box/state", b'{"t": 22.5}')
    wait_for(lambda: entity(house)["number"] == 22.5)
    device = house.devices.list()[0]
    assert device["name"] == "Garden box" and device["credential"] == "Garden box" and device["status"] == "reporting"
    now = house.kit.now_ms()
    history = house.devices.history(device["id"], device["entities"][0]["id"], now - 60_000, now + 1000)
    assert sum(p.count for p in history["points"]) == 2


def test_a_switch_is_commanded_and_says_whether_it_is_there(house):
    made = join(house, "Garden box")
    announce(made["device"], component="switch", object_id="p", state_topic="garden-box/p", command_topic="garden-box/p/set", value_template="{{ value }}",
             availability_topic="garden-box/online")
    wait_for(lambda: entity(house))
    device = house.devices.list()[0]
    pump = device["entities"][0]
    made["device"].subscribe("garden-box/p/set")
    assert house.devices.command(device["id"], pump["id"], "on")["sent"]
    assert wait_for(lambda: ("garden-box/p/set", b"ON") in [tuple(m[:2]) for m in made["device"].received])
    made["device"].publish("garden-box/p", b"ON")
    made["device"].publish("garden-box/online", b"online")
    wait_for(lambda: entity(house)["text"] == "on" and house.devices.list()[0]["status"] == "online")
    assert house.devices.command(device["id"], pump["id"], "toggle")["action"] == "off"
    made["device"].publish("garden-box/online", b"offline")
    wait_for(lambda: house.devices.list()[0]["status"] == "offline")
    with pytest.raises(Invalid, match="on, off"):
        house.devices.command(device["id"], pump["id"], "set", 5)


def test_hostile_messages_are_counted_and_change_nothing(house):
    made = join(house, "Garden box")
    announce(made["device"])
    wait_for(lambda: entity(house))
    before = house.devices.list()[0]["id"]
    for payload in (b"", b"\xff\xfe", b"{", b"[" * 5000, b'{"name":' + b"x" * 70_000, json.dumps({"state_topic": "elsewhere/x"}).encode(), b"null",
                    json.dumps({"state_topic": "garden-box/x", "value_template": "{{ states('sensor.other') }}{% for x in y %}"}).encode()):
        Ingest(house.kit).take([Heard(house.kit.now_ms(), Message("homeassistant/sensor/garden-box/u/config", payload, 1, False))])
    assert sum(r.count for r in Refusal.select()) >= 6 and Refusal.select().count() >= 4 and [d["id"] for d in house.devices.list()] == [before]
    made["device"].publish("garden-box/state", b'{"t": 1}')
    wait_for(lambda: entity(house)["number"] == 1)


def test_a_state_that_cannot_be_used_is_counted_and_one_that_speaks_of_other_things_is_not(house):
    made = join(house, "Garden box")
    announce(made["device"])
    wait_for(lambda: entity(house))
    for payload in (b"garbage", b"\xff", b"[1,2]", b"NaN", b'{"t": ' * 300, b'{"other": 1}', b'{"t": 5}'):
        made["device"].publish("garden-box/state", payload)
    wait_for(lambda: entity(house)["number"] == 5)
    wait_for(lambda: sum(r["count"] for r in house.devices.refusals()) == 5)


def test_refusals_do_not_fill_the_disk(node):
    ingest = Ingest(node.kit)
    for start in range(0, 600, 100):
        ingest.take([Heard(1, Message(f"homeassistant/sensor/n{n}/x/config", b"{", 1, False)) for n in range(start, start + 100)])
        node.clock.advance(1)
    assert Refusal.select().count() == 500 and ingest.counters["refused"] == 600


def test_an_announcement_that_is_withdrawn_keeps_its_history(house):
    made = join(house, "Garden box")
    announce(made["device"])
    made["device"].publish("garden-box/state", b'{"t": 3}')
    wait_for(lambda: entity(house) and entity(house)["number"] == 3)
    made["device"].publish("homeassistant/sensor/garden-box/t/config", b"")
    wait_for(lambda: house.devices.list()[0]["status"] == "gone")
    device = house.devices.list()[0]
    with pytest.raises((Conflict, Invalid)):
        house.devices.command(device["id"], device["entities"][0]["id"], "on")
    announce(made["device"])
    wait_for(lambda: house.devices.list()[0]["status"] != "gone")
    assert house.devices.list()[0]["id"] == device["id"] and entity(house)["number"] == 3


def test_the_same_announcement_again_writes_nothing(house):
    from unibos.kernel.records import Change

    made = join(house, "Garden box")
    announce(made["device"])
    wait_for(lambda: entity(house))
    count = Change.select().count()
    for _ in range(5):
        announce(made["device"])
    made["device"].publish("garden-box/state", b'{"t": 9}')
    wait_for(lambda: entity(house)["number"] == 9)
    assert Change.select().count() == count


def test_a_retained_message_that_says_nothing_new_is_no_reading(node):
    from unibos.features.devices.models import Credential

    home = node.services["orgs"].home_id()
    Credential.create(id="c", org_id=home, name="g", username="g", publish=["g/#", "homeassistant/+/g/+/config"], subscribe=["g/#"], created_at=node.clock.now())
    ingest = Ingest(node.kit)
    config = json.dumps({"name": "T", "unique_id": "t", "state_topic": "g/t"}).encode()
    ingest.take([Heard(1, Message("homeassistant/sensor/g/t/config", config, 1, True))])
    for retain, payload in ((False, b"5"), (True, b"5"), (True, b"6"), (False, b"6")):
        ingest.take([Heard(node.kit.now_ms(), Message("g/t", payload, 1, retain))])
    assert ingest.counters["readings"] == 3
    assert Ingest(node.kit).take([Heard(node.kit.now_ms(), Message("g/t", b"6", 1, True))]) is None
    key = f"entity:{node.services['devices'].list()[0]['entities'][0]['id']}"
    assert len(node.kit.series.rows(key, 0, node.kit.now_ms() + 1000, 10)) == 3


def test_a_tasmota_says_its_two_halves_in_either_order(node):
    from unibos.features.devices.models import Credential

    home = node.services["orgs"].home_id()
    Credential.create(id="c", org_id=home, name="plug", username="plug", publish=["tele/plug/#", "stat/plug/#", "tasmota/discovery/+/+"],
                      subscribe=["cmnd/plug/#"], created_at=node.clock.now())
    config = json.dumps({"ip": "192.0.2.9", "dn": "Plug", "fn": ["Plug"], "hn": "plug", "mac": "AABBCCDDEEFF", "md": "Socket", "ofln": "Offline", "onln": "Online",
                         "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": "14.2.0", "t": "plug", "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"],
                         "rl": [1, 0, 0], "so": {}, "ver": 1}).encode()
    sensors = json.dumps({"sn": {"Time": "2026-12-01T12:00:00", "ENERGY": {"Power": 5, "Voltage": 230}}, "ver": 1}).encode()
    ingest = Ingest(node.kit)
    for half, payload in (("sensors", sensors), ("config", config)):
        ingest.take([Heard(1, Message(f"tasmota/discovery/AABBCCDDEEFF/{half}", payload, 1, True))])
    ingest.take([Heard(node.kit.now_ms(), Message("tele/plug/SENSOR", b'{"ENERGY":{"Power":7,"Voltage":231}}', 1, False)),
                 Heard(node.kit.now_ms(), Message("stat/plug/POWER", b"ON", 1, False)), Heard(2, Message("tele/plug/LWT", b"Online", 1, True))])
    device = node.services["devices"].list()[0]
    values = {e["name"]: e["text"] or e["number"] for e in device["entities"] if e["at"]}
    assert device["name"] == "Plug" and device["status"] == "online" and 7.0 in values.values() and "on" in values.values(), values


def test_a_login_that_is_removed_is_cut_and_its_device_kept(house):
    made = join(house, "Garden box")
    announce(made["device"])
    wait_for(lambda: entity(house))
    house.devices.remove("garden-box")
    assert house.devices.credentials() == [] and house.devices.list()[0]["status"] == "gone"
    assert "garden-box" not in house.kit.broker.accounts()
    with pytest.raises(NotFound):
        house.devices.remove("garden-box")


def test_one_name_is_one_login_and_nothing_is_left_when_the_broker_is_away(house):
    join(house, "Garden box")
    with pytest.raises(Conflict):
        house.devices.add("garden BOX")
    with pytest.raises(Invalid):
        house.devices.add("x", preset="nonsense")
    house.server.down()
    wait_for(lambda: not house.devices.broker()["connected"])
    with pytest.raises(Unavailable):
        house.devices.add("Cellar")
    assert [c.username for c in house.devices.credentials()] == ["garden-box"]


def test_a_name_of_the_owners_wins_until_it_is_emptied(house):
    made = join(house, "Garden box")
    announce(made["device"])
    wait_for(lambda: entity(house))
    device = house.devices.list()[0]["id"]
    house.devices.rename(device, "Behind the shed")
    assert house.devices.get(device)["name"] == "Behind the shed"
    house.devices.rename(device, "")
    assert house.devices.get(device)["name"] == "Garden box"
    with pytest.raises(NotFound):
        house.devices.get("nothing")


@pytest.mark.parametrize(("settings", "told"), [
    ({}, {"host": "127.0.0.1", "port": 1883, "tls": False, "ca": ""}),
    ({"UNIBOS_MQTT_TLS_PORT": 8883, "UNIBOS_MQTT_PLAIN_PORT": 1884}, {"host": "box.local", "port": 8883, "tls": True, "ca": "http://box.local/unibos-ca.pem"}),
    ({"UNIBOS_MQTT_PLAIN_PORT": 1884}, {"host": "box.local", "port": 1884, "tls": False, "ca": ""}),
    ({"UNIBOS_MQTT_TLS_PORT": 8883, "UNIBOS_MQTT_PUBLIC_HOST": "mqtt.home.arpa"},
     {"host": "mqtt.home.arpa", "port": 8883, "tls": True, "ca": "http://box.local/unibos-ca.pem"}),
    ({"UNIBOS_MQTT_TLS_PORT": 8883, "UNIBOS_MQTT_URL": "mqtt://elsewhere"}, {"host": "127.0.0.1", "port": 1883, "tls": False, "ca": ""}),
])
def test_a_device_is_told_where_the_broker_listens_for_it(house, settings, told, monkeypatch):
    before = house.kit.settings
    monkeypatch.setattr(house.kit, "settings", ChangedSettings(before, settings))
    made = house.devices.add("Garden box")
    assert {key: made[key] for key in told} == told


class ChangedSettings(dict):
    """Settings of which some are others."""

    def __init__(self, before, changed):
        super().__init__(changed)
        self._before = before

    def __missing__(self, name):
        return self._before[name]


@pytest.mark.parametrize("tls", [True, False])
def test_page_and_command_line_say_whether_the_device_needs_the_certificate(node_web, monkeypatch, tls):
    from types import SimpleNamespace

    from click.testing import CliRunner
    from unibos.features.devices import cli

    from tests.kernel.test_door import logged_in

    made = {"id": "1", "name": "Pond", "username": "pond", "password": "pw", "host": "box.local", "port": 8883, "tls": tls, "topic": "pond", "discovery": "d",
            "ca": "http://box.local/unibos-ca.pem" if tls else "", "publish": [], "subscribe": []}
    client, token = logged_in(node_web)
    monkeypatch.setattr(node_web.services["devices"], "add", lambda *_a, **_k: made)
    page = client.post("/devices/add/", data={"name": "Pond", "_csrf": token}).text
    said = CliRunner().invoke(cli.devices, ["add", "Pond"], obj=SimpleNamespace(post=lambda *_: made)).output
    assert "box.local:8883" in page and "port      8883" in said
    assert all(("unibos-ca.pem" in text) is tls for text in (page, said))
