"""The second factor: TOTP or passkeys, with recovery codes. The password comes first; what is here decides whether it is enough, and what else is.

It is on as soon as a person has a confirmed app or a passkey, under whatever name of the box: otherwise a passkey would keep out nobody who
knows the password (docs/decisions/0016-passkeys.md).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

from unibos.features.identity import totp
from unibos.features.identity.models import Factor, LoginChallenge, RecoveryCode, User
from unibos.features.identity.safety_models import Account, Passkey
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
        return self._confirmed(user_id) is not None or self._identity.passkeys.any(user_id)

    def state(self, user_id: str) -> dict[str, Any]:
        """{state of the app: off, pending or on; since, used_at, codes_at: times or None; codes_left; clock_trusted; second_step: on or off at all}."""
        factor, on = self._confirmed(user_id), self.on(user_id)
        left = RecoveryCode.select().where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_null()).count() if on else 0
        account = Account.get_or_none(Account.user_id == user_id) if on else None
        return {"state": "on" if factor else "pending" if self._pending(user_id) else "off", "since": factor.confirmed_at if factor else None,
                "used_at": factor.used_at if factor else None, "codes_at": (account and account.codes_at) or (factor and factor.codes_at),
                "codes_left": left, "clock_trusted": self._kit.clock.trusted(), "second_step": on}

    # Turning it on, renewing, turning it off. Each asks again who it is, since a session may have been left open.

    def prove(self, user_id: str, address: str, *, password: str = "", code: str = "") -> None:
        """Raise unless the password or a code (which is used up) is the person's: Unauthenticated, Throttled, or Invalid for neither or both."""
        if bool(password) == bool(code):
            raise Invalid(T("Give your password or a code, one of the two."))
        if password:
            self._identity.prove_password(self._identity.user(user_id), password, address)
            return
        # Who is logged in has tries of their own: what others try at the login cannot keep them from their own account.
        self._check_clock(code)
        self._count(user_id, code, address, f"own:{user_id}")
        with self._kit.db.transaction():
            good = self._spend(user_id, code)
        self._settle(good, user_id, code, address, f"own:{user_id}")

    def begin(self, user_id: str, address: str, password: str) -> dict[str, str]:
        """A new secret that waits to be confirmed: {secret, uri}, shown this once. Raises Conflict when there is a factor or no clock."""
        self.prove(user_id, address, password=password)
        self._need_clock()
        if self._confirmed(user_id):
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
                    self._identity.end_sessions(user_id, but=session_id, why="factor")
                    self._identity.events.note(user_id, "factor-on", T("Logging in takes a code of your app besides the password now."), address=address)
        self._settle(bool(codes), user_id, digits, address)
        return codes

    def renew(self, user_id: str, address: str, *, password: str = "", code: str = "") -> list[str]:
        """New recovery codes in place of all older ones. Raises NotFound without a factor, else as `prove`."""
        if not self.on(user_id):
            raise NotFound(T("The second step is off."))
        self.prove(user_id, address, password=password, code=code)
        with self._kit.db.transaction():
            # The row stays locked to the end: two at once would otherwise leave two sets.
            self.lock(user_id)
            codes = self._new_codes(user_id) if self.on(user_id) else []
            if codes:
                self._identity.events.note(user_id, "codes-made", T("New recovery codes were made; the older ones do not work any more."), address=address)
        if not codes:
            raise NotFound(T("The second step is off."))
        return codes

    def turn_off(self, user_id: str, address: str, *, password: str = "", code: str = "") -> None:
        """No app any more; without a passkey the password is enough again. Raises NotFound without an app, else as `prove`."""
        if not self._confirmed(user_id):
            raise NotFound(T("The second step is off."))
        self.prove(user_id, address, password=password, code=code)
        with self._kit.db.transaction():
            self.lock(user_id)
            Factor.delete().where(Factor.user_id == user_id).execute()
            self.left(user_id)
            self._identity.events.note(user_id, "factor-off", T("Logging in does not take a code of your app any more."), address=address)

    def recover(self, email: str) -> bool:
        """Remove a person's factor for who holds the console, and end their sessions; whether there was one. Raises NotFound for the person."""
        user = self._identity.by_email(email)
        with self._kit.db.transaction():
            self.lock(user.id)
            had = self.on(user.id)
            for table in (Factor, Passkey):
                table.delete().where(table.user_id == user.id).execute()
            self.left(user.id)
            self._identity.end_sessions(user.id, why="recovered")
            self._identity.events.note(user.id, "factor-off", T("The second step of your login and your passkeys were removed on the console of this box."))
        return had

    def lock(self, user_id: str) -> None:
        """Let nobody else change the factors of this person until the caller's transaction ends: what is counted in it stays so."""
        Account.insert(user_id=user_id).on_conflict(conflict_target=[Account.user_id], action="IGNORE").execute()
        Account.update(user_id=user_id).where(Account.user_id == user_id).execute()

    def left(self, user_id: str) -> None:
        """A factor was removed, in the caller's transaction: with the last one its codes and half-done logins end."""
        if not self.on(user_id):
            for table in (RecoveryCode, LoginChallenge):
                table.delete().where(table.user_id == user_id).execute()

    def first_codes(self, user_id: str, session_id: str) -> list[str]:
        """What goes with turning the second step on, in the caller's transaction: recovery codes, and the end of the other sessions."""
        self._identity.end_sessions(user_id, but=session_id, why="factor")
        return self._new_codes(user_id)

    def _new_codes(self, user_id: str) -> list[str]:
        codes = [totp.recovery_code(self._kit.random.bytes(totp.RECOVERY_BYTES)) for _ in range(totp.RECOVERY_CODES)]
        RecoveryCode.delete().where(RecoveryCode.user_id == user_id).execute()
        self._identity.resets.keep(user_id, codes_at=self._kit.now())
        RecoveryCode.insert_many([{"code_hash": totp.recovery_hash(user_id, code), "user_id": user_id} for code in codes]).execute()
        return codes

    # Logging in.

    def challenge(self, user: User, rp_id: str = "") -> FactorNeeded:
        """The error that asks for the second step; its `challenge` is good for one login of this person, for five minutes and tries. `rp_id`: the
        host name for which passkeys can be asked, if any."""
        now, secret = self._kit.now(), self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            LoginChallenge.delete().where(LoginChallenge.expires_at <= now).execute()
            LoginChallenge.create(secret_hash=_digest(secret), user_id=user.id, expires_at=now + dt.timedelta(seconds=CHALLENGE_SECONDS),
                                  offline=user.offline_session)
        trusted, app = self._kit.clock.trusted(), self._confirmed(user.id) is not None
        ways = [*(["totp"] if app and trusted else []), *(["passkey"] if self._identity.passkeys.at(user.id, rp_id) else []), "recovery"]
        if app:
            text = (T("The password is right. Now give the code of your app, or a recovery code.") if trusted else
                    T("The password is right. The clock of this box was never set, so it takes a recovery code only."))
        else:
            text = (T("The password is right. Now use your passkey, or give a recovery code.") if "passkey" in ways else
                    T("The password is right. Your passkeys are for another name of this box: open it by that one, or give a recovery code."))
        return FactorNeeded(text, challenge=secret, expires_in=CHALLENGE_SECONDS, factors=ways)

    def waiting(self, challenge: str) -> LoginChallenge:
        """The login that waits for its second step. Raises Unauthenticated, with `ended`, when there is none (any more)."""
        found = LoginChallenge.get_or_none(LoginChallenge.secret_hash == _digest(challenge), LoginChallenge.used_at.is_null(),
                                           LoginChallenge.expires_at > self._kit.now(), LoginChallenge.tries < CHALLENGE_TRIES)
        if found is None:
            raise _late()
        return found

    def answer(self, challenge: str, code: str, address: str, device: str = "") -> User:
        """The person whose login this completes. Raises Unauthenticated (with `ended` when the login must begin again), Throttled, or
        Conflict for an app's code while the clock is not trusted."""
        now, key = self._kit.now(), _digest(challenge)
        alive = (LoginChallenge.secret_hash == key) & LoginChallenge.used_at.is_null() & (LoginChallenge.expires_at > now)
        waiting = LoginChallenge.get_or_none(alive)
        if waiting is None:
            self._identity.throttle(f"factor@{address}")
            raise _late()
        self._check_clock(code)
        known = self._identity.devices.known(waiting.user_id, device)
        self._count(waiting.user_id, code, address, known)
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
        self._settle(good, waiting.user_id, code, address, known)
        user.offline_session, user.stepped = waiting.offline, True
        return user

    # Checking a code.

    def _need_clock(self) -> None:
        if not self._kit.clock.trusted():
            raise Conflict(T("The clock of this box was never set, so codes of an app cannot be checked. Connect it to a time server or a hub first."))

    def _check_clock(self, code: str) -> None:
        if totp.digits_of(code) and not self._kit.clock.trusted():
            raise Conflict(T("The clock of this box was never set, so codes of the app cannot be checked. Use a recovery code."))

    @staticmethod
    def _keys(user_id: str, address: str, known: str) -> tuple[tuple[str, ...], str]:
        """Under which keys tries are counted, and those of a day: a known device has its own, so that others do not use up its person's."""
        return ((f"factor-device:{known}",), f"factor-day-device:{known}") if known else ((f"factor:{user_id}", f"factor@{address}"), f"factor-day:{user_id}")

    def _count(self, user_id: str, code: str, address: str, known: str = "") -> None:
        """Count a try before it is looked at; raises Throttled."""
        keys, day = self._keys(user_id, address, known)
        for key in keys:
            self._identity.throttle(key)
        if totp.digits_of(code):
            self._identity.throttle(day, DAILY, DAY)

    def _settle(self, good: bool, user_id: str, code: str, address: str, known: str = "") -> None:
        if not good:
            self._kit.log.warning("second factor of %s: a wrong code from %s", user_id, address)
            raise _wrong()
        keys, day = self._keys(user_id, address, known)
        self._identity.forgive(*keys, *([day] if totp.digits_of(code) else []))

    def _spend(self, user_id: str, code: str) -> bool:
        """Whether the code was good; it is used up by this, in the caller's transaction."""
        now, digits = self._kit.now(), totp.digits_of(code)
        if not digits:
            used = (RecoveryCode.update(used_at=now).where(RecoveryCode.code_hash == totp.recovery_hash(user_id, code),
                                                           RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_null()).execute())
            if used:
                left = RecoveryCode.select().where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_null()).count()
                self._identity.events.note(user_id, "recovery-code-used", T("A recovery code of yours was used. %(left)s are left.", left=left))
            return bool(used)
        factor = self._confirmed(user_id)
        step = totp.step_of(self._open(factor), digits, now.timestamp(), factor.last_step) if factor else None
        return step is not None and bool(Factor.update(last_step=step, used_at=now).where(
            Factor.user_id == user_id, Factor.last_step < step, Factor.confirmed_at.is_null(False)).execute())


def _digest(secret: str) -> str:
    """How a challenge is kept; bound to its purpose, so that it is no session's or token's digest."""
    return hashlib.sha256(f"unibos login\0{secret}".encode()).hexdigest()
