"""Joining with a pin, decided by decided answers: what is sent where, by whom vouched, and what is kept when it fails. TLS itself: tests/processes."""

import json
import stat
from pathlib import Path

import pytest
from unibos.features.link.models import Hub
from unibos.kernel.errors import Conflict, Invalid, Unavailable
from unibos.wire import pin

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "pin" / "good.json").read_text(encoding="utf-8"))
MINE, OTHER = ((v["pem"], v["pin"], v["sha256"]) for v in VECTORS)
URL, ABOUT = "https://kitchen.local", {"hostname": "pi-001"}
TEXT = f"TOKEN.{MINE[1]}"


class Hubs:
    """Port Http with one hub behind it. `vouched` are the PEMs (None: public CAs) by which its certificate is good."""

    def __init__(self, ca=None, vouched=(None,), refuse=0, status=200):
        self.ca, self.vouched, self.refuse, self.status, self.calls = ca, vouched, refuse, status, []

    def peek(self, url, **named):
        self.calls.append(("peek", url, None, None))
        assert named == {"module": "registry", "destination": "hub"}
        return (self.status, {"ca": self.ca} if self.ca else {})

    def call(self, method, url, *, json=None, headers=None, authority=None, **_named):
        trusted = authority.read_text() if authority else None
        self.calls.append((method, url, trusted, json))
        if trusted not in self.vouched:
            raise Unavailable("its certificate is not trusted")
        if url.endswith("/enrol/") and self.refuse:
            return self.refuse, {"detail": "no"}
        return 200, {"challenge": "c", "node_id": "n", "org_id": "o", "token": "t", "expires_in": 60}

    def trusted(self, path):
        return [trusted for _method, url, trusted, _json in self.calls if url.endswith(path)]


@pytest.fixture
def link(node):
    def build(**hub):
        node.kit.http = Hubs(**hub)
        return node.services["link"], node.kit.http

    build.folder, build.kit, build.services = node.kit.data_dir / "authorities", node.kit, node.services
    return build


def kept(link):
    return sorted(p.name for p in link.folder.iterdir()) if link.folder.exists() else []


def test_a_pinned_hub_is_vouched_for_by_its_authority_alone(link):
    service, http = link(ca=MINE[0], vouched=(MINE[0],))
    hub = service.join(URL, TEXT, ABOUT)
    assert http.calls[0][:2] == ("peek", f"{URL}/api/v1/authority/")
    enrol = next(sent for _m, url, _t, sent in http.calls if url.endswith("/enrol/"))
    assert enrol["token"] == "TOKEN" and MINE[1] not in json.dumps(enrol)
    service.call(Hub.get(Hub.url == URL), "/api/v1/nodes/heartbeat/", "heartbeat", {})
    assert {t for _m, url, t, _j in http.calls[1:]} == {MINE[0]} and len(http.calls) == 6
    assert hub.authority == MINE[0] and kept(link) == [f"{MINE[2]}.pem"]
    path = link.folder / kept(link)[0]
    assert path.read_text() == MINE[0] and stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(link.folder.stat().st_mode) == 0o700


def test_the_row_is_the_truth_and_a_lost_or_changed_file_is_made_again(link):
    service, http = link(ca=MINE[0], vouched=(MINE[0],))
    hub = service.join(URL, TEXT, ABOUT)
    path = link.folder / kept(link)[0]
    for spoil in (path.unlink, lambda: path.write_text(OTHER[0])):
        spoil()
        service.call(hub, "/api/v1/nodes/heartbeat/", "heartbeat", {})
        assert path.read_text() == MINE[0] and http.calls[-1][2] == MINE[0]


@pytest.mark.parametrize(("hub", "text", "why"), [
    ({"ca": OTHER[0]}, TEXT, "names another authority than the token does"), ({}, TEXT, "names no authority"), ({"ca": "nonsense"}, TEXT, "names no authority"),
    ({"ca": MINE[0] + OTHER[0]}, TEXT, "names no authority"), ({"status": 404}, TEXT, "names no authority"), ({"ca": MINE[0]}, f"TOKEN.{OTHER[1]}", "another"),
    ({"ca": MINE[0]}, "TOKEN.", "not copied whole"), ({"ca": MINE[0]}, TEXT[:-1], "not copied whole")])
def test_what_does_not_fit_is_refused_and_nothing_is_sent_or_kept(link, hub, text, why):
    service, http = link(**hub, vouched=(None, MINE[0], OTHER[0]))
    with pytest.raises(Invalid, match=why):
        service.join(URL, text, ABOUT)
    assert all(call[0] == "peek" for call in http.calls) and service.hubs() == [] and kept(link) == []


def test_nothing_is_kept_of_a_join_that_fails_later(link):
    service, http = link(ca=MINE[0], vouched=())
    with pytest.raises(Unavailable, match="not trusted"):
        service.join(URL, TEXT, ABOUT)
    assert http.trusted("/challenge/") == [MINE[0], None] and not http.trusted("/enrol/")
    assert service.hubs() == [] and kept(link) == []
    service, http = link(ca=MINE[0], vouched=(MINE[0],), refuse=403)
    with pytest.raises(Invalid):
        service.join(URL, TEXT, ABOUT)
    assert service.hubs() == [] and kept(link) == []
    service, http = link(ca=MINE[0], status=503)
    with pytest.raises(Unavailable):
        service.join(URL, TEXT, ABOUT)
    assert len(http.calls) == 1


def test_a_failed_join_leaves_the_authority_of_another_hub(link):
    service, http = link(ca=MINE[0], vouched=(MINE[0],))
    service.join(URL, TEXT, ABOUT)
    http.refuse = 403
    with pytest.raises(Invalid):
        service.join("https://hub-kitchen.local", TEXT, ABOUT)
    assert kept(link) == [f"{MINE[2]}.pem"]
    with pytest.raises(Conflict):
        service.join(URL, TEXT, ABOUT)


def test_a_hub_that_only_public_authorities_know_is_joined_by_them_and_it_is_said(link):
    _service, http = link(ca=MINE[0], vouched=(None,))
    answer = link.services["registry"].join(URL, TEXT)
    assert "is not kept" in str(answer["trust"]) and link.services["link"].hub().authority == "" and kept(link) == []
    assert http.trusted("/challenge/")[:2] == [MINE[0], None] and http.trusted("/enrol/") == http.trusted("/heartbeat/") == [None]


def test_without_a_pin_public_authorities_as_ever(link):
    service, http = link(ca=MINE[0], vouched=(None,))
    assert service.join("kitchen.local", "TOKEN", ABOUT).authority == ""
    assert [c[0] for c in http.calls] == ["POST", "POST"] and {c[2] for c in http.calls} == {None}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_on_the_machine_itself_a_pin_is_left_out(link, url):
    service, http = link(ca=OTHER[0])
    assert service.join(url, TEXT, ABOUT).authority == ""
    assert http.calls[-1][3]["token"] == "TOKEN" and "peek" not in {c[0] for c in http.calls}


@pytest.mark.parametrize("url", ["http://kitchen.local", "http://192.168.1.9:8000", "http://localhost.example.org", "http://127.0.0.1.example.org"])
def test_a_pin_asks_for_https(link, url):
    service, http = link(ca=MINE[0])
    with pytest.raises(Invalid, match="https"):
        service.join(url, TEXT, ABOUT)
    assert not http.calls


def test_a_node_that_stays_offline_does_not_even_look(tmp_path):
    from tests.conftest import build, close

    built = build("node", tmp_path, UNIBOS_OFFLINE_MODE="forced")
    try:
        built.kit.http = Hubs(ca=MINE[0])
        with pytest.raises(Unavailable, match="offline"):
            built.services["link"].join(URL, TEXT, ABOUT)
        assert not built.kit.http.calls
    finally:
        close(built)


def test_a_provisioned_node_joins_with_the_whole_text(link):
    _service, _http = link(ca=MINE[0], vouched=(MINE[0],))
    wanted = link.kit.data_dir / "enrol.json"
    wanted.write_text(json.dumps({"url": URL, "token": f"TOKEN.{OTHER[1]}"}))
    with pytest.raises(Invalid, match="another authority"):
        link.services["registry"].take_provisioned()
    assert wanted.exists() and link.services["link"].hubs() == []
    wanted.write_text(json.dumps({"url": URL, "token": TEXT}))
    assert link.services["registry"].take_provisioned() == f"joined {URL}"
    assert not wanted.exists() and link.services["link"].hub().authority == MINE[0]
    assert pin.matches(pin.der(link.services["link"].hub().authority), MINE[1])
