"""The list of nodes that an organisation no longer trusts, signed by its hub (docs/spec/revocations.md; RFC 8032).

Signed are the label and the fields, each preceded by its length as four bytes, big-endian: organisation, sequence number (decimal),
then key and time (milliseconds since 1970, decimal) of each entry, by key. So no two lists make the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LABEL = b"UNIBOS-REVOKED-V1"
MOST = 10_000
LARGEST = (1 << 53) - 1


@dataclass(frozen=True)
class Revoked:
    """The nodes of one organisation that are not trusted any more: (public key of 32 bytes, since when in ms since 1970), by key."""

    org_id: str
    sequence: int
    nodes: tuple[tuple[bytes, int], ...]

    def holds(self, public_key: bytes) -> bool:
        """Whether this key is in the list."""
        return any(key == public_key for key, _since in self.nodes)


def listed(org_id: str, sequence: int, nodes: Iterable[tuple[bytes, int]]) -> Revoked:
    """The list in its one order. Raises ValueError for a key that is there twice or has not 32 bytes, a number out of range, too many nodes."""
    ordered = tuple(sorted(nodes))
    if not org_id or len(org_id) > 64 or not 0 <= sequence <= LARGEST or len(ordered) > MOST:
        raise ValueError("organisation, sequence number or length")
    if len({key for key, _since in ordered}) < len(ordered) or any(len(key) != 32 or not 0 <= since <= LARGEST for key, since in ordered):
        raise ValueError("a key or a time")
    return Revoked(org_id, sequence, ordered)


def message(revoked: Revoked) -> bytes:
    """The bytes to sign."""
    parts = [LABEL, revoked.org_id.encode(), str(revoked.sequence).encode()]
    for key, since in revoked.nodes:
        parts += [key, str(since).encode()]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def sign(seed: bytes, revoked: Revoked) -> dict[str, Any]:
    """The list as it travels: {org_id, sequence, nodes: [{key, since}], signature}; bytes as Base64."""
    from nacl.signing import SigningKey

    nodes = [{"key": base64.b64encode(key).decode(), "since": since} for key, since in revoked.nodes]
    return {"org_id": revoked.org_id, "sequence": revoked.sequence, "nodes": nodes,
            "signature": base64.b64encode(SigningKey(seed).sign(message(revoked)).signature).decode()}


def read(signer: bytes, carried: Mapping[str, Any], *, org_id: str, seen: int = -1) -> Revoked:
    """The list of `org_id` that the owner of the key `signer` signed and that is not older than sequence number `seen`. Raises ValueError otherwise."""
    from nacl.exceptions import CryptoError
    from nacl.signing import VerifyKey

    try:
        nodes = [(base64.b64decode(node["key"], validate=True), _whole(node["since"])) for node in carried["nodes"]]
        revoked = listed(str(carried["org_id"]), _whole(carried["sequence"]), nodes)
        VerifyKey(signer).verify(message(revoked), base64.b64decode(carried["signature"], validate=True))
    except (KeyError, TypeError, AttributeError, CryptoError) as error:
        raise ValueError("this is no signed list of the hub") from error
    if revoked.org_id != org_id:
        raise ValueError("the list of another organisation")
    if revoked.sequence < seen:
        raise ValueError("an older list than the one that is known")
    return revoked


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number")
    return value
