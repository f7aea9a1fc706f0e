"""A hub's own CA in tokens and at its open address; a node's own CA in what it says of itself and in the call back."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from unibos.features.registry.agent import call_back
from unibos.features.registry.authority_api import Enrol, Heartbeat
from unibos.features.registry.models import EnrolToken
from unibos.features.registry.shapes import About
from unibos.kernel.errors import Unavailable

from tests.conftest import build, claim, close

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "pin" / "good.json").read_text(encoding="utf-8"))
PEM, PIN = VECTORS[0]["pem"], VECTORS[0]["pin"]


@pytest.fixture
def ca(tmp_path):
    path = tmp_path / "own" / "ca.pem"
    path.parent.mkdir()
    path.write_text(PEM)
    return path


@pytest.fixture
def made(tmp_path, ca):
    """Builds hub or node with the CA, each once."""
    opened = []

    def make(role, **more):
        opened.append(build(role, tmp_path, UNIBOS_CA_CERTIFICATE=str(ca), **more))
        return opened[-1]

    yield make
    for each in opened:
        close(each)


def served(built):
    """A test client over what was built."""
    from unibos.kernel import compose
    from unibos.kernel.web import build_app
    from unibos.panel.shell import Shell

    authenticate = next(f.load(f.authenticate)(built.kit, built.services) for f in built.features if f.authenticate)
    built.client = build_app(compose.routes(built.features), built.kit, built.services, hostname="box", authenticate=authenticate,
                             guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features))).test_client()
    return built


def test_a_token_carries_the_pin_and_only_the_token_is_kept(made):
    import hashlib

    hub = made("hub")
    text, _until = hub.services["registry"].make_token(hub.services["orgs"].home_id(), "ada")
    token, _, wanted = text.partition(".")
    assert wanted == PIN and EnrolToken.get().hash == hashlib.sha256(token.encode()).hexdigest()


def test_a_certificate_that_cannot_be_read_makes_no_token_without_a_pin(made, ca):
    hub = made("hub")
    registry, org = hub.services["registry"], hub.services["orgs"].home_id()
    for spoil in (lambda: ca.write_text("nonsense"), lambda: ca.write_text(PEM + VECTORS[1]["pem"]), ca.unlink):
        spoil()
        for act in (lambda: registry.make_token(org, "ada"), registry.authority):
            with pytest.raises(Unavailable, match="UNIBOS_CA_CERTIFICATE"):
                act()
    assert EnrolToken.select().count() == 0


def test_the_open_address_gives_the_certificate_before_and_after_the_claim(made, ca):
    hub = served(made("hub"))
    for _ in range(2):
        answer = hub.client.get("/api/v1/authority/")
        assert (answer.status_code, answer.json) == (200, {"ca": PEM})
        if not hub.services["orgs"].claimed():
            token = claim(hub)
    ca.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    answer = hub.client.get("/api/v1/authority/")
    assert answer.status_code == 503 and "AAAA" not in answer.text
    ca.write_text(PEM)
    api = hub.client.post("/api/v1/nodes/tokens/", json={}, headers={"Authorization": f"Bearer {token}"})
    assert api.json["token"].endswith(f".{PIN}")


def test_without_a_certificate_the_address_is_empty_and_tokens_are_plain(hub_web):
    answer = hub_web.client.get("/api/v1/authority/")
    assert answer.status_code == 404 and answer.mimetype == "application/problem+json"
    assert "." not in hub_web.services["registry"].make_token(hub_web.services["orgs"].home_id(), "ada")[0]


def test_a_node_says_its_authority_and_its_address_behind_the_proxy(made, ca):
    node = made("node", UNIBOS_TLS_PROXY="true")
    about = node.services["registry"].about()
    assert about["authority"] == PEM and about["url"] == "https://box.local"
    ca.unlink()
    assert "authority" not in node.services["registry"].about()
    assert made("node", UNIBOS_TLS_PROXY="true", UNIBOS_PUBLIC_URL="https://a.example.org").services["registry"].about()["url"] == "https://a.example.org"


def test_a_node_without_any_says_none(node):
    about = node.services["registry"].about()
    assert "authority" not in about and about["url"].startswith("http://127.0.0.1")


def test_only_one_authority_is_taken_from_a_node():
    assert About(hostname="pi").authority == "" and About(hostname="pi", authority=f"junk\n{PEM}").authority == PEM
    for wrong in ("nonsense", PEM + VECTORS[1]["pem"], PEM + " " * 5000):
        for model, more in ((About, {}), (Heartbeat, {"metrics": {}}),
                            (Enrol, {"token": "T", "public_key": "k" * 43 + "=", "challenge": "c", "signature": "s"})):
            model(hostname="pi", **more)
            with pytest.raises(ValidationError, match="authority"):
                model(hostname="pi", authority=wrong, **more)


class Asked:
    """Port Http that remembers by whom a call was to be vouched for."""

    def __init__(self):
        self.trusted = []

    def call(self, _method, _url, *, authority=None, **_named):
        self.trusted.append(authority.read_text() if authority else None)
        return 500, {}


def test_the_call_back_trusts_what_the_node_named_and_only_the_latest(hub):
    org, hub.kit.http = hub.services["orgs"].home_id(), Asked()
    from unibos.features.registry.models import Node

    with hub.db.tenant(org):
        node = hub.kit.records.create(Node, org_id=org, hostname="pi", public_key="A" * 44, url="https://pi.local")
        said = {"hostname": "pi", "url": "https://pi.local"}
        for pem in (PEM, VECTORS[1]["pem"], ""):
            hub.services["registry"].heartbeat(node.id, {}, {**said, "authority": pem})
            assert "somebody else" in call_back(hub.kit, Node.get(Node.id == node.id))
    assert hub.kit.http.trusted == [PEM, VECTORS[1]["pem"], None]
    assert [p.name for p in (hub.kit.data_dir / "authorities").iterdir()] == [f"node-{node.id}.pem"]
