"""A machine with a key of its own that speaks to a hub through Flask's client, as a node does over HTTPS."""

from __future__ import annotations

import base64
from typing import Any

from unibos.wire import proof


class Machine:
    """A node or worker: `seed` is its key, `client` reaches the hub."""

    def __init__(self, client: Any, number: int, hostname: str = "pi-001", **about: Any):
        self.client, self.seed = client, bytes([number]) * 32
        self.about = {"hostname": hostname, "platform": "linux aarch64", "url": "https://pi-001.local", "version": "0.1.0",
                      "capabilities": {"gpio": True, "ram_gb": 4.0, "cpu_cores": 4}, **about}
        self.node_id, self.token = "", ""

    @property
    def key(self) -> str:
        return base64.b64encode(proof.public_key(self.seed)).decode()

    def signed(self, purpose: str, field: str) -> dict[str, str]:
        asked = self.client.post("/api/v1/nodes/challenge/", json={"public_key": self.key})
        assert asked.status_code == 200, asked.text
        nonce = asked.json["challenge"]
        return {"challenge": nonce, "signature": base64.b64encode(proof.sign(self.seed, purpose, nonce, field)).decode()}

    def apply(self, organisation: str = "", **more: Any) -> Any:
        return self.client.post("/api/v1/nodes/apply/", json={**self.about, "public_key": self.key, "organisation": organisation,
                                                              **self.signed("apply", organisation), **more})

    def enrol(self, token: str, **more: Any) -> Any:
        answer = self.client.post("/api/v1/nodes/enrol/", json={**self.about, "token": token, "public_key": self.key, **self.signed("enrol", token), **more})
        if answer.status_code == 201:
            self.node_id = answer.json["node_id"]
        return answer

    def log_in(self) -> Any:
        answer = self.client.post("/api/v1/nodes/session/", json={"node_id": self.node_id, **self.signed("session", self.node_id)})
        if answer.status_code == 200:
            self.token = answer.json["token"]
        return answer

    @property
    def head(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def report(self, **more: Any) -> Any:
        return self.client.post("/api/v1/nodes/heartbeat/", json={**self.about, "metrics": {"cpu": 5.0, "memory": 20.0}, **more}, headers=self.head)
