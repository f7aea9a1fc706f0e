"""Forgotten, changed and handed-over passwords, proven addresses, and the mail that goes with them."""

import re

import pytest
from unibos.adapters.memory.mail import MemoryMail
from unibos.features.identity import passwords
from unibos.features.identity.models import User
from unibos.features.identity.safety_models import OneTime, SecurityEvent
from unibos.kernel.errors import Conflict, Invalid, Throttled, Unauthenticated
from unibos.kernel.jobs import AGENT, Job

from tests.conftest import PASSWORD, claim
from tests.features.identity.test_factor_web import LOGIN, code, enrol, form

NEW = "another four words"
AUTH = "/api/v1/auth/"


def deliver(built):
    """Do what the agent does: every mail job that is due."""
    heard = []
    built.kit.bus.publish, before = lambda channel, message: heard.append((channel, message)), built.kit.bus.publish
    for _ in range(4):
        heard.clear()
        built.kit.jobs.dispatch()
        for channel, message in list(heard):
            if channel == "agent-jobs":
                built.kit.jobs.run(message["job"], message["attempt"], "agent", built.services)
    built.kit.bus.publish = before
    return built.kit.mail.sent


def code_of(letter):
    return re.search(r"(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}", letter.text)[0]


@pytest.fixture
def box(hub):
    """A hub on either database with mail, and Ada, whose address is proven."""
    hub.kit.mail = MemoryMail(lambda: hub.kit.gate)
    hub.identity = hub.services["identity"]
    hub.resets, hub.ada = hub.identity.resets, hub.identity.create("ada@example.org", PASSWORD, "Ada")
    hub.resets.keep(hub.ada.id, verified_email="ada@example.org", verified_at=hub.clock.now())
    return hub


def test_a_forgotten_password_is_set_anew_by_a_mailed_code_once(box):
    _session, cookie = box.identity.open_session(box.ada, "browser", "a", "x")
    known = box.identity.devices.arrive(box.ada, "", "a", "x")
    box.resets.forgot("ADA@example.org ", "a", "https://box.local")
    letters = deliver(box)
    assert [letter.to for letter in letters] == ["ada@example.org"] and f"https://box.local/password/reset/#code={code_of(letters[0])}" in letters[0].text
    secret = code_of(letters[0])
    with pytest.raises(Invalid):
        box.resets.reset(secret, "short", "a")
    assert box.resets.reset(secret.lower().replace("-", " "), NEW, "a").id == box.ada.id
    assert box.identity.by_cookie(cookie).kind == "nobody" and str(box.identity.why_ended(cookie)).startswith("The password of this account was changed")
    assert box.identity.devices.known(box.ada.id, known) == ""
    assert box.identity.log_in("ada@example.org", NEW, "b").id == box.ada.id
    with pytest.raises(Unauthenticated):
        box.identity.log_in("ada@example.org", PASSWORD, "b")
    with pytest.raises(Unauthenticated, match="used already"):
        box.resets.reset(secret, PASSWORD, "b")
    assert [row.kind for row in box.identity.events.list(box.ada.id)] == ["password-changed"]
    assert "password of your account was changed" in deliver(box)[-1].text


def test_nothing_tells_whether_an_address_is_known(box):
    """The same row is written for each; who it is for is found out by the agent."""
    rows = []
    for address in ("ada@example.org", "nobody@example.org"):
        box.resets.forgot(address, address, "")
        job = Job.select().order_by(Job.created_at.desc(), Job.id).first() if box.kit.db.kind == "sqlite" else None
        rows.append(job and (job.type, set(job.payload), job.subject, job.actor_id))
    assert rows[0] == rows[1]
    assert [letter.to for letter in deliver(box)] == ["ada@example.org"]


@pytest.mark.parametrize("change", [{"email": "eve@example.org"}, {"disabled_at": 1}])
def test_an_address_that_is_not_proven_or_a_person_who_is_disabled_gets_none(box, change):
    User.update(**change).execute()
    box.resets.forgot(change.get("email", "ada@example.org"), "a", "")
    assert deliver(box) == []


def test_a_code_ends_after_an_hour_and_a_newer_one_ends_it(box):
    first = box.resets.make(box.ada.id, "console")
    second = box.resets.make(box.ada.id, "console")
    with pytest.raises(Unauthenticated):
        box.resets.reset(first, NEW, "a")
    box.clock.advance(3601)
    with pytest.raises(Unauthenticated):
        box.resets.reset(second, NEW, "a")
    third = box.resets.make(box.ada.id, "console")
    assert third not in str(list(OneTime.select().dicts()))
    with pytest.raises(Unauthenticated):
        box.resets.confirm(third, "a")  # nor for another purpose
    User.update(disabled_at=box.clock.now()).execute()
    with pytest.raises(Unauthenticated):
        box.resets.reset(third, NEW, "a")


def test_guessing_and_mailing_are_throttled(box):
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            box.resets.reset("AAAA", NEW, "a")
    with pytest.raises(Throttled):
        box.resets.reset(box.resets.make(box.ada.id, "console"), NEW, "a")
    for _ in range(3):
        box.resets.forgot("ada@example.org", "b", "")
    with pytest.raises(Throttled):
        box.resets.forgot("ada@example.org", "c", "")


def test_without_mail_it_says_what_to_do_instead(box):
    box.kit.mail = None
    for ask in (lambda: box.resets.forgot("ada@example.org", "a", ""), lambda: box.resets.request(box.ada.id, "")):
        with pytest.raises(Conflict, match="console"):
            ask()
    box.identity.events.note(box.ada.id, "token-reused", passwords.T("x"))  # and telling is no error


def test_the_mail_is_sealed_in_its_job_and_stopped_by_the_kill_switch(box):
    box.resets.forgot("ada@example.org", "a", "")
    with box.kit.db.tenant(box.services["orgs"].home_id()):
        job = Job.get()
        assert job.queue == AGENT and set(job.payload) == {"sealed"} and "ada" not in str(job.payload)
    assert box.identity.mailer.unseal(job.payload["sealed"])["email"] == "ada@example.org"
    flipped = ("1" if job.payload["sealed"][0] == "0" else "0") + job.payload["sealed"][1:]
    with pytest.raises(Invalid):
        box.identity.mailer.unseal(flipped)
    box.services["export"].kill(True)
    assert deliver(box) == []
    with box.kit.db.tenant(box.services["orgs"].home_id()):
        assert "failed" in {j.state for j in Job.select()}


def test_a_mail_server_that_is_away_is_asked_again(box):
    box.kit.mail.down = True
    box.resets.forgot("ada@example.org", "a", "")
    assert deliver(box) == []
    box.kit.mail.down = False
    box.clock.advance(15)
    assert len(deliver(box)) == 1


def test_an_address_is_proven_by_its_mail(box):
    box.resets.keep(box.ada.id, verified_email="", verified_at=None)
    box.resets.request(box.ada.id, "https://box.local")
    secret = code_of(deliver(box)[0])
    with pytest.raises(Unauthenticated):
        box.resets.reset(secret, NEW, "a")
    assert box.resets.confirm(secret, "b").id == box.ada.id and box.resets.verified(box.ada)
    with pytest.raises(Conflict):
        box.resets.request(box.ada.id, "")
    with pytest.raises(Unauthenticated):
        box.resets.confirm(secret, "b")


# Through the doors.

@pytest.fixture
def web(hub_web):
    hub_web.kit.mail, hub_web.login = MemoryMail(), LOGIN["hub"]
    hub_web.token = {"Authorization": f"Bearer {claim(hub_web)}"}
    return hub_web


def test_a_reset_does_not_pass_by_the_second_step(web):
    secret, _codes = enrol(web)
    me = web.services["identity"]
    user = User.get()
    assert web.client.post(f"{AUTH}password/reset/", json={"code": me.resets.make(user.id, "console"), "password": NEW}).status_code == 204
    needed = web.client.post(web.login, json={"email": "ada@example.org", "password": NEW})
    assert needed.json["type"] == "urn:unibos:problem:factor-needed"
    assert web.client.post(f"{web.login}factor/", json={"challenge": needed.json["challenge"], "code": code(web, secret)}).status_code == 200


def test_changing_it_asks_for_the_old_one_and_keeps_this_session(web):
    other = web.client.post(web.login, json={"email": "ada@example.org", "password": PASSWORD}).json["token"]
    for body, status in (({"new": NEW}, 400), ({"password": "wrong", "new": NEW}, 401), ({"password": PASSWORD, "new": "short"}, 400),
                         ({"password": PASSWORD, "new": NEW}, 204)):
        assert web.client.post(f"{AUTH}password/", json=body, headers=web.token).status_code == status, body
    assert web.client.get(f"{AUTH}whoami/", headers=web.token).status_code == 200
    assert web.client.get(f"{AUTH}whoami/", headers={"Authorization": f"Bearer {other}"}).status_code == 401


def test_the_api_answers_the_same_for_any_address_and_links_are_never_to_an_address_of_the_asker(web):
    answers = [web.client.post(f"{AUTH}password/forgot/", json={"email": e}, base_url="http://6.6.6.6") for e in ("ada@example.org", "x@example.org")]
    assert [(a.status_code, a.json) for a in answers] == [(202, {"accepted": True})] * 2
    web.services["identity"].resets.keep(User.get().id, verified_email="ada@example.org")
    letters = deliver(web)
    assert len(letters) == 1 and "6.6.6.6" not in letters[0].text and "http" not in letters[0].text
    web.clock.advance(61)
    web.client.post(f"{AUTH}password/forgot/", json={"email": "ada@example.org"}, base_url="https://box.local")
    assert "https://box.local/password/reset/#code=" in deliver(web)[-1].text


def test_an_admin_makes_a_link_for_people_of_the_same_organisation_and_no_higher_rank(web):
    from unibos.features.orgs.models import Member

    people, org = web.services["identity"], web.services["orgs"].home_id()
    for name, role in (("bo", "member"), ("cy", "admin")):
        user = people.create(f"{name}@example.org", PASSWORD, name)
        Member.create(id=name, organisation_id=org, user_id=user.id, role=role, joined_at=web.clock.now())
    stranger = people.create("dee@example.org", PASSWORD, "Dee")
    ids = {u.email[:2].rstrip("a"): u.id for u in User.select()}
    token = {n: {"Authorization": "Bearer " + people.tokens(User.get(User.email == f"{n}@example.org"), "", "")["token"]} for n in ("bo", "cy", "ada")}
    link = f"{AUTH}password/link/"
    assert web.client.post(link, json={"user_id": ids["bo"]}, headers=token["bo"]).status_code == 403
    ada = User.get(User.email == "ada@example.org").id
    assert web.client.post(link, json={"user_id": ada}, headers=token["cy"]).status_code == 404
    assert web.client.post(link, json={"user_id": stranger.id}, headers=token["ada"]).status_code == 404
    assert web.client.post(link, json={"user_id": "\0"}, headers=token["ada"]).status_code == 400
    made = web.client.post(link, json={"user_id": ids["bo"]}, headers=token["cy"], base_url="https://box.local")
    assert made.status_code == 201 and made.json["link"] == f"https://box.local/password/reset/#code={made.json['code']}"
    assert SecurityEvent.get(SecurityEvent.user_id == ids["bo"]).kind == "reset-made"
    assert web.client.post(f"{AUTH}password/reset/", json={"code": made.json["code"], "password": NEW}).status_code == 204
    assert people.log_in("bo@example.org", NEW, "z").id == ids["bo"]


def test_the_pages_do_it_too(web):
    browser = web.app.test_client()
    shown = browser.get("/password/forgot/").text
    assert "Mail me a code" in shown and "/password/forgot/" in browser.get("/login/").text
    web.services["identity"].resets.keep(User.get().id, verified_email="ada@example.org")

    def send(path, **values):
        token = browser.get("/login/").text.split('name="_csrf" value="')[1].split('"')[0]
        return browser.post(path, data={**values, "_csrf": token})

    assert "a mail is under way" in send("/password/forgot/", email="ada@example.org").text
    secret = code_of(deliver(web)[0])
    wrong = send("/password/reset/", code=secret, password="short")
    assert wrong.status_code == 400 and secret in wrong.text and "Too short" in wrong.text
    assert send("/password/reset/", code=secret, password=NEW).headers["Location"] == "/login/"
    assert form(web, browser, "/login/", email="ada@example.org", password=NEW).status_code == 303
    web.kit.mail = None
    shown = browser.get("/password/forgot/").text
    assert "sends no mail" in shown and "recover name@example.org --password" in shown and "UNIBOS_SMTP_URL" in browser.get("/settings/account/").text
