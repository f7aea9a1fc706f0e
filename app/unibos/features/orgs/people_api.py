"""JSON v1 of members, invitations and guests, and of accounts of the device."""

from __future__ import annotations

from typing import Any

from flask import request

from unibos.features.orgs import shapes
from unibos.kernel.errors import Conflict, Forbidden, LimitReached, NotFound, Throttled, Unauthenticated
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import say

ROUTES, HUB_ROUTES, NODE_ROUTES = Routes(), Routes(), Routes()
REGISTERED = T("If this e-mail address had no account here, it has one now: log in. If it had one, nothing was changed.")


def address() -> str:
    """From where the one asking comes."""
    return request.remote_addr or ""


def base(call: Call) -> str:
    """The address under which people reach this device."""
    if call.kit.settings["UNIBOS_PUBLIC_URL"]:
        return str(call.kit.settings["UNIBOS_PUBLIC_URL"]).rstrip("/")
    if call.actor.kind == "console":  # it asked by a socket, whose name is nobody's address
        host, port = call.kit.settings["UNIBOS_HOST"], call.kit.settings["UNIBOS_PORT"]
        return f"http://{host if host not in ('0.0.0.0', '::') else 'localhost'}:{port}"
    return request.host_url.rstrip("/")


def link(call: Call, secret: str) -> str:
    """The link of an invitation: its secret stands in the fragment, which is sent to no server and is in no log."""
    return f"{base(call)}/join/#invite={secret}"


def joined(call: Call, user: Any, org_id: str, agent: str) -> shapes.Joined:
    """The answer to who accepted: with tokens for who came without a session."""
    organisation = call.service.get_in(org_id)
    role = call.service.claims_of(user.id, org_id).get("org", {}).get("role", "")
    tokens = {} if call.actor.kind == "person" and user.id == call.actor.id else call.services["identity"].tokens(user, address(), agent)
    return shapes.Joined(organisation_id=org_id, organisation=organisation.name if organisation else "", role=role, **tokens)


# Members.


@ROUTES.get("/api/v1/organisation/members/", access="viewer", answer=shapes.MembersOut)
def members(call: Call) -> shapes.MembersOut:
    """Everybody of the organisation, guests with their time included."""
    return shapes.MembersOut(items=[shapes.member(p) for p in call.service.people.list(call.actor.org_id)])


@ROUTES.get("/api/v1/organisation/members/<user_id>/", access="viewer", answer=shapes.MemberOut)
def one(call: Call, user_id: str) -> shapes.MemberOut:
    """One member."""
    return shapes.member(call.service.people.get(call.actor.org_id, user_id))


@ROUTES.patch("/api/v1/organisation/members/<user_id>/", access="admin", body=shapes.RoleIn, answer=shapes.MemberOut)
def change(call: Call, user_id: str) -> shapes.MemberOut:
    """Give a member another role; only owners make or change owners."""
    return shapes.member(call.service.people.change(call.actor.org_id, call.actor, user_id, call.body.role))


@ROUTES.delete("/api/v1/organisation/members/<user_id>/", access="admin", status=204)
def remove(call: Call, user_id: str) -> None:
    """Remove a member, or end a guest at once; what they made stays."""
    call.service.people.remove(call.actor.org_id, call.actor, user_id)


@ROUTES.post("/api/v1/organisation/leave/", access="guest", status=204, raises=(NotFound,))
def leave(call: Call) -> None:
    """Leave the organisation; a guest's account ends with it. The last owner cannot."""
    call.service.people.remove(call.actor.org_id, call.actor, call.actor.id)


# The ownership.


@ROUTES.post("/api/v1/organisation/transfer/", access="owner", body=shapes.Offer, status=204, raises=(NotFound, Conflict, Throttled))
def offer(call: Call) -> None:
    """Offer the ownership to a member, with one's password or a code."""
    call.service.people.offer(call.actor.org_id, call.actor, call.body.user_id, address(), password=call.body.password, code=call.body.code)


@ROUTES.post("/api/v1/organisation/transfer/accept/", access="viewer", status=204, raises=(NotFound, Conflict))
def accept_offer(call: Call) -> None:
    """Become the owner, as it was offered; who offered it becomes an admin."""
    call.service.people.accept(call.actor.org_id, call.actor)


@ROUTES.delete("/api/v1/organisation/transfer/", access="viewer", status=204, raises=(Conflict,))
def withdraw(call: Call) -> None:
    """Take the offer back, or decline it."""
    call.service.people.withdraw(call.actor.org_id, call.actor)


# Invitations.


@ROUTES.get("/api/v1/organisation/invitations/", access="admin", answer=shapes.InvitationsOut)
def invitations(call: Call) -> shapes.InvitationsOut:
    """The invitations that can still be used; their codes are not kept."""
    return shapes.InvitationsOut(items=[shapes.InvitationOut(**shapes.invitation(row)) for row in call.service.invitations.open(call.actor.org_id)])


@ROUTES.post("/api/v1/organisation/invitations/", access="admin", body=shapes.InvitationIn, status=201, answer=shapes.Invited, raises=(LimitReached,))
def invite(call: Call) -> shapes.Invited:
    """Make an invitation, or a guest's link; its code is shown only here."""
    row, secret = call.service.invitations.make(call.actor.org_id, call.actor, **call.body.model_dump())
    return shapes.Invited(**shapes.invitation(row), code=secret, url=link(call, secret))


@ROUTES.delete("/api/v1/organisation/invitations/<invitation_id>/", access="admin", status=204)
def revoke(call: Call, invitation_id: str) -> None:
    """Take an invitation back."""
    call.service.invitations.revoke(call.actor.org_id, call.actor, invitation_id)


@ROUTES.post("/api/v1/invitations/look/", access="open", body=shapes.Secret, answer=shapes.Look, raises=(Forbidden, Throttled))
def look(call: Call) -> shapes.Look:
    """What an invitation is for."""
    return shapes.Look(**{k: v for k, v in call.service.invitations.look(call.body.invitation, address()).items() if k != "organisation_id"})


@ROUTES.post("/api/v1/invitations/accept/", access="open", body=shapes.Acceptance, status=201, answer=shapes.Joined,
             raises=(Unauthenticated, Forbidden, Conflict, LimitReached, Throttled))
def accept(call: Call) -> shapes.Joined:
    """Accept an invitation: as who is logged in, as a new person, or as a guest."""
    body = call.body
    user, org_id = call.service.invitations.accept(body.invitation, address(), actor=call.actor, name=body.name, email=body.email,
                                                   password=body.password, pin=body.pin)
    return joined(call, user, org_id, request.user_agent.string)


# Accounts.


@HUB_ROUTES.post("/api/v1/auth/register/", access="open", body=shapes.Registration, status=202, answer=shapes.Said, raises=(Forbidden, Throttled))
def register(call: Call) -> shapes.Said:
    """Register as a new person with an organisation of one's own, where this hub lets everybody in; the same answer for a known e-mail."""
    body = call.body
    call.service.organisations.register(body.email, body.password, body.name, body.organisation, address())
    return shapes.Said(detail=say(REGISTERED))


@NODE_ROUTES.post("/api/v1/local/auth/register/", access="open", body=shapes.LocalAccount, status=201, answer=shapes.MemberOut,
                  raises=(Unauthenticated, Forbidden, Conflict, LimitReached, Throttled))
def register_local(call: Call) -> shapes.MemberOut:
    """Make a local account of this node: an admin for somebody, or a stranger for themselves with an invitation."""
    body = call.body
    if call.actor.may("admin") and not body.invitation:
        return shapes.member(call.service.people.add(call.actor.org_id, call.actor, body.email, body.password, body.name, body.role))
    if not body.invitation:
        raise Forbidden(T("This node takes new people only by invitation."))
    user, org_id = call.service.invitations.accept(body.invitation, address(), name=body.name, email=body.email, password=body.password)
    return shapes.member(call.service.people.get(org_id, user.id))


@ROUTES.post("/api/v1/users/", access="admin", body=shapes.Account, status=201, answer=shapes.MemberOut, raises=(Conflict, LimitReached))
def add(call: Call) -> shapes.MemberOut:
    """Make an account with a password that was chosen for it (on a hub: only who runs it)."""
    body = call.body
    return shapes.member(call.service.people.add(call.actor.org_id, call.actor, body.email, body.password, body.name, body.role))


def operator(call: Call) -> Any:
    """The members of the device for who runs it; raises Forbidden for others."""
    if not call.service.organisations.operator(call.actor):
        raise Forbidden(T("Only who runs this device may do this."))
    return call.service.people


@ROUTES.post("/api/v1/users/<user_id>/disable/", access="owner", status=204, raises=(Conflict,))
def disable(call: Call, user_id: str) -> None:
    """Let somebody in no more, in any organisation of this device; their records stay."""
    operator(call).disable(user_id)


@ROUTES.post("/api/v1/users/<user_id>/enable/", access="owner", status=204)
def enable(call: Call, user_id: str) -> None:
    """Let a disabled person in again."""
    operator(call).enable(user_id)


@ROUTES.delete("/api/v1/users/<user_id>/", access="owner", status=204, raises=(Conflict,))
def erase(call: Call, user_id: str) -> None:
    """Forget who somebody was; their records stay with their organisations, without a name."""
    operator(call).erase(user_id)
