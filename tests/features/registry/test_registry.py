"""Nodes join by a one-time token and their own key, report, and have a state with its reason."""

import base64
import datetime as dt

import pytest
from unibos.features.registry.decide import state
from unibos.kernel.errors import Forbidden, Invalid, NotFound, NotTrusted
from unibos.wire import proof

SEED = b"\7" * 32
ABOUT = {"hostname": "pi-001", "type": "standard", "platform": "linux", "url": "http://pi-001:8001", "version": "0.1.0", "modules": [], "capabilities": {}}


def b64(value):
    return base64.b64encode(value).decode()


@pytest.fixture
def registry(hub):
    hub.registry, hub.org = hub.services["registry"], hub.services["orgs"].home_id()
    with hub.db.tenant(hub.org):
        yield hub


def enrol(hub, token, seed=SEED, signed=None):
    key = b64(proof.public_key(seed))
    challenge = hub.registry.challenge(key)
    signature = b64(proof.sign(seed, "enrol", challenge, signed or token))
    return hub.registry.enrol(token=token, public_key=key, challenge=challenge, signature=signature, about=ABOUT)


def test_a_token_lets_one_node_in_once(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    node = enrol(registry, token)
    assert node.hostname == "pi-001" and node.org_id == registry.org
    for again in (token, "WRONG", ""):
        with pytest.raises(Forbidden, match="wrong, used or expired"):
            enrol(registry, again, b"\1" * 32)


def test_a_token_expires(registry):
    token, _until = registry.registry.make_token(registry.org, "ada", hours=1)
    registry.clock.advance(3601)
    with pytest.raises(Forbidden):
        enrol(registry, token)


def test_a_key_that_is_not_proven_lets_nobody_in_and_costs_the_token_nothing(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    with pytest.raises(Forbidden, match="did not prove"):
        enrol(registry, token, signed="another token")
    enrol(registry, token)


def test_a_challenge_is_used_once_and_for_a_minute(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    node = enrol(registry, token)
    key = node.public_key
    challenge = registry.registry.challenge(key)
    signature = b64(proof.sign(SEED, "session", challenge, node.id))
    registry.registry.session(node.id, challenge, signature)
    with pytest.raises(Forbidden):
        registry.registry.session(node.id, challenge, signature)
    late = registry.registry.challenge(key)
    registry.clock.advance(61)
    with pytest.raises(Forbidden):
        registry.registry.session(node.id, late, b64(proof.sign(SEED, "session", late, node.id)))
    with pytest.raises(Invalid):
        registry.registry.challenge("AAAA")


def test_a_proof_serves_its_purpose_only(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    node = enrol(registry, token)
    challenge = registry.registry.challenge(node.public_key)
    with pytest.raises(Forbidden):
        registry.registry.session(node.id, challenge, b64(proof.sign(SEED, "enrol", challenge, node.id)))


def test_a_revoked_node_is_refused_at_its_next_word(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    node = enrol(registry, token)
    registry.registry.heartbeat(node.id, {"cpu": 5.0}, ABOUT)
    registry.registry.fleet.revoke(node.id, registry.org, "ada")
    with pytest.raises(NotTrusted, match="no longer trusts this node, since 2026-12-01 12:00"):
        registry.registry.heartbeat(node.id, {"cpu": 5.0}, ABOUT)
    challenge = registry.registry.challenge(node.public_key)
    with pytest.raises(NotTrusted):
        registry.registry.session(node.id, challenge, b64(proof.sign(SEED, "session", challenge, node.id)))


def test_reports_make_a_state_and_a_history(registry):
    token, _until = registry.registry.make_token(registry.org, "ada")
    node = enrol(registry, token)
    assert registry.registry.node(node.id, registry.org)[2].status == "offline"
    registry.registry.heartbeat(node.id, {"cpu": 5.0, "memory": None}, ABOUT)
    assert registry.registry.nodes(registry.org)[0][2].status == "online"
    at = registry.kit.now_ms()
    assert [p.mean for p in registry.kit.series.points(f"node:{node.id}:cpu", at - 1000, at + 1000, 10)] == [5.0]
    registry.registry.goodbye(node.id, "shutdown")
    found = registry.registry.node(node.id, registry.org)[2]
    assert found.status == "offline" and str(found.why) == "It said goodbye: shutdown."
    with pytest.raises(NotFound):
        registry.registry.node(node.id, "another organisation")
    assert registry.registry.nodes("another organisation") == []


NOW = dt.datetime(2026, 12, 1, 12, 0, tzinfo=dt.UTC)


def ago(seconds):
    return NOW - dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(("facts", "status", "why"), [
    ({}, "offline", "never reported"),
    ({"heartbeat_at": ago(10)}, "online", "reports and answers"),
    ({"heartbeat_at": ago(300)}, "online", ""),
    ({"heartbeat_at": ago(301)}, "offline", "Silent since 2026-12-01 11:54"),
    ({"heartbeat_at": ago(10), "callback_fails": 2}, "online", ""),
    ({"heartbeat_at": ago(10), "callback_fails": 3, "callback_why": "refused"}, "unreachable", "refused"),
    ({"heartbeat_at": ago(301), "callback_fails": 3}, "offline", "Silent"),
    ({"heartbeat_at": ago(10), "goodbye_at": ago(5), "goodbye": "update"}, "offline", "goodbye: update"),
    ({"heartbeat_at": ago(5), "goodbye_at": ago(10)}, "online", ""),
    ({"heartbeat_at": ago(10), "maintenance": True}, "maintenance", "working on it"),
    ({"heartbeat_at": ago(10), "revoked": True, "maintenance": True}, "offline", "trust was taken"),
])
def test_the_state_and_its_reason(facts, status, why):
    full = {"heartbeat_at": None, "goodbye_at": None, "goodbye": "", "callback_fails": 0, "callback_why": "", "maintenance": False, "revoked": False,
            "silent_after": 300, **facts}
    found = state(NOW, **full)
    assert found.status == status and why in str(found.why)
