"""Signed tokens: EdDSA only, of this device's own key, for this device's own audience (RFC 7519, RFC 8037, RFC 9068)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from unibos.kernel.errors import Unauthenticated
from unibos.kernel.words import T

TYPE = "at+jwt"
REMEMBERED = 256


class Signer:
    """Signs and verifies with one Ed25519 key, given as its 32-byte seed. `name` is issuer and audience."""

    def __init__(self, seed: bytes, name: str):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key()
        self.name = name
        # A signature that was good stays good: only the time is asked again. Sessions are looked up at every request all the same.
        self._seen: dict[str, dict[str, Any]] = {}
        self.kid = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def jwks(self) -> dict[str, Any]:
        """The public key as a JWK set (RFC 7517)."""
        x = base64.urlsafe_b64encode(self._public.public_bytes_raw()).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x}]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token over `claims`; iss and aud are ours."""
        import jwt

        return jwt.encode({**claims, "iss": self.name, "aud": self.name}, self._key, algorithm="EdDSA",
                          headers={"typ": TYPE, "kid": self.kid})

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that we signed, for us, not expired at `now`; raises Unauthenticated. Header fields that
        name a key (jku, jwk, x5u) are never followed; the algorithm is not the token's to choose."""
        claims = self._seen.get(token)
        if claims is None:
            claims = self._verified(token)
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[token] = claims
        if float(claims["exp"]) <= now:
            raise Unauthenticated(T("This token has expired. Log in again."))
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TYPE or header.get("kid") != self.kid:
                raise Unauthenticated(T("This token is not one of this device's."))
            return jwt.decode(token, self._public, algorithms=["EdDSA"], audience=self.name, issuer=self.name,
                                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "sub", "jti"]})
        except jwt.PyJWTError as error:
            raise Unauthenticated(T("This token cannot be used.")) from error
