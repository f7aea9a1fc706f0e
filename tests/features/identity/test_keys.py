"""A hub's signing keys: the one of before, turning, two hubs with one ring, and tokens made by an attacker."""

import base64
import copy
import datetime as dt
import hashlib
import hmac
import json

import pytest
from unibos.features.identity.hub_models import SigningKey
from unibos.features.identity.keys import Keyring
from unibos.features.identity.ring import LEAD, USE
from unibos.features.identity.tokens import Signer
from unibos.kernel.errors import Unauthenticated, Unavailable
from unibos.wire import proof, tokens

from tests.conftest import PASSWORD, claim

DAY = 86400


@pytest.fixture
def ring(hub):
    hub.identity = hub.services["identity"]
    hub.ada = hub.identity.create("ada@example.org", PASSWORD, "Ada")
    return hub


def other_process(hub, **changed):
    """Another process of the same hub, or of the other one of its pair."""
    kit = copy.copy(hub.kit)
    for name, value in changed.items():
        setattr(kit, name, value)
    return Keyring(kit)


def test_a_token_of_before_the_ring_is_good_after_it(ring):
    before = Signer(ring.kit.secret("jwt", 32), f"unibos:hub:{ring.kit.secret('device', 16).hex()}")
    session, _secret = ring.identity.open_session(ring.ada, "token", "a", "x")
    now = int(ring.kit.now().timestamp())
    token = before.sign({"sub": ring.ada.id, "iat": now, "exp": now + DAY, "jti": "1", "sid": session.id, "kind": "person"})
    assert ring.identity.by_token(token).id == ring.ada.id
    assert ring.identity.signer.jwks() == before.jwks() and ring.identity.signer.name == before.name


def test_keys_turn_by_themselves_and_no_token_is_lost(ring):
    signer = ring.identity.signer
    first = signer.kid
    assert "none due" in signer.turn()
    ring.clock.advance((USE - LEAD).total_seconds())
    assert "one made" in signer.turn() and "none due" in signer.turn()
    assert len(signer.jwks()["keys"]) == 2 and signer.kid == first
    ring.clock.advance(LEAD.total_seconds() - 60)
    token = ring.identity.tokens(ring.ada, "a", "x")["token"]
    ring.clock.advance(60)
    assert signer.kid != first and tokens.header(token)["kid"] == first
    ring.clock.advance(DAY - 120)
    assert ring.identity.by_token(token).id == ring.ada.id
    ring.clock.advance(3600)
    assert "1 dropped" in signer.turn() and [k["kid"] for k in signer.jwks()["keys"]] == [signer.kid]
    assert [k["state"] for k in signer.listed()] == ["current"]


def test_another_process_sees_a_rotation_within_seconds_and_at_once_where_it_meets_it(ring):
    signer = ring.identity.signer
    other = other_process(ring)
    old = signer.sign(claims := {"sub": "x", "iat": 0, "exp": 2**31, "jti": "1", "kind": "person"})
    assert other.verify(old, 1.0)["sub"] == "x"
    signer.rotate(at_once=True)
    ring.clock.advance(1.1)
    assert other.verify(signer.sign(claims), 1.0)["sub"] == "x"
    third = other_process(ring)
    third.verify(signer.sign(claims), 1.0)
    ring.clock.advance(5)
    for one in (signer, other, third):
        with pytest.raises(Unauthenticated):
            one.verify(old, 1.0)


def test_a_ring_is_asked_for_without_a_query_each_time(ring, monkeypatch):
    signer, count = ring.identity.signer, []
    token = signer.sign({"sub": "x", "iat": 0, "exp": 2**31, "jti": "1", "kind": "person"})
    real = SigningKey.select
    monkeypatch.setattr(SigningKey, "select", lambda *a: count.append(1) or real(*a))
    for _ in range(50):
        signer.verify(token, 1.0)
    assert count == []


def test_two_hubs_share_the_ring_by_one_secret(ring):
    signer = ring.identity.signer
    token = signer.sign({"sub": "x", "iat": 0, "exp": 2**31, "jti": "1", "kind": "person"})
    secrets = {"ring": ring.kit.secret("ring", 32)}
    twin = other_process(ring, secret=lambda name, size: secrets.get(name, b"\5" * size))
    assert (twin.name, twin.kid) == (signer.name, signer.kid) and twin.verify(token, 1.0)["sub"] == "x"
    assert twin.sign({"sub": "x", "iat": 0, "exp": 2**31, "jti": "1", "kind": "person"}) == token
    stranger = other_process(ring, secret=lambda _name, size: b"\5" * size)
    assert stranger.verify(token, 1.0)["sub"] == "x"  # it can read, and says why it cannot sign
    with pytest.raises(Unavailable, match="keys/ring"):
        stranger.sign({})
    assert SigningKey.select().count() == 1


def test_what_lies_in_the_database_is_no_key(ring):
    seed = ring.kit.secret("jwt", 32)
    ring.identity.signer.jwks()
    row = SigningKey.get()
    assert seed.hex() not in row.sealed and base64.b64encode(seed).decode() not in row.sealed
    with ring.db.transaction():
        SigningKey.update(sealed=row.sealed[:-2] + ("00" if row.sealed[-2:] != "00" else "11")).execute()
    with pytest.raises(Unavailable):
        other_process(ring).sign({})


def test_only_the_console_turns_keys(hub_web):
    headers = {"Authorization": f"Bearer {claim(hub_web)}"}
    assert hub_web.client.get("/api/v1/auth/keys/ring/", headers=headers).status_code == 403
    assert hub_web.client.post("/api/v1/auth/keys/ring/", json={"at_once": True}, headers=headers).status_code == 403
    assert hub_web.client.get("/api/v1/auth/whoami/", headers=headers).status_code == 200
    assert len(hub_web.client.get("/api/v1/auth/keys/").json["keys"]) == 1


def b64(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def test_attacks_on_a_hubs_tokens(ring):
    signer, now = ring.identity.signer, int(ring.kit.now().timestamp())
    mine = ring.identity.tokens(ring.ada, "a", "x")["token"]
    head, claims = tokens.header(mine), tokens.signed(mine, tokens.ACCESS, tokens.keys_of(signer.jwks()))
    public, evil = tokens.keys_of(signer.jwks())[signer.kid], b"\1" * 32
    evil_key = tokens.jwk(proof.public_key(evil))

    def hs(secret):
        body = f"{b64({**head, 'alg': 'HS256'})}.{b64(claims)}"
        return f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"

    foreign = tokens.sign(evil, tokens.ACCESS, claims)
    _h, body, signature = mine.split(".")
    bad = {"alg none": f"{b64({**head, 'alg': 'none'})}.{body}.", "HS256": hs(public), "foreign kid": foreign,
           "jwk": f"{b64({**head, 'jwk': evil_key})}.{body}.{signature}", "jku": f"{b64({**head, 'jku': 'http://evil.example'})}.{body}.{signature}",
           "x5u": f"{b64({**head, 'x5u': 'http://evil.example'})}.{body}.{signature}",
           "aud": signer.sign({**claims}, audience="unibos:hub:other"), "typ": signer.sign(claims, typ=tokens.NODE),
           "expired": signer.sign({**claims, "exp": now - 1}), "expires now": signer.sign({**claims, "exp": now}),
           "tampered": f"{b64(head)}.{b64({**claims, 'sub': 'somebody'})}.{signature}",
           "for a node": signer.sign(claims, audience=tokens.node_audience("n"), typ=tokens.NODE)}
    for name, token in bad.items():
        with pytest.raises(Unauthenticated):
            pytest.fail(f"{name} was taken: {ring.identity.by_token(token)}")
    assert ring.identity.by_token(mine).id == ring.ada.id
    signer.rotate(at_once=True)
    with pytest.raises(Unauthenticated):
        ring.identity.by_token(mine)


def test_a_rotation_by_hand_is_shown_a_day_before_it_signs(ring):
    signer = ring.identity.signer
    first = signer.kid
    signer.rotate()
    assert {k["kid"]: k["state"] for k in signer.listed()}[first] == "current" and len(signer.listed()) == 2
    signer.rotate()
    assert len(signer.listed()) == 2  # once more replaces the one that waits
    ring.clock.advance(LEAD.total_seconds())
    assert signer.kid != first
    assert ring.kit.now() - signer.listed()[-1]["starts_at"] == dt.timedelta(0)
