"""The second-device story: credentials, announcements, values, commands and hostile payloads, with mosquitto's own clients."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest
import simple_websocket

from tests.processes.talk import announced, ask, browser, devices, entity, history, listening, mosquitto, since
from tests.stack import ADA, wait_for

PAYLOADS = Path(__file__).parents[1] / "features" / "devices" / "payloads"


def config(name: str, topic: str, **more: object) -> str:
    """A Home Assistant discovery of one entity."""
    return json.dumps({"name": name, "unique_id": f"{topic}_{name}".lower().replace(" ", "_"), "state_topic": f"{topic}/{name.lower()}",
                       "device": {"identifiers": [topic], "name": topic}, **more})


def recorded(name: str) -> list[tuple[str, str]]:
    return [(row["topic"], json.dumps(row["payload"])) for row in json.loads((PAYLOADS / f"{name}.json").read_text())]


@pytest.fixture(scope="module")
def box(stack):
    """A device with a sensor and a switch, announced in the single form."""
    found = stack.device("Garden box")
    topic = found["topic"]
    for kind, name, more in (("sensor", "Warmth", {"unit_of_measurement": "°C", "device_class": "temperature"}),
                             ("switch", "Pump", {"command_topic": f"{topic}/pump/set"})):
        stack.publish(found, f"homeassistant/{kind}/{topic}/{name.lower()}/config", config(name, topic, **more), retain=True)
    announced(stack, topic, "Warmth")
    announced(stack, topic, "Pump")
    return found


def refusals(stack) -> dict[str, int]:
    """How often what was refused, by topic."""
    _status, answer = stack.api("GET", "/api/v1/devices/refusals/")
    counted: dict[str, int] = {}
    for row in answer["items"]:
        counted[row["topic"]] = counted.get(row["topic"], 0) + row["count"]
    return counted


def test_a_credential_is_shown_once_and_is_the_only_way_in(stack, box):
    assert {"username", "password", "host", "port", "topic", "discovery"} <= set(box)
    status, listed = stack.api("GET", "/api/v1/devices/credentials/")
    assert status == 200
    assert box["password"] not in json.dumps(listed)
    topic = f"{box['topic']}/warmth"
    assert mosquitto("mosquitto_pub", box, "-q", "1", "-t", topic, "-m", "1").returncode == 0
    nobody = {**box, "username": ""}
    assert mosquitto("mosquitto_pub", nobody, "-t", topic, "-m", "1").returncode == 5
    assert mosquitto("mosquitto_sub", nobody, "-W", "3", "-t", "#").returncode == 5
    assert mosquitto("mosquitto_pub", box, "-t", topic, "-m", "1", password="wrong").returncode == 5
    twice = stack.cli("unibos", "devices", "add", "garden  BOX", check=False)
    assert (twice.returncode, "already" in twice.stderr) == (73, True)


def test_a_value_is_in_the_api_within_a_second(stack, box):
    topic = box["topic"]
    stack.publish(box, f"{topic}/warmth", "21.5")
    start = time.monotonic()
    wait_for(lambda: entity(stack, topic, "Warmth").get("number") == 21.5, 1, "the value did not come")
    found = entity(stack, topic, "Warmth")
    assert (found["unit"], found["device_class"], found["state"]) == ("°C", "temperature", 21.5)
    assert since(start) < 1.2
    assert abs(dt.datetime.fromisoformat(found["at"]).timestamp() - time.time()) < 5


def test_history_of_a_span(stack, box):
    topic = box["topic"]
    device_id, entity_id = announced(stack, topic, "Warmth")

    def publish(*values: float) -> None:
        for value in values:
            stack.publish(box, f"{topic}/warmth", str(value))
        wait_for(lambda: entity(stack, topic, "Warmth")["number"] == values[-1], 5)

    publish(-40)
    time.sleep(0.01)  # the next millisecond
    start = dt.datetime.now(dt.UTC)
    publish(30.25, 31.75)
    end = dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=1)
    time.sleep(0.01)
    publish(90)
    # The buckets' edges lie on whole widths; at the finest one a span holds what was read in it.
    found = history(stack, device_id, entity_id, from_=start.isoformat(), to=end.isoformat())
    points = [p for p in found["points"] if p["count"]]
    assert (min(p["low"] for p in points), max(p["high"] for p in points), sum(p["count"] for p in points)) == (30.25, 31.75, 2)
    milliseconds = history(stack, device_id, entity_id, from_=str(int(start.timestamp() * 1000)), to=str(int(end.timestamp() * 1000)))
    assert [p for p in milliseconds["points"] if p["count"]]
    everything = history(stack, device_id, entity_id)
    assert min(p["low"] for p in everything["points"]) == -40 and max(p["high"] for p in everything["points"]) == 90
    for wrong in ({"from": "soon"}, {"from": end.isoformat(), "to": start.isoformat()}, {"limit": "0"}):
        query = "&".join(f"{k}={v.replace('+', '%2B')}" for k, v in {"entity": entity_id, **wrong}.items())
        assert stack.api("GET", f"/api/v1/devices/{device_id}/history/?{query}")[0] == 400
    assert stack.api("GET", f"/api/v1/devices/{device_id}/history/?entity=nothing")[0] == 404


def test_a_command_reaches_the_device(stack, box):
    topic = box["topic"]
    device_id, entity_id = announced(stack, topic, "Pump")
    hears = listening(box, f"{topic}/pump/set", stack, 2)
    command = f"/api/v1/devices/{device_id}/command/"
    assert stack.api("POST", command, {"entity": entity_id, "action": "on"})[0] == 202
    stack.publish(box, f"{topic}/pump", "ON")
    wait_for(lambda: entity(stack, topic, "Pump")["state"] == "on", 2)
    assert stack.api("POST", command, {"entity": entity_id, "action": "toggle"})[0] == 202
    out, _ = hears.communicate(timeout=15)
    assert out.split() == [b"ON", b"OFF"]
    assert stack.api("POST", command, {"entity": entity_id, "action": "brightness", "value": 3})[0] == 400
    assert stack.api("POST", command, {"entity": announced(stack, topic, "Warmth")[1], "action": "on"})[0] == 400
    assert ask("POST", f"{stack.node}{command}", {"entity": entity_id, "action": "on"}).status == 401


def test_device_form(stack):
    credential = stack.device("Device form", "--allow", "garden/a1/#")
    (place, announcement), (topic, state) = recorded("device_form")
    stack.publish(credential, place.replace("/a1/", f"/{credential['topic']}/a1/"), announcement, retain=True)
    stack.publish(credential, topic, state)
    wait_for(lambda: entity(stack, "Garden box", "t").get("number") == 19.9, 5, "no value")
    assert devices(stack)["Garden box"]["credential"] == "Device form"
    assert [entity(stack, "Garden box", name)["state"] for name in ("Pump", "Lamp")] == ["on", "on"]


def test_zigbee2mqtt(stack):
    credential = stack.device("Zigbee bridge", "--for", "zigbee2mqtt")
    *announcements, (topic, state) = recorded("zigbee2mqtt_climate")
    for place, announcement in announcements:
        stack.publish(credential, place, announcement, retain=True)
    for place in ("zigbee2mqtt/bridge/state", "zigbee2mqtt/cellar/climate/availability"):
        stack.publish(credential, place, '{"state": "online"}', retain=True)
    stack.publish(credential, topic, state)
    wait_for(lambda: entity(stack, "cellar/climate", "temperature").get("number") == 17.42, 5, "no value")
    wait_for(lambda: devices(stack)["cellar/climate"]["status"] == "online", 5)
    assert entity(stack, "cellar/climate", "humidity")["number"] == 61.33
    stack.publish(credential, "zigbee2mqtt/cellar/climate/availability", '{"state": "offline"}', retain=True)
    wait_for(lambda: devices(stack)["cellar/climate"]["status"] == "offline", 5)
    # What it announced and we do not support is said, not hidden.
    assert any("/update/" in topic for topic in refusals(stack))


def test_esphome(stack):
    credential = stack.device("greenhouse", "--for", "esphome")
    for place, announcement in recorded("esphome_node"):
        stack.publish(credential, place, announcement, retain=True)
    stack.publish(credential, "greenhouse/status", "online", retain=True)
    stack.publish(credential, "greenhouse/sensor/soil_moisture/state", "41.3")
    stack.publish(credential, "greenhouse/switch/pump/state", "ON")
    wait_for(lambda: entity(stack, "greenhouse", "Pump").get("state") == "on", 5, "no value")
    assert entity(stack, "greenhouse", "Soil moisture")["number"] == 41.3
    device_id, number = announced(stack, "greenhouse", "Target")
    hears = listening(credential, "greenhouse/number/target/command", stack)
    assert stack.api("POST", f"/api/v1/devices/{device_id}/command/", {"entity": number, "action": "set", "value": 22.5})[0] == 202
    assert stack.api("POST", f"/api/v1/devices/{device_id}/command/", {"entity": number, "action": "set", "value": 700})[0] == 400
    assert hears.communicate(timeout=15)[0].split() == [b"22.5"]


def test_tasmota(stack):
    credential = stack.device("wash", "--for", "tasmota")
    for place, message in recorded("tasmota_plug"):
        stack.publish(credential, place, message, retain="discovery" in place)
    wait_for(lambda: "Washing machine" in devices(stack), 5, "not announced")
    stack.publish(credential, "tele/wash/LWT", "Online", retain=True)
    stack.publish(credential, "tele/wash/SENSOR", recorded("tasmota_plug")[-1][1])
    wait_for(lambda: any(e["number"] == 1998 for e in devices(stack)["Washing machine"]["entities"]), 5, "no power")
    wait_for(lambda: devices(stack)["Washing machine"]["status"] == "online", 5)
    device_id, relay = next((d["id"], e["id"]) for d in [devices(stack)["Washing machine"]] for e in d["entities"] if e["component"] == "switch")
    hears = listening(credential, "cmnd/wash/POWER1", stack)
    assert stack.api("POST", f"/api/v1/devices/{device_id}/command/", {"entity": relay, "action": "off"})[0] == 202
    assert hears.communicate(timeout=15)[0].split() == [b"OFF"]


def test_what_cannot_be_used_is_counted_and_the_ingest_goes_on(stack, box):
    topic = box["topic"]
    places = {name: f"homeassistant/sensor/{topic}/{name}/config" for name in ("garbage", "deep", "long", "foreign")}
    foreign = config("Spy", topic, state_topic="greenhouse/sensor/soil_moisture/state")
    for _ in range(3):
        stack.publish(box, places["garbage"], bytes(range(256)))
    stack.publish(box, places["deep"], "[" * 30_000 + "]" * 30_000)
    stack.publish(box, places["deep"], '{"a":' * 9_000 + "1" + "}" * 9_000)
    stack.publish(box, places["long"], "x" * (65 * 1024))
    stack.publish(box, places["foreign"], foreign)
    wait_for(lambda: refusals(stack).get(places["foreign"]), 5, "the refusal was not counted")
    counted = refusals(stack)
    assert [counted.get(places[name]) for name in ("garbage", "deep", "long", "foreign")] == [3, 2, 1, 1]
    assert not entity(stack, topic, "Spy")
    # Values that are none, and one that the broker does not even read.
    for wrong in (b"\xff\xfe\x00", b"NaN", b"1e999", b"[" * 60_000, b""):
        stack.publish(box, f"{topic}/warmth", wrong)
    assert mosquitto("mosquitto_pub", box, "-q", "1", "-t", f"{topic}/warmth", "-s", payload=b"9" * 100_000).returncode != 0
    stack.publish(box, f"{topic}/warmth", "12.5")
    wait_for(lambda: entity(stack, topic, "Warmth").get("number") == 12.5, 2, "the ingest stopped")


def test_a_device_cannot_reach_anothers_topics(stack, box):
    topic = box["topic"]
    other = stack.device("Other box")
    device_id, entity_id = announced(stack, topic, "Warmth")
    stack.publish(box, f"{topic}/warmth", "1.25", retain=True)
    for wanted in (f"{topic}/warmth", f"{topic}/#", "#", "+/warmth", "$SYS/#", "homeassistant/#"):
        tried = mosquitto("mosquitto_sub", other, "-W", "3", "-C", "1", "-t", wanted)
        assert (tried.stdout, b"denied" in tried.stderr) == (b"", True), wanted
    for place in (f"{topic}/warmth", f"homeassistant/sensor/{topic}/warmth/config", "homeassistant/status"):
        mosquitto("mosquitto_pub", other, "-q", "1", "-t", place, "-m", "666")
    # A message of the owner's after them has come: whatever would have come before it is there too.
    stack.publish(box, f"{topic}/warmth", "2.5", retain=True)
    wait_for(lambda: entity(stack, topic, "Warmth")["number"] == 2.5, 5)
    assert max(p["high"] for p in history(stack, device_id, entity_id)["points"]) < 666
    hears = mosquitto("mosquitto_sub", box, "-W", "3", "-C", "1", "-t", "homeassistant/status")
    assert b"666" not in hears.stdout
    stack.cli("unibos", "devices", "remove", other["username"], "--yes")
    assert mosquitto("mosquitto_pub", other, "-t", f"{other['topic']}/x", "-m", "1").returncode == 5


def test_a_withdrawn_device_keeps_its_history(stack):
    credential = stack.device("Guest")
    place = "homeassistant/sensor/guest/t/config"
    stack.publish(credential, place, config("T", "guest"), retain=True)
    device_id, entity_id = announced(stack, "guest", "T")
    stack.publish(credential, "guest/t", "7")
    wait_for(lambda: entity(stack, "guest", "T")["state"] == "7" or entity(stack, "guest", "T")["number"] == 7, 5)
    stack.publish(credential, place, "", retain=True)
    wait_for(lambda: devices(stack)["guest"]["status"] == "gone", 5)
    found = history(stack, device_id, entity_id)
    assert found["points"] or found["rows"]


# Live.


def live(url: str, **headers: str) -> simple_websocket.Client:
    return simple_websocket.Client.connect(f"ws{url.removeprefix('http')}/ws/live/", headers=headers)


def told(socket: simple_websocket.Client, kind: str) -> dict:
    """The next message of a kind."""
    until = time.monotonic() + 5
    while True:
        text = socket.receive(timeout=max(0.01, until - time.monotonic()))
        assert text is not None, f"no {kind}"
        if (message := json.loads(text)).get("type") == kind:
            return message


@pytest.mark.parametrize("by", ["token", "cookie"])
def test_live_values(stack, box, by):
    topic = box["topic"]
    device_id, entity_id = announced(stack, topic, "Warmth")
    socket = live(stack.node, **(browser(stack.node) if by == "cookie" else {}))
    try:
        if by == "token":
            socket.send(json.dumps({"token": stack.tokens["node"]}))
        socket.send(json.dumps({"type": "hello", "topics": [f"device:{device_id}"]}))
        told(socket, "ready")
        value = {"token": "33.75", "cookie": "34.25"}[by]
        stack.publish(box, f"{topic}/warmth", value)
        start = time.monotonic()
        heard = told(socket, "value")
        assert since(start) < 1
        assert (heard["key"], heard["text"]) == (f"entity:{entity_id}", value)
    finally:
        socket.close()


@pytest.mark.parametrize("first", [{"token": "x"}, {"type": "hello", "topics": ["values"]}, None])
def test_live_is_closed_to_strangers(stack, first):
    socket = live(stack.node)
    with pytest.raises(simple_websocket.ConnectionClosed):
        socket.send(json.dumps(first) if first else "\0 no json")
        while socket.receive(timeout=5) is not None:
            pass
        raise AssertionError("it stays open")


def test_live_is_closed_to_other_sites(stack):
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Version": "13"}
    for wrong in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert ask("GET", f"{stack.node}/ws/live/", **upgrade, **wrong).status == 403


def test_the_command_line_shows_the_same(stack, box):
    listed = json.loads(stack.cli("unibos", "devices", "--json").stdout)
    assert box["topic"] in {d["name"] for d in listed["items"]}
    assert stack.cli("unibos", "whoami").stdout
    assert ADA["password"] not in stack.cli("unibos", "status", "--settings").stdout
