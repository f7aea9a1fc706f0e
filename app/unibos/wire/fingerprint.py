"""The fingerprint of a node's key, as two people read it to each other (docs/spec/revocations.md)."""

from __future__ import annotations

import hashlib

LABEL = b"UNIBOS-NODE-FINGERPRINT-V1"


def fingerprint(public_key: bytes) -> str:
    """128 bits of SHA-256 over the label and the 32-byte key, as eight groups of four hexadecimal digits. Raises ValueError for another length."""
    if len(public_key) != 32:
        raise ValueError("a node's key has 32 bytes")
    digits = hashlib.sha256(LABEL + public_key).hexdigest()[:32]
    return " ".join(digits[i:i + 4] for i in range(0, 32, 4))
