"""Who belongs to an organisation, as what, and how that changes: roles, leaving, removing, and handing the ownership over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unibos.features.orgs import decide
from unibos.features.orgs.models import MEMBERSHIPS, Invitation, Member, Organisation
from unibos.kernel.actors import RANKS, Actor
from unibos.kernel.errors import Conflict, Forbidden, NotFound
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.features.orgs.service import Orgs
    from unibos.kernel.kit import Kit

OFFER = dt.timedelta(days=7)
ROLE_WORDS = {"owner": T("owner"), "admin": T("admin"), "member": T("member"), "viewer": T("viewer"), "guest": T("guest")}


@dataclass(frozen=True)
class Person:
    """A member as people see them; `expires_at` is a guest's end."""

    user_id: str
    name: str
    email: str
    role: str
    joined_at: dt.datetime
    expires_at: dt.datetime | None
    disabled: bool


class Members:
    """The members of the organisations of this device."""

    def __init__(self, kit: Kit, orgs: Orgs, identity: Any):
        self._kit, self._orgs, self._identity = kit, orgs, identity

    # Who is there.

    def list(self, org_id: str) -> list[Person]:
        """Everybody of an organisation: owners first, then by rank and name, guests last; guests whose time is over are gone."""
        rows = list(Member.select().where(Member.organisation_id == org_id, Member.expires_at.is_null() | (Member.expires_at > self._kit.now())))
        users = self._identity.people.named(row.user_id for row in rows)
        found = [self._person(row, users.get(row.user_id)) for row in rows]
        return sorted(found, key=lambda p: (-RANKS.get(p.role, 0), p.name.casefold(), p.joined_at))

    def get(self, org_id: str, user_id: str) -> Person:
        """One of them; raises NotFound, also for somebody of another organisation."""
        row = self._row(org_id, user_id)
        return self._person(row, self._identity.people.named([user_id]).get(user_id))

    @staticmethod
    def _person(row: Member, user: Any) -> Person:
        guest = row.role == "guest" or user is None
        return Person(row.user_id, user.name if user else "–", "" if guest else user.email, row.role, row.joined_at, row.expires_at,
                      bool(user is None or user.disabled_at))

    def _row(self, org_id: str, user_id: str) -> Member:
        row = None if "\0" in user_id else Member.get_or_none(Member.organisation_id == org_id, Member.user_id == user_id)
        if row is None:
            raise NotFound(T("There is nobody with this id in this organisation."))
        return row

    def _owners(self, org_id: str) -> int:
        return Member.select().where(Member.organisation_id == org_id, Member.role == "owner").count()

    def role(self, org_id: str, actor: Actor) -> str:
        """The role that counts now, and not when the session was last looked up."""
        if actor.kind == "console":
            return "owner"
        return Member.select(Member.role).where(Member.organisation_id == org_id, Member.user_id == actor.id).scalar() or ""

    def add(self, org_id: str, actor: Actor, email: str, password: str, name: str, role: str) -> Person:
        """A new account with a password that was chosen for it, as a member. On a hub, where accounts are everybody's, only who runs it may.
        Raises Forbidden, Invalid, Conflict for a known e-mail, LimitReached."""
        why = decide.may_invite(self.role(org_id, actor), role)
        if role not in decide.ROLES:
            why = T("There is no such role.")
        elif self._kit.role == "hub" and not self._orgs.organisations.operator(actor):
            why = T("Only who runs this hub makes accounts for others. Invite them.")
        if why is not None:
            raise Forbidden(why)

        def join(user: Any) -> None:
            self._orgs.limiter.room(org_id, "users", lambda: self._orgs.limiter.people(org_id))
            Member.create(id=self._kit.random.uuid(), organisation_id=org_id, user_id=user.id, role=role, joined_at=self._kit.now())
            self._changed(org_id, user.id)

        return self.get(org_id, self._identity.create(email, password, name, then=join).id)

    # Changing it.

    def change(self, org_id: str, actor: Actor, user_id: str, role: str) -> Person:
        """Give somebody another role. Raises NotFound, Forbidden with the rule that stands against it."""
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            row = self._row(org_id, user_id)
            why = decide.may_change(self.role(org_id, actor), row.role, role, self=user_id == actor.id, owners=self._owners(org_id))
            if why is not None:
                raise Forbidden(why)
            if row.role == role:
                return self.get(org_id, user_id)
            Member.update(role=role).where(Member.id == row.id).execute()
            if RANKS[role] < RANKS["admin"]:
                self._revoke_invitations(org_id, user_id)
            self._changed(org_id, user_id, stays=True)
        self._note(user_id, "role-changed", org_id,
                   T("Your role in %(organisation)s is now: %(role)s.", organisation=self._name(org_id), role=ROLE_WORDS[role]))
        return self.get(org_id, user_id)

    def remove(self, org_id: str, actor: Actor, user_id: str) -> None:
        """Take somebody out, or leave; a guest's account ends with it. What they made stays the organisation's. Raises NotFound, Forbidden."""
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            row = self._row(org_id, user_id)
            why = decide.may_remove(self.role(org_id, actor), row.role, self=user_id == actor.id, owners=self._owners(org_id))
            if why is not None:
                raise Forbidden(why)
            self._take_out(row)
        if row.role == "guest":
            self._identity.people.disable(user_id)
        elif user_id != actor.id:
            self._note(user_id, "removed", org_id, T("You no longer belong to %(organisation)s.", organisation=self._name(org_id)))

    def _take_out(self, row: Member) -> None:
        """In the caller's transaction."""
        Member.delete().where(Member.id == row.id).execute()
        self._revoke_invitations(row.organisation_id, row.user_id)
        organisation = Organisation.get_by_id(row.organisation_id)
        if row.user_id in (organisation.offered_to, organisation.offered_by):
            self._clear_offer(organisation)
        self._changed(row.organisation_id, row.user_id)

    def _revoke_invitations(self, org_id: str, user_id: str) -> None:
        """Who may invite nobody any more leaves no way in behind."""
        Invitation.update(revoked_at=self._kit.now()).where(Invitation.organisation_id == org_id, Invitation.created_by == user_id,
                                                            Invitation.revoked_at.is_null()).execute()

    def _changed(self, org_id: str, user_id: str, *, stays: bool = False) -> None:
        """Tell pages and caches; the person's own pages connect anew, with the rights that they have now."""
        def after() -> None:
            self._orgs.forget()
            self._kit.tell("live", {"type": "left", "actor": user_id, "org": org_id, **({"stays": True} if stays else {})})

        self._kit.db.after_commit(after)
        self._kit.changed("people", f"person:{user_id}", org_id=org_id)

    def _name(self, org_id: str) -> str:
        organisation = self._orgs.get(org_id)
        return organisation.name if organisation else ""

    def _note(self, user_id: str, kind: str, org_id: str, text: Text, address: str = "") -> None:
        self._identity.events.note(user_id, kind, text, address=address)

    # Guests whose time is over.

    def tidy(self, org_id: str) -> int:
        """Take out guests of one organisation whose time is over; returns how many. Their requests were refused from that moment on."""
        over = list(Member.select().where(Member.organisation_id == org_id, Member.expires_at <= self._kit.now()))
        for row in over:
            with self._kit.db.transaction():
                self._take_out(row)
            self._identity.people.disable(row.user_id)
        return len(over)

    # The ownership.

    def offer(self, org_id: str, actor: Actor, user_id: str, address: str = "", *, password: str = "", code: str = "") -> None:
        """Offer the ownership to a member, who has seven days to accept it. An owner proves once more who they are (Unauthenticated, Throttled,
        Invalid); the console needs no more. Raises NotFound, Forbidden, Conflict."""
        if self.role(org_id, actor) != "owner":
            raise Forbidden(T("Only an owner hands the ownership over."))
        if actor.kind == "person":
            self._identity.factors.prove(actor.id, address, password=password, code=code)
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            row = self._row(org_id, user_id)
            if self.role(org_id, actor) != "owner":
                raise Forbidden(T("Only an owner hands the ownership over."))
            if row.role in ("owner", "guest"):
                raise Conflict(T("They are an owner already.") if row.role == "owner" else
                               T("A guest cannot own an organisation. Invite them as a member first."))
            organisation = Organisation.get_by_id(org_id)
            self._kit.records.update(organisation, actor_id=actor.id, offered_to=user_id, offered_by=actor.id, offered_at=self._kit.now())
            self._kit.changed("people", "organisation", f"person:{user_id}", org_id=org_id)
        self._note(user_id, "ownership-offered", org_id,
                   T("The ownership of %(organisation)s is offered to you. Accept it on the page Organisation within seven days.",
                     organisation=organisation.name), address)

    def offered(self, organisation: Organisation) -> str:
        """The id of the member to whom the ownership is offered now; empty for nobody."""
        at = organisation.offered_at
        return organisation.offered_to if at is not None and self._kit.now() < at + OFFER else ""

    def accept(self, org_id: str, actor: Actor) -> None:
        """Become the owner as it was offered; who offered it becomes an admin. Raises Conflict when nothing (more) is offered to them."""
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            organisation = Organisation.get_by_id(org_id)
            if not actor.id or self.offered(organisation) != actor.id:
                raise Conflict(T("The ownership is not offered to you (any more)."))
            row, giver = self._row(org_id, actor.id), organisation.offered_by
            # From the console it is a way to replace an owner who is lost: all of them become admins.
            owners = (Member.organisation_id == org_id) & (Member.role == "owner")
            before = list(Member.select().where(owners if giver == "console" else owners & (Member.user_id == giver)))
            if not before:
                raise Conflict(T("Who offered the ownership does not have it any more."))
            Member.update(role="owner").where(Member.id == row.id).execute()
            for old in before:
                Member.update(role="admin").where(Member.id == old.id).execute()
                self._changed(org_id, old.user_id, stays=True)
            self._clear_offer(organisation, owner_id=actor.id)
            self._changed(org_id, actor.id, stays=True)
            self._kit.changed("organisation", org_id=org_id)
        for old in before:
            self._note(old.user_id, "ownership-given", org_id,
                       T("%(name)s is the owner of %(organisation)s now, and you are an admin.", name=actor.name, organisation=organisation.name))
        self._note(actor.id, "ownership-taken", org_id, T("You are the owner of %(organisation)s now.", organisation=organisation.name))

    def withdraw(self, org_id: str, actor: Actor) -> None:
        """Take the offer back, or decline it. Raises Conflict without one, Forbidden for who has no part in it."""
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            organisation = Organisation.get_by_id(org_id)
            to = self.offered(organisation)
            if not to:
                raise Conflict(T("The ownership is offered to nobody."))
            if actor.id != to and self.role(org_id, actor) != "owner":
                raise Forbidden(T("Only an owner hands the ownership over."))
            self._clear_offer(organisation)
            self._kit.changed("people", "organisation", f"person:{to}", org_id=org_id)

    def _clear_offer(self, organisation: Organisation, **fields: Any) -> None:
        self._kit.records.update(organisation, offered_to="", offered_by="", offered_at=None, **fields)

    # Accounts of the whole device: for who runs it.

    def _not_owning(self, user_id: str) -> None:
        for org_id in self._kit.db.finds(MEMBERSHIPS, user_id):
            with self._kit.db.tenant(org_id):
                if Member.get_or_none(Member.organisation_id == org_id, Member.user_id == user_id, Member.role == "owner"):
                    raise Conflict(T("They own the organisation %(name)s. Hand the ownership over first.", name=self._name(org_id)))

    def account(self, user_id: str) -> Any:
        """The account of that id on this device; raises NotFound."""
        found = None if "\0" in user_id else self._identity.people.named([user_id]).get(user_id)
        if found is None:
            raise NotFound(T("There is nobody with this id."))
        return found

    def disable(self, user_id: str) -> None:
        """Let somebody in no more, in any organisation; sessions end, records stay. Raises NotFound, Conflict for an owner."""
        self.account(user_id)
        self._not_owning(user_id)
        self._identity.people.disable(user_id)
        self._note(user_id, "disabled", "", T("Your account was disabled."))
        self._kit.changed("people")

    def enable(self, user_id: str) -> None:
        """Let them in again. Raises NotFound."""
        self.account(user_id)
        self._identity.people.enable(user_id)
        self._note(user_id, "enabled", "", T("Your account was enabled again."))
        self._kit.changed("people")

    def erase(self, user_id: str) -> None:
        """Forget who somebody was and take them out of every organisation. Records stay with their organisation, without the name of who made them.
        Raises NotFound, Conflict for an owner."""
        self.account(user_id)
        self._not_owning(user_id)
        for org_id in self._kit.db.finds(MEMBERSHIPS, user_id):
            with self._kit.db.tenant(org_id), self._kit.db.transaction():
                self._orgs.limiter.lock(org_id)
                row = self._row(org_id, user_id)
                if row.role == "owner":
                    raise Conflict(T("They own the organisation %(name)s. Hand the ownership over first.", name=self._name(org_id)))
                self._take_out(row)
        self._identity.people.erase(user_id)
