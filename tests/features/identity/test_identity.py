"""People, passwords, throttling, sessions and tokens."""

import base64
import json

import pytest
from unibos.features.identity import passwords
from unibos.features.identity.tokens import Signer
from unibos.kernel.errors import Conflict, Invalid, NotFound, Throttled, Unauthenticated

from tests.conftest import PASSWORD


@pytest.fixture
def ada(node):
    node.identity = node.services["identity"]
    node.ada = node.identity.create("Ada@Example.org", PASSWORD, "Ada")
    return node


@pytest.mark.parametrize("password", ["short", "password", "Password123!", "12345678", "abcdefgh", "aaaaaaaa", "galatasaray1905", "ada@example.org",
                                      "x" * 257, "iloveyou!!", "87654321"])
def test_a_password_that_others_would_try_is_refused(password):
    with pytest.raises(Invalid):
        passwords.check(password, "ada@example.org", "Ada Lovelace")


@pytest.mark.parametrize("password", ["four unrelated words", "Çok güzel 4 kelime", "x7!kQ2zz", " leading spaces count "])
def test_any_other_password_is_taken(password):
    passwords.check(password, "ada@example.org", "Ada")
    assert passwords.matches(passwords.make(password), password) and not passwords.matches(passwords.make(password), password + "x")


def test_an_unknown_person_costs_as_much_time_and_gives_the_same_answer(ada):
    for email in ("nobody@example.org", "ada@example.org"):
        with pytest.raises(Unauthenticated, match="E-mail or password is wrong"):
            ada.identity.check_password(email, "wrong", f"10.0.0.{len(email)}")
    assert not passwords.matches("", "anything")


def test_an_e_mail_is_one_account_whatever_its_case(ada):
    with pytest.raises(Conflict):
        ada.identity.create("ada@example.ORG", PASSWORD, "Other")
    assert ada.identity.check_password("ADA@example.org", PASSWORD, "a").id == ada.ada.id


def test_five_tries_a_minute_then_wait_and_a_right_one_clears_them(ada):
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            ada.identity.check_password("ada@example.org", "wrong", "a")
    with pytest.raises(Throttled) as told:
        ada.identity.check_password("ada@example.org", PASSWORD, "b")
    assert 0 < told.value.retry_after <= 60
    ada.clock.advance(61)
    ada.identity.check_password("ada@example.org", PASSWORD, "a")
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            ada.identity.check_password("ada@example.org", "wrong", "a")
    ada.identity.check_password("ada@example.org", PASSWORD, "a")


def test_a_refresh_token_works_once_and_one_used_twice_ends_the_session(ada):
    first = ada.identity.tokens(ada.ada, "a", "x")
    second = ada.identity.refresh(first["refresh_token"])
    assert ada.identity.by_token(second["token"]).id == ada.ada.id
    with pytest.raises(Unauthenticated):
        ada.identity.refresh(first["refresh_token"])
    for dead in (second["refresh_token"],):
        with pytest.raises(Unauthenticated):
            ada.identity.refresh(dead)
    with pytest.raises(Unauthenticated):
        ada.identity.by_token(second["token"])


def test_tokens_and_sessions_end_in_time(ada):
    got = ada.identity.tokens(ada.ada, "a", "x")
    ada.clock.advance(86401)
    with pytest.raises(Unauthenticated, match="expired"):
        ada.identity.by_token(got["token"])
    ada.identity.refresh(got["refresh_token"])
    _session, secret = ada.identity.open_session(ada.ada, "browser", "a", "x")
    ada.clock.advance(7 * 86400 + 1)
    assert ada.identity.by_cookie(secret).kind == "nobody"


def test_a_session_is_ended_by_its_person_only(ada):
    session, secret = ada.identity.open_session(ada.ada, "browser", "a", "x")
    with pytest.raises(NotFound):
        ada.identity.close_session(session.id, "somebody else")
    ada.identity.close_session(session.id, ada.ada.id)
    assert ada.identity.by_cookie(secret).kind == "nobody" and ada.identity.sessions(ada.ada.id) == []


def test_a_refresh_token_is_no_cookie_and_a_cookie_no_refresh_token(ada):
    got = ada.identity.tokens(ada.ada, "a", "x")
    _session, secret = ada.identity.open_session(ada.ada, "browser", "a", "x")
    assert ada.identity.by_cookie(got["refresh_token"]).kind == "nobody"
    with pytest.raises(Unauthenticated):
        ada.identity.refresh(secret)


def forged(head, claims, signature=b"x"):
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in (head, claims)]
    return ".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])


def test_forged_tokens_are_refused(ada):
    import hashlib
    import hmac

    signer, now = ada.identity.signer, int(ada.kit.now().timestamp())
    claims = {"sub": ada.ada.id, "iss": signer.name, "aud": signer.name, "iat": now, "exp": now + 60, "jti": "1", "sid": "x"}
    good = {"typ": "at+jwt", "kid": signer.kid}
    public = base64.urlsafe_b64decode(signer.jwks()["keys"][0]["x"] + "=")
    hs = forged({**good, "alg": "HS256"}, claims, b"").rpartition(".")[0]
    other = Signer(b"\1" * 32, signer.name)
    bad = [forged({**good, "alg": "none"}, claims, b""), forged({**good, "alg": "EdDSA"}, claims),
           hs + "." + base64.urlsafe_b64encode(hmac.new(public, hs.encode(), hashlib.sha256).digest()).rstrip(b"=").decode(),
           other.sign(claims), Signer(b"\1" * 32, "other").sign(claims), "", "a.b.c", "x" * 5000,
           forged({**good, "alg": "EdDSA", "jku": "http://evil.example/keys"}, claims)]
    for token in bad:
        with pytest.raises(Unauthenticated):
            ada.identity.by_token(token)
    expired = signer.sign({**claims, "exp": now - 1})
    with pytest.raises(Unauthenticated, match="expired"):
        ada.identity.by_token(expired)
    ada.identity.signer.name = "unibos:elsewhere"
    with pytest.raises(Unauthenticated):
        Signer(ada.kit.secret("jwt", 32), "unibos:elsewhere").verify(other.sign(claims), now)
