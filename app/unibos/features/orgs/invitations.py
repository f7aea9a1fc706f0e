"""Invitations by link: made by those who may, kept as a hash, shown once, and good for as many as they say."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from unibos.features.orgs import decide
from unibos.features.orgs.models import ORG_OF_INVITATION, Invitation, Member, Organisation
from unibos.kernel.actors import Actor
from unibos.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from unibos.kernel.jobs import said
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.orgs.service import Orgs
    from unibos.kernel.kit import Kit

SECRET_BYTES = 20  # 160 bits
HOURS, USES = 30 * 24, 100
PIN_TRIES = 10
KEPT = dt.timedelta(days=30)


def digest(secret: str) -> str:
    """How an invitation's secret is kept: it is random, so a plain SHA-256 is enough; bound to its purpose."""
    return hashlib.sha256(f"unibos invitation\0{secret}".encode()).hexdigest()


def pin_digest(secret: str, pin: str) -> str:
    """How a PIN is kept: bound to the secret, which is kept nowhere, so that the row alone does not let it be guessed."""
    return hmac.new(secret.encode(), f"unibos pin\0{pin}".encode(), hashlib.sha256).hexdigest() if pin else ""


def typed(secret: str) -> str:
    """A secret as it is compared: people paste it with spaces, in small letters, or as the whole link."""
    return "".join(secret.rpartition("#invite=")[2].split()).upper()


def _gone() -> Forbidden:
    return Forbidden(T("This invitation is wrong, used up, taken back or too old. Ask for a new one."))


class Invitations:
    """The invitations of the organisations of this device."""

    def __init__(self, kit: Kit, orgs: Orgs, identity: Any):
        self._kit, self._orgs, self._identity = kit, orgs, identity

    # For those who invite.

    def make(self, org_id: str, actor: Actor, role: str, *, email: str = "", label: str = "", hours: int = 168, uses: int = 1,
             guest_hours: int = 0, pin: str = "") -> tuple[Invitation, str]:
        """A new invitation and its secret, which is kept nowhere. `role` guest takes `guest_hours` (how long they stay) and maybe a `pin`.
        Raises Forbidden, Invalid, LimitReached."""
        self._check(role, email, hours, uses, guest_hours, pin)
        now, secret = self._kit.now(), base64.b32encode(self._kit.random.bytes(SECRET_BYTES)).decode()
        with self._kit.db.transaction():
            self._orgs.limiter.bounded(org_id, "invitations")
            why = decide.may_invite(self._orgs.people.role(org_id, actor), role)
            if why is not None:
                raise Forbidden(why)
            row = Invitation.create(id=self._kit.random.uuid(), organisation_id=org_id, hash=digest(secret), role=role, email=email.strip().lower(),
                                    label=label.strip()[:120], uses=uses, guest_hours=guest_hours, pin_hash=pin_digest(secret, pin), created_by=actor.id,
                                    created_at=now, expires_at=now + dt.timedelta(hours=hours))
            self._kit.changed("people", org_id=org_id)
        return row, secret

    @staticmethod
    def _check(role: str, email: str, hours: int, uses: int, guest_hours: int, pin: str) -> None:
        guest = role == "guest"
        if not guest and role not in decide.ROLES:
            raise Invalid(T("There is no such role."), fields={"role": T("It is none of the values that are taken.")})
        if not 1 <= hours <= HOURS:
            raise Invalid(T("An invitation lasts from an hour to 30 days."), fields={"hours": T("1 to 720.")})
        if not 1 <= uses <= USES or (email.strip() and uses != 1):
            raise Invalid(T("An invitation is for 1 to 100 people, and for one where it names an e-mail address."), fields={"uses": T("1 to 100.")})
        if guest and (email.strip() or not 1 <= guest_hours <= HOURS):
            raise Invalid(T("A guest has no e-mail address and stays from an hour to 30 days."), fields={"guest_hours": T("1 to 720.")})
        if pin and not (guest and pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
            raise Invalid(T("A PIN is for guests and has 4 to 12 digits."), fields={"pin": T("4 to 12 digits.")})
        if not guest and guest_hours:
            raise Invalid(T("Only guests stay for a time."), fields={"guest_hours": T("Leave it out.")})

    def open(self, org_id: str) -> list[Invitation]:
        """The invitations that can still be used, the newest first."""
        return list(Invitation.select().where(Invitation.organisation_id == org_id, Invitation.revoked_at.is_null(), Invitation.used < Invitation.uses,
                                              Invitation.expires_at > self._kit.now()).order_by(Invitation.created_at.desc(), Invitation.id))

    def revoke(self, org_id: str, actor: Actor, invitation_id: str) -> None:
        """Take an invitation back. Raises NotFound, also for another organisation's, or Forbidden for an owner's one, asked by another."""
        row = None if "\0" in invitation_id else Invitation.get_or_none(Invitation.organisation_id == org_id, Invitation.id == invitation_id,
                                                                        Invitation.revoked_at.is_null())
        if row is None:
            raise NotFound(T("There is no open invitation with this id."))
        why = decide.may_invite(self._orgs.people.role(org_id, actor), row.role)
        if why is not None:
            raise Forbidden(why)
        with self._kit.db.transaction():
            Invitation.update(revoked_at=self._kit.now()).where(Invitation.id == row.id).execute()
            self._kit.changed("people", org_id=org_id)

    def tidy(self, org_id: str) -> int:
        """Forget invitations of one organisation that ended a month ago; returns how many."""
        with self._kit.db.transaction():
            return Invitation.delete().where(Invitation.organisation_id == org_id, Invitation.expires_at < self._kit.now() - KEPT).execute()

    # For those who are invited.

    def _find(self, secret: str) -> tuple[str, str]:
        """(organisation, hash) of a secret; raises Forbidden, alike for whatever is wrong with it."""
        hashed = digest(typed(secret))
        org_id = self._kit.db.find(ORG_OF_INVITATION, hashed)
        if not org_id:
            raise _gone()
        return org_id, hashed

    def _usable(self, hashed: str) -> Any:
        return ((Invitation.hash == hashed) & Invitation.revoked_at.is_null() & (Invitation.used < Invitation.uses)
                & (Invitation.expires_at > self._kit.now()))

    def look(self, secret: str, address: str) -> dict[str, Any]:
        """What an invitation is for: {organisation, role, email, label, guest_hours, pin, expires_at}. Raises Forbidden, Throttled."""
        self._identity.throttle(f"invitation@{address}", limit=20)
        org_id, hashed = self._find(secret)
        with self._kit.db.tenant(org_id):
            row, organisation = Invitation.get_or_none(self._usable(hashed)), Organisation.get_or_none(Organisation.id == org_id)
        if row is None or organisation is None:
            raise _gone()
        return {"organisation": organisation.name, "organisation_id": org_id, "role": row.role, "email": row.email, "label": row.label,
                "guest_hours": row.guest_hours, "pin": bool(row.pin_hash), "expires_at": row.expires_at}

    def accept(self, secret: str, address: str, *, actor: Actor | None = None, name: str = "", email: str = "", password: str = "",
               pin: str = "") -> tuple[Any, str]:
        """Use an invitation: as the person who is logged in (`actor`), as a new one, or as a guest. Returns (user, organisation's id). Raises
        Forbidden, Throttled, Invalid, Conflict for who belongs already or an e-mail that is known, LimitReached; then nothing is used up."""
        self._identity.throttle(f"invitation@{address}", limit=20)
        org_id, hashed = self._find(secret)
        with self._kit.db.tenant(org_id):
            row = Invitation.get_or_none(self._usable(hashed))
            if row is None:
                raise _gone()
            user = self._guest(row, typed(secret), name, pin) if row.role == "guest" else self._member(row, actor, name, email, password)
        self._orgs.forget()
        self._tell(row, user)
        return user, org_id

    def _guest(self, row: Invitation, secret: str, name: str, pin: str) -> Any:
        if row.pin_hash:
            self._identity.throttle(f"invitation-pin:{row.id}")
            if not hmac.compare_digest(row.pin_hash, pin_digest(secret, pin or "-")):
                self._wrong_pin(row)
                raise Unauthenticated(T("This is not the PIN. Whoever invited you knows it."))
            self._identity.forgive(f"invitation-pin:{row.id}")
        until = self._kit.now() + dt.timedelta(hours=row.guest_hours)
        return self._identity.people.guest(name, until, lambda user: self._join(row, user, until))

    def _wrong_pin(self, row: Invitation) -> None:
        with self._kit.db.transaction():
            Invitation.update(tries=Invitation.tries + 1).where(Invitation.id == row.id).execute()
            Invitation.update(revoked_at=self._kit.now()).where(Invitation.id == row.id, Invitation.tries >= PIN_TRIES,
                                                                Invitation.revoked_at.is_null()).execute()

    def _member(self, row: Invitation, actor: Actor | None, name: str, email: str, password: str) -> Any:
        user = self._identity.user(actor.id) if actor is not None and actor.kind == "person" else None
        if user is not None and user.kind == "guest":
            raise Forbidden(T("You are here as a guest. Log out first, then open the invitation again."))
        if row.email and (user.email if user else email.strip().lower()) != row.email:
            raise Forbidden(T("This invitation is for another e-mail address."))
        if user is None:
            try:
                return self._identity.create(email, password, name, then=lambda made: self._join(row, made))
            except Conflict as known:
                raise Conflict(T("There is an account with this e-mail address already. Log in, then open the invitation again.")) from known
        with self._kit.db.transaction():
            self._join(row, user)
        return user

    def _join(self, row: Invitation, user: Any, until: dt.datetime | None = None) -> None:
        """In the transaction that makes the person: of many at once no more get in than there are uses and places."""
        org_id, limiter = row.organisation_id, self._orgs.limiter
        limiter.lock(org_id)
        if Member.get_or_none(Member.organisation_id == org_id, Member.user_id == user.id) is not None:
            raise Conflict(T("You belong to this organisation already."))
        if not Invitation.update(used=Invitation.used + 1).where(Invitation.id == row.id, self._usable(row.hash)).execute():
            raise _gone()
        if until is None:
            limiter.room(org_id, "users", lambda: limiter.people(org_id))
        else:
            limiter.bounded(org_id, "guests")
        Member.create(id=self._kit.random.uuid(), organisation_id=org_id, user_id=user.id, role=row.role, joined_at=self._kit.now(), expires_at=until)
        self._kit.changed("people", "organisation", org_id=org_id)

    def _tell(self, row: Invitation, user: Any) -> None:
        """Say to who invited them that they came, on whatever page is open; and to who joined, in their events."""
        text = T("%(name)s has accepted your invitation.", name=user.name)
        self._kit.tell("live", {"type": "toast", "actor": row.created_by, "org": row.organisation_id, "level": "good", "text": said(text)})
        if row.role != "guest":
            organisation = self._orgs.get_in(row.organisation_id)
            self._identity.events.note(user.id, "joined", T("You joined %(organisation)s.", organisation=organisation.name if organisation else ""))
