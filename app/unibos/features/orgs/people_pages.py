"""People in the panel: members, guests and invitations, one person, and the search for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from flask import Response
from pydantic import BaseModel, Field

from unibos.features.orgs import decide
from unibos.features.orgs.members import ROLE_WORDS
from unibos.features.orgs.people_api import address, link, operator
from unibos.features.orgs.shapes import Line
from unibos.kernel.actors import RANKS, Actor
from unibos.kernel.errors import UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.i18n import findable
from unibos.panel.qr import svg
from unibos.panel.shell import Words, page, say, toast

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()
ROLES = Words(ROLE_WORDS)
# How long: hours and what they are called in a choice.
STAYS = ((4, T("4 hours")), (24, T("1 day")), (72, T("3 days")), (168, T("1 week")), (720, T("30 days")))


class Form(BaseModel):
    """An invitation, for a member or for a guest."""

    do: Literal["invite", "guest"]
    role: Literal["owner", "admin", "member", "viewer"] = "member"
    email: Line = Field("", max_length=254)
    label: Line = Field("", max_length=120)
    hours: int = Field(168, ge=1, le=720)
    uses: int = Field(1, ge=1, le=100)
    guest_hours: int = Field(24, ge=1, le=720)
    pin: Line = Field("", max_length=12)


class RoleForm(BaseModel):
    """Another role."""

    role: decide.Role


def assignable(call: Call) -> list[tuple[str, str]]:
    """The roles that the one asking may give: [(role, word)]."""
    return [(role, ROLES[role]) for role in reversed(decide.ROLES) if decide.may_invite(call.actor.role, role) is None]


def _list(call: Call, status: int = 200, **shown: Any) -> Response:
    org_id, service = call.actor.org_id, call.service
    everybody = service.people.list(org_id)
    rows = [{"id": p.user_id, "href": f"/people/{p.user_id}/", "name": p.name, "person": p} for p in everybody]
    organisation = service.get(org_id)
    invitations = [{"id": row.id, "row": row} for row in service.invitations.open(org_id)] if call.actor.may("admin") else []
    return page(call, "people.html", status, member_rows=[r for r in rows if r["person"].role != "guest"],
                guest_rows=[r for r in rows if r["person"].role == "guest"], invitations=invitations, role_words=ROLES, roles=assignable(call),
                stays=[(hours, say(word)) for hours, word in STAYS], limits=service.limiter.of(organisation), me=call.actor.id, now=call.kit.now(),
                **{"made": None, "problem": "", "failed": "", "form": None, "fields": {}, **shown})


@ROUTES.get("/people/", access="viewer", kind="page")
def people(call: Call) -> Response:
    """Members, guests and open invitations."""
    return _list(call)


# A link is shown by the answer to the form, never by an address of its own.
@ROUTES.post("/people/", access="admin", kind="page", body=Form)
def invite(call: Call) -> Response:
    """Make an invitation, or a guest's link, and show it once."""
    form = call.body
    guest = form.do == "guest"
    wanted = {"guest_hours": form.guest_hours, "pin": form.pin} if guest else {"email": form.email}
    try:
        row, secret = call.service.invitations.make(call.actor.org_id, call.actor, "guest" if guest else form.role, label=form.label, hours=form.hours,
                                                    uses=form.uses, **wanted)
    except UnibosError as error:
        return _list(call, error.status, problem=say(error.text), failed=form.do, form=form, fields={k: say(v) for k, v in error.fields.items()})
    url = link(call, secret)
    return _list(call, made={"row": row, "url": url, "qr": svg(url, say(T("QR code of the invitation")))})


@ROUTES.post("/people/invitations/<invitation_id>/revoke/", access="admin", kind="page")
def revoke(call: Call, invitation_id: str) -> Response:
    """Take an invitation back."""
    call.service.invitations.revoke(call.actor.org_id, call.actor, invitation_id)
    return toast("/people/", T("The invitation is taken back: its link opens nothing any more."))


def _person(call: Call, user_id: str, status: int = 200, problem: str = "") -> Response:
    service, org_id, actor = call.service, call.actor.org_id, call.actor
    found, owners = service.people.get(org_id, user_id), len([p for p in service.people.list(org_id) if p.role == "owner"])
    own = user_id == actor.id
    roles = [(role, ROLES[role]) for role in reversed(decide.ROLES)
             if role == found.role or decide.may_change(actor.role, found.role, role, self=own, owners=owners) is None]
    why = decide.may_remove(actor.role, found.role, self=own, owners=owners)
    return page(call, "person.html", status, person=found, own=own, roles=roles if len(roles) > 1 else [], why_not=say(why) if why else "", role_words=ROLES,
                organisation=service.get(org_id), offered=service.people.offered(service.get(org_id)) == user_id,
                may_offer=actor.role == "owner" and actor.kind == "person" and not own and found.role not in ("owner", "guest"),
                may_reset=not own and _may_reset(call, found),
                runs=service.organisations.operator(actor) and not own and found.role not in ("owner", "guest"), problem=problem)


def _may_reset(call: Call, person: Any) -> bool:
    """Whether the one asking may let this person set a new password: the door of identity asks the same again."""
    low = person.role != "guest" and not person.disabled and RANKS[person.role] <= RANKS.get(call.actor.role, 0)
    alone = call.service.organisations.operator(call.actor) or len(call.service.organisations.roles(person.user_id)) == 1
    return call.actor.may("admin") and low and alone


@ROUTES.get("/people/<user_id>/", access="viewer", kind="page")
def person(call: Call, user_id: str) -> Response:
    """One person: role, and what can be done."""
    return _person(call, user_id)


@ROUTES.post("/people/<user_id>/role/", access="admin", kind="page", body=RoleForm)
def change(call: Call, user_id: str) -> Response:
    """Give them another role."""
    found = call.service.people.change(call.actor.org_id, call.actor, user_id, call.body.role)
    return toast(f"/people/{user_id}/", T("%(name)s is now: %(role)s.", name=found.name, role=ROLE_WORDS[found.role]))


@ROUTES.post("/people/<user_id>/remove/", access="admin", kind="page")
def remove(call: Call, user_id: str) -> Response:
    """Take them out, or end a guest's visit."""
    found = call.service.people.get(call.actor.org_id, user_id)
    call.service.people.remove(call.actor.org_id, call.actor, user_id)
    return toast("/people/", T("%(name)s does not belong to this organisation any more.", name=found.name))


class Proof(BaseModel):
    """One's own password, or a code."""

    password: str = Field("", max_length=256)
    code: Line = Field("", max_length=64)


@ROUTES.post("/people/<user_id>/offer/", access="owner", kind="page", body=Proof)
def offer(call: Call, user_id: str) -> Response:
    """Offer them the ownership."""
    try:
        call.service.people.offer(call.actor.org_id, call.actor, user_id, address(), password=call.body.password, code=call.body.code)
    except UnibosError as error:
        return _person(call, user_id, error.status, say(error.text))
    return toast(f"/people/{user_id}/", T("The ownership is offered. They have seven days to accept it."))


@ROUTES.post("/people/<user_id>/disable/", access="owner", kind="page")
def disable(call: Call, user_id: str) -> Response:
    """Let them in no more, anywhere on this device."""
    operator(call).disable(user_id)
    return toast(f"/people/{user_id}/", T("They are let in no more. What they made stays."))


@ROUTES.post("/people/<user_id>/enable/", access="owner", kind="page")
def enable(call: Call, user_id: str) -> Response:
    """Let them in again."""
    operator(call).enable(user_id)
    return toast(f"/people/{user_id}/", T("They are let in again."))


def find(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], list[dict[str, Any]]]:
    """People for the search."""

    def look(words: str, actor: Actor) -> list[dict[str, Any]]:
        return [{"title": p.name, "kind": T("person"), "href": f"/people/{p.user_id}/", "hint": ROLE_WORDS[p.role]}
                for p in services["orgs"].people.list(actor.org_id) if findable(words) in findable(f"{p.name} {p.email}")]

    return look
