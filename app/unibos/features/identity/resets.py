"""One-time secrets: a forgotten password and a proven e-mail address. Each is 160 random bits, kept as SHA-256, good once and for an hour."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from typing import TYPE_CHECKING

from unibos.features.identity import passwords
from unibos.features.identity.models import LoginChallenge, User
from unibos.features.identity.safety_models import Account, OneTime
from unibos.kernel.errors import Conflict, NotFound, Unauthenticated
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit

LASTS = 3600
BYTES = 20
# Mails to one address an hour, whoever asks for them.
MAILS = 3


def _digest(purpose: str, code: str) -> str:
    spelled = re.sub(r"[\s-]", "", code).upper()
    return hashlib.sha256(f"unibos {purpose}\0{spelled}".encode(errors="replace")).hexdigest()


def _wrong() -> Unauthenticated:
    return Unauthenticated(T("This code is wrong, was used already, or is older than an hour. Ask for a new one."))


def no_mail() -> Conflict:
    """What to do where nothing can be mailed."""
    return Conflict(T("This box sends no mail. Its owner or an admin can make you a link, and whoever reaches its console can make a code."))


class Resets:
    """Secrets that stand for a person once."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    def _make(self, purpose: str, user: User, made_by: str = "") -> str:
        code = base64.b32encode(self._kit.random.bytes(BYTES)).decode()
        code = "-".join(code[i:i + 4] for i in range(0, len(code), 4))
        with self._kit.db.transaction():
            OneTime.delete().where((OneTime.expires_at <= self._kit.now()) | ((OneTime.user_id == user.id) & (OneTime.purpose == purpose))).execute()
            OneTime.create(secret_hash=_digest(purpose, code), user_id=user.id, purpose=purpose, email=user.email, made_by=made_by[:36],
                           expires_at=self._kit.now() + dt.timedelta(seconds=LASTS))
        return code

    def _waiting(self, purpose: str, code: str, address: str) -> OneTime:
        """The unused secret that was given, whose person is not disabled; raises Unauthenticated or Throttled."""
        self._identity.throttle(f"{purpose}@{address}")
        row = OneTime.get_or_none(OneTime.secret_hash == _digest(purpose, code), OneTime.purpose == purpose, OneTime.expires_at > self._kit.now())
        if row is None or not User.select().where(User.id == row.user_id, User.disabled_at.is_null()).exists():
            raise _wrong()
        return row

    @staticmethod
    def _use(row: OneTime) -> None:
        """Use a secret up, in the caller's transaction; raises Unauthenticated for who comes second."""
        if not OneTime.delete().where(OneTime.secret_hash == row.secret_hash).execute():
            raise _wrong()

    # A forgotten password.

    def forgot(self, email: str, address: str, base: str) -> None:
        """Have a reset link mailed to a proven address; the same for one that nobody has. Raises Conflict where no mail is set up, Throttled."""
        if not self._identity.mailer.ready():
            raise no_mail()
        email = email.strip().lower()[:254]
        self._identity.throttle(f"forgot@{address}")
        self._identity.throttle(f"forgot:{hashlib.sha256(email.encode(errors='replace')).hexdigest()}", MAILS, LASTS)
        self._identity.mailer.put("identity.forgot", {"email": email, "base": base})

    def mail(self, email: str, base: str) -> bool:
        """Mail the person with this e-mail a reset link; whether there is one whose address is proven. Called by the agent."""
        user = User.get_or_none((User.email == email) & User.disabled_at.is_null())
        if user is None or not self.verified(user):
            return False
        code, mailer = self._make("reset", user), self._identity.mailer
        mailer.write(user.email, mailer.language(user), T("A new password for UNIBOS"),
                     T("Somebody, you it seems, has forgotten the password of your account. This code lets you choose a new one, once, within an hour:"), code,
                     T("Open this address, or the page “Forgot the password?”, and give the code there:") if base else
                     T("Open the page “Forgot the password?” of your box and give the code there."),
                     f"{base}/password/reset/#code={code}" if base else "",
                     T("It ends all your sessions. The second step of your login stays. If it was not you, do nothing: your password stays as it is."))
        return True

    def make(self, user_id: str, made_by: str, address: str = "") -> str:
        """A reset code for a person, to be handed over by who may make one; the person is told. Raises NotFound."""
        user = self._identity.user(user_id)
        if user.disabled_at is not None:
            raise NotFound()
        code = self._make("reset", user, made_by)
        self._identity.events.note(user.id, "reset-made", T("A code that sets a new password for your account was made on the console of this box.")
                                   if made_by == "console" else T("An admin made a code that sets a new password for your account."), address=address)
        return code

    def reset(self, code: str, password: str, address: str) -> User:
        """Set a new password by a code. It ends all sessions, and all devices have to be known anew; the second step stays.
        Raises Unauthenticated, Throttled, or Invalid for the password, which leaves the code as it was."""
        row = self._waiting("reset", code, address)
        user = self._identity.user(row.user_id)
        passwords.check(password, user.email, user.name)

        def then() -> None:
            self._use(row)
            LoginChallenge.delete().where(LoginChallenge.user_id == user.id).execute()
            self._identity.devices.forget(user.id)

        self._identity.set_password(user.id, password, address=address, then=then)
        return user

    # A proven address.

    @staticmethod
    def verified(user: User) -> bool:
        """Whether the person has shown that mail to their address reaches them."""
        found = Account.get_or_none(Account.user_id == user.id)
        return found is not None and found.verified_email == user.email

    @staticmethod
    def account(user_id: str) -> Account:
        """What is kept about an account; a fresh one, not saved, where there is nothing yet."""
        return Account.get_or_none(Account.user_id == user_id) or Account(user_id=user_id)

    def keep(self, user_id: str, **fields: object) -> None:
        """Keep something about an account."""
        with self._kit.db.transaction():
            Account.insert(user_id=user_id).on_conflict(conflict_target=[Account.user_id], action="IGNORE").execute()
            Account.update(**fields).where(Account.user_id == user_id).execute()

    def request(self, user_id: str, base: str) -> None:
        """Mail a person a code that proves their address. Raises Conflict where no mail is set up or it is proven already, Throttled."""
        mailer, user = self._identity.mailer, self._identity.user(user_id)
        if not mailer.ready():
            raise no_mail()
        if self.verified(user):
            raise Conflict(T("This e-mail address is proven already."))
        self._identity.throttle(f"verify:{user_id}", MAILS, LASTS)
        code = self._make("verify", user)
        mailer.write(user.email, mailer.language(user), T("Is this your address?"),
                     T("This code proves to your UNIBOS that mail to this address reaches you. It is good once, within an hour:"), code,
                     f"{base}/email/verify/#code={code}" if base else "", T("If you have no account there, do nothing."))

    def confirm(self, code: str, address: str) -> User:
        """Prove an address by its code; whoever holds it has read the mail. Raises Unauthenticated or Throttled."""
        row = self._waiting("verify", code, address)
        user = self._identity.user(row.user_id)
        if user.email != row.email:
            raise _wrong()
        with self._kit.db.transaction():
            self._use(row)
            self.keep(user.id, verified_email=user.email, verified_at=self._kit.now())
            self._identity.events.note(user.id, "email-verified", T("Your e-mail address was proven."), address=address)
        return user

    def tidy(self) -> int:
        """Forget what has expired; returns how many."""
        with self._kit.db.transaction():
            return OneTime.delete().where(OneTime.expires_at <= self._kit.now()).execute()
