"""Hub and node on one box: the node has joined by itself, and each answers at a name of its own."""


def story(box, phone):
    box.start()
    phone.start()
    ready(box, 8000)
    ready(box, 8001)
    trust(phone, box, "box")
    claim(phone, box, "https://box")
    address = phone.succeed("getent ahostsv4 box | awk '{print $1; exit}'").strip()
    at = ("--resolve", "hub-box.local:443:" + address, "--resolve", "box.local:443:" + address)
    roles = {name: json.loads(phone.succeed(curl("https://" + name + "/healthz", *at)))["role"] for name in ("box.local", "hub-box.local")}
    assert roles == {"box.local": "node", "hub-box.local": "hub"}, roles

    box.wait_until_succeeds("unibos-hub nodes --json | jq -e '.items | length == 1 and .[0].status == \"online\"'", timeout=60)

    # Neither process can look into the other's folder.
    for role, other in (("hub", "node"), ("node", "hub")):
        pid = box.succeed("systemctl show -p MainPID --value unibos-" + role + "-web").strip()
        box.fail("nsenter -t " + pid + " -m -- ls /var/lib/unibos/" + other + "/keys")
