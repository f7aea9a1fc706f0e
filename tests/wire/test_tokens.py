"""Tokens for nodes and what hubs say at a contact: vectors made by PyNaCl and the standard library, one fault each, and texts of no form at all."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unibos.wire import contact, tokens

FOLDER = Path(__file__).parent.parent / "vectors" / "tokens"
GOOD, BAD, CONTACT = (json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in ("good", "bad", "contact"))
KEYS = tokens.keys_of(GOOD["jwks"])
AUDIENCE = tokens.node_audience(GOOD["node_id"])


def taken(token, now=GOOD["now"], keys=KEYS):
    claims = tokens.signed(token, tokens.NODE, keys)
    tokens.check(claims, GOOD["issuer"], AUDIENCE, now)
    return claims


def test_a_good_token_is_taken_and_made_alike():
    assert taken(GOOD["token"]) == GOOD["claims"]
    assert tokens.signed(tokens.sign(bytes.fromhex(GOOD["seed"]), tokens.NODE, GOOD["claims"]), tokens.NODE, KEYS) == GOOD["claims"]
    assert [tokens.jwk(key) for key in KEYS.values()] == GOOD["jwks"]["keys"]


def test_it_is_good_to_its_last_second_and_no_longer():
    taken(GOOD["token"], GOOD["claims"]["exp"] - 0.001)
    for late in (0, 1, 10**9):
        with pytest.raises(tokens.Refused, match="expired"):
            taken(GOOD["token"], GOOD["claims"]["exp"] + late)


@pytest.mark.parametrize("v", BAD, ids=lambda v: v["name"])
def test_one_fault_is_enough(v):
    with pytest.raises(tokens.Refused) as told:
        taken(v["token"])
    assert told.value.why == v["why"]


def test_a_token_of_a_retired_key_is_refused():
    with pytest.raises(tokens.Refused, match=GOOD["retired"]["why"]):
        taken(GOOD["token"], keys=tokens.keys_of(GOOD["retired"]["jwks"]))


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,90}", fullmatch=True)))
def test_no_other_text_is_taken(text):
    with pytest.raises(tokens.Refused):
        taken(text)


@given(st.integers(0, len(GOOD["token"]) - 1), st.sampled_from("ABab01-_.= \n\0é"))
def test_no_changed_character_is_taken(at, sign):
    changed = GOOD["token"][:at] + sign + GOOD["token"][at + 1:]
    if changed != GOOD["token"]:
        with pytest.raises(tokens.Refused):
            taken(changed)


@pytest.mark.parametrize("value", [None, {}, {"keys": None}, {"keys": "x"}, {"keys": [{}] * 33}, []])
def test_what_is_no_set_of_keys_is_refused(value):
    with pytest.raises(ValueError):
        tokens.keys_of(value)


def test_what_a_hub_says_of_a_person_is_read_whole():
    told = contact.person(CONTACT["person"])
    assert told.shown() == CONTACT["person"] and contact.fingerprint(told) == CONTACT["fingerprint"]
    other = contact.person({**CONTACT["person"], "version": 4})
    assert contact.fingerprint(other) == CONTACT["fingerprint"]
    for name, value in (("name", "Eva"), ("role", "viewer"), ("factor", True), ("permissions", {}), ("email", "x@y")):
        assert contact.fingerprint(contact.person({**CONTACT["person"], name: value})) != CONTACT["fingerprint"]
    answer = contact.answer(CONTACT["answer"])
    assert [(who, state, person is not None) for who, state, person in answer.people] == [
        (told.id, "permissions", True), ("a", "unchanged", False), ("b", "revoked", False)]


@pytest.mark.parametrize("v", CONTACT["bad"], ids=lambda v: v["name"])
def test_a_damaged_answer_is_refused_whole(v):
    with pytest.raises(ValueError):
        contact.answer(v["answer"])
