"""A sensor of the LAN reports over MQTT with TLS: it appears by itself, it may say what is its own, and a cut loses nothing that was said."""

DISCOVERY = {"name": "Temperature", "unique_id": "garden_t", "state_topic": "garden-box/state", "unit_of_measurement": "°C",
             "value_template": "{{ value_json.t }}", "device": {"identifiers": ["garden"], "name": "Garden box"}}


def publish(login, topic, payload, password=None):
    words = ["mosquitto_pub", "--cafile", "/root/ca.pem", "-h", "node", "-p", str(login["port"]), "-u", login["username"],
             "-P", password or login["password"], "-q", "1", "-r", "-t", topic, "-m", payload]
    return "timeout 20 " + shlex.join(words)


def story(node, sensor):
    node.start()
    sensor.start()
    ready(node, 8001)
    node.wait_for_open_port(8883)
    trust(sensor, node, "node")
    claim(sensor, node, "https://node")

    login = json.loads(node.succeed("unibos devices add 'Garden box' --json"))
    assert (login["port"], login["tls"]) == (8883, True), login
    sensor.succeed(publish(login, "homeassistant/sensor/garden-box/t/config", json.dumps(DISCOVERY)))
    sensor.succeed(publish(login, "garden-box/state", '{"t": 21.5}'))
    node.wait_until_succeeds("unibos devices --json | jq -e '.items[0].entities[0].state | tostring == \"21.5\"'", timeout=60)

    # A wrong password, nobody's name, a certificate of another CA, and MQTT without TLS: none of them gets in.
    sensor.fail(publish(login, "garden-box/state", '{"t": 1}', password="wrong"))
    sensor.fail("timeout 20 mosquitto_pub --cafile /root/ca.pem -h node -p 8883 -t garden-box/state -m 1 -q 1")
    sensor.fail(publish(login, "garden-box/state", '{"t": 3}').replace("/root/ca.pem", "/etc/ssl/certs/ca-certificates.crt"))
    sensor.fail("timeout 5 bash -c '</dev/tcp/node/1883'")

    # What is another's the broker drops: no second device appears.
    sensor.succeed(publish(login, "homeassistant/sensor/kitchen/t/config", json.dumps({**DISCOVERY, "unique_id": "kitchen_t"})) + " || true")
    sensor.succeed(publish(login, "garden-box/state", '{"t": 21.75}'))
    node.wait_until_succeeds("unibos devices --json | jq -e '.items[0].entities[0].state | tostring == \"21.75\"'", timeout=60)
    node.succeed("unibos devices --json | jq -e '[.items[].entities[]] | length == 1'")

    # The node is cut off the LAN: the sensor keeps its value, and says it when the LAN is back.
    node.block()
    sensor.fail(publish(login, "garden-box/state", '{"t": 22.5}').replace("timeout 20", "timeout 4"))
    node.unblock()
    sensor.wait_until_succeeds(publish(login, "garden-box/state", '{"t": 22.5}'), timeout=60)
    node.wait_until_succeeds("unibos devices --json | jq -e '.items[0].entities[0].state | tostring == \"22.5\"'", timeout=60)

    # The power fails: the login, the device and its last value are there again.
    node.crash()
    node.start()
    ready(node, 8001)
    node.wait_until_succeeds("unibos devices --json | jq -e '.items[0].entities[0].state | tostring == \"22.5\"'", timeout=60)
    sensor.wait_until_succeeds(publish(login, "garden-box/state", '{"t": 23.5}'), timeout=60)
    node.wait_until_succeeds("unibos devices --json | jq -e '.items[0].entities[0].state | tostring == \"23.5\"'", timeout=60)
