"""What the attached screen says in each state, that it fits, and that the QR code is the one of the link."""

from __future__ import annotations

import http.server
import os
import socket
import socketserver
import subprocess
import threading
import unicodedata

import pytest
import segno
from unibos.adapters import redis_server, system
from unibos.kernel.errors import StartError
from unibos.profiles import screen
from unibos.profiles.screen import Look, State, lines, link, qr, render
from unibos.wire.provision import Fault

PRINT = ":".join(f"{n:02X}" for n in range(32))
UNCLAIMED = State("kitchen", ("192.168.1.20", "fd00::5"), PRINT, (("node", "7K3F-9QXW-M2TD"),))
STATES = {
    "unclaimed": UNCLAIMED,
    "claimed": State("kitchen", ("192.168.1.20",), PRINT),
    "no-network": State("kitchen", (), PRINT, UNCLAIMED.codes),
    "starting": State("kitchen", ("192.168.1.20",), "", UNCLAIMED.codes, phase="starting"),
    "down": State("kitchen", ("192.168.1.20",), PRINT, phase="down"),
    "refused": State("kitchen", (), faults=tuple(Fault("unknown-key", f"key{n}") for n in range(12))),
    "two": State("kitchen", ("192.168.1.20",), PRINT, (("node", "AAAA-BBBB-CCCC"), ("hub", "DDDD-EEEE-FFFF")), ("node", "hub")),
}


def test_an_unclaimed_box_says_where_it_is_its_code_and_its_certificate():
    said = lines(UNCLAIMED)
    assert said[0] == f"UNIBOS {UNCLAIMED.version} · kitchen"
    assert said[2:5] == ["https://kitchen.local", "https://192.168.1.20", "https://[fd00::5]"] and "7K3F-9QXW-M2TD" in said
    assert said[-2:] == ["0001 0203 0405 0607 0809 0A0B 0C0D 0E0F", "1011 1213 1415 1617 1819 1A1B 1C1D 1E1F"]


def test_a_claimed_box_is_brief_and_shows_no_code():
    said = lines(STATES["claimed"])
    assert said[-1] == "This box has an owner. Open it in a browser." and not any("0001" in line for line in said) and link(STATES["claimed"]) == ""


def test_without_a_network_it_says_what_to_do_and_shows_no_address():
    said = "\n".join(lines(STATES["no-network"]))
    assert "network cable" in said and "unibos.toml" in said and "https://" not in said and "7K3F" not in said


@pytest.mark.parametrize(("name", "words"), [("starting", "UNIBOS is starting."), ("down", "UNIBOS does not answer.")])
def test_what_does_not_answer_is_no_place_to_type_a_code(name, words):
    said = "\n".join(lines(STATES[name]))
    assert words in said and "7K3F" not in said and link(STATES[name]) == ""


def test_a_refused_file_says_each_fault_up_to_a_number():
    said = lines(STATES["refused"])
    assert said[2].startswith("The file unibos.toml cannot be used") and said[3] == "- There is no key key0. Take the line out."
    assert said[11] == "- Faults not shown here: 4"


def test_two_roles_have_two_names_and_two_codes():
    said = lines(STATES["two"])
    assert "https://kitchen.local" in said and "https://hub-kitchen.local" in said
    assert "kitchen.local  AAAA-BBBB-CCCC" in said and "hub-kitchen.local  DDDD-EEEE-FFFF" in said


@pytest.mark.parametrize("name", STATES)
def test_in_turkish_nothing_is_left_in_english(name):
    english, turkish = lines(STATES[name]), lines(State(**{**STATES[name].__dict__, "language": "tr"}))
    assert len(english) == len(turkish)
    assert not [line for line in set(english) & set(turkish) if " " in line and "UNIBOS " not in line and line[:4] not in ("0001", "1011") and ".local  " not in line]


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("size", [(240, 67), (128, 48), (100, 37), (80, 50), (80, 25), (53, 20), (40, 12)])
def test_every_state_fits_every_screen(name, language, size):
    columns, rows = size
    text = render(State(**{**STATES[name].__dict__, "language": language}), columns, rows)
    found = text.split("\n")
    assert found[-1] == "" and len(found) - 1 < rows and max(map(len, found)) < columns
    assert not any(unicodedata.east_asian_width(c) in "WF" or (c != "\n" and not c.isprintable()) for c in text)


def test_the_qr_code_is_there_where_it_fits_beside_or_below():
    code = qr(link(UNCLAIMED))
    beside, below, neither = render(UNCLAIMED, 128, 48), render(UNCLAIMED, 80, 50), render(UNCLAIMED, 80, 25)
    assert all(any(row.rstrip() in line for line in beside.split("\n")) for row in code) and beside.split("\n")[0].startswith("UNIBOS")
    assert "\n".join(code) in below and "█" not in neither and "7K3F-9QXW-M2TD" in neither


def test_the_qr_code_says_the_link_in_modules_that_a_camera_reads():
    content = link(UNCLAIMED)
    assert content == f"https://kitchen.local/#claim=7K3F-9QXW-M2TD&sha256={PRINT.replace(':', '')}"
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    drawn = [[halves[c][half] for c in row] for row in qr(content) for half in (0, 1)]
    border, matrix = screen.BORDER, segno.make(content, error="l", micro=False, boost_error=False).matrix
    side = len(matrix)
    assert [row[border:border + side] for row in drawn[border:border + side]] == [list(row) for row in matrix]
    assert not any(sum(row) for row in drawn[:border] + drawn[border + side:]) and all(not row[0] and not row[-1] for row in drawn)


def test_nothing_of_a_name_or_a_fault_moves_the_cursor():
    hostile = State("k\x1b[2J", ("192.168.1.20",), "", (("node", "\x1b]0;x\x07"),), faults=(Fault("hostname", "hostname", "\u202eevil\x9b"),))
    assert not any(c != "\n" and not c.isprintable() for c in render(hostile, 80, 40))


def test_it_is_drawn_only_when_something_changed():
    states = iter([UNCLAIMED, UNCLAIMED, STATES["claimed"], STATES["claimed"]])
    written, left = [], iter([True, True, True, False])
    screen.run(lambda: next(states), written.append, lambda: (80, 25), lambda: next(left))
    assert [text.startswith(screen.CLEAR) for text in written] == [True, True] and "7K3F" in written[0] and "7K3F" not in written[1]


def test_a_screen_that_was_made_larger_is_drawn_again():
    sizes, written, left = iter([(80, 25), (128, 48)]), [], iter([True, False])
    screen.run(lambda: UNCLAIMED, written.append, lambda: next(sizes), lambda: next(left))
    assert len(written) == 2 and "█" in written[1]


class Health(http.server.BaseHTTPRequestHandler):
    """What the web process says of its health."""

    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}')

    def address_string(self):
        return "socket"

    def log_message(self, *_):
        pass


@pytest.fixture
def look(tmp_path):
    data = tmp_path / "data"
    (data / "node").mkdir(parents=True)
    made = Look({"UNIBOS_DATA_DIR": str(data)}, tmp_path, tmp_path / "leaf")
    made.data, made.root = data, tmp_path
    return made


def test_the_state_is_found_in_files_and_by_asking(look):
    state = look()
    assert (state.phase, state.codes, state.roles, state.fingerprint, state.name) == ("starting", (), ("node",), "", system.hostname())
    (look.data / "node/claim-code").write_text("7K3F-9QXW-M2TD\n")
    (look.root / "var/lib/unibos-appliance").mkdir(parents=True)
    (look.root / "var/lib/unibos-appliance/choices.json").write_text('{"language": "tr"}')
    place = redis_server.socket_path(look.data, "node-control")
    with socketserver.UnixStreamServer(str(place), Health) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        state = look()
        server.shutdown()
        thread.join()
    assert (state.phase, state.codes, state.language) == ("up", (("node", "7K3F-9QXW-M2TD"),), "tr")
    assert look().phase == "down", "what has answered is not starting"


def test_a_start_that_takes_too_long_is_no_start(look, monkeypatch):
    monkeypatch.setattr(screen, "STARTING", 0.0)
    assert look().phase == "down"


def test_a_claim_code_that_may_not_be_read_is_not_taken_for_a_claimed_box(look):
    (look.data / "node/claim-code").mkdir()
    with pytest.raises(StartError, match="claim-code"):
        look()


def test_addresses_are_this_machines_and_none_of_loopback():
    assert not {"127.0.0.1", "::1"} & set(system.addresses())


@pytest.mark.skipif(os.geteuid() != 0, reason="an address is added as root only")
def test_a_new_address_wakes_the_screen():
    watch = system.network_changes()
    assert isinstance(watch, socket.socket)
    system.settle(watch)
    try:
        subprocess.run(["ip", "address", "add", "192.168.213.99/32", "dev", "lo"], check=True)
        watch.settimeout(5)
        assert watch.recv(65536)
        watch.setblocking(False)
        system.settle(watch)
        with pytest.raises(BlockingIOError):
            watch.recv(1)
    finally:
        subprocess.run(["ip", "address", "del", "192.168.213.99/32", "dev", "lo"], check=False)
        watch.close()
