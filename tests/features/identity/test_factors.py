"""The second factor as a service, on both databases: on, off, logging in, and what an attacker tries."""

import base64
import logging
import threading

import pytest
from unibos.features.identity import totp
from unibos.features.identity.models import Factor, LoginChallenge, RecoveryCode
from unibos.kernel.errors import Conflict, FactorNeeded, Invalid, NotFound, Throttled, Unauthenticated

from tests.conftest import PASSWORD


class Person:
    """Somebody with an app: knows the secret and the recovery codes."""

    def __init__(self, built, email, name):
        self.built, self.identity, self.email = built, built.services["identity"], email
        self.factors = self.identity.factors
        self.user = self.identity.create(email, PASSWORD, name)
        self.session, self.cookie = self.identity.open_session(self.user, "browser", "a", "x")
        self.secret, self.codes = b"", []

    def code(self, steps=0):
        """What the app shows, `steps` from now."""
        return totp.hotp(self.secret, totp.step_at(self.built.clock.now().timestamp()) + steps)

    def wrong(self):
        """Six digits that no step near now has."""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(c for c in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777") if c not in near)

    def enrol(self):
        made = self.factors.begin(self.user.id, "a", PASSWORD)
        self.secret = base64.b32decode(made["secret"])
        self.codes = self.factors.confirm(self.user.id, self.session.id, "a", self.code())
        self.built.clock.advance(30)
        return self

    def challenge(self, address="a"):
        with pytest.raises(FactorNeeded) as asked:
            self.identity.log_in(self.email, PASSWORD, address)
        return asked.value.extra["challenge"]

    def log_in(self, code, address="a"):
        """The second step alone: the first one is slow, and `challenge` has it."""
        return self.factors.answer(self.factors.challenge(self.user).extra["challenge"], code, address)


@pytest.fixture
def built(hub):
    return hub


@pytest.fixture
def ada(built):
    return Person(built, "ada@example.org", "Ada").enrol()


def test_a_password_is_enough_until_a_first_code_confirms_the_app(built):
    ada = Person(built, "ada@example.org", "Ada")
    assert ada.factors.state(ada.user.id)["state"] == "off"
    secret = ada.factors.begin(ada.user.id, "a", PASSWORD)["secret"]
    assert ada.factors.state(ada.user.id)["state"] == "pending"
    assert ada.identity.log_in(ada.email, PASSWORD, "a").id == ada.user.id
    ada.secret = base64.b32decode(secret)
    with pytest.raises(Unauthenticated):
        ada.factors.confirm(ada.user.id, ada.session.id, "a", ada.wrong())
    assert ada.identity.log_in(ada.email, PASSWORD, "a").id == ada.user.id
    codes = ada.factors.confirm(ada.user.id, ada.session.id, "a", ada.code())
    assert len(set(codes)) == 10 and ada.factors.state(ada.user.id) | {"since": 0, "used_at": 0, "codes_at": 0} == {
        "state": "on", "since": 0, "used_at": 0, "codes_at": 0, "codes_left": 10, "clock_trusted": True, "second_step": True}
    with pytest.raises(Unauthenticated):  # the confirming code is used up too
        ada.log_in(ada.code())
    with pytest.raises(Conflict):
        ada.factors.begin(ada.user.id, "a", PASSWORD)
    with pytest.raises(Conflict):
        ada.factors.confirm(ada.user.id, ada.session.id, "a", ada.code(1))


def test_beginning_needs_the_password_and_a_key_waits_15_minutes(built):
    ada = Person(built, "ada@example.org", "Ada")
    with pytest.raises(Unauthenticated):
        ada.factors.begin(ada.user.id, "a", "wrong")
    assert Factor.select().count() == 0
    first = ada.factors.begin(ada.user.id, "a", PASSWORD)["secret"]
    ada.secret = base64.b32decode(ada.factors.begin(ada.user.id, "a", PASSWORD)["secret"])
    assert base64.b32decode(first) != ada.secret
    built.clock.advance(901)
    with pytest.raises(Conflict):
        ada.factors.confirm(ada.user.id, ada.session.id, "a", ada.code())
    assert ada.factors.state(ada.user.id)["state"] == "off"


def test_turning_it_on_ends_the_sessions_that_a_password_alone_opened(built):
    ada = Person(built, "ada@example.org", "Ada")
    _other, cookie = ada.identity.open_session(ada.user, "browser", "b", "y")
    program = ada.identity.tokens(ada.user, "b", "z")
    ada.enrol()
    assert ada.identity.by_cookie(ada.cookie).id == ada.user.id and ada.identity.by_cookie(cookie).kind == "nobody"
    for use, secret in ((ada.identity.refresh, program["refresh_token"]), (ada.identity.by_token, program["token"])):
        with pytest.raises(Unauthenticated):
            use(secret)


def test_password_then_code_lets_in(ada):
    assert ada.factors.answer(ada.challenge(), ada.code(), "a").id == ada.user.id
    ada.built.clock.advance(30)
    assert ada.log_in(ada.code()).id == ada.user.id
    assert ada.log_in(f" {ada.codes[3].lower()} ").id == ada.user.id
    assert ada.factors.state(ada.user.id)["codes_left"] == 9


def test_no_code_lets_in_twice(ada):
    code = ada.code()
    ada.log_in(code)
    for again in (code, ada.code(-1)):  # nor an older one, though it is in the window
        with pytest.raises(Unauthenticated):
            ada.log_in(again)
    for recovery in ada.codes:
        ada.built.clock.advance(61)
        ada.log_in(recovery)
        with pytest.raises(Unauthenticated):
            ada.log_in(recovery)
    assert ada.factors.state(ada.user.id)["codes_left"] == 0


def test_of_many_at_once_one_gets_in(ada):
    """The same code and challenge in eight threads: the database lets one through, on both kinds."""
    challenges, code, address = [ada.challenge() for _ in range(2)] * 4, ada.code(), iter("abcdefgh")
    let_in, start = [], threading.Barrier(8)

    def answer(challenge, address):
        start.wait()
        try:
            let_in.append(ada.factors.answer(challenge, code, address).id)
        except (Unauthenticated, Throttled):
            pass
        finally:
            ada.built.db.release()

    threads = [threading.Thread(target=answer, args=(challenge, next(address))) for challenge in challenges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let_in == [ada.user.id]


def test_a_step_taken_by_another_between_reading_and_writing_is_refused(ada, monkeypatch):
    step, read = totp.step_at(ada.built.clock.now().timestamp()), ada.factors._open

    def overtaken(factor):
        Factor.update(last_step=step).where(Factor.user_id == factor.user_id).execute()
        return read(factor)

    monkeypatch.setattr(ada.factors, "_open", overtaken)
    with pytest.raises(Unauthenticated):
        ada.log_in(ada.code())
    monkeypatch.undo()
    ada.built.clock.advance(30)
    assert ada.log_in(ada.code()).id == ada.user.id


def test_many_tries_at_once_are_all_counted(built):
    identity, passed, start = built.services["identity"], [], threading.Barrier(12)

    def attempt():
        start.wait()
        try:
            identity.throttle("at once")
            passed.append(1)
        except Throttled:
            pass
        finally:
            built.db.release()

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 5


def test_a_challenge_is_good_for_one_login_and_five_minutes(ada):
    challenge = ada.challenge()
    ada.factors.answer(challenge, ada.code(), "a")
    ada.built.clock.advance(30)
    with pytest.raises(Unauthenticated, match="Begin again"):
        ada.factors.answer(challenge, ada.code(), "a")
    late = ada.challenge()
    ada.built.clock.advance(300)
    with pytest.raises(Unauthenticated, match="Begin again") as told:
        ada.factors.answer(late, ada.code(), "a")
    assert told.value.extra["ended"]
    ada.challenge()
    assert LoginChallenge.select().count() == 1  # those that ended are cleared away


def test_a_challenge_takes_five_tries_whatever_the_time_between(ada):
    challenge = ada.challenge()
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="wrong"):
            ada.factors.answer(challenge, ada.wrong(), "a")
        ada.built.clock.advance(31)
        ada.identity.forgive(f"factor:{ada.user.id}", "factor@a")
    with pytest.raises(Unauthenticated, match="Begin again"):
        ada.factors.answer(challenge, ada.code(), "a")
    assert ada.log_in(ada.code()).id == ada.user.id  # the refused code was not spent


def test_guessing_is_throttled_over_challenges_and_addresses_and_the_day(ada):
    for n in range(5):
        with pytest.raises(Unauthenticated):
            ada.log_in(ada.wrong(), f"10.0.0.{n}")
    with pytest.raises(Throttled) as told:
        ada.log_in(ada.code(), "10.0.0.9")
    assert 0 < told.value.retry_after <= 60
    for n in range(45):
        ada.built.clock.advance(61 if n % 5 == 0 else 0)
        with pytest.raises(Unauthenticated):
            ada.log_in(ada.wrong(), f"10.0.1.{n}")
    ada.built.clock.advance(61)
    with pytest.raises(Throttled) as told:
        ada.log_in(ada.code(), "b")
    assert told.value.retry_after > 3600
    assert ada.log_in(ada.codes[0], "b").id == ada.user.id  # 80 bits cannot be guessed: they stay open


def test_unknown_challenges_are_throttled_by_address(ada):
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            ada.factors.answer("0" * 64, "123456", "c")
    with pytest.raises(Throttled):
        ada.factors.answer("0" * 64, "123456", "c")


def test_a_challenge_of_one_takes_no_code_of_another(ada):
    bo = Person(ada.built, "bo@example.org", "Bo").enrol()
    for code in (ada.code(), ada.codes[0]):
        with pytest.raises(Unauthenticated):
            ada.factors.answer(bo.challenge(), code, "a")
    assert ada.log_in(ada.codes[0]).id == ada.user.id and ada.log_in(ada.code()).id == ada.user.id
    assert bo.log_in(bo.code()).id == bo.user.id


def test_a_challenge_is_no_session_token_or_refresh_token(ada):
    challenge = ada.challenge()
    assert ada.identity.by_cookie(challenge).kind == "nobody"
    for use in (ada.identity.refresh, ada.identity.by_token):
        with pytest.raises(Unauthenticated):
            use(challenge)
    for secret in (ada.cookie, ada.identity.tokens(ada.user, "a", "x")["refresh_token"]):
        with pytest.raises(Unauthenticated):
            ada.factors.answer(secret, ada.code(), "a")


def test_who_was_disabled_between_the_steps_stays_outside(ada):
    challenge = ada.challenge()
    ada.user.disabled_at = ada.built.kit.now()
    ada.user.save()
    with pytest.raises(Unauthenticated):
        ada.factors.answer(challenge, ada.codes[0], "a")
    assert RecoveryCode.select().where(RecoveryCode.used_at.is_null()).count() == 10


def test_a_wrong_clock_takes_recovery_codes_only_and_says_so(ada):
    ada.built.clock.is_trusted = False
    with pytest.raises(FactorNeeded, match="clock") as asked:
        ada.identity.log_in(ada.email, PASSWORD, "a")
    assert asked.value.extra["factors"] == ["recovery"]
    challenge = asked.value.extra["challenge"]
    for _ in range(8):  # refused before it is looked at: costs no try
        with pytest.raises(Conflict, match="clock"):
            ada.factors.answer(challenge, ada.code(), "a")
    assert ada.factors.answer(challenge, ada.codes[0], "a").id == ada.user.id
    with pytest.raises(Conflict, match="clock"):
        ada.factors.turn_off(ada.user.id, "a", code=ada.code())
    bo = Person(ada.built, "bo@example.org", "Bo")
    with pytest.raises(Conflict, match="clock"):
        bo.factors.begin(bo.user.id, "a", PASSWORD)


def test_a_clock_set_back_brings_no_code_back(ada):
    code = ada.code()
    ada.log_in(code)
    ada.built.clock.advance(3600)
    ada.log_in(ada.code())
    ada.built.clock.advance(-3600)
    with pytest.raises(Unauthenticated):
        ada.log_in(code)


def test_off_and_renewal_need_one_proof(ada):
    for verb in (ada.factors.turn_off, ada.factors.renew):
        for neither_or_both in ({}, {"password": PASSWORD, "code": ada.codes[0]}):
            with pytest.raises(Invalid):
                verb(ada.user.id, "a", **neither_or_both)
        for wrong in ({"password": "wrong"}, {"code": ada.wrong()}, {"code": "AAAA-BBBB-CCCC-DDDD"}):
            with pytest.raises(Unauthenticated):
                verb(ada.user.id, "a", **wrong)
        ada.built.clock.advance(61)
    assert ada.factors.state(ada.user.id)["codes_left"] == 10
    fresh = ada.factors.renew(ada.user.id, "a", code=ada.codes[0])
    assert not set(fresh) & set(ada.codes) and ada.factors.state(ada.user.id)["codes_left"] == 10
    with pytest.raises(Unauthenticated):
        ada.log_in(ada.codes[1])
    ada.log_in(fresh[1])
    ada.factors.turn_off(ada.user.id, "a", code=ada.code())
    assert ada.identity.log_in(ada.email, PASSWORD, "a").id == ada.user.id
    for verb in (ada.factors.turn_off, ada.factors.renew):
        with pytest.raises(NotFound):
            verb(ada.user.id, "a", password=PASSWORD)


def test_a_challenge_ends_with_its_factor(ada):
    challenge = ada.challenge()
    ada.factors.turn_off(ada.user.id, "a", password=PASSWORD)
    with pytest.raises(Unauthenticated):
        ada.factors.answer(challenge, ada.codes[0], "a")


def test_the_secret_lies_sealed_for_its_person_and_this_device(ada, caplog):
    kept = Factor.get()
    assert ada.secret.hex() not in kept.sealed and base64.b32encode(ada.secret).decode() not in kept.sealed
    assert not {totp.recovery_hash("", c) for c in ada.codes} & {r.code_hash for r in RecoveryCode.select()}
    bo = Person(ada.built, "bo@example.org", "Bo").enrol()
    Factor.update(sealed=kept.sealed).where(Factor.user_id == bo.user.id).execute()  # who writes to the table gives Bo Ada's secret
    with pytest.raises(Conflict, match="recovery code"):
        bo.factors.answer(bo.challenge(), ada.code(), "a")
    assert bo.log_in(bo.codes[0]).id == bo.user.id
    assert ada.log_in(ada.code()).id == ada.user.id


def test_no_secret_or_code_reaches_the_log(built, caplog):
    caplog.set_level(logging.DEBUG)
    ada = Person(built, "ada@example.org", "Ada").enrol()
    code = ada.code()
    ada.log_in(code)
    with pytest.raises(Unauthenticated):
        ada.log_in(ada.codes[0] + "A")
    ada.log_in(ada.codes[0])
    fresh = ada.factors.renew(ada.user.id, "a", password=PASSWORD)
    ada.factors.turn_off(ada.user.id, "a", password=PASSWORD)
    said = [r.getMessage() for r in caplog.records]
    ours = [line.partition(f" of {ada.user.id}")[0] for line in said if f" of {ada.user.id}" in line]
    assert ours == [f"security event {kind}" if kind else "second factor" for kind in ("factor-on", "", "recovery-code-used", "codes-made", "factor-off")]
    # The database's own debug lines carry hashes and sealed bytes, never these.
    for secret in (ada.secret.hex(), base64.b32encode(ada.secret).decode(), PASSWORD, *ada.codes, *fresh):
        assert not any(secret in line for line in said)


def test_the_console_removes_a_lost_factor_and_ends_the_sessions(ada):
    _session, cookie = ada.identity.open_session(ada.user, "browser", "a", "x")
    challenge = ada.challenge()
    assert ada.factors.recover(" ADA@example.org ") is True
    assert ada.identity.by_cookie(cookie).kind == "nobody"
    with pytest.raises(Unauthenticated):
        ada.factors.answer(challenge, ada.codes[0], "a")
    assert ada.identity.log_in(ada.email, PASSWORD, "a").id == ada.user.id
    assert RecoveryCode.select().count() == LoginChallenge.select().count() == Factor.select().count() == 0
    assert ada.factors.recover(ada.email) is False
    with pytest.raises(NotFound):
        ada.factors.recover("nobody@example.org")
