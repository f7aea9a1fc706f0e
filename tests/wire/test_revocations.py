"""The list of revoked nodes and the fingerprint: vectors made by another library, and one fault each."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unibos.wire import revocations
from unibos.wire.fingerprint import fingerprint

FOLDER = Path(__file__).parent.parent / "vectors"
VECTORS = json.loads((FOLDER / "revocations" / "good.json").read_text(encoding="utf-8"))
FINGERPRINTS = json.loads((FOLDER / "fingerprint" / "good.json").read_text(encoding="utf-8"))


def of(v):
    return revocations.listed(v["org_id"], v["sequence"], [(base64.b64decode(n["key"]), n["since"]) for n in v["nodes"]])


@pytest.mark.parametrize("v", VECTORS, ids=lambda v: v["org_id"])
def test_the_vectors(v):
    assert revocations.message(of(v)).hex() == v["message"]
    carried = revocations.sign(bytes.fromhex(v["seed"]), of(v))
    assert carried["signature"] == v["signature"]
    read = revocations.read(bytes.fromhex(v["public"]), json.loads(json.dumps(carried)), org_id=v["org_id"])
    assert read == of(v) and all(read.holds(base64.b64decode(n["key"])) for n in v["nodes"]) and not read.holds(b"\x77" * 32)


@pytest.mark.parametrize("v", FINGERPRINTS, ids=lambda v: v["public"][:4])
def test_the_fingerprints(v):
    assert fingerprint(bytes.fromhex(v["public"])) == v["fingerprint"]
    with pytest.raises(ValueError, match="32 bytes"):
        fingerprint(bytes.fromhex(v["public"])[1:])


GOOD = VECTORS[1]
CARRIED = {k: GOOD[k] for k in ("org_id", "sequence", "nodes", "signature")}
KEY = bytes.fromhex(GOOD["public"])


@pytest.mark.parametrize("fault", [
    {"sequence": 8}, {"sequence": "7"}, {"sequence": True}, {"sequence": -1}, {"sequence": 1 << 60}, {"nodes": []}, {"nodes": GOOD["nodes"] * 2}, {"nodes": None},
    {"nodes": [{"key": "AA==", "since": 1}]}, {"nodes": [{"key": "?", "since": 1}]}, {"nodes": ["x"]}, {"nodes": {}}, {"signature": ""}, {"signature": None},
    {"signature": VECTORS[0]["signature"]}, {"org_id": "another"}, {"org_id": None}])
def test_what_is_not_exactly_as_signed_is_refused(fault):
    assert revocations.read(KEY, CARRIED, org_id=GOOD["org_id"], seen=7).sequence == 7
    with pytest.raises(ValueError):
        revocations.read(KEY, {**CARRIED, **fault}, org_id=GOOD["org_id"])


def test_another_signer_an_older_list_and_another_organisation_are_refused():
    for key, org_id, seen in ((bytes.fromhex(VECTORS[0]["public"]), GOOD["org_id"], -1), (b"", GOOD["org_id"], -1), (KEY, GOOD["org_id"], 8), (KEY, "org-b", -1)):
        with pytest.raises(ValueError):
            revocations.read(key, CARRIED, org_id=org_id, seen=seen)
    with pytest.raises(ValueError):
        revocations.read(KEY, {}, org_id=GOOD["org_id"])


nodes = st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(0, revocations.LARGEST), max_size=4).map(lambda d: tuple(sorted(d.items())))
lists = st.builds(revocations.Revoked, st.text(min_size=1, max_size=8), st.integers(0, 99), nodes)


@given(lists, lists)
def test_no_two_lists_make_the_same_bytes(a, b):
    assert (revocations.message(a) == revocations.message(b)) == (a == b)
