"""A hub and a node that show certificates of their own CAs, over real TLS: joining by pin, another certificate later, another name, calling back."""

from __future__ import annotations

import json

import pytest
from unibos.adapters.http import GatedHttp
from unibos.kernel.errors import Invalid

from tests.conftest import build, close
from tests.fronts import Front, Own
from tests.stack import Stack, free_port, wait_for


class Rig:
    """A stack with HTTPS in front of hub and node. `own` vouches for the hub, `node_own` for the node, `other` for neither."""

    def __init__(self, folder):
        self.own, self.node_own, self.other = Own(folder / "own"), Own(folder / "node"), Own(folder / "other")
        self.named = Own(folder / "named", "kitchen.local", like=self.own)
        (folder / "stack").mkdir()
        self.stack = Stack(folder / "stack", UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_SILENT_SECONDS="5", UNIBOS_CALLBACK_SECONDS="1",
                           UNIBOS_HUB_CA_CERTIFICATE=str(self.own.ca), UNIBOS_NODE_CA_CERTIFICATE=str(self.node_own.ca))
        self.front, self.node_front = Front(self.stack.hub_port, self.own), Front(self.stack.node_port, self.node_own)
        self.stack.env["UNIBOS_NODE_PUBLIC_URL"] = self.node_front.url

    def token(self) -> str:
        """What the hub's command line shows a person."""
        return self.stack.cli("unibos-hub", "nodes", "token").stdout.strip()

    def hubs(self) -> dict[str, str]:
        """The node's hubs with what is wrong with each."""
        _status, answer = self.stack.api("GET", "/api/v1/node/")
        return {h["url"]: h["failure"] for h in answer["hubs"]}

    def kept(self) -> list:
        """The certificates that the node keeps."""
        return sorted((self.stack.data / "node").glob("authorities/*"))


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = Rig(tmp_path_factory.mktemp("pinned"))
    with made.front, made.node_front, made.stack:
        made.stack.claim("node")
        made.stack.claim("hub")
        yield made


@pytest.fixture(scope="module")
def joined(rig) -> dict:
    """The node, joined at the hub's HTTPS address with what the hub showed."""
    return json.loads(rig.stack.cli("unibos", "join", rig.front.url, rig.token(), "--json").stdout)


def test_the_node_beside_the_hub_was_handed_over_with_the_pin(rig):
    assert list(rig.hubs()) == [rig.stack.hub] and rig.kept() == []


@pytest.mark.parametrize(("spoil", "why"), [(lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), "names another authority"),
                                            (lambda t: t[:-1], "not copied whole"), (lambda t: t.partition(".")[0] + ".", "not copied whole")])
def test_a_wrong_pin_changes_nothing_and_says_so(rig, spoil, why):
    before, token = rig.hubs(), rig.token()
    sent = len(rig.front.seen)
    done = rig.stack.cli("unibos", "join", rig.front.url, spoil(token), check=False)
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr
    said = bytes(rig.front.seen[sent:])
    assert token.partition(".")[0].encode() not in said and b"public_key" not in said and b"POST" not in said
    assert rig.hubs() == before and rig.kept() == []


def test_a_token_without_a_pin_meets_the_public_authorities(rig):
    before, sent = rig.hubs(), len(rig.front.seen)
    done = rig.stack.cli("unibos", "join", rig.front.url, rig.token().partition(".")[0], check=False)
    assert (done.returncode, "its certificate is not trusted" in done.stderr) == (69, True), done.stderr
    assert rig.hubs() == before and len(rig.front.seen) == sent


def test_another_name_is_refused_though_the_pin_is_right(rig):
    before = rig.hubs()
    done = rig.stack.cli("unibos", "join", rig.front.url.replace("localhost", "127.0.0.1"), rig.token(), check=False)
    assert (done.returncode, "its certificate is for another name" in done.stderr) == (69, True), done.stderr
    assert rig.hubs() == before and rig.kept() == []


def test_the_right_pin_joins_and_the_node_reports_by_it(rig, joined):
    assert joined["hub"] == rig.front.url and joined["trust"].startswith("Only the authority that the token names")
    (path,) = rig.kept()
    assert path.read_text() == rig.own.pem and path.stat().st_mode & 0o777 == 0o600
    sent = len(rig.front.seen)
    wait_for(lambda: b"POST /api/v1/nodes/heartbeat/" in bytes(rig.front.seen[sent:]), 10, "no heartbeat over HTTPS")
    assert rig.hubs()[rig.front.url] == ""


def test_a_later_certificate_of_another_authority_is_refused(rig, joined):
    rig.front.show(rig.other)
    try:
        wait_for(lambda: "its certificate is not trusted" in rig.hubs()[rig.front.url], 10, "the other certificate was not noticed")
        sent = len(rig.front.seen)
        wait_for(lambda: rig.hubs()[rig.stack.hub] == "", 5, "the other way to the hub is gone too")
        assert len(rig.front.seen) == sent, "something was sent to who could not prove itself"
        rig.front.show(rig.named)
        wait_for(lambda: "for another name" in rig.hubs()[rig.front.url], 10, "a certificate for another name was not noticed")
    finally:
        rig.front.show(rig.own)
    wait_for(lambda: rig.hubs()[rig.front.url] == "", 10, "it does not report again")


def test_the_hub_calls_back_by_the_authority_that_the_node_named(rig, joined):
    def state():
        return rig.stack.api("GET", f"/api/v1/nodes/{joined['node_id']}/", role="hub")[1]

    sent = len(rig.node_front.seen)
    wait_for(lambda: b"GET /api/v1/node/identify/" in bytes(rig.node_front.seen[sent:]), 10, "no call back over HTTPS")
    assert state()["url"] == rig.node_front.url and state()["why"] == "It reports and answers."
    rig.node_front.show(rig.other)
    try:
        lost = wait_for(lambda: (n := state())["status"] == "unreachable" and n, 15, "another certificate was taken")
        assert "its certificate is not trusted" in lost["why"]
    finally:
        rig.node_front.show(rig.node_own)
    wait_for(lambda: state()["status"] == "online", 15, "it is not online again")


@pytest.fixture
def alone(tmp_path, rig):
    """A node of its own in this process, whose public authorities are `rig.other` only."""
    built = build("node", tmp_path)
    built.kit.http = GatedHttp(lambda: built.kit.gate, verify=str(rig.other.ca))
    yield built
    close(built)


@pytest.mark.slow
def test_a_hub_with_a_public_certificate_is_joined_by_it_and_no_pin_is_kept(rig, alone):
    with Front(rig.stack.hub_port, rig.other) as public:
        answer = alone.services["registry"].join(public.url, rig.token())
    assert "is not kept" in str(answer["trust"]) and alone.services["link"].hub().authority == ""
    assert list((alone.kit.data_dir / "authorities").iterdir()) == []


@pytest.mark.slow
def test_who_stands_in_between_with_an_authority_of_their_own_learns_nothing(rig, alone):
    class Between(GatedHttp):
        """Whoever answers names the authority that its own certificate is of."""

        def peek(self, url, **named):
            super().peek(url, **named)
            return 200, {"ca": rig.other.pem}

    alone.kit.http = Between(lambda: alone.kit.gate)
    with Front(rig.stack.hub_port, rig.other) as between:
        with pytest.raises(Invalid, match="somebody stands in between"):
            alone.services["registry"].join(between.url, rig.token())
        assert bytes(between.seen).count(b"HTTP/1.1\r\n") == 1 and between.seen.startswith(b"GET /api/v1/authority/ ")
    assert alone.services["link"].hubs() == []


@pytest.mark.slow
def test_a_port_that_nobody_answers_is_said(rig, alone):
    from unibos.kernel.errors import Unavailable

    with pytest.raises(Unavailable, match="connection refused"):
        alone.services["registry"].join(f"https://localhost:{free_port()}", rig.token())
