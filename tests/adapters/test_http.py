"""The way out over TLS: who vouches for a server, and the one look that trusts nobody and carries nothing. Real handshakes, real requests."""

import http.server
import json
import threading

import pytest
from unibos.adapters.http import GatedHttp
from unibos.kernel.errors import Blocked, Unavailable
from unibos.kernel.ports import Verdict
from unibos.kernel.words import T

from tests.fronts import Front, Own

NAMED = {"module": "registry", "destination": "hub"}


class Gate:
    """A gate that answers `allowed` and remembers what it was asked."""

    def __init__(self, allowed: bool = True):
        self.allowed, self.asked = allowed, []

    def check(self, *what, **sizes):
        self.asked.append((*what, sizes["size"]))
        return Verdict(self.allowed, T("Because."))


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"path": self.path}).encode()
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def owns(tmp_path_factory):
    """The server's authority, another one, and one that vouches for another name."""
    folder = tmp_path_factory.mktemp("owns")
    return [Own(folder / "a"), Own(folder / "b"), Own(folder / "c", "kitchen.local")]


@pytest.fixture
def front(owns):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with Front(server.server_address[1], owns[0]) as found:
            yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(http, url, authority=None):
    return http.call("GET", url, data_type="enrol", authority=authority, **NAMED)


def test_exactly_the_named_authority_is_trusted(front, owns):
    own, other, _ = owns
    http = GatedHttp(Gate)
    assert get(http, f"{front.url}/x", own.ca) == (200, {"path": "/x"})
    for authority in (None, other.ca):
        with pytest.raises(Unavailable, match="its certificate is not trusted"):
            get(http, f"{front.url}/x", authority)
    public = GatedHttp(Gate, verify=str(own.ca))
    assert get(public, f"{front.url}/x")[0] == 200
    with pytest.raises(Unavailable, match="not trusted"):  # who is trusted elsewhere does not help
        get(public, f"{front.url}/x", other.ca)


def test_an_absent_or_damaged_authority_is_never_a_reason_for_public_ones(front, owns, tmp_path):
    public = GatedHttp(Gate, verify=str(owns[0].ca))
    with pytest.raises(Unavailable, match="the certificate of its authority is missing"):
        get(public, f"{front.url}/x", tmp_path / "absent.pem")
    for content in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        (tmp_path / "damaged.pem").write_text(content)
        with pytest.raises(Unavailable):
            get(public, f"{front.url}/x", tmp_path / "damaged.pem")
    assert not front.seen


def test_the_name_must_match_whoever_vouches(front, owns):
    http = GatedHttp(Gate)
    with pytest.raises(Unavailable, match="for another name"):
        get(http, front.url.replace("localhost", "127.0.0.1"), owns[0].ca)
    front.show(owns[2])
    with pytest.raises(Unavailable, match="for another name"):
        get(http, f"{front.url}/x", owns[2].ca)
    assert not front.seen


def test_a_look_needs_no_trust_and_carries_nothing(front):
    gate = Gate()
    http = GatedHttp(lambda: gate)
    assert http.peek(f"{front.url}/api/v1/authority/", **NAMED) == (200, {"path": "/api/v1/authority/"})
    assert gate.asked == [("registry", "enrol", "hub", 0)]
    head, _, body = bytes(front.seen).partition(b"\r\n\r\n")
    assert body == b"" and head.startswith(b"GET /api/v1/authority/ HTTP/1.1\r\n")
    assert {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]} == {b"Host", b"User-Agent", b"Accept-Encoding", b"Accept", b"Connection"}
    with pytest.raises(Unavailable, match="not trusted"):  # nothing of that connection is left for others
        get(http, f"{front.url}/x")
    assert http.peek(f"{front.url}/away", **NAMED)[0] == 302


@pytest.mark.parametrize("url", ["https://localhost/?a=b", "https://localhost/#a", "https://ada@localhost/", "https://ada:pw@localhost/", "ftp://localhost/",
                                 "file:///etc/passwd"])
def test_a_look_refuses_addresses_that_carry_something(url):
    gate = Gate()
    with pytest.raises(ValueError):
        GatedHttp(lambda: gate).peek(url, **NAMED)
    assert not gate.asked


def test_a_look_takes_neither_body_nor_headers_and_asks_the_gate(front):
    http = GatedHttp(lambda: Gate(allowed=False))
    for more in ({"json": {}}, {"headers": {}}, {"data_type": "heartbeat"}, {"method": "POST"}):
        with pytest.raises(TypeError):
            http.peek(front.url, **NAMED, **more)
    with pytest.raises(Blocked):
        http.peek(front.url, **NAMED)
    assert not front.seen
