"""The node's side: asking without a token, what a hub says of trust, and the list of revoked nodes. The hub is decided answers."""

import base64
import datetime as dt

import pytest
from unibos.features.link.models import Hub, Wish
from unibos.kernel.errors import Conflict, Invalid, NotFound, NotTrusted, Unavailable
from unibos.wire import proof, revocations
from unibos.wire.fingerprint import fingerprint

from tests.conftest import build, claim, close

URL = "https://hub.example.org"
SEED = b"\5" * 32
SIGNER = base64.b64encode(proof.public_key(SEED)).decode()
THIEF = proof.public_key(b"\6" * 32)


def signed(sequence, *keys, seed=SEED, org_id="o"):
    found = revocations.sign(seed, revocations.listed(org_id, sequence, [(key, 1) for key in keys]))
    return {**found, "signer": base64.b64encode(proof.public_key(seed)).decode()}


class Hubs:
    """Port Http with one hub that says `state` to who asks, and `beats` to who reports."""

    def __init__(self):
        self.state, self.status, self.calls, self.beats = "pending", 200, [], {"next_in": 60, "trust": 3, "maintenance": False, "revocations": None}

    def call(self, _method, url, *, json=None, headers=None, **_named):
        path = url.partition("/api/v1/nodes/")[2]
        self.calls.append((path, json))
        if self.status >= 500:
            raise Unavailable("it does not answer")
        if self.status != 200 and path != "challenge/":
            return self.status, {"type": "urn:unibos:problem:node-not-trusted", "detail": "no longer trusted", "since": "2026-12-01T12:00:00+00:00"}
        approved = {"node_id": "n", "org_id": "o", "signer": SIGNER} if self.state == "approved" else {"node_id": "", "org_id": "", "signer": SIGNER}
        return 200, {"challenge/": {"challenge": "c"}, "apply/": {"state": self.state, "poll_in": 15, **approved},
                     "session/": {"token": "t", "expires_in": 3600}, "heartbeat/": self.beats}.get(path, {})

    def said(self, path):
        return [json for called, json in self.calls if called == path]


@pytest.fixture
def member(node):
    node.http = node.kit.http = Hubs()
    node.registry, node.link = node.services["registry"], node.services["link"]
    return node


def joined(member):
    member.http.state = "approved"
    assert member.registry.apply(URL)["state"] == "joined"
    return lambda: Hub.get()


def test_asking_waits_calmly_and_joins_when_it_is_let_in(member):
    answer = member.registry.apply(URL, "home")
    assert answer["state"] == "pending" and Hub.select().count() == 0 and "fingerprint" in str(answer["trust"])
    (asked,) = member.http.said("apply/")
    assert asked["organisation"] == "home" and proof.verify(base64.b64decode(asked["public_key"]), base64.b64decode(asked["signature"]), "apply", "c", "home")
    times = []
    for _ in range(400):
        member.registry.ask_again()
        times.append(len(member.http.said("apply/")))
        member.clock.advance(15)
    assert times[1] == 2 and 20 < times[-1] < 90, "often at first, at most every five minutes later"
    member.http.state = "approved"
    member.clock.advance(300)
    member.registry.ask_again()
    hub = Hub.get()
    assert (hub.node_id, hub.org_id, hub.signer) == ("n", "o", SIGNER) and Wish.select().count() == 0 and len(member.http.said("heartbeat/")) == 1


def test_a_hub_that_is_away_is_asked_later_and_later(member):
    member.registry.apply(URL)
    member.http.status = 503
    for tries in range(1, 8):
        member.clock.advance(301)
        member.registry.ask_again()
        assert Wish.get().tries == tries and "does not answer" in Wish.get().why
    assert Wish.get().due_at - member.clock.now() == dt.timedelta(seconds=300)
    member.http.status = 200
    member.clock.advance(301)
    member.registry.ask_again()
    assert Wish.get().why == "" and Wish.get().tries == 0


def test_a_refusal_is_kept_and_may_be_asked_anew(member):
    member.registry.apply(URL)
    member.http.state = "refused"
    member.clock.advance(20)
    member.registry.ask_again()
    assert Wish.get().state == "refused"
    count = len(member.http.said("apply/"))
    member.clock.advance(10_000)
    member.registry.ask_again()
    assert len(member.http.said("apply/")) == count
    member.http.state = "pending"
    assert member.registry.apply(URL)["state"] == "pending" and Wish.get().state == "pending"
    member.link.wishes.drop(URL)
    with pytest.raises(NotFound):
        member.link.wishes.drop(URL)


@pytest.mark.parametrize(("url", "pin", "error"), [("http://hub.example.org", "", Invalid), ("ftp://x", "", Invalid), (URL, "SHORT", Invalid), ("", "", Invalid),
                                                ("https://[", "", Invalid), ("https://a:99999", "", Invalid), ("https://a:b", "", Invalid)])
def test_what_cannot_be_asked_changes_nothing(member, url, pin, error):
    with pytest.raises(error):
        member.registry.apply(url, "", pin)
    assert Wish.select().count() == 0 and member.http.said("apply/") == []


def test_only_a_few_hubs_are_asked_and_none_twice(member, monkeypatch):
    hub = joined(member)
    with pytest.raises(Conflict, match="already"):
        member.registry.apply(hub().url)
    member.http.state = "pending"
    monkeypatch.setattr("unibos.features.link.wishes.MOST", 1)
    member.registry.apply("http://localhost:1")
    with pytest.raises(Conflict, match="1 hubs already"):
        member.registry.apply("http://localhost:2")


def test_a_hub_that_no_longer_trusts_this_node_is_shown_with_its_time(member):
    hub = joined(member)
    member.http.status = 403
    assert "no longer trusted" in member.registry.report()
    assert hub().refused_since == "2026-12-01T12:00:00+00:00" and hub().failure == "no longer trusted"
    with pytest.raises(NotTrusted):
        member.link.call(hub(), "/api/v1/nodes/goodbye/", "heartbeat", {})
    member.http.status = 503
    member.registry.report()
    assert hub().refused_since, "that it does not answer takes nothing back"
    member.http.status = 200
    member.registry.report()
    assert hub().refused_since == "" and hub().failure == "" and hub().trust == 3


def test_the_list_of_revoked_nodes_is_taken_at_each_contact_and_never_an_older_one(member):
    hub = joined(member)
    for carried, sequence, revoked in ((signed(1, THIEF), 1, True), (None, 1, True), (signed(3, THIEF), 3, True), (signed(2), 3, True),
                                       (signed(4, THIEF, org_id="p"), 3, True), ({**signed(5), "signature": signed(4)["signature"]}, 3, True),
                                       ({"signer": "x"}, 3, True), ({"signer": 5, "nodes": "y"}, 3, True), (signed(6), 6, False)):
        member.http.beats["revocations"] = carried
        member.registry.report()
        assert (member.link.seen(hub()), member.registry.revoked(THIEF)) == (sequence, revoked), carried
    assert [body["revocations"] for body in member.http.said("heartbeat/")][-2:] == [3, 3] and hub().failure == ""
    assert not member.registry.revoked(proof.public_key(b"\7" * 32))


def test_a_list_by_another_way_is_believed_only_from_the_known_key(member):
    hub = joined(member)
    assert member.link.carried(hub(), signed(2, THIEF)).sequence == 2 and member.registry.revoked(THIEF)
    for wrong in (signed(3, seed=b"\x08" * 32), signed(1), signed(3, org_id="p")):
        with pytest.raises(ValueError):
            member.link.carried(hub(), wrong)
    assert member.registry.revoked(THIEF)


@pytest.mark.parametrize(("wanted", "ram", "shown"), [("auto", 4.0, "standard"), ("auto", 0.4, "edge"), ("desktop", 0.4, "desktop"), ("edge", 8.0, "edge")])
def test_the_type_of_the_machine_is_what_was_set_or_what_it_has(tmp_path, wanted, ram, shown):
    built = build("node", tmp_path, UNIBOS_MACHINE_TYPE=wanted)
    machine = built.kit.machine()
    built.kit.machine = lambda: {**machine, "capabilities": {**machine["capabilities"], "ram_gb": ram}}
    assert built.services["registry"].about()["type"] == shown
    close(built)


def test_the_page_asks_shows_the_fingerprint_and_waits(node_web, monkeypatch):
    head = {"headers": {"Authorization": f"Bearer {claim(node_web)}"}}
    http = node_web.kit.http = Hubs()
    registry = node_web.services["registry"]
    monkeypatch.setattr(node_web.kit.bus, "ask", lambda _service, question, _timeout: registry.answer(question))
    page = node_web.client.get("/hub/", **head).text
    assert registry.fingerprint() == fingerprint(node_web.services["link"].public_key()) and registry.fingerprint() in page
    csrf = page.split('name="_csrf" value="')[1].split('"')[0]
    bad = node_web.client.post("/hub/", data={"url": "http://x", "_csrf": csrf}, **head)
    assert bad.status_code == 400 and "begins with https" in bad.text and 'value="http://x"' in bad.text
    assert node_web.client.post("/hub/", data={"url": URL, "_csrf": csrf}, **head).status_code == 303
    page = node_web.client.get("/hub/", **head).text
    assert "Somebody has to let this node in" in page and node_web.client.get("/api/v1/node/", **head).json["waiting"][0]["state"] == "pending"
    http.state = "refused"
    node_web.clock.advance(20)
    registry.ask_again()
    assert "The hub refused this node" in node_web.client.get("/hub/", **head).text
    assert node_web.client.post("/hub/drop/", data={"url": URL, "_csrf": csrf}, **head).status_code == 303
    http.state = "approved"
    assert node_web.client.post("/api/v1/node/join/", json={"url": URL}, **head).json["state"] == "joined"
    http.status = 403
    registry.report()
    assert "no longer trusts this node" in node_web.client.get("/hub/", **head).text
    assert node_web.client.get("/api/v1/node/", **head).json["hubs"][0]["refused_since"] == "2026-12-01T12:00:00+00:00"
