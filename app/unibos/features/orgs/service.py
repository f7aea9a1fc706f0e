"""The verbs of orgs: the device's first organisation, its members, and the claim that gives it an owner."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unibos.features.orgs.invitations import Invitations
from unibos.features.orgs.limits import Limiter
from unibos.features.orgs.members import Members
from unibos.features.orgs.models import CLAIMED, HOME, ORG_OF_PERSON, ORG_OF_SLUG, Member, Organisation
from unibos.features.orgs.organisations import Organisations, slug_of
from unibos.kernel.actors import Actor
from unibos.kernel.errors import Conflict, Forbidden
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# Crockford's base 32: no letters that look alike on a screen across the room.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
WRONG_UNTIL_NEW = 10
CLAIMS_SECONDS = 2.0
ACTIONS = ["read", "write", "delete", "admin"]
RIGHTS = {"owner": ACTIONS, "admin": ACTIONS, "member": ACTIONS[:3], "viewer": ACTIONS[:1]}


def spelled(code: str) -> str:
    """A typed code as it is compared: upper case, no separators, letters that look alike as one."""
    table = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
    return code.upper().translate(table)


class Orgs:
    """Organisations of this device."""

    def __init__(self, kit: Kit, identity: Any):
        self._kit, self._identity, self._claimed = kit, identity, False
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}
        self.limiter, self.people = Limiter(kit), Members(kit, self, identity)
        self.invitations, self.organisations = Invitations(kit, self, identity), Organisations(kit, self, identity)
        self._file = Path(kit.data_dir) / "claim-code"

    def home(self) -> Organisation:
        """The device's first organisation: nameless until it is claimed, so that everything has an owner from the start."""
        with self._kit.db.tenant(self._kit.db.find(HOME)):
            found = Organisation.select().order_by(Organisation.created_at).first()
        if found is not None:
            return found
        with self._kit.db.transaction():
            org_id = self._kit.db.find(HOME)
            if org_id:
                with self._kit.db.tenant(org_id):
                    return Organisation.get_by_id(org_id)
            org_id = self._kit.random.uuid()
            with self._kit.db.tenant(org_id):
                return self._kit.records.create(Organisation, id=org_id, org_id=org_id, name="", slug=f"home-{org_id[:8]}")

    def home_id(self) -> str:
        """The id of `home()`."""
        return self._kit.db.find(HOME) or self.home().id

    def of_device(self, actor: Actor) -> bool:
        """Whether somebody is of the organisation that the device itself belongs to: the console, or a member of its first one."""
        return actor.kind == "console" or (bool(actor.org_id) and actor.org_id == self.home_id())

    def get(self, org_id: str) -> Organisation | None:
        """An organisation by id."""
        return Organisation.get_or_none(Organisation.id == org_id)

    def find(self, slug: str) -> str:
        """The id of the organisation with this slug, whoever asks; "" for none. What a stranger is answered must not tell which it was."""
        return self._kit.db.find(ORG_OF_SLUG, slug)

    def get_in(self, org_id: str) -> Organisation | None:
        """An organisation by id, whoever is asking."""
        with self._kit.db.tenant(org_id):
            return self.get(org_id)

    # The claim.

    def claimed(self) -> bool:
        """Whether the device has an owner; once true it stays so."""
        if not self._claimed:
            self._claimed = bool(self._kit.db.find(CLAIMED))
        return self._claimed

    def code(self) -> str:
        """The claim code, made on first use and kept 0600; empty when the device is claimed."""
        if self.claimed():
            return ""
        try:
            return self._file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return self._new_code()

    def _new_code(self) -> str:
        symbols = "".join(ALPHABET[b % 32] for b in self._kit.random.bytes(12))
        code = "-".join((symbols[:4], symbols[4:8], symbols[8:]))
        fresh = self._file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(code + "\n", encoding="ascii")
        fresh.replace(self._file)
        return code

    def check_code(self, code: str, address: str) -> None:
        """Raise Conflict when there is an owner already, Throttled after five tries a minute, Forbidden for a wrong code.
        Ten wrong ones make a new code."""
        if self.claimed():
            raise Conflict(T("This device has an owner already."))
        self._identity.throttle(f"claim@{address}")
        if hmac.compare_digest(spelled(code).encode(), spelled(self.code()).encode()):
            return
        try:
            self._identity.throttle("claim-wrong", limit=WRONG_UNTIL_NEW - 1, window=365 * 86400)
        except Exception as spent:
            self._identity.forgive("claim-wrong")
            self._new_code()
            raise Forbidden(T("This code was wrong too often: the device shows a new one now.")) from spent
        raise Forbidden(T("This is not the code that the device shows."))

    def claim(self, code: str, address: str, *, email: str, password: str, name: str, organisation: str = "") -> Any:
        """Give the device its owner; returns the user. The code is used up. Raises as `check_code`, or Invalid."""
        self.check_code(code, address)
        home = self.home()

        def own(user: Any) -> None:
            taken = (Organisation.update(claimed_at=self._kit.now())
                     .where(Organisation.id == home.id, Organisation.claimed_at.is_null()).execute())
            if not taken:
                raise Conflict(T("This device has an owner already."))
            own = organisation.strip()[:255] or name
            self._kit.records.update(home, name=own, slug=slug_of(own, self._kit.random.bytes(5)), owner_id=user.id, actor_id=user.id)
            Member.create(id=self._kit.random.uuid(), organisation_id=home.id, user_id=user.id, role="owner", joined_at=self._kit.now())

        with self._kit.db.tenant(home.id):
            user = self._identity.create(email, password, name, then=own)
        self._file.unlink(missing_ok=True)
        self._claimed = True
        self.forget()
        self._identity.forgive(f"claim@{address}", "claim-wrong")
        return user

    # What every request asks: answers are at most two seconds old, and each is of one organisation.

    def forget(self) -> None:
        """Ask the database again for what this process has known: somebody's place has changed."""
        self._known.clear()

    def _recent(self, key: tuple[str, ...], read: Callable[[], Any]) -> Any:
        now, (until, known) = self._kit.clock.monotonic(), self._known.get(key, (0.0, None))
        if now >= until or until - now > CLAIMS_SECONDS:
            if len(self._known) > 1000:
                self._known.clear()
            known = read()
            self._known[key] = (now + CLAIMS_SECONDS, known)
        return known

    def claims_of(self, user_id: str, org_id: str = "") -> dict[str, Any]:
        """The organisation, role and permissions that a token of this person carries (spec section 3) in the organisation that is meant: their
        first, if none is named; nothing, if they do not belong to the one that is."""
        return self._recent(("claims", user_id, org_id), lambda: self._read_claims(user_id, org_id))

    def memberships(self, user_id: str) -> list[dict[str, Any]]:
        """[{id, name, role, slug}] of the organisations between which a person can choose."""
        return self._recent(("memberships", user_id), lambda: self.organisations.memberships(user_id))

    def modules_of(self, org_id: str) -> list[str]:
        """The modules that an organisation has; empty: all."""
        def read() -> list[str]:
            organisation = self.get_in(org_id)
            return list(organisation.enabled_modules or []) if organisation else []

        return self._recent(("modules", org_id), read)

    def _read_claims(self, user_id: str, wanted: str) -> dict[str, Any]:
        org_id = wanted or self._kit.db.find(ORG_OF_PERSON, user_id)
        with self._kit.db.tenant(org_id):
            row = (Member.select(Member.role, Organisation.id, Organisation.name, Organisation.type, Organisation.enabled_modules)
                   .join(Organisation, on=(Organisation.id == Member.organisation_id))
                   .where(Member.user_id == user_id, Member.organisation_id == org_id,
                          Member.expires_at.is_null() | (Member.expires_at > self._kit.now())).dicts().first())
        if row is None:
            return {}
        said = {"org": {"id": row["id"], "name": row["name"], "type": row["type"], "role": row["role"]}}
        if row["role"] == "guest":
            return {**said, "permissions": {"is_admin": False, "modules": {}, "nodes": {}}}
        rights = RIGHTS.get(row["role"], [])
        modules = {name: rights for name in (row["enabled_modules"] or ["*"])}
        return {**said, "permissions": {"is_admin": row["role"] in ("owner", "admin"), "modules": modules, "nodes": {"*": 5 if row["role"] == "owner" else 3}}}


def claims(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, str], dict[str, Any]]:
    """What tokens say of a person in the organisation that is meant."""
    return services["orgs"].claims_of


def home(_kit: Kit, services: Mapping[str, Any]) -> Callable[[], str]:
    """The id of the device's own organisation."""
    return services["orgs"].home_id


def build(kit: Kit, services: Mapping[str, Any]) -> Orgs:
    """The service."""
    orgs = Orgs(kit, services["identity"])
    kit.quota, kit.room = orgs.limiter.quota, orgs.limiter.room
    return orgs
