"""Organisations: making, changing, choosing, listing them, and who may. A node has one; a hub has as many as its registration lets in."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from unibos.features.orgs import decide
from unibos.features.orgs.limits import OWNED
from unibos.features.orgs.models import MEMBERSHIPS, ORG_OF_SLUG, ORGANISATIONS, WITH_GUESTS, WITH_INVITATIONS, Member, Organisation
from unibos.kernel.actors import Actor
from unibos.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.features.orgs.service import Orgs
    from unibos.kernel.kit import Kit

DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
# What its own people may change, and what only who runs the device may.
OWN, OPERATORS = ("name", "type", "enabled_modules", "custom_domain"), ("plan", "max_users", "max_nodes", "max_storage_gb")
SPECIAL = str.maketrans({"ı": "i", "İ": "i", "ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae"})


def slug_of(name: str, chance: bytes) -> str:
    """An address word of a name, with 40 random bits: whether another organisation has that name can be learned from none."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(SPECIAL)).encode("ascii", "ignore").decode()
    word = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "org"
    return f"{word}-{chance.hex()}"


class Organisations:
    """The organisations of this device."""

    def __init__(self, kit: Kit, orgs: Orgs, identity: Any):
        self._kit, self._orgs, self._identity = kit, orgs, identity

    def operator(self, actor: Actor) -> bool:
        """Whether somebody runs this device: the console, or an owner of its first organisation."""
        return self._orgs.of_device(actor) and actor.role == "owner"

    def why_not_create(self, actor: Actor) -> Text | None:
        """Why somebody may not make an organisation here; None: they may."""
        if self._kit.role != "hub":
            return T("A node belongs to one organisation.")
        if self.operator(actor):
            return None
        if actor.kind != "person" or self._identity.user(actor.id).kind == "guest":
            return T("Only people with an account make organisations.")
        if self._kit.settings["UNIBOS_REGISTRATION"] == "closed":
            return T("This hub takes no new organisations. Ask whoever runs it.")
        return None

    def create(self, actor: Actor, name: str, type_: str = "individual", plan: str = "", owner_id: str = "") -> Organisation:
        """A new organisation with its owner: who asks, or for who runs the hub the person `owner_id` (from the console maybe nobody yet: an
        invitation for an owner comes next). Raises Forbidden, Invalid, LimitReached, NotFound."""
        why = self.why_not_create(actor)
        if why is not None:
            raise Forbidden(why)
        operator = self.operator(actor)
        if (plan or owner_id) and not operator:
            raise Forbidden(T("Only who runs this hub chooses plan and owner."))
        if owner_id:
            self._orgs.people.account(owner_id)
        self._orgs.home_id()  # the device's own comes first
        owner = owner_id or (actor.id if actor.kind == "person" else "")
        with self._kit.db.transaction():
            return self.make(self.checked_name(name), type_, plan or "free", owner)

    def make(self, name: str, type_: str, plan: str, owner_id: str) -> Organisation:
        """In the caller's transaction: an organisation, and its owner where one is named. Raises LimitReached, Invalid."""
        if type_ not in decide.TYPES or plan not in decide.PLANS:
            raise Invalid(T("There is no such type or plan."))
        if owner_id:
            owned = sum(role == "owner" for _org, role in self.roles(owner_id))
            self._orgs.limiter.check("organisations", owned, OWNED, "")
        org_id = self._kit.random.uuid()
        with self._kit.db.tenant(org_id):
            # 40 random bits meet again once in a million organisations or so; then the database refuses, and one tries again.
            made = self._kit.records.create(Organisation, id=org_id, org_id=org_id, owner_id=owner_id, actor_id=owner_id, name=name, type=type_, plan=plan,
                                            slug=slug_of(name, self._kit.random.bytes(5)))
            if owner_id:
                Member.create(id=self._kit.random.uuid(), organisation_id=org_id, user_id=owner_id, role="owner", joined_at=self._kit.now())
        self._kit.db.after_commit(self._orgs.forget)
        return made

    @staticmethod
    def checked_name(name: str) -> str:
        """A name as it is kept; raises Invalid."""
        name = " ".join(name.split())
        if not 1 <= len(name) <= 120 or not name.isprintable():
            raise Invalid(T("An organisation needs a name."), fields={"name": T("1 to 120 characters.")})
        return name

    def register(self, email: str, password: str, name: str, organisation: str, address: str) -> None:
        """Open registration: a new person with an organisation of their own, plan free. For an e-mail that is known nothing is made, and the
        answer is the same. Raises Forbidden where registration is not open, Throttled, Invalid."""
        if self._kit.settings["UNIBOS_REGISTRATION"] != "open":
            raise Forbidden(T("This hub takes new people only by invitation."))
        self._identity.throttle(f"register@{address}")
        self._identity.throttle(f"register-day@{address}", limit=50, window=86400)
        own = self.checked_name(organisation or name)
        self._orgs.home_id()
        try:
            self._identity.create(email, password, name, then=lambda user: self.make(own, "individual", "free", user.id))
        except Conflict:
            known = self._identity.people.find(email)
            if known is not None:
                self._identity.events.note(known.id, "registered-again", T("Somebody tried to register with your e-mail address. Nothing was changed."),
                                           address=address)

    # Changing one.

    def change(self, org_id: str, actor: Actor, **fields: Any) -> Organisation:
        """Change name, type, modules or domain (an owner; an admin only the name), or plan and limits (who runs the device). Raises Forbidden, Invalid."""
        wanted = {k: v for k, v in fields.items() if k in (*OWN, *OPERATORS)}
        role, operator = self._orgs.people.role(org_id, actor), self.operator(actor)
        if any(k in OPERATORS for k in wanted) and not operator:
            raise Forbidden(T("Plan and limits are set by whoever runs this device."))
        if any(k in OWN and k != "name" for k in wanted) and role != "owner" and not operator:
            raise Forbidden(T("Only an owner changes this."))
        if role not in ("owner", "admin") and not operator:
            raise Forbidden()
        self._check(wanted)
        with self._kit.db.transaction():
            self._orgs.limiter.lock(org_id)
            organisation = self._orgs.get(org_id)
            if organisation is None:
                raise NotFound(T("There is no such organisation."))
            self._kit.records.update(organisation, actor_id=actor.id, **wanted)
            self._kit.db.after_commit(self._orgs.forget)
            self._kit.changed("organisation", org_id=org_id)
        return organisation

    def _check(self, wanted: dict[str, Any]) -> None:
        if "name" in wanted:
            wanted["name"] = self.checked_name(wanted["name"])
        if wanted.get("type", "team") not in decide.TYPES or wanted.get("plan", "free") not in decide.PLANS:
            raise Invalid(T("There is no such type or plan."))
        if "custom_domain" in wanted:
            wanted["custom_domain"] = wanted["custom_domain"].strip().lower()
            if wanted["custom_domain"] and not DOMAIN.fullmatch(wanted["custom_domain"]):
                raise Invalid(T("This is no domain name."), fields={"custom_domain": T("Write it as home.example.org.")})
        if "enabled_modules" in wanted:
            known = set(self._kit.modules)
            unknown = [name for name in wanted["enabled_modules"] if name not in known]
            if unknown:
                raise Invalid(T("There is no module %(name)s.", name=unknown[0][:40]),
                              fields={"enabled_modules": T("It is none of the values that are taken.")})
            wanted["enabled_modules"] = sorted(set(wanted["enabled_modules"]))
            if set(wanted["enabled_modules"]) == known:
                wanted["enabled_modules"] = []

    # Finding them.

    def roles(self, user_id: str) -> list[tuple[str, str]]:
        """(organisation's id, role) of a person, the first one first."""
        found, now = [], self._kit.now()
        for org_id in self._kit.db.finds(MEMBERSHIPS, user_id):
            with self._kit.db.tenant(org_id):
                row = Member.get_or_none(Member.organisation_id == org_id, Member.user_id == user_id, Member.expires_at.is_null() | (Member.expires_at > now))
            if row is not None:
                found.append((org_id, row.role))
        return found

    def memberships(self, user_id: str) -> list[dict[str, Any]]:
        """[{id, name, role, slug}] of a person's organisations, the first one first."""
        found = []
        for org_id, role in self.roles(user_id):
            organisation = self._orgs.get_in(org_id)
            if organisation is not None:
                found.append({"id": org_id, "name": organisation.name, "role": role, "slug": organisation.slug})
        return found

    def by_word(self, word: str) -> str:
        """The id of the organisation with this slug or id, for the console; raises NotFound."""
        org_id = "" if "\0" in word else self._kit.db.find(ORG_OF_SLUG, word)
        if not org_id:
            raise NotFound(T("There is no organisation %(name)s here.", name=word[:80]))
        return org_id

    def every(self) -> list[dict[str, Any]]:
        """All organisations of the device with what they use, for who runs it."""
        found = []
        for org_id in self._kit.db.finds(ORGANISATIONS):
            with self._kit.db.tenant(org_id):
                organisation = self._orgs.get(org_id)
                if organisation is not None:
                    found.append({"organisation": organisation, "users": self._orgs.limiter.people(org_id), "limits": self._orgs.limiter.of(organisation)})
        return found

    def switch(self, actor: Actor, org_id: str) -> None:
        """Mean another organisation in this session. Raises NotFound, alike for one that is not there and one that is not theirs."""
        if actor.kind != "person" or not actor.session_id or org_id not in {known for known, _role in self.roles(actor.id)}:
            raise NotFound(T("You belong to no such organisation."))
        self._identity.people.choose(actor.session_id, actor.id, org_id)
        self._kit.tell("live", {"type": "left", "actor": actor.id, "org": actor.org_id})

    def used(self, org_id: str) -> dict[str, int]:
        """What an organisation uses of its limits: users, guests, nodes, storage in bytes."""
        nodes = sum(count(org_id) for count in self._kit.gather("counts"))
        guests = Member.select().where(Member.organisation_id == org_id, Member.role == "guest").count()
        return {"users": self._orgs.limiter.people(org_id), "guests": guests, "nodes": nodes, "storage": self._kit.files.used(org_id)}


def tidy(kit: Kit, services: Any) -> str | None:
    """Take out guests whose time is over, and forget invitations of long ago."""
    orgs, gone = services["orgs"], 0
    for finder, work in ((WITH_GUESTS, orgs.people.tidy), (WITH_INVITATIONS, orgs.invitations.tidy)):
        for org_id in kit.db.finds(finder):
            with kit.db.tenant(org_id):
                gone += work(org_id)
    return f"took out {gone}" if gone else None
