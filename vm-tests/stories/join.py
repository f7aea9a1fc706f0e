"""A node joins a hub with one text to copy, reports to it, goes on without it, and is seen again when it is back."""


def story(hub, node, phone):
    for machine in (hub, node, phone):
        machine.start()
    ready(hub, 8000)
    ready(node, 8001)
    trust(phone, hub, "hub")
    claim(phone, hub, "https://hub", "unibos-hub")

    # What serves people cannot become the owner of the tables, whose policies keep organisations apart.
    asked = "runuser -u unibos -- psql -h /run/postgresql -d unibos_hub -tAc 'SELECT current_user' -U "
    assert hub.succeed(asked + "unibos_hub_app").strip() == "unibos_hub_app"
    hub.fail(asked + "unibos_hub")

    # A token with the fingerprint of another CA is refused, and nothing is kept of it.
    token = json.loads(hub.succeed("unibos-hub nodes token --json"))["token"]
    assert "." in token, "the token carries no fingerprint of the hub's CA"
    wrong = token.split(".")[0] + ".AAAAAAAAAAAAAAAAAAAAAAAAAA"
    node.fail("echo " + wrong + " | unibos join https://hub -")
    node.succeed("echo " + token + " | unibos join https://hub -")
    node.fail("echo " + token + " | unibos join https://hub -")
    online = "unibos-hub nodes --json | jq -e '.items | length == 1 and .[0].status == \"online\"'"
    hub.wait_until_succeeds(online, timeout=60)

    # The hub is cut off: the node serves its people as before.
    hub.block()
    node.succeed("curl -sf http://127.0.0.1:8001/readyz")
    node.succeed("unibos devices --json")
    hub.unblock()

    # Both lose power; they find each other again by themselves.
    hub.crash()
    node.crash()
    node.start()
    ready(node, 8001)
    hub.start()
    ready(hub, 8000)
    hub.wait_until_succeeds(online, timeout=120)
