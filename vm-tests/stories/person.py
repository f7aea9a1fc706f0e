"""What the people of the stories do, with the commands that a machine has: curl, jq, openssl, mosquitto_pub and our programs.

A story is put behind this file and gets its machines as NixOS' test driver makes them; of their methods it uses succeed, fail,
wait_until_succeeds, wait_for_open_port, start, crash, block and unblock alone.
"""

import json
import shlex

ADA = {"email": "ada@example.org", "password": "four unrelated words", "name": "Ada"}


def curl(url, *more, body=None, token="", authority="/root/ca.pem"):
    """The command line that asks `url` and fails on an error of HTTP."""
    words = ["curl", "-sS", "--fail-with-body", "--max-time", "20", "--cacert", authority, "-H", "Accept: application/json", *more]
    if token:
        words += ["-H", "Authorization: Bearer " + token]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join([*words, url])


def ready(machine, port):
    """Wait until hub (8000) or node (8001) of a machine, and HTTPS in front of it, work."""
    machine.wait_until_succeeds("curl -sf http://127.0.0.1:" + str(port) + "/readyz", timeout=180)
    machine.wait_for_open_port(443)


def trust(machine, other, name):
    """Fetch the CA of `other` as a person does: over plain HTTP, with its fingerprint compared to what its screen shows."""
    machine.succeed("curl -sSf http://" + name + "/unibos-ca.pem -o /root/ca.pem")
    here = machine.succeed("openssl x509 -in /root/ca.pem -noout -fingerprint -sha256")
    assert here == other.succeed("openssl x509 -in /var/lib/unibos-tls/ca.pem -noout -fingerprint -sha256"), here


def claim(phone, machine, url, program="unibos"):
    """Make Ada the owner with the code on the machine's console; returns her token."""
    code = json.loads(machine.succeed(program + " claim-code --json"))["code"]
    return json.loads(phone.succeed(curl(url + "/api/v1/claim", body={"code": code, **ADA})))["token"]
