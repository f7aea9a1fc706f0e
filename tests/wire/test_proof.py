"""The proof of a node's key: vectors, and one fault each."""

import json
from pathlib import Path

import pytest
from unibos.wire import proof

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "proof" / "good.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("v", VECTORS, ids=lambda v: v["purpose"])
def test_the_vectors(v):
    seed, public, signature = (bytes.fromhex(v[k]) for k in ("seed", "public", "signature"))
    assert proof.public_key(seed) == public
    assert proof.message(v["purpose"], *v["fields"]).hex() == v["message"]
    assert proof.sign(seed, v["purpose"], *v["fields"]) == signature
    assert proof.verify(public, signature, v["purpose"], *v["fields"])


@pytest.mark.parametrize("fault", ["purpose", "field", "moved boundary", "signature", "short signature", "key", "short key"])
def test_one_fault_each_is_refused(fault):
    v = VECTORS[0]
    public, signature, purpose, fields = bytes.fromhex(v["public"]), bytes.fromhex(v["signature"]), v["purpose"], list(v["fields"])
    if fault == "purpose":
        purpose = "session"
    elif fault == "field":
        fields[1] = "TOKEM"
    elif fault == "moved boundary":
        fields = [fields[0] + "T", fields[1][1:]]
    elif fault == "signature":
        signature = bytes([signature[0] ^ 1]) + signature[1:]
    elif fault == "short signature":
        signature = signature[:-1]
    elif fault == "key":
        public = bytes.fromhex(VECTORS[1]["public"])
    else:
        public = public[:-1]
    assert not proof.verify(public, signature, purpose, *fields)


def test_an_unknown_purpose_cannot_be_signed():
    with pytest.raises(ValueError):
        proof.message("anything")
