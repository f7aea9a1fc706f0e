"""A hub and a node in one test, without servers: the node's calls reach the hub's application, and the agent answers at once."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

from unibos.adapters.redisbus import pack, unpack
from unibos.features.identity.hub_contact import Contact
from unibos.kernel.errors import Unavailable

from tests.conftest import PASSWORD, _web

HUB = "http://127.0.0.1:8000"
EVE = "eve@example.org"


class Wire:
    """Port Http from the node to the hub's test client. `down`: nobody answers. `calls` are (path, body)."""

    def __init__(self, pair: Pair):
        self.pair, self.down, self.calls = pair, False, []

    def call(self, method, url, *, module, data_type, destination, json=None, headers=None, **_more):
        verdict = self.pair.node.kit.gate.check(module, data_type, destination)
        assert verdict.allowed, verdict.why
        if self.down:
            raise Unavailable("nobody answers")
        path = urlsplit(url).path
        self.calls.append((path, json))
        with self.pair.on_hub():
            answer = self.pair.hub.client.open(path, method=method, json=json, headers=headers)
            return answer.status_code, answer.get_json(silent=True) or {}


class Pair:
    """A hub with Eve as its owner, and a node that Ada owns and that has joined it."""

    def __init__(self, folder, again: bool = False):
        self._ends = []
        self.hub, self.node = self._make("hub", folder / "hub"), self._make("node", folder / "node")
        # Two machines do not count alike.
        self.node.kit.random.count = self.node.kit.secret._random.count = 1_000_000
        self.wire = Wire(self)
        self.node.kit.http = self.wire
        with self.on_hub():
            self.eve = self.claim(self.hub, EVE, "Eve")
        self.ada = self.claim(self.node, "ada@example.org", "Ada")
        self.identity = self.node.services["identity"]
        self.contact = Contact(self.node.kit, self.identity, self.node.services["link"])
        self.node.kit.bus.ask = lambda _service, question, _timeout: unpack(pack(self.contact.answer, dict(question)))
        with self.on_hub():
            token = self.hub.client.post("/api/v1/nodes/tokens/", json={}, headers=self.bearer(self.eve)).json["token"]
        self.node_id = self.node.services["registry"].join(HUB, token)["node_id"]
        self.contact.report()

    def _make(self, role: str, folder) -> SimpleNamespace:
        folder.mkdir(parents=True)
        making = _web(role, folder)
        built = next(making)
        self._ends.append((built, making))
        return built

    @staticmethod
    def claim(built, email: str, name: str) -> str:
        answer = built.client.post("/api/v1/claim", json={"code": built.services["orgs"].code(), "email": email, "password": PASSWORD, "name": name})
        assert answer.status_code == 201, answer.text
        return answer.json["token"]

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    @contextmanager
    def on_hub(self):
        """Work on the hub's database; afterwards on the node's again."""
        self.hub.db.bind()
        try:
            yield self.hub.services["identity"]
        finally:
            self.hub.db.release()
            if hasattr(self, "node"):
                self.node.db.bind()

    def advance(self, seconds: float) -> None:
        """Let time pass on both."""
        for built in (self.hub, self.node):
            built.clock.advance(seconds)

    def log_in(self, email: str = EVE, password: str = PASSWORD):
        """Log in on the node through its API."""
        return self.node.client.post("/api/v1/local/auth/login/", json={"email": email, "password": password})

    def whoami(self, token: str):
        """Who a token makes one on the node."""
        return self.node.client.get("/api/v1/auth/whoami/", headers=self.bearer(token))

    def close(self) -> None:
        """Let go of both."""
        for built, making in reversed(self._ends):
            built.db.bind()
            next(making, None)
