"""The appliance's own certificate authority and the certificate of its servers (RFC 5280).

The authority is bounded: by its name constraints it can vouch for names of a home and for private addresses only, so that trusting it
gives nobody who steals its key the rest of the web. The key of the leaf is kept when the leaf is renewed: key and certificate are two
files, and a power cut between them must not part them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unibos.adapters import atomic
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

CA_DAYS, LEAF_DAYS = 3650, 397
SUFFIXES = ("local", "home.arpa", "internal")
PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")))
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Done:
    """What `ensure` did: whether authority and leaf were made, and why, in sentences."""

    ca: bool
    leaf: bool
    why: tuple[Text, ...]


def fingerprint(pem: bytes | str) -> str:
    """SHA-256 of the first certificate in a PEM text, as browsers show it: AB:CD:…. Raises ValueError when there is none."""
    from cryptography import x509

    return hashlib.sha256(_der(x509.load_pem_x509_certificate(pem.encode() if isinstance(pem, str) else pem))).digest().hex(":").upper()


def ensure(folder_ca: Path, folder_leaf: Path, names: Sequence[str], addresses: Iterable[str], now: dt.datetime, built: dt.datetime) -> Done:
    """Make what is missing, damaged or near its end: `folder_ca`/ca-key.pem and ca.pem; `folder_leaf`/leaf-key.pem, leaf.pem (leaf, then authority) and ca.pem.

    `names` are host names, `addresses` of any kind; public addresses, and names that an authority made earlier may not vouch for, are
    left out. `now` before `built` is a clock that was never set: `built` is then the time. Raises OSError.
    """
    folder_ca.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = _names(names)
    at, why = max(now, built), list[Text]()
    key, authority = _load_key(folder_ca / "ca-key.pem"), None
    if key is not None:
        authority = next((c for place in (folder_ca, folder_leaf) for c in _load(place / "ca.pem")[:1] if _is_ours(c, key)), None)
    made = key is None or authority is None or _ends(authority) < at + LEAF_DAYS * _DAY
    if made:
        why.append(_why_authority(key, authority))
        key = _new_key() if key is None or authority is not None else key
        authority = _make_authority(key, wanted, at, min(now, built))
        _save_key(folder_ca / "ca-key.pem", key, 0o600, None)
    assert key is not None and authority is not None
    text = _pem(authority)
    for path, mode in ((folder_ca / "ca.pem", 0o644), (folder_leaf / "ca.pem", 0o644)):
        if not _same(path, text):
            atomic.write(path, text, mode)
    hosts, left_out = _permitted(wanted, authority)
    hosts = hosts or ["unibos.local"]
    if left_out:
        why.append(T("The authority was made for other names and cannot vouch for: %(names)s.", names=", ".join(left_out)))
    numbers = sorted({a for a in map(_address, addresses) if a is not None and _private(a)}, key=lambda a: (a.version, int(a)))
    leaf = _ensure_leaf(folder_leaf, key, authority, hosts, numbers, now, built, why)
    return Done(made, leaf, tuple(why) or (T("The certificate is good until %(until)s.", until=f"{_ends(_load(folder_leaf / 'leaf.pem')[0]):%Y-%m-%d}"),))


def _ensure_leaf(folder: Path, key: EllipticCurvePrivateKey, authority: Certificate, hosts: list[str], numbers: list[Any], now: dt.datetime, built: dt.datetime,
                 why: list[Text]) -> bool:
    at, own, chain = max(now, built), _load_key(folder / "leaf-key.pem"), _load(folder / "leaf.pem")
    reason = _why_leaf(own, chain, authority, hosts, numbers, at, trusted=now >= built)
    if reason is None:
        return False
    why.append(reason)
    if own is None:
        own = _new_key()
        # Servers run as other users: they read the key through the group of its directory.
        _save_key(folder / "leaf-key.pem", own, 0o640, folder.stat().st_gid)
    leaf = _make_leaf(own, key, authority, hosts, numbers, at)
    atomic.write(folder / "leaf.pem", _pem(leaf) + _pem(authority), 0o644)
    return True


# Reasons.

def _why_authority(key: Any, authority: Any) -> Text:
    if key is not None and authority is not None:
        return T("The authority comes to its end; a new one was made. Devices and browsers must be told to trust it.")
    if key is not None:
        return T("The certificate of the authority was missing or damaged; it was made again from its key.")
    return T("An authority was made. Devices and browsers must be told to trust it.")


def _why_leaf(own: Any, chain: list[Any], authority: Certificate, hosts: list[str], numbers: list[Any], at: dt.datetime, *, trusted: bool) -> Text | None:
    """Why a new leaf is needed, or None."""
    if own is None or not chain:
        return T("A certificate was made: there was none, or it was damaged.")
    leaf = chain[0]
    if _spki(leaf.public_key()) != _spki(own.public_key()):
        return T("A certificate was made: the one there belonged to another key.")
    if not _issued(leaf, authority) or [_der(c) for c in chain[1:]] != [_der(authority)]:
        return T("A certificate was made: the one there was of another authority.")
    if leaf.not_valid_after_utc - at < (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 3:
        return T("The certificate was renewed in time.")
    # A clock that is not set says nothing about a certificate from later; one that is set shows that it was made by a wrong one.
    if trusted and leaf.not_valid_before_utc > at + _DAY:
        return T("A certificate was made: the one there began in the future.")
    known_names, known_numbers = _alternatives(leaf)
    missing = [n for n in hosts if n not in known_names] + [str(n) for n in numbers if n not in known_numbers]
    return T("A certificate was made for what was missing: %(names)s.", names=", ".join(missing)) if missing else None


# Making.

def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _make_authority(key: EllipticCurvePrivateKey, names: list[str], at: dt.datetime, begins: dt.datetime) -> Certificate:
    from cryptography import x509

    # The name follows from the key, so that one made again from its key is the same to who trusts the first.
    subject = _subject(f"UNIBOS authority {hashlib.sha256(_spki(key.public_key())).hexdigest()[:8]}")
    permitted = [x509.DNSName(n) for n in dict.fromkeys((*SUFFIXES, *(n for n in names if not _under(n, SUFFIXES))))] + [x509.IPAddress(n) for n in PRIVATE]
    usage = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
                          key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False)
    return _sign(_builder(subject, subject, key.public_key(), begins - _DAY, at + CA_DAYS * _DAY)
                 .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(usage, critical=True)
                 .add_extension(x509.NameConstraints(permitted, None), critical=True), key)


def _make_leaf(own: EllipticCurvePrivateKey, key: EllipticCurvePrivateKey, authority: Certificate, hosts: list[str], numbers: list[Any],
               at: dt.datetime) -> Certificate:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
                          key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False)
    # A day of slack for clients whose clock is behind; the whole life stays below the limits of clients (398 days).
    return _sign(_builder(_subject(hosts[0][:64] if hosts else "UNIBOS"), authority.subject, own.public_key(), at - _DAY, at + (LEAF_DAYS - 1) * _DAY)
                 .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(usage, critical=True)
                 .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                 .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, hosts), *map(x509.IPAddress, numbers)]), critical=False)
                 .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False), key)


def _subject(name: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: Any, issuer: Any, public: Any, begins: dt.datetime, ends: dt.datetime) -> Any:
    from cryptography import x509

    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public).serial_number(x509.random_serial_number())
            .not_valid_before(begins).not_valid_after(ends).add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False))


def _sign(builder: Any, key: EllipticCurvePrivateKey) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())


# Reading: whatever is damaged is as if it were not there.

def _load_key(path: Path) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1) else None


def _load(path: Path) -> list[Any]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return []


def _is_ours(found: Certificate, key: EllipticCurvePrivateKey) -> bool:
    return _spki(found.public_key()) == _spki(key.public_key()) and _issued(found, found)


def _issued(child: Certificate, parent: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    with contextlib.suppress(ValueError, TypeError, InvalidSignature):
        child.verify_directly_issued_by(parent)
        return True
    return False


def _alternatives(leaf: Certificate) -> tuple[set[str], set[Any]]:
    from cryptography import x509

    with contextlib.suppress(x509.ExtensionNotFound, ValueError):
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(found.get_values_for_type(x509.DNSName)), set(found.get_values_for_type(x509.IPAddress))
    return set(), set()


def _permitted(names: list[str], authority: Certificate) -> tuple[list[str], list[str]]:
    """(names that the authority may vouch for, the others)."""
    from cryptography import x509

    trees = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    bounds = [t.value for t in trees if isinstance(t, x509.DNSName)]
    return [n for n in names if _under(n, bounds)], [n for n in names if not _under(n, bounds)]


def _under(name: str, bounds: Iterable[str]) -> bool:
    return any(name == bound or name.endswith("." + bound) for bound in bounds)


def _names(names: Sequence[str]) -> list[str]:
    """Names as certificates hold them: small letters, no final dot, each once; what is no ASCII host name is left out."""
    low = (n.strip().rstrip(".").lower() for n in names)
    return list(dict.fromkeys(n for n in low if n.isascii() and 0 < len(n) <= 253 and all(p and p.replace("-", "").isalnum() for p in n.split("."))))


def _address(text: str) -> Any:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _private(address: Any) -> bool:
    return any(address.version == n.version and address in n for n in PRIVATE)


def _ends(found: Certificate) -> dt.datetime:
    return found.not_valid_after_utc


def _der(found: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return found.public_bytes(Encoding.DER)


def _pem(found: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return found.public_bytes(Encoding.PEM)


def _spki(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _save_key(path: Path, key: EllipticCurvePrivateKey, mode: int, group: int | None) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    atomic.write(path, data, mode, None if group is None else (os.geteuid(), group))


def _same(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False
