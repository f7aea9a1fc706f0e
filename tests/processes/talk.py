"""How the stories talk: HTTP without anything being followed, MQTT as devices do, and what they look up."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tests.stack import ADA, Stack, wait_for


@dataclass
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def cookies(self) -> dict[str, str]:
        """The cookies that it sets."""
        return dict(c.split(";")[0].split("=", 1) for c in self.headers.get_all("Set-Cookie", []))


def ask(method: str, url: str, body: Any = None, *, form: dict[str, str] | None = None, **headers: str) -> Answer:
    """One request; redirects are not followed. Headers are given with _ for -."""
    parts = urllib.parse.urlsplit(url)
    head, data = {name.replace("_", "-"): value for name, value in headers.items()}, None
    if body is not None:
        data, head["Content-Type"] = json.dumps(body), "application/json"
    if form is not None:
        data, head["Content-Type"] = urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=15)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), data, head)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())
    finally:
        connection.close()


def browser(url: str) -> dict[str, str]:
    """Log in as a browser does; the headers that it sends from then on, and its CSRF token."""
    page = ask("GET", f"{url}/login/")
    csrf = re.search(r'name="_csrf" value="([0-9a-f]+)"', page.text)[1]
    cookie = "; ".join(f"{k}={v}" for k, v in page.cookies().items())
    answer = ask("POST", f"{url}/login/", form={"_csrf": csrf, "email": ADA["email"], "password": ADA["password"], "next": "/"}, Cookie=cookie)
    assert answer.status == 303, answer.text
    return {"Cookie": "; ".join(f"{k}={v}" for k, v in {**page.cookies(), **answer.cookies()}.items())}


def mosquitto(program: str, credential: dict[str, Any], *words: str, password: str | None = None, payload: bytes = b"") -> subprocess.CompletedProcess:
    """Run mosquitto_pub or mosquitto_sub as the device of a credential; with an empty user name as nobody."""
    user = ["-u", credential["username"], "-P", password or credential["password"]] if credential.get("username") else []
    return subprocess.run([program, "-h", credential["host"], "-p", str(credential["port"]), *user, *words], input=payload,
                          capture_output=True, timeout=30, check=False)


def listening(credential: dict[str, Any], topic: str, stack: Stack, count: int = 1) -> subprocess.Popen[bytes]:
    """A mosquitto_sub that has subscribed, and ends after `count` messages: a retained message of its own says that it listens."""
    stack.publish(credential, f"{credential['topic']}/listening", "now", retain=True)
    process = subprocess.Popen(["mosquitto_sub", "-h", credential["host"], "-p", str(credential["port"]), "-u", credential["username"], "-P",
                                credential["password"], "-q", "1", "-C", str(count + 1), "-W", "15", "-t", topic, "-t",
                                f"{credential['topic']}/listening"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"now\n"
    return process


def devices(stack: Stack) -> dict[str, dict[str, Any]]:
    """The devices of the node by name."""
    status, answer = stack.api("GET", "/api/v1/devices/")
    assert status == 200, answer
    return {d["name"]: d for d in answer["items"]}


def entity(stack: Stack, device: str, name: str) -> dict[str, Any]:
    """An entity of a device by its name or the end of its object id; {} while there is none."""
    found = devices(stack).get(device, {}).get("entities", [])
    return next((e for e in found if e["name"] == name or e["object_id"].endswith(f"/{name}")), {})


def announced(stack: Stack, device: str, name: str) -> tuple[str, str]:
    """Wait for an entity; (device id, entity id)."""
    wait_for(lambda: entity(stack, device, name), 10, f"{device}/{name} is not announced")
    return devices(stack)[device]["id"], entity(stack, device, name)["id"]


def history(stack: Stack, device_id: str, entity_id: str, **span: str) -> dict[str, Any]:
    """Readings of the last day, or of a span from … to …."""
    query = urllib.parse.urlencode({"entity": entity_id, "limit": "5000", **{k.strip("_"): v for k, v in span.items()}})
    status, answer = stack.api("GET", f"/api/v1/devices/{device_id}/history/?{query}")
    assert status == 200, answer
    return answer


def document(stack: Stack, document_id: str) -> dict[str, Any]:
    """One document with its text."""
    status, answer = stack.api("GET", f"/api/v1/documents/{document_id}/")
    assert status == 200, answer
    return answer


def ended(stack: Stack, document_id: str, seconds: float = 40) -> dict[str, Any]:
    """Wait until a document is done or failed."""
    return wait_for(lambda: (d := document(stack, document_id))["status"] in ("done", "failed") and d, seconds, "it was not read")


def job_ended(stack: Stack, job_id: str) -> dict[str, Any]:
    """Wait until a job has ended: a moment after what it worked on."""
    return wait_for(lambda: (j := stack.api("GET", f"/api/v1/jobs/{job_id}/")[1])["ended_at"] and j, 10, "the job did not end")


def ready(url: str) -> bool:
    """Whether hub or node says that it is ready."""
    try:
        return ask("GET", f"{url}/readyz").status == 200
    except OSError:
        return False


def since(start: float) -> float:
    """Seconds since a moment of time.monotonic()."""
    return time.monotonic() - start
