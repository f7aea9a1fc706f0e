"""A scan is uploaded from a phone, read on the node by a worker without a network, and found by another form of a word in it."""


def story(node, phone, scan):
    """`scan` is the path, on the phone, of a picture with the words FATURALARIMIZDAN 2026."""
    node.start()
    phone.start()
    ready(node, 8001)
    trust(phone, node, "node")
    token = claim(phone, node, "https://node")

    phone.succeed(curl("https://node/api/v1/documents/", "-F", "file=@" + scan + ";type=image/png", token=token))
    found = "unibos documents fatura --json | jq -e '.items | length == 1 and .[0].status == \"done\"'"
    node.wait_until_succeeds(found, timeout=120)

    # The reader has no network and cannot see the broker's folder; what it reads is still found after a power cut.
    node.crash()
    node.start()
    ready(node, 8001)
    node.wait_until_succeeds(found, timeout=60)
    phone.fail(curl("https://node/api/v1/documents/"))
