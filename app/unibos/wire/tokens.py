"""Tokens that one device signs and another takes: their exact form, and how they are checked (docs/spec/tokens.md).

JWS compact form (RFC 7515) with EdDSA over Ed25519 (RFC 8037) and nothing else. The key is found by `kid` in a set that the verifier fetched
before; header fields that bring or name a key are refused, not followed (RFC 8725).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

ACCESS, NODE = "at+jwt", "unibos-node+jwt"
MAXIMUM = 8192
SKEW = 60  # seconds that the clocks of hub and node may differ before a token counts as not yet made
_HEADER = {"alg", "typ", "kid"}
_TEXTS = ("iss", "aud", "sub", "jti", "kind")


class Refused(ValueError):
    """A token that is not taken; `why` is one of form, header, key, signature, claims, issuer, audience, early, expired."""

    def __init__(self, why: str):
        self.why = why
        super().__init__(why)


def node_audience(node_id: str) -> str:
    """The audience of tokens for a node: its id at the hub that signs."""
    return f"unibos:node:{node_id}"


def kid_of(public: bytes) -> str:
    """The name of an Ed25519 public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def jwk(public: bytes) -> dict[str, str]:
    """A public key as a JWK (RFC 7517, RFC 8037)."""
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid_of(public), "x": x}


def keys_of(jwks: Any) -> dict[str, bytes]:
    """{kid: public key} of a JWK set; what is no Ed25519 signing key of ours is left out. Raises ValueError for what is no set, or has over 32 keys."""
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(listed, list) or len(listed) > 32:
        raise ValueError("no JWK set")
    found: dict[str, bytes] = {}
    for key in listed:
        if not isinstance(key, Mapping) or (key.get("kty"), key.get("crv"), key.get("alg"), key.get("use")) != ("OKP", "Ed25519", "EdDSA", "sig"):
            continue
        try:
            public = _unb64(str(key.get("x", "")))
        except Refused:
            continue
        if len(public) == 32 and key.get("kid") == kid_of(public):
            found[kid_of(public)] = public
    return found


def sign(seed: bytes, typ: str, claims: Mapping[str, Any]) -> str:
    """A token over `claims` by the Ed25519 key of a 32-byte seed. The same claims and key make the same token (RFC 8032)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(seed)
    head = {"alg": "EdDSA", "typ": typ, "kid": kid_of(key.public_key().public_bytes_raw())}
    signed = f"{_b64(_json(head))}.{_b64(_json(claims))}"
    return f"{signed}.{_b64(key.sign(signed.encode()))}"


def header(token: str) -> dict[str, str]:
    """The header of a token: alg, typ and kid, and nothing else. Raises Refused."""
    parts = token.split(".") if len(token) <= MAXIMUM else []
    if len(parts) != 3:
        raise Refused("form")
    found = _object(parts[0])
    if set(found) != _HEADER or not all(isinstance(value, str) for value in found.values()) or found["alg"] != "EdDSA":
        raise Refused("header")
    return found


def signed(token: str, typ: str, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """The claims of a token of type `typ` signed by one of `keys`; what they say is not looked at. Raises Refused."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    head = header(token)
    if head["typ"] != typ:
        raise Refused("header")
    public = keys.get(head["kid"])
    if public is None:
        raise Refused("key")
    body, _, signature = token.rpartition(".")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(_unb64(signature), body.encode())
    except InvalidSignature:
        raise Refused("signature") from None
    return _object(body.partition(".")[2])


def check(claims: Mapping[str, Any], issuer: str, audience: str, now: float) -> None:
    """Raise Refused unless `claims` are of `issuer`, for `audience` alone, and good at `now` (seconds since 1970)."""
    if not all(isinstance(claims.get(name), str) and claims[name] for name in _TEXTS):
        raise Refused("claims")
    if not all(isinstance(claims.get(name), int) and not isinstance(claims[name], bool) for name in ("iat", "exp")):
        raise Refused("claims")
    if claims["iss"] != issuer:
        raise Refused("issuer")
    if claims["aud"] != audience:
        raise Refused("audience")
    if claims["iat"] > now + SKEW:
        raise Refused("early")
    if claims["exp"] <= now:
        raise Refused("expired")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused("form") from None
    if _b64(data) != text:  # one spelling only: no padding, no stray bits
        raise Refused("form")
    return data


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_unb64(part))
    except (ValueError, RecursionError) as error:
        raise Refused("form") from error
    if not isinstance(found, dict):
        raise Refused("form")
    return found
