"""A passkey in software (WebAuthn level 2, CTAP 2 in its essentials), for tests through the API: it can also lie in each thing that is checked."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Authenticator:
    """One credential for one name. `count` is what it will say next; 0 for one that does not count, as synced passkeys do."""

    def __init__(self, origin: str = "http://localhost", count: int = 1, flags: int = UP | UV):
        self.origin, self.rp_id = origin, origin.partition("://")[2].partition(":")[0]
        self.key, self.id, self.count, self.flags, self.user = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(32), count, flags, b""

    def _client(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": f"webauthn.{kind}", "challenge": challenge, "origin": origin or self.origin, "crossOrigin": False}).encode()

    def _data(self, rp_id: str, flags: int) -> bytes:
        made = hashlib.sha256((rp_id or self.rp_id).encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        self.count += 1 if self.count else 0
        return made

    def create(self, options: dict[str, Any], *, origin: str = "", rp_id: str = "", flags: int | None = None, challenge: str = "") -> dict[str, Any]:
        """The answer of navigator.credentials.create, as toJSON() gives it."""
        self.user = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        numbers = self.key.public_key().public_numbers()
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        data = (self._data(rp_id, (self.flags if flags is None else flags) | AT) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose)
        client = self._client("create", challenge or options["challenge"], origin)
        return self._answer({"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                             "transports": ["internal"]})

    def get(self, options: dict[str, Any], *, origin: str = "", rp_id: str = "", flags: int | None = None, challenge: str = "", user: bytes | None = None,
            kind: str = "get") -> dict[str, Any]:
        """The answer of navigator.credentials.get."""
        client, data = self._client(kind, challenge or options["challenge"], origin), self._data(rp_id, self.flags if flags is None else flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer({"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
                             "userHandle": b64(self.user if user is None else user)})

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response, "clientExtensionResults": {},
                "authenticatorAttachment": "platform"}
