"""Limits where things are made: how many people, nodes and bytes an organisation may have, and which modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.orgs import decide
from unibos.features.orgs.models import Invitation, Member, Organisation
from unibos.kernel.actors import Actor
from unibos.kernel.errors import LimitReached, UnibosError
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

GIGABYTE = 1_000_000_000
# What has no place in a plan and still needs an end.
GUESTS, INVITATIONS, OWNED = 50, 100, 10
WORDS = {"users": T("people"), "nodes": T("nodes"), "guests": T("guests"), "invitations": T("open invitations"),
         "organisations": T("organisations of one person")}


class Limiter:
    """What an organisation may have, and the refusal that names it."""

    def __init__(self, kit: Kit):
        self._kit = kit

    def of(self, organisation: Organisation) -> decide.Limits:
        """The limits that count for an organisation."""
        return decide.limits(organisation.plan, organisation.max_users, organisation.max_nodes, organisation.max_storage_gb)

    def quota(self, org_id: str) -> int | None:
        """The most bytes of files that an organisation may keep; None: no bound."""
        with self._kit.db.tenant(org_id):
            organisation = Organisation.get_or_none(Organisation.id == org_id)
        most = self.of(organisation).storage_gb if organisation else None
        return None if most is None else most * GIGABYTE

    def lock(self, org_id: str) -> None:
        """Hold the organisation's row to the end of the transaction: what is counted after this, nobody else adds to."""
        Organisation.update(id=org_id).where(Organisation.id == org_id).execute()

    def room(self, org_id: str, what: str, used: Callable[[], int]) -> None:
        """Raise LimitReached when `used()` of `what` (users, nodes) leave no room for one more. Call it in the transaction that makes it."""
        self.lock(org_id)
        organisation = Organisation.get_or_none(Organisation.id == org_id)
        if organisation is not None:
            self.check(what, used(), getattr(self.of(organisation), what), organisation.plan)

    def people(self, org_id: str) -> int:
        """How many people count: members, not guests, and no invitation before it is accepted."""
        return Member.select().where(Member.organisation_id == org_id, Member.role != "guest").count()

    def bounded(self, org_id: str, what: str) -> None:
        """Raise LimitReached for guests or open invitations over what anybody may have. Call it in the transaction that makes one more."""
        self.lock(org_id)
        now = self._kit.now()
        if what == "guests":
            used = Member.select().where(Member.organisation_id == org_id, Member.role == "guest").count()
            return self.check(what, used, GUESTS, "")
        used = Invitation.select().where(Invitation.organisation_id == org_id, Invitation.revoked_at.is_null(), Invitation.expires_at > now,
                                         Invitation.used < Invitation.uses).count()
        return self.check(what, used, INVITATIONS, "")

    def check(self, what: str, used: int, allowed: int | None, plan: str) -> None:
        """Raise LimitReached when `allowed` are used; the text names the limit, both numbers, and who can change it."""
        if allowed is None or used < allowed:
            return
        values = {"what": WORDS[what], "used": used, "allowed": allowed, "plan": plan}
        if not plan:
            text = T("The limit of %(what)s is reached: %(used)s of %(allowed)s are there. Remove one that is not needed any more.", **values)
        elif self._kit.role == "hub":
            text = T("The limit of %(what)s of this organisation is reached: %(used)s of %(allowed)s are used (plan %(plan)s). "
                     "Whoever runs this hub can raise it.", **values)
        else:
            text = T("The limit of %(what)s of this organisation is reached: %(used)s of %(allowed)s are used (plan %(plan)s). "
                     "An owner of this node can raise it.", **values)
        raise LimitReached(text, limit=what, used=used, allowed=allowed)


def access(kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], UnibosError | None]:
    """Modules that the organisation of the one asking does not have are closed to its people; machines and the console come in."""
    orgs = services["orgs"]

    def closed(feature: str, actor: Actor) -> UnibosError | None:
        if actor.kind != "person" or not (wanted := orgs.modules_of(actor.org_id)) or feature in wanted:
            return None
        return LimitReached(T("The module %(name)s is not enabled in this organisation. An owner enables it on the page Organisation.", name=feature),
                            limit="enabled_modules", used=len(wanted), allowed=len(wanted))

    return closed
