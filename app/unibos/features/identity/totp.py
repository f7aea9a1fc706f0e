"""Codes that change with the time (TOTP, RFC 6238 over HOTP, RFC 4226) and recovery codes, as pure functions.

Parameters are those that every authenticator app takes: HMAC-SHA-1, 6 digits, steps of 30 s. SHA-1's collisions do not touch HMAC.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote, urlencode

SECONDS, DIGITS, WINDOW = 30, 6, 1
SECRET_BYTES = 20
RECOVERY_CODES, RECOVERY_BYTES = 10, 10
# RFC 4648's base 32 has neither 0 nor 1 nor 8, which are taken for O, I and B.
_ALIKE = str.maketrans({"0": "O", "1": "I", "8": "B"})


def hotp(secret: bytes, counter: int, digits: int = DIGITS) -> str:
    """The code of `counter` (RFC 4226 section 5.3)."""
    mac = hmac.new(secret, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[-1] & 0x0F
    return str((int.from_bytes(mac[at:at + 4], "big") & 0x7FFFFFFF) % 10**digits).zfill(digits)


def step_at(seconds: float) -> int:
    """The time step of a moment in seconds since 1970 (RFC 6238 section 4.2)."""
    return int(seconds // SECONDS)


def step_of(secret: bytes, code: str, now: float, after: int) -> int | None:
    """The step later than `after` whose code this is, among the current one and one on each side; or None.

    All of them are compared, in constant time each, so that the time taken does not tell which was near.
    """
    found, current = None, step_at(now)
    for step in range(current - WINDOW, current + WINDOW + 1):
        alike = step >= 0 and hmac.compare_digest(hotp(secret, max(step, 0)).encode(), code.encode())
        if alike and step > after and found is None:
            found = step
    return found


def written(secret: bytes) -> str:
    """A secret as it is typed into an app: base 32 (RFC 4648 section 6) without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, issuer: str, account: str) -> str:
    """The address that an app reads from the QR code (Key URI Format of Google Authenticator)."""
    label = quote(f"{issuer}:{account}", safe="@")
    return f"otpauth://totp/{label}?" + urlencode({"secret": written(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS,
                                                   "period": SECONDS}, quote_via=quote)


def digits_of(text: str) -> str:
    """The six digits of a typed code, or empty when it is none of an app's."""
    bare = re.sub(r"[\s-]", "", text)
    return bare if re.fullmatch(r"[0-9]{6}", bare) else ""


def recovery_code(raw: bytes) -> str:
    """A recovery code of `RECOVERY_BYTES` random bytes (80 bits), in four groups of four characters."""
    text = base64.b32encode(raw).decode()
    return "-".join(text[i:i + 4] for i in range(0, len(text), 4))


def recovery_hash(user_id: str, typed: str) -> str:
    """How a recovery code is kept. It has 80 random bits, so SHA-256 is enough; bound to its person, so that no table serves for two."""
    spelled = re.sub(r"[\s-]", "", typed).upper().translate(_ALIKE)
    return hashlib.sha256(f"unibos recovery\0{user_id}\0{spelled}".encode()).hexdigest()
