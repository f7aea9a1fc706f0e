"""The second factor: TOTP with recovery codes. The password comes first; what is here decides whether it is enough, and what else is."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

from unibos.features.identity import totp
from unibos.features.identity.models import Factor, LoginChallenge, RecoveryCode, Session, User
from unibos.kernel.errors import Conflict, FactorNeeded, Invalid, NotFound, Unauthenticated
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit

CHALLENGE_SECONDS, CHALLENGE_TRIES = 300, 5
PENDING = dt.timedelta(minutes=15)
# Guesses of app codes a day: 3 codes of a million are right at a time, so 50 guesses find one in about 7000 days. Recovery codes stay open.
DAILY = 50
DAY = 86400.0


def _wrong() -> Unauthenticated:
    return Unauthenticated(T("This code is wrong, or it was used already. Wait for the next one, or use a recovery code."))


def _late() -> Unauthenticated:
    return Unauthenticated(T("This login took too long or was tried too often. Begin again with your password."), ended=True)


class Factors:
    """Second factors of the people of this device."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    # The secret at rest.

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._kit.secret("factor", 32))

    @staticmethod
    def _bound(user_id: str) -> bytes:
        return f"unibos totp\0{user_id}".encode()

    def _seal(self, user_id: str, secret: bytes) -> str:
        nonce = self._kit.random.bytes(12)
        return (nonce + self._cipher().encrypt(nonce, secret, self._bound(user_id))).hex()

    def _open(self, factor: Factor) -> bytes:
        """The secret; raises Conflict where this device's key is not the one that sealed it (a restored backup, a moved database)."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = bytes.fromhex(factor.sealed)
            return self._cipher().decrypt(raw[:12], raw[12:], self._bound(factor.user_id))
        except (InvalidTag, ValueError) as error:
            self._kit.log.error("the second factor of %s was sealed by another key than this device's", factor.user_id)
            raise Conflict(T("This device cannot read the key of your app. Use a recovery code.")) from error

    # What is there.

    @staticmethod
    def _confirmed(user_id: str) -> Factor | None:
        return Factor.get_or_none((Factor.user_id == user_id) & Factor.confirmed_at.is_null(False))

    def _pending(self, user_id: str) -> Factor | None:
        return Factor.get_or_none((Factor.user_id == user_id) & Factor.confirmed_at.is_null() & (Factor.created_at > self._kit.now() - PENDING))

    def on(self, user_id: str) -> bool:
        """Whether the password alone does not let this person in."""
        return self._confirmed(user_id) is not None

    def state(self, user_id: str) -> dict[str, Any]:
        """{state: off, pending or on; since, used_at, codes_at: times or None; codes_left; clock_trusted}."""
        factor = self._confirmed(user_id)
        left = RecoveryCode.select().where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_null()).count() if factor else 0
        return {"state": "on" if factor else "pending" if self._pending(user_id) else "off", "since": factor.confirmed_at if factor else None,
                "used_at": factor.used_at if factor else None, "codes_at": factor.codes_at if factor else None, "codes_left": left,
                "clock_trusted": self._kit.clock.trusted()}

    # Turning it on, renewing, turning it off. Each asks again who it is, since a session may have been left open.

    def prove(self, user_id: str, address: str, *, password: str = "", code: str = "") -> None:
        """Raise unless the password or a code (which is used up) is the person's: Unauthenticated, Throttled, or Invalid for neither or both."""
        if bool(password) == bool(code):
            raise Invalid(T("Give your password or a code, one of the two."))
        if password:
            self._identity.prove_password(self._identity.user(user_id), password, address)
            return
        self._check_clock(code)
        self._count(user_id, code, address)
        with self._kit.db.transaction():
            good = self._spend(user_id, code)
        self._settle(good, user_id, code, address)

    def begin(self, user_id: str, address: str, password: str) -> dict[str, str]:
        """A new secret that waits to be confirmed: {secret, uri}, shown this once. Raises Conflict when there is a factor or no clock."""
        self.prove(user_id, address, password=password)
        self._need_clock()
        if self.on(user_id):
            raise Conflict(T("The second step is on already. Turn it off first to use another app."))
        secret, user = self._kit.random.bytes(totp.SECRET_BYTES), self._identity.user(user_id)
        sealed, now = self._seal(user_id, secret), self._kit.now()
        with self._kit.db.transaction():
            Factor.insert(user_id=user_id, sealed=sealed, last_step=0, created_at=now).on_conflict(
                conflict_target=[Factor.user_id], update={Factor.sealed: sealed, Factor.last_step: 0, Factor.created_at: now},
                where=Factor.confirmed_at.is_null()).execute()
        host = str(self._kit.machine().get("hostname", "")) or self._kit.role
        return {"secret": totp.written(secret), "uri": totp.uri(secret, f"UNIBOS {host}", user.email)}

    def confirm(self, user_id: str, session_id: str, address: str, code: str) -> list[str]:
        """Turn the factor on by a first code; returns the recovery codes, shown this once. Ends the person's other sessions, which only a
        password opened. Raises Conflict when nothing waits to be confirmed, Unauthenticated for a wrong code, Throttled."""
        self._need_clock()
        pending = self._pending(user_id)
        if pending is None:
            raise Conflict(T("There is no key that waits to be confirmed. Begin again: a key waits for 15 minutes."))
        digits, now = totp.digits_of(code), self._kit.now()
        self._count(user_id, digits or "000000", address)
        step = totp.step_of(self._open(pending), digits, now.timestamp(), 0) if digits else None
        codes: list[str] = []
        if step is not None:
            with self._kit.db.transaction():
                made = (Factor.update(confirmed_at=now, used_at=now, codes_at=now, last_step=step)
                        .where(Factor.user_id == user_id, Factor.sealed == pending.sealed, Factor.confirmed_at.is_null()).execute())
                codes = self._new_codes(user_id) if made else []
                if made:
                    self._end_sessions(user_id, session_id)
        self._settle(bool(codes), user_id, digits, address)
        self._kit.log.warning("second factor of %s: turned on", user_id)
        return codes

    def renew(self, user_id: str, address: str, *, password: str = "", code: str = "") -> list[str]:
        """New recovery codes in place of all older ones. Raises NotFound without a factor, else as `prove`."""
        if not self.on(user_id):
            raise NotFound(T("The second step is off."))
        self.prove(user_id, address, password=password, code=code)
        with self._kit.db.transaction():
            # The row stays locked to the end: two at once would otherwise leave two sets.
            held = Factor.update(codes_at=self._kit.now()).where(Factor.user_id == user_id, Factor.confirmed_at.is_null(False)).execute()
            codes = self._new_codes(user_id) if held else []
        if not codes:
            raise NotFound(T("The second step is off."))
        self._kit.log.warning("second factor of %s: new recovery codes", user_id)
        return codes

    def turn_off(self, user_id: str, address: str, *, password: str = "", code: str = "") -> None:
        """Password alone again. Raises NotFound without a factor, else as `prove`."""
        if not self.on(user_id):
            raise NotFound(T("The second step is off."))
        self.prove(user_id, address, password=password, code=code)
        self._remove(user_id)
        self._kit.log.warning("second factor of %s: turned off", user_id)

    def recover(self, email: str) -> bool:
        """Remove a person's factor for who holds the console, and end their sessions; whether there was one. Raises NotFound for the person."""
        user = User.get_or_none(User.email == email.strip().lower())
        if user is None:
            raise NotFound(T("There is no account with the e-mail address %(email)s.", email=email))
        had = self._remove(user.id)
        with self._kit.db.transaction():
            self._end_sessions(user.id)
        self._kit.log.warning("second factor of %s: removed on the console", user.id)
        return had

    def _remove(self, user_id: str) -> bool:
        with self._kit.db.transaction():
            removed = Factor.delete().where(Factor.user_id == user_id).execute()
            for table in (RecoveryCode, LoginChallenge):
                table.delete().where(table.user_id == user_id).execute()
        return bool(removed)

    def _new_codes(self, user_id: str) -> list[str]:
        codes = [totp.recovery_code(self._kit.random.bytes(totp.RECOVERY_BYTES)) for _ in range(totp.RECOVERY_CODES)]
        RecoveryCode.delete().where(RecoveryCode.user_id == user_id).execute()
        RecoveryCode.insert_many([{"code_hash": totp.recovery_hash(user_id, code), "user_id": user_id} for code in codes]).execute()
        return codes

    def _end_sessions(self, user_id: str, but: str = "") -> None:
        Session.update(revoked_at=self._kit.now()).where(Session.user_id == user_id, Session.id != but, Session.revoked_at.is_null()).execute()

    # Logging in.

    def challenge(self, user: User) -> FactorNeeded:
        """The error that asks for the second step; its `challenge` is good for one login of this person, for five minutes and tries."""
        now, secret = self._kit.now(), self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            LoginChallenge.delete().where(LoginChallenge.expires_at <= now).execute()
            LoginChallenge.create(secret_hash=_digest(secret), user_id=user.id, expires_at=now + dt.timedelta(seconds=CHALLENGE_SECONDS),
                                  offline=user.offline_session)
        trusted = self._kit.clock.trusted()
        text = (T("The password is right. Now give the code of your app, or a recovery code.") if trusted else
                T("The password is right. The clock of this box was never set, so it takes a recovery code only."))
        return FactorNeeded(text, challenge=secret, expires_in=CHALLENGE_SECONDS, factors=["totp", "recovery"] if trusted else ["recovery"])

    def answer(self, challenge: str, code: str, address: str) -> User:
        """The person whose login this completes. Raises Unauthenticated (with `ended` when the login must begin again), Throttled, or
        Conflict for an app's code while the clock is not trusted."""
        now, key = self._kit.now(), _digest(challenge)
        alive = (LoginChallenge.secret_hash == key) & LoginChallenge.used_at.is_null() & (LoginChallenge.expires_at > now)
        waiting = LoginChallenge.get_or_none(alive)
        if waiting is None:
            self._identity.throttle(f"factor@{address}")
            raise _late()
        self._check_clock(code)
        self._count(waiting.user_id, code, address)
        with self._kit.db.transaction():
            counted = LoginChallenge.update(tries=LoginChallenge.tries + 1).where(alive, LoginChallenge.tries < CHALLENGE_TRIES).execute()
        if not counted:
            raise _late()
        with self._kit.db.transaction():
            user = User.get_or_none((User.id == waiting.user_id) & User.disabled_at.is_null())
            # Taken first: of two answers at once only one goes on, and a code is spent only with it.
            taken = user is not None and LoginChallenge.update(used_at=now).where(alive).execute()
            good = bool(taken) and self._spend(waiting.user_id, code)
            if taken and not good:
                LoginChallenge.update(used_at=None).where(LoginChallenge.secret_hash == key).execute()
        self._settle(good, waiting.user_id, code, address)
        user.offline_session, user.stepped = waiting.offline, True
        return user

    # Checking a code.

    def _need_clock(self) -> None:
        if not self._kit.clock.trusted():
            raise Conflict(T("The clock of this box was never set, so codes of an app cannot be checked. Connect it to a time server or a hub first."))

    def _check_clock(self, code: str) -> None:
        if totp.digits_of(code) and not self._kit.clock.trusted():
            raise Conflict(T("The clock of this box was never set, so codes of the app cannot be checked. Use a recovery code."))

    def _count(self, user_id: str, code: str, address: str) -> None:
        """Count a try before it is looked at; raises Throttled."""
        for key in (f"factor:{user_id}", f"factor@{address}"):
            self._identity.throttle(key)
        if totp.digits_of(code):
            self._identity.throttle(f"factor-day:{user_id}", DAILY, DAY)

    def _settle(self, good: bool, user_id: str, code: str, address: str) -> None:
        if not good:
            self._kit.log.warning("second factor of %s: a wrong code from %s", user_id, address)
            raise _wrong()
        self._identity.forgive(f"factor:{user_id}", f"factor@{address}", *([f"factor-day:{user_id}"] if totp.digits_of(code) else []))

    def _spend(self, user_id: str, code: str) -> bool:
        """Whether the code was good; it is used up by this, in the caller's transaction."""
        now, digits = self._kit.now(), totp.digits_of(code)
        if not digits:
            used = (RecoveryCode.update(used_at=now).where(RecoveryCode.code_hash == totp.recovery_hash(user_id, code),
                                                           RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_null()).execute())
            if used:
                self._kit.log.warning("second factor of %s: a recovery code was used", user_id)
            return bool(used)
        factor = self._confirmed(user_id)
        step = totp.step_of(self._open(factor), digits, now.timestamp(), factor.last_step) if factor else None
        return step is not None and bool(Factor.update(last_step=step, used_at=now).where(
            Factor.user_id == user_id, Factor.last_step < step, Factor.confirmed_at.is_null(False)).execute())


def _digest(secret: str) -> str:
    """How a challenge is kept; bound to its purpose, so that it is no session's or token's digest."""
    return hashlib.sha256(f"unibos login\0{secret}".encode()).hexdigest()
