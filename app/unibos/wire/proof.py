"""Proofs of possession: what is signed when a node proves its Ed25519 key (docs/spec/proof.md; RFC 8032).

The message is `UNIBOS-PROOF-V1`, the purpose, and the fields, each preceded by its length as four bytes, big-endian,
so that no two different lists of fields make the same bytes and no proof serves another purpose.
"""

from __future__ import annotations

LABEL = b"UNIBOS-PROOF-V1"
PURPOSES = ("enrol", "apply", "session", "identify")


def message(purpose: str, *fields: bytes | str) -> bytes:
    """The bytes to sign for `purpose` over `fields`. Raises ValueError for an unknown purpose."""
    if purpose not in PURPOSES:
        raise ValueError(purpose)
    parts = [LABEL, purpose.encode(), *(f.encode() if isinstance(f, str) else f for f in fields)]
    return b"".join(len(p).to_bytes(4, "big") + p for p in parts)


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed."""
    from nacl.signing import SigningKey

    return bytes(SigningKey(seed).verify_key)


def sign(seed: bytes, purpose: str, *fields: bytes | str) -> bytes:
    """The 64-byte signature."""
    from nacl.signing import SigningKey

    return SigningKey(seed).sign(message(purpose, *fields)).signature


def verify(public: bytes, signature: bytes, purpose: str, *fields: bytes | str) -> bool:
    """Whether `signature` was made for exactly this by the owner of `public`; False for anything malformed."""
    from nacl.exceptions import CryptoError
    from nacl.signing import VerifyKey

    try:
        VerifyKey(public).verify(message(purpose, *fields), signature)
    except (CryptoError, ValueError):
        return False
    return True
