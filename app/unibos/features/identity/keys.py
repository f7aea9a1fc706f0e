"""A hub's signing keys: rows sealed by a key of the device, shared by all processes and by both hubs of a pair (decision record 0013)."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity.hub_models import SigningKey
from unibos.features.identity.ring import LEAD, Key, ring
from unibos.kernel.errors import Unauthenticated, Unavailable
from unibos.kernel.words import T
from unibos.wire import tokens

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# How old what a process knows of the ring may be, in seconds; a key that it does not know makes it look at once, but not more often than each second.
KNOWN_SECONDS, LOOK_SECONDS = 5.0, 1.0
REMEMBERED = 256


class Keyring:
    """Signs and verifies this hub's tokens by the ring of its keys. `name` is issuer, and audience of tokens for the hub itself."""

    def __init__(self, kit: Kit):
        self._kit, self._lock = kit, threading.Lock()
        self._rows: list[SigningKey] = []
        self._at = -KNOWN_SECONDS
        self._seeds: dict[str, bytes] = {}
        self._seen: dict[str, dict[str, Any]] = {}

    # What is known of the ring.

    def _look(self, oldest: float) -> list[SigningKey]:
        """The rows, at most `oldest` seconds old; makes the first key, which is the one that signed before there was a ring."""
        now = self._kit.clock.monotonic()
        if self._rows and 0 <= now - self._at < oldest:
            return self._rows
        rows = list(SigningKey.select().order_by(SigningKey.starts_at, SigningKey.number))
        if not rows:
            self._keep(1, self._kit.secret("jwt", 32), self._kit.now(), f"unibos:{self._kit.role}:{self._kit.secret('device', 16).hex()}")
            rows = list(SigningKey.select().order_by(SigningKey.starts_at, SigningKey.number))
        with self._lock:
            if {row.kid for row in rows} != {row.kid for row in self._rows}:
                self._seen = {}  # a token of a key that is gone must not be remembered as good
            self._rows, self._at = rows, now
        return rows

    def _life(self) -> dt.timedelta:
        return dt.timedelta(seconds=self._kit.settings["UNIBOS_ACCESS_SECONDS"])

    def _ring(self, rows: list[SigningKey]):
        return ring(self._kit.now(), [Key(row.number, row.starts_at) for row in rows], self._life())

    def _public(self, oldest: float = KNOWN_SECONDS) -> dict[str, bytes]:
        rows = self._look(oldest)
        shown = set(self._ring(rows).publish)
        return {row.kid: bytes.fromhex(row.public) for row in rows if row.number in shown}

    @property
    def name(self) -> str:
        """Who signs: the same for both hubs of a pair, since it lies beside the keys."""
        return self._look(KNOWN_SECONDS)[0].issuer

    @property
    def kid(self) -> str:
        """The name of the key that signs now."""
        return self._signing().kid

    def _signing(self) -> SigningKey:
        rows = self._look(KNOWN_SECONDS)
        number = self._ring(rows).sign
        return next(row for row in rows if row.number == number)

    def jwks(self) -> dict[str, Any]:
        """The published keys as a JWK set (RFC 7517)."""
        return {"keys": [tokens.jwk(public) for public in self._public().values()]}

    def listed(self) -> list[dict[str, Any]]:
        """[{kid, state: next, current or previous, starts_at, made_at}] for who looks after the hub."""
        rows = self._look(0.0)
        now_ring = self._ring(rows)
        number = now_ring.sign
        signing = next(row for row in rows if row.number == number)
        return [{"kid": row.kid, "made_at": row.made_at, "starts_at": row.starts_at,
                 "state": "current" if row.number == number else "next" if (row.starts_at, row.number) > (signing.starts_at, number) else "previous"}
                for row in rows if row.number in now_ring.publish]

    # Signing and verifying.

    def sign(self, claims: Mapping[str, Any], *, audience: str = "", typ: str = tokens.ACCESS) -> str:
        """A token over `claims` of this hub, for itself or for `audience`. Raises Unavailable where the key cannot be opened."""
        row = self._signing()
        return tokens.sign(self._seed(row), typ, {**claims, "iss": row.issuer, "aud": audience or row.issuer})

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that this hub signed for itself, not expired at `now`; raises Unauthenticated."""
        try:
            claims = self._remembered(token)
        except tokens.Refused as error:
            raise Unauthenticated(T("This token is not one of this device's.") if error.why in ("header", "key") else
                                  T("This token cannot be used.")) from error
        if float(claims["exp"]) <= now:
            raise Unauthenticated(T("This token has expired. Log in again."))
        return claims

    def _remembered(self, token: str) -> dict[str, Any]:
        public = self._public()
        claims = self._seen.get(token)
        if claims is None:
            kid = tokens.header(token)["kid"]
            claims = tokens.signed(token, tokens.ACCESS, public if kid in public else self._public(LOOK_SECONDS))
            # The time is asked again each time; here it must only be a time at all.
            tokens.check(claims, self.name, self.name, min(float(claims.get("exp") or 0) - 1, 1e12) if isinstance(claims.get("exp"), int) else 0.0)
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[token] = claims
        return claims

    # The keys at rest.

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._kit.secret("ring", 32))

    def _keep(self, number: int, seed: bytes, starts_at: dt.datetime, issuer: str) -> None:
        """Keep a new key. Of two processes that make the same number at once, the first one's is kept."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        kid, nonce = tokens.kid_of(public), self._kit.random.bytes(12)
        sealed = (nonce + self._cipher().encrypt(nonce, seed, _bound(kid))).hex()
        with self._kit.db.transaction():
            SigningKey.insert(number=number, kid=kid, public=public.hex(), sealed=sealed, issuer=issuer, made_at=self._kit.now(),
                              starts_at=starts_at).on_conflict(action="IGNORE").execute()

    def _seed(self, row: SigningKey) -> bytes:
        from cryptography.exceptions import InvalidTag

        if row.kid not in self._seeds:
            try:
                raw = bytes.fromhex(row.sealed)
                self._seeds[row.kid] = self._cipher().decrypt(raw[:12], raw[12:], _bound(row.kid))
            except (InvalidTag, ValueError) as error:
                self._kit.log.error("the signing key %s was sealed by another key than this device's keys/ring", row.kid)
                raise Unavailable(T("This hub cannot open its signing key, so nobody can log in. Hubs of a pair need the same file keys/ring.")) from error
        return self._seeds[row.kid]

    # Turning.

    def turn(self) -> str:
        """The periodic step: make the next key when it is due, forget those that nobody needs; returns a sentence for the log."""
        rows = self._look(0.0)
        found = self._ring(rows)
        if found.next_from is not None:
            self._keep(rows[-1].number + 1, self._kit.random.bytes(32), found.next_from, rows[0].issuer)
        if found.drop:
            with self._kit.db.transaction():
                SigningKey.delete().where(SigningKey.number.in_(found.drop)).execute()
        self._look(0.0)
        return f"{len(found.publish)} keys, {'one made' if found.next_from else 'none due'}, {len(found.drop)} dropped"

    def rotate(self, *, at_once: bool = False) -> None:
        """Make a new key now: it signs after the lead time, or, `at_once`, immediately, and then every older key and all its tokens end."""
        rows, now = self._look(0.0), self._kit.now()
        number, issuer = max(row.number for row in rows) + 1, rows[0].issuer
        with self._kit.db.transaction():
            SigningKey.delete().where(SigningKey.starts_at > now).execute()
            self._keep(number, self._kit.random.bytes(32), now if at_once else now + LEAD, issuer)
            if at_once:
                SigningKey.delete().where(SigningKey.number < number).execute()
        self._look(0.0)
        self._kit.log.warning("a new signing key was made%s", ": all tokens of older ones have ended" if at_once else "")


def _bound(kid: str) -> bytes:
    return f"unibos signing key\0{kid}".encode()
