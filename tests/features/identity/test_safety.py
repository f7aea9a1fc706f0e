"""Events, known devices, sessions that end at once, and throttling that locks nobody out for good."""

import random
import threading

import pytest
from unibos.features.identity import passwords
from unibos.features.identity.agents import device_name
from unibos.features.identity.bell import Told
from unibos.features.identity.models import Session, Throttle, User
from unibos.features.identity.safety_models import KnownDevice, SecurityEvent
from unibos.features.identity.throttle import CEILING, window_of
from unibos.kernel import sockets
from unibos.kernel.actors import Actor
from unibos.kernel.errors import NotFound, Throttled, Unauthenticated
from unibos.kernel.words import T

from tests.conftest import PASSWORD, claim
from tests.features.identity.test_factor_web import LOGIN, form
from tests.stack import wait_for

ADA = {"email": "ada@example.org", "password": PASSWORD}
AUTH = "/api/v1/auth/"
DAY = 86400


@pytest.fixture
def box(hub):
    hub.identity = hub.services["identity"]
    hub.ada = hub.identity.create("ada@example.org", PASSWORD, "Ada")
    hub.events = hub.identity.events
    return hub


@pytest.fixture(params=["hub", "node"])
def web(request):
    built = request.getfixturevalue(f"{request.param}_web")
    built.login = LOGIN[request.param]
    built.token = {"Authorization": f"Bearer {claim(built)}"}
    return built


def cheap(monkeypatch):
    """Passwords that cost nothing: what is asked here is how often one may try."""
    monkeypatch.setattr(passwords, "matches", lambda stored, password: bool(stored) and password == PASSWORD)
    monkeypatch.setattr(passwords, "stale", lambda stored: False)


# Throttling.

def test_windows_double_up_to_the_ceiling():
    assert [window_of(level, 60, 900) for level in range(7)] == [60, 120, 240, 480, 900, 900, 900]
    assert window_of(50, 60, 0) == 60 and window_of(10**6, 60, 900) == 900


def test_full_windows_grow_and_a_quiet_time_shrinks_them(box):
    waits = []
    for _ in range(7):
        for _ in range(5):
            box.identity.throttle("k", ceiling=CEILING)
        with pytest.raises(Throttled) as told:
            box.identity.throttle("k", ceiling=CEILING)
        waits.append(round(told.value.retry_after))
        box.clock.advance(told.value.retry_after)
    assert waits == [60, 120, 240, 480, 900, 900, 900]
    box.clock.advance(3 * CEILING)
    box.identity.throttle("k", ceiling=CEILING)
    assert Throttle.get(Throttle.key == "k").level == 0


def test_of_many_tries_at_once_five_count(box):
    passed, threads = [], []

    def one():
        try:
            box.identity.throttle("k")
            passed.append(1)
        except Throttled:
            pass
        finally:
            box.kit.db.release()

    for _ in range(12):
        threads.append(threading.Thread(target=one))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 5


def test_a_counter_that_is_forgotten_at_the_same_moment_refuses_nobody(box):
    """Of four right ones at once none is told to wait, whoever has it forgotten when."""
    refused, threads = [], []

    def one():
        try:
            for _ in range(15):
                box.identity.throttle("k")
                box.identity.forgive("k")
        except Throttled as error:
            refused.append(error)
        finally:
            box.kit.db.release()

    for _ in range(4):
        threads.append(threading.Thread(target=one))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []


def test_who_hammers_an_account_for_a_day_from_everywhere_keeps_its_owner_out_of_nothing(hub_web, monkeypatch):
    """Ada's own browser gets in at her first try, at any time of that day; a new one has to wait for a quarter of an hour at most."""
    web, chance = hub_web, random.Random(5)
    claim(web)
    cheap(monkeypatch)
    web.db.peewee.execute_sql("PRAGMA synchronous=0")  # some thousand commits
    me = web.services["identity"]
    browser = web.app.test_client()
    assert form(web, browser, "/login/", **ADA).status_code == 303
    guessed, longest = 0, 0.0
    for quarter in range(96):
        address = f"203.0.113.{chance.randrange(256)}"
        while True:
            try:
                me.check_password(ADA["email"], "guess", address, "not her device")
            except Unauthenticated:
                guessed += 1
            except Throttled as told:
                longest = max(longest, told.retry_after)
                break
        if quarter % 8 == 0:
            assert browser.get("/settings/").status_code == 200
            again = web.app.test_client()
            again.set_cookie("unibos-hub-device", browser.get_cookie("unibos-hub-device").value)
            assert form(web, again, "/login/", **ADA).status_code == 303
            with pytest.raises(Throttled):
                me.check_password(ADA["email"], PASSWORD, "192.168.1.7")
        web.clock.advance(900)
    assert 96 <= guessed <= 96 * 5 and longest <= CEILING
    # A second channel is none of the throttled ones: the console's code.
    web.services["identity"].resets.reset(me.resets.make(User.get().id, "console"), "another four words", "198.51.100.1")


def test_a_known_device_has_tries_of_its_own_and_an_unknown_one_of_anybody_has_none(box, monkeypatch):
    cheap(monkeypatch)
    device = box.identity.devices.arrive(box.ada, "", "a", "x")
    bo = box.identity.create("bo@example.org", PASSWORD, "Bo")
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            box.identity.check_password("ada@example.org", "wrong", "a", device)
    with pytest.raises(Throttled):
        box.identity.check_password("ada@example.org", PASSWORD, "z", device)
    assert box.identity.check_password("ada@example.org", PASSWORD, "b").id == box.ada.id
    assert box.identity.devices.known(bo.id, device) == "" and box.identity.devices.known(box.ada.id, "") == ""


def test_who_is_logged_in_proves_themselves_whatever_others_try(box, monkeypatch):
    cheap(monkeypatch)
    for n in range(6):
        with pytest.raises((Unauthenticated, Throttled)):
            box.identity.check_password("ada@example.org", "guess", f"10.0.0.{n}")
    box.identity.factors.prove(box.ada.id, "10.0.0.1", password=PASSWORD)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            box.identity.factors.prove(box.ada.id, "10.0.0.1", password="guess")
    with pytest.raises(Throttled):
        box.identity.factors.prove(box.ada.id, "10.0.0.2", password=PASSWORD)


def test_all_strangers_together_are_bounded(box, monkeypatch):
    cheap(monkeypatch)
    outcomes = []
    for n in range(130):
        try:
            box.identity.check_password(f"x{n}@example.org", "wrong", f"10.0.0.{n}")
        except Throttled:
            outcomes.append("slow")
        except Unauthenticated:
            outcomes.append("wrong")
    assert outcomes.count("wrong") == 120


def test_a_hash_of_older_parameters_is_made_anew_at_login(box):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    User.update(password_hash=weak).execute()
    with pytest.raises(Unauthenticated):
        box.identity.check_password("ada@example.org", "wrong", "a")
    assert User.get().password_hash == weak
    box.identity.check_password("ada@example.org", PASSWORD, "a")
    fresh = User.get().password_hash
    assert fresh != weak and not passwords.stale(fresh) and passwords.matches(fresh, PASSWORD) and not passwords.stale("not a hash")


# Devices.

@pytest.mark.parametrize(("agent", "name"), [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0", "Edge on Windows"),
    ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36", "Chrome on Android"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari on Mac"),
    ("curl/8.5.0", "curl"), ("python-requests/2.32", "python-requests"), ("", "An unknown program"), ("Mozilla/5.0", "An unknown program"),
    ("<script>alert(1)</script>", "An unknown program"), ("%s%(x)s/1", "An unknown program"), ("x" * 9999, "An unknown program"), ("Firefox/1 %d", "Firefox")])
def test_user_agents_are_said_in_words(agent, name):
    assert str(device_name(agent)) == name


def test_a_new_device_is_told_and_a_known_one_is_not(web):
    first, second = web.app.test_client(), web.app.test_client()
    assert form(web, first, "/login/", **ADA).status_code == 303
    assert SecurityEvent.select().count() == 0  # the first device of an account is where it was made
    assert form(web, second, "/login/", **ADA).status_code == 303
    assert [row.kind for row in SecurityEvent.select()] == ["new-device"]
    cookie = second.get_cookie(f"unibos-{web.kit.role}-device")
    assert cookie.http_only and cookie.same_site == "Lax" and len(cookie.value) == 64 and cookie.value not in str(list(KnownDevice.select().dicts()))
    program = web.app.test_client()
    program.set_cookie(cookie.key, cookie.value)
    assert program.post(web.login, json=ADA, environ_base={"REMOTE_ADDR": "10.1.1.1"}).status_code == 200
    assert [row.kind for row in SecurityEvent.select().order_by(SecurityEvent.id)] == ["new-device", "new-login"]
    for _ in range(25):
        web.services["identity"].devices.arrive(User.get(), "", "a", "x")
    assert KnownDevice.select().count() == 20


# Events.

def test_events_are_kept_bounded_shown_and_marked(box):
    other = box.identity.create("bo@example.org", PASSWORD, "Bo")
    box.events.note(other.id, "token-reused", T("Another's."))
    for n in range(205):
        box.events.note(box.ada.id, "new-login", T("Number %(n)s.", n=n), address="a")
    rows = box.events.list(box.ada.id)
    assert len(rows) == 200 and box.events.unread(box.ada.id) == 200 and box.events.unread(other.id) == 1
    assert [row.id for row in box.events.list(box.ada.id, since=rows[3].id)] == [row.id for row in rows[:3]]
    box.events.seen(box.ada.id, rows[10].id)
    assert box.events.unread(box.ada.id) == 10 and box.events.unread(other.id) == 1
    box.clock.advance(181 * DAY)
    assert "forgot" in box.identity.tidy() and SecurityEvent.select().count() == 0


def test_an_event_in_a_transaction_that_fails_did_not_happen(box):
    heard = []
    box.kit.bus.publish = lambda channel, message: heard.append(channel)
    with pytest.raises(ZeroDivisionError), box.kit.db.transaction():
        box.events.note(box.ada.id, "new-login", T("x"))
        raise ZeroDivisionError
    assert heard == [] and box.events.list(box.ada.id) == []


def test_a_token_used_twice_and_an_ended_session_are_told_to_their_person(web):
    got = web.client.post(web.login, json=ADA).json
    refresh = f"{AUTH}refresh/"
    assert web.client.post(refresh, json={"refresh_token": got["refresh_token"]}).status_code == 200
    assert web.client.post(refresh, json={"refresh_token": got["refresh_token"]}).status_code == 401
    told = web.client.get(f"{AUTH}events/", headers=web.token, query_string={"since": 0}).json
    assert told["unread"] == 1 and told["items"][0]["kind"] == "token-reused" and "used twice" in told["items"][0]["text"]
    turkish = web.client.get(f"{AUTH}events/", headers={**web.token, "Accept-Language": "tr"}).json
    assert turkish["items"][0]["text"] != told["items"][0]["text"]
    assert web.client.post(f"{AUTH}events/seen/", json={"upto": told["items"][0]["id"]}, headers=web.token).status_code == 204
    assert web.client.get(f"{AUTH}events/", headers=web.token).json["unread"] == 0
    for since in ("x", "-1", str(2**70), ""):
        assert web.client.get(f"{AUTH}events/?since={since}", headers=web.token).status_code == 400
    assert web.client.post(f"{AUTH}events/seen/", json={"upto": 10**30}, headers=web.token).status_code == 400


class Client:
    """The end of a socket, as the fan-out sees it."""

    def __init__(self, session=""):
        self.sent, self.closed, self.actor, self.kit = [], None, Actor("person", "u", session_id=session), None

    def send(self, message):
        self.sent.append(message)
        return True

    def close(self, code, reason):
        self.closed = code


def test_a_socket_gets_each_event_once_and_in_order(box):
    client = Client()
    told = Told(client, lambda event: {"id": event["id"]})
    leave = box.identity.fan.join(box.ada.id, told.hear)
    wait_for(lambda: len(box.kit.bus._listeners) == 1)
    ids = []
    for _ in range(3):
        box.events.note(box.ada.id, "new-login", T("x"))
        ids.append(SecurityEvent.select().order_by(SecurityEvent.id.desc()).first().id)
    box.events.note("somebody else", "new-login", T("x"))
    wait_for(lambda: len(told._early) == 3)
    told.catch_up([{"id": i} for i in ids[1:]], ids[0])
    assert [message["id"] for message in client.sent] == ids[1:]
    box.events.note(box.ada.id, "new-login", T("x"))
    wait_for(lambda: len(client.sent) == 3)
    leave()


# Sessions.

def test_sessions_are_listed_by_device_and_ended_one_by_one_or_all_others(web):
    for agent in ("curl/8", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"):
        web.client.post(web.login, json=ADA, headers={"User-Agent": agent})
    items = web.client.get(f"{AUTH}sessions/", headers=web.token).json["items"]
    assert {item["device"] for item in items} >= {"curl", "Firefox on Linux"} and [item["current"] for item in items].count(True) == 1
    curl = next(item for item in items if item["device"] == "curl")
    assert web.client.delete(f"{AUTH}sessions/{curl['id']}/", headers=web.token).status_code == 204
    assert web.client.delete(f"{AUTH}sessions/{curl['id']}/", headers=web.token).status_code == 404
    assert web.client.delete(f"{AUTH}sessions/%00/", headers=web.token).status_code == 404
    assert web.client.post(f"{AUTH}sessions/end-others/", headers=web.token).json == {"ended": 1}
    assert [item["current"] for item in web.client.get(f"{AUTH}sessions/", headers=web.token).json["items"]] == [True]


def test_the_login_says_why_the_session_before_it_ended(web):
    browser = web.app.test_client()
    assert form(web, browser, "/login/", **ADA).status_code == 303
    mine = [item["id"] for item in web.client.get(f"{AUTH}sessions/", headers=web.token).json["items"] if not item["current"]]
    assert web.client.delete(f"{AUTH}sessions/{mine[0]}/", headers=web.token).status_code == 204
    assert browser.get("/settings/").status_code == 303
    assert "ended from another device" in browser.get("/login/").text
    assert form(web, browser, "/login/", **ADA).status_code == 303 and browser.get("/settings/").status_code == 200
    assert "another device" not in web.app.test_client().get("/login/").text


def test_a_login_makes_a_new_session_and_ends_the_one_that_this_browser_had(web):
    browser = web.app.test_client()
    assert form(web, browser, "/login/", **ADA).status_code == 303
    first = browser.get_cookie(f"unibos-{web.kit.role}").value
    assert form(web, browser, "/settings/account/", do="seen", upto=0).status_code == 303
    token = browser.get("/settings/").text.split('name="_csrf" value="')[1].split('"')[0]
    assert browser.post("/login/", data={**ADA, "_csrf": token}).status_code == 303
    assert browser.get_cookie(f"unibos-{web.kit.role}").value != first
    assert web.services["identity"].by_cookie(first).kind == "nobody"
    assert Session.get(Session.ended_by == "again")


def test_a_session_lasts_no_longer_than_the_setting_however_much_it_is_used(box):
    got = box.identity.tokens(box.ada, "a", "x")
    _session, cookie = box.identity.open_session(box.ada, "browser", "a", "x")
    for _ in range(60 // 6 - 1):
        box.clock.advance(6 * DAY)
        assert box.identity.by_cookie(cookie).kind == "person"
        got = box.identity.refresh(got["refresh_token"])
    box.clock.advance(6 * DAY + 1)
    assert box.identity.by_cookie(cookie).kind == "nobody"
    with pytest.raises(Unauthenticated):
        box.identity.refresh(got["refresh_token"])
    box.clock.advance(31 * DAY)
    box.identity.tidy()
    assert Session.select().count() == 0


def test_open_sockets_of_an_ended_session_are_closed_by_the_bus_and_of_a_disabled_person_too(box, monkeypatch):
    session, _secret = box.identity.open_session(box.ada, "browser", "a", "x")
    other, _secret = box.identity.open_session(box.ada, "browser", "a", "x")
    mine, theirs, nobody = Client(session.id), Client(other.id), Client()
    monkeypatch.setattr(sockets, "_open", {mine, theirs, nobody})
    monkeypatch.setattr(sockets, "_watched", set())
    sockets.watch(box.kit, box.identity)
    wait_for(lambda: len(box.kit.bus._listeners) == 1)
    box.identity.close_session(session.id, box.ada.id)
    wait_for(lambda: mine.closed == 4401, 1)
    assert theirs.closed is None
    with pytest.raises(NotFound):
        box.identity.close_session(session.id, box.ada.id)
    assert box.identity.alive([session.id, other.id]) == {other.id}
    User.update(disabled_at=box.clock.now()).execute()
    assert box.identity.alive([other.id]) == set()
    box.identity.end_sessions(box.ada.id, why="disabled")
    wait_for(lambda: theirs.closed == 4401, 1)
    assert nobody.closed is None
