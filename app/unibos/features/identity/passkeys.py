"""Passkeys: WebAuthn credentials (W3C, level 2 and 3), each for the exact host name of the panel, and always with user verification.

A challenge is the MAC of a handle that says what it is for, under which name, and until when; so nothing is kept for a ceremony that is only
begun. Once it is answered, rightly or not, it is spent.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unibos.features.identity.models import LoginChallenge, User
from unibos.features.identity.safety_models import Passkey, Spent
from unibos.kernel.errors import Conflict, Invalid, LimitReached, NotFound, Unauthenticated
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit

MOST, SECONDS = 10, 300
HANDLE, ANSWER = 600, 40_000  # characters at most


@dataclass(frozen=True)
class Site:
    """Where a browser sees this panel: its origin, as the browser states it, and the host name that passkeys are bound to."""

    origin: str
    rp_id: str


def site(scheme: str, host: str) -> Site:
    """The site of a request. Raises Conflict where passkeys cannot be: under an IP address (WebAuthn level 2, section 5.1.2, asks for a domain)."""
    name = (urlsplit(f"//{host}").hostname or "").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if scheme != "https" and name != "localhost" and not name.endswith(".localhost"):
            raise Conflict(T("Passkeys need HTTPS. Open this box by https:// and its name.")) from None
        return Site(f"{scheme}://{host}".lower(), name)
    raise Conflict(T("Passkeys are bound to a name, and you opened this box by its IP address. Open it by its name, such as https://unibos.local."))


def _wrong() -> Unauthenticated:
    return Unauthenticated(T("This passkey was not accepted. Try again, or use your password."))


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


class Passkeys:
    """The passkeys of the people of this device."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    # Challenges.

    def _mac(self, label: str, text: str) -> bytes:
        return hmac.new(self._kit.secret("passkey", 32), f"{label}\0{text}".encode(), hashlib.sha256).digest()

    def _handle(self, purpose: str, bound: str, at: Site) -> tuple[str, bytes]:
        """(handle, challenge) of a new ceremony. `bound`: what it belongs to, a session or a login."""
        said = {"p": purpose, "b": hashlib.sha256(bound.encode()).hexdigest()[:32], "r": at.rp_id, "n": self._kit.random.bytes(16).hex(),
                "e": int(self._kit.now().timestamp()) + SECONDS}
        text = _b64(json.dumps(said, separators=(",", ":")).encode())
        return f"{text}.{_b64(self._mac('handle', text)[:16])}", self._mac("challenge", text)

    def _spend(self, handle: str, purpose: str, bound: str, at: Site) -> bytes:
        """The challenge of a handle of ours, which is spent by this. Raises Unauthenticated."""
        text, _, mac = handle.partition(".")
        if not hmac.compare_digest(mac.encode(errors="replace"), _b64(self._mac("handle", text)[:16]).encode()):
            raise _wrong()
        said, now = json.loads(_unb64(text)), self._kit.now()
        fits = said["p"] == purpose and said["r"] == at.rp_id and hmac.compare_digest(said["b"], hashlib.sha256(bound.encode()).hexdigest()[:32])
        if not fits or not now.timestamp() < said["e"] <= now.timestamp() + SECONDS + 1:
            raise _wrong()
        with self._kit.db.transaction():
            Spent.delete().where(Spent.expires_at <= now).execute()
            taken = Spent.insert(nonce_hash=hashlib.sha256(said["n"].encode()).hexdigest(), expires_at=now + dt.timedelta(seconds=SECONDS + 1)).on_conflict(
                conflict_target=[Spent.nonce_hash], action="IGNORE").as_rowcount().execute()
        if not taken:
            raise _wrong()
        return self._mac("challenge", text)

    # What is there.

    @staticmethod
    def list(user_id: str) -> Sequence[Passkey]:
        """The passkeys of a person, the oldest first."""
        return list(Passkey.select().where(Passkey.user_id == user_id).order_by(Passkey.created_at, Passkey.id))

    @staticmethod
    def any(user_id: str) -> bool:
        """Whether a person has one, under whatever name."""
        return Passkey.select().where(Passkey.user_id == user_id).exists()

    @staticmethod
    def at(user_id: str, rp_id: str) -> Sequence[Passkey]:
        """Those that work under a host name."""
        return list(Passkey.select().where(Passkey.user_id == user_id, Passkey.rp_id == rp_id)) if rp_id else []

    # Adding one.

    def begin(self, user_id: str, session_id: str, at: Site, address: str, *, password: str = "", code: str = "") -> dict[str, Any]:
        """{handle, options} for navigator.credentials.create, for this session and five minutes. Raises as `factors.prove`, or LimitReached."""
        from webauthn import generate_registration_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import AuthenticatorSelectionCriteria, PublicKeyCredentialDescriptor, ResidentKeyRequirement, UserVerificationRequirement

        self._identity.factors.prove(user_id, address, password=password, code=code)
        self._room(user_id)
        user = self._identity.user(user_id)
        handle, challenge = self._handle("add", f"{user_id} {session_id}", at)
        host = str(self._kit.machine().get("hostname", "")) or self._kit.role
        options = generate_registration_options(
            rp_id=at.rp_id, rp_name=f"UNIBOS {host}", user_id=user_id.encode(), user_name=user.email, user_display_name=user.name, challenge=challenge,
            timeout=SECONDS * 1000, exclude_credentials=[PublicKeyCredentialDescriptor(id=_unb64(p.credential_id)) for p in self.at(user_id, at.rp_id)],
            authenticator_selection=AuthenticatorSelectionCriteria(resident_key=ResidentKeyRequirement.REQUIRED, require_resident_key=True,
                                                                   user_verification=UserVerificationRequirement.REQUIRED))
        return {"handle": handle, "options": options_to_json_dict(options)}

    def _room(self, user_id: str) -> None:
        if Passkey.select().where(Passkey.user_id == user_id).count() >= MOST:
            raise LimitReached(T("You have %(most)s passkeys, which is the most. Remove one first.", most=MOST))

    def finish(self, user_id: str, session_id: str, at: Site, address: str, handle: str, credential: str, name: str) -> tuple[Passkey, list[str]]:
        """Keep a new passkey; returns it, and recovery codes where it is what turns the second step on. Ends the other sessions then.
        Raises Unauthenticated, Invalid, Conflict for a passkey that is known, LimitReached."""
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        name = _name(name)
        challenge = self._spend(handle, "add", f"{user_id} {session_id}", at)
        try:
            made = verify_registration_response(credential=_parsed(credential), expected_challenge=challenge, expected_rp_id=at.rp_id,
                                                expected_origin=at.origin, require_user_verification=True)
        except _broken(WebAuthnException) as error:
            self._kit.log.warning("a passkey of %s was refused from %s: %s", user_id, address, type(error).__name__)
            raise _wrong() from None
        factors, codes = self._identity.factors, []
        key = hashlib.sha256(made.credential_id).hexdigest()
        flags = {"backup_eligible": made.credential_device_type.value == "multi_device", "backed_up": made.credential_backed_up}
        with self._kit.db.transaction():
            factors.lock(user_id)  # of two at once the second one counts the first
            self._room(user_id)
            first = not factors.on(user_id)
            if Passkey.select().where(Passkey.credential_hash == key).exists():
                raise Conflict(T("This passkey is known already."))
            row = Passkey.create(id=self._kit.random.uuid(), user_id=user_id, rp_id=at.rp_id, credential_hash=key, credential_id=_b64(made.credential_id),
                                 public_key=base64.b64encode(made.credential_public_key).decode(), sign_count=made.sign_count, name=name,
                                 transports=_transports(credential), created_at=self._kit.now(), **flags)
            if first:
                codes = factors.first_codes(user_id, session_id)
            self._identity.events.note(user_id, "passkey-added", T("The passkey “%(name)s” was added for %(host)s.", name=name, host=at.rp_id),
                                       address=address)
        return row, codes

    def rename(self, user_id: str, passkey_id: str, name: str) -> Passkey:
        """Another name; raises NotFound for another person's, Invalid."""
        name = _name(name)
        with self._kit.db.transaction():
            if not Passkey.update(name=name).where(Passkey.id == passkey_id, Passkey.user_id == user_id).execute():
                raise NotFound(T("There is no passkey with this id."))
        return Passkey.get_by_id(passkey_id)

    def remove(self, user_id: str, passkey_id: str, address: str, *, password: str = "", code: str = "") -> None:
        """Forget a passkey. Raises NotFound for another person's, else as `factors.prove`. With the last factor the recovery codes end."""
        found = Passkey.get_or_none(Passkey.id == passkey_id, Passkey.user_id == user_id)
        if found is None:
            raise NotFound(T("There is no passkey with this id."))
        self._identity.factors.prove(user_id, address, password=password, code=code)
        with self._kit.db.transaction():
            if Passkey.delete().where(Passkey.id == passkey_id, Passkey.user_id == user_id).execute():
                self._identity.factors.left(user_id)
                self._identity.events.note(user_id, "passkey-removed", T("The passkey “%(name)s” was removed.", name=found.name), address=address)

    # Logging in.

    def ask(self, at: Site, address: str, challenge: str = "") -> dict[str, Any]:
        """{handle, options} for navigator.credentials.get: of anybody's passkey, or, with the `challenge` of a login whose password was right, of
        that person's. Raises Unauthenticated for a challenge that is none (any more), Throttled."""
        from webauthn import generate_authentication_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

        self._identity.throttle(f"passkey-begin@{address}", 30)
        own: Sequence[Passkey] = []
        if challenge:
            waiting = self._identity.factors.waiting(challenge)
            own = self.at(waiting.user_id, at.rp_id)
            if not own:
                raise Conflict(T("You have no passkey for this name of the box. Use a code."))
        handle, made = self._handle("step" if challenge else "login", challenge, at)
        options = generate_authentication_options(
            rp_id=at.rp_id, challenge=made, timeout=SECONDS * 1000, user_verification=UserVerificationRequirement.REQUIRED,
            allow_credentials=[PublicKeyCredentialDescriptor(id=_unb64(p.credential_id)) for p in own])
        return {"handle": handle, "options": options_to_json_dict(options)}

    def answer(self, at: Site, address: str, handle: str, credential: str, challenge: str = "") -> User:
        """The person whose passkey this is; it counts as both steps of the login. With a `challenge` it completes that login, and has to be of
        the same person. Raises Unauthenticated or Throttled."""
        self._identity.throttle(f"passkey@{address}", 20)
        waiting = self._identity.factors.waiting(challenge) if challenge else None
        made = self._spend(handle, "step" if challenge else "login", challenge, at)
        row = self._verified(at, address, credential, made)
        user = User.get_or_none((User.id == row.user_id) & User.disabled_at.is_null())
        if user is None or (waiting is not None and waiting.user_id != row.user_id):
            raise _wrong()
        if waiting is not None:
            with self._kit.db.transaction():
                taken = (LoginChallenge.update(used_at=self._kit.now())
                         .where(LoginChallenge.secret_hash == waiting.secret_hash, LoginChallenge.used_at.is_null()).execute())
            if not taken:
                raise _wrong()
        user.offline_session, user.stepped = waiting.offline if waiting is not None else self._identity.unconfirmed(user), True
        return user

    def _verified(self, at: Site, address: str, credential: str, challenge: bytes) -> Passkey:
        """The row of an assertion that is right in everything; its counter is moved on. Raises Unauthenticated."""
        from webauthn import verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        given = _parsed(credential)
        try:
            key = hashlib.sha256(_unb64(str(given.get("rawId", "")))).hexdigest()
        except (ValueError, UnicodeEncodeError, binascii.Error):
            raise _wrong() from None
        row = Passkey.get_or_none(Passkey.credential_hash == key, Passkey.rp_id == at.rp_id)
        if row is None:
            raise _wrong()
        try:
            good = verify_authentication_response(credential=given, expected_challenge=challenge, expected_rp_id=at.rp_id, expected_origin=at.origin,
                                                  credential_public_key=base64.b64decode(row.public_key), credential_current_sign_count=0,
                                                  require_user_verification=True)
            handle = given["response"].get("userHandle")
            if handle and _unb64(str(handle)) != row.user_id.encode():
                raise _wrong()
        except _broken(WebAuthnException) as error:
            self._kit.log.warning("a passkey of %s was refused from %s: %s", row.user_id, address, type(error).__name__)
            raise _wrong() from None
        # The counter is moved in one statement: of two answers with the same one, a copy's among them, one is refused (section 6.1.1).
        count = good.new_sign_count
        rising = Passkey.sign_count < count if count else Passkey.sign_count == 0
        with self._kit.db.transaction():
            moved = (Passkey.update(sign_count=count, backed_up=good.credential_backed_up, used_at=self._kit.now())
                     .where(Passkey.id == row.id, rising).execute())
            if not moved:
                self._identity.events.note(row.user_id, "passkey-copied", T("Your passkey “%(name)s” was refused: its counter went back, so there may be a "
                                                                            "copy of it. Remove it, and make a new one.", name=row.name), address=address)
        if not moved:
            raise _wrong()
        return row

    def tidy(self) -> int:
        """Forget spent challenges that have expired; returns how many."""
        with self._kit.db.transaction():
            return Spent.delete().where(Spent.expires_at <= self._kit.now()).execute()


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60 or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in name):
        raise Invalid(T("Give the passkey a name of 1 to 60 characters."), fields={"name": T("1 to 60 characters.")})
    return name


def _parsed(credential: str) -> dict[str, Any]:
    """The JSON of a credential as a dictionary with a dictionary `response`; raises Unauthenticated."""
    try:
        found = json.loads(credential)
    except (ValueError, RecursionError):
        raise _wrong() from None
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        raise _wrong()
    return found


def _transports(credential: str) -> list[str]:
    found = _parsed(credential)["response"].get("transports")
    return [t for t in found if isinstance(t, str) and t.isascii() and t.replace("-", "").isalnum() and len(t) <= 20][:8] if isinstance(found, list) else []


def _broken(known: type[Exception]) -> tuple[type[Exception], ...]:
    """What the library raises for an answer that is not right: its own errors, and what CBOR, keys and types that do not fit give."""
    return (known, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, AssertionError, NotImplementedError)
