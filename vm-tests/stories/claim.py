"""A box fresh from its card is claimed from a phone on the LAN, once, and a power cut does not unclaim it."""


def story(node, phone):
    node.start()
    phone.start()
    ready(node, 8001)

    # Plain HTTP leads to HTTPS, and HTTPS is the box's own.
    phone.succeed("curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' http://node/devices/ | grep -qx '308 https://node/devices/'")
    phone.fail("curl -sS https://node/healthz")
    trust(phone, node, "node")
    phone.succeed(curl("https://node/healthz"))

    # Before it is claimed people see nothing but that.
    phone.fail(curl("https://node/api/v1/devices/"))
    phone.fail(curl("https://node/api/v1/claim", body={"code": "AAAA-AAAA-AAAA", **ADA}))
    phone.succeed("curl -sS --cacert /root/ca.pem -L https://node/ | grep -i 'claim' >/dev/null")

    token = claim(phone, node, "https://node")
    phone.succeed(curl("https://node/api/v1/devices/", token=token))
    phone.fail(curl("https://node/api/v1/devices/"))
    assert json.loads(node.succeed("unibos claim-code --json"))["code"] == ""

    # The power fails; the owner is still the owner, and the certificate is the one that she trusts.
    node.crash()
    node.start()
    ready(node, 8001)
    login = {"email": ADA["email"], "password": ADA["password"]}
    again = json.loads(phone.succeed(curl("https://node/api/v1/local/auth/login", body=login)))["token"]
    phone.succeed(curl("https://node/api/v1/devices/", token=again))
    phone.fail(curl("https://node/api/v1/local/auth/login", body={**login, "password": "wrong unrelated words"}))
