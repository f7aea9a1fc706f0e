"""The pin of an authority: vectors made with openssl and base32, one fault each, and texts that were not copied whole."""

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unibos.wire import pin

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "pin" / "good.json").read_text(encoding="utf-8"))
KITCHEN, ATTIC = (v["pem"] for v in VECTORS)


def leaf_or_authority(able: bool | None) -> str:
    """A certificate that says it may sign others, that it may not, or nothing of it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key, name, at = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7).not_valid_before(at)
    made = made.not_valid_after(at + dt.timedelta(days=1))
    if able is not None:
        made = made.add_extension(x509.BasicConstraints(ca=able, path_length=None), critical=True)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("v", VECTORS, ids=lambda v: v["name"])
def test_the_vectors(v):
    import hashlib

    found = pin.der(v["pem"])
    assert hashlib.sha256(found).hexdigest() == v["sha256"] and pin.pin(found) == v["pin"] and pin.pem(found) == v["pem"]
    assert pin.matches(found, v["pin"]) and pin.joined("TOKEN", found) == f"TOKEN.{v['pin']}"


def test_a_pin_fits_one_certificate():
    found = pin.der(KITCHEN)
    for other in (VECTORS[1]["pin"], VECTORS[0]["pin"][:-1], VECTORS[0]["pin"] + "A", "", "é" * 26):
        assert not pin.matches(found, other)


@pytest.mark.parametrize("text", [
    "", "no certificate", KITCHEN + ATTIC, ATTIC + KITCHEN, KITCHEN + KITCHEN, KITCHEN[:200], KITCHEN.replace("CERTIFICATE", "PRIVATE KEY"),
    KITCHEN + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", KITCHEN + "x" * pin.MAX_PEM,
    "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(b"no DER").decode() + "\n-----END CERTIFICATE-----\n", "\0" + "é" * 10])
def test_what_is_not_one_certificate_is_refused(text):
    for given_ in (text, text.encode()):
        with pytest.raises(ValueError):
            pin.der(given_)


def test_only_an_authority_can_be_trusted_as_one():
    assert pin.der(leaf_or_authority(True))
    for able in (False, None):
        with pytest.raises(ValueError):
            pin.der(leaf_or_authority(able))


def test_what_stands_round_the_certificate_is_not_kept():
    assert pin.pem(pin.der(f"Subject: somebody\n{KITCHEN}\nand more\n")) == KITCHEN


def test_a_text_with_and_without_a_pin():
    mine = VECTORS[0]["pin"]
    assert pin.split("TOKEN") == ("TOKEN", "") and pin.split(f" TOKEN.{mine}\n") == pin.split(f"TOKEN.{mine.lower()}") == ("TOKEN", mine)
    for damaged in ("TOKEN.", "TOKEN..", f"TOKEN.{mine[:-1]}", f"TOKEN.{mine}A", f"TOKEN.{mine}.{mine}", f"TOKEN. {mine}", f"TOKEN.{mine[:-1]}1",
                    f"TOKEN.{mine[:-1]}é"):
        with pytest.raises(ValueError):
            pin.split(damaged)


@given(st.text())
def test_no_text_with_a_dot_is_taken_for_one_without_a_pin(text):
    try:
        token, wanted = pin.split(text)
    except ValueError:
        assert "." in text
    else:
        assert bool(wanted) == ("." in text) and "." not in token
