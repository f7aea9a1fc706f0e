"""JSON v1 of orgs: the claim, and the organisation of the one asking."""

from __future__ import annotations

from typing import Any

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from unibos.features.orgs import shapes
from unibos.features.orgs.limits import GIGABYTE
from unibos.kernel.errors import Conflict, Forbidden, LimitReached, NotFound, Throttled, Unauthenticated
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T

ROUTES, HUB_ROUTES = Routes(), Routes()


class Claim(BaseModel):
    """What makes somebody the owner of this device."""

    model_config = ConfigDict(extra="forbid")
    code: shapes.Line = Field(max_length=64)
    email: shapes.Line = Field(max_length=254)
    password: str = Field(max_length=256)
    name: shapes.Line = Field(max_length=120)
    organisation: shapes.Line = Field("", max_length=255)


@ROUTES.post("/api/v1/claim/", access="open", body=Claim, status=201, unclaimed=True, answer=shapes.Tokens,
             raises=(Conflict, Forbidden, Throttled))
def claim(call: Call) -> dict:
    """Claim this device with the code that it shows; once."""
    body, address = call.body, request.remote_addr or ""
    if call.service.claimed():
        raise Conflict(T("This device has an owner already."))
    user = call.service.claim(body.code, address, email=body.email, password=body.password, name=body.name,
                              organisation=body.organisation)
    return call.services["identity"].tokens(user, address, request.user_agent.string)


def limits_out(limits: Any) -> shapes.LimitsOut:
    """Limits as the API shows them: storage in bytes."""
    return shapes.LimitsOut(users=limits.users, nodes=limits.nodes, storage=None if limits.storage_gb is None else limits.storage_gb * GIGABYTE)


def shown(call: Call) -> shapes.OrganisationOut:
    """The organisation of the one asking."""
    org_id, org = call.actor.org_id, call.service.get(call.actor.org_id)
    if org is None:
        raise NotFound()
    return shapes.OrganisationOut(
        id=org_id, name=org.name, slug=org.slug, type=org.type, plan=org.plan, enabled_modules=org.enabled_modules or [], custom_domain=org.custom_domain,
        role=call.actor.role, limits=limits_out(call.service.limiter.of(org)), used=shapes.LimitsOut(**call.service.organisations.used(org_id)),
        members=[shapes.member(p) for p in call.service.people.list(org_id)], offered_to=call.service.people.offered(org))


@ROUTES.get("/api/v1/organisation/", access="viewer", answer=shapes.OrganisationOut, raises=(NotFound,))
def organisation(call: Call) -> shapes.OrganisationOut:
    """The organisation of the one asking: what it is, may and uses, with its members."""
    return shown(call)


@ROUTES.patch("/api/v1/organisation/", access="admin", body=shapes.Change, answer=shapes.OrganisationOut, raises=(NotFound,))
def change(call: Call) -> shapes.OrganisationOut:
    """Change it: an admin the name, an owner the rest, who runs the device plan and limits."""
    call.service.organisations.change(call.actor.org_id, call.actor, **changes(call.body))
    return shown(call)


def changes(body: Any) -> dict[str, Any]:
    """The fields that were named; null is a value for limits only, which then are the plan's."""
    given = body.model_dump(exclude_unset=True)
    return {k: v for k, v in given.items() if v is not None or k.startswith("max_")}


def person(call: Call) -> Any:
    """The service, for a person, who may belong to no organisation (any more); raises Unauthenticated."""
    if call.actor.kind != "person":
        raise Unauthenticated()
    return call.service


@ROUTES.get("/api/v1/auth/organisations/", access="open", answer=shapes.Memberships, raises=(Unauthenticated,))
def mine(call: Call) -> shapes.Memberships:
    """One's organisations, and which one is meant."""
    found = person(call).organisations.memberships(call.actor.id)
    return shapes.Memberships(items=[shapes.Membership(**m, current=m["id"] == call.actor.org_id) for m in found])


@ROUTES.post("/api/v1/auth/organisation/", access="open", body=shapes.Chosen, answer=shapes.Token, raises=(Unauthenticated, NotFound, Forbidden))
def choose(call: Call) -> shapes.Token:
    """Mean another of one's organisations from now on; a program gets a token for it, and its older one stays the other's."""
    person(call).organisations.switch(call.actor, call.body.organisation)
    token = call.services["identity"].people.token(call.actor.session_id, call.actor.id) if call.actor.via == "bearer" else {"token": "", "expires_in": 0}
    return shapes.Token(organisation_id=call.body.organisation, **token)


@HUB_ROUTES.get("/api/v1/organisations/", access="owner", answer=shapes.Summaries)
def every(call: Call) -> shapes.Summaries:
    """All organisations of this hub, for who runs it."""
    if not call.service.organisations.operator(call.actor):
        raise Forbidden(T("Only who runs this device may do this."))
    return shapes.Summaries(items=[summary(row["organisation"], row["users"], row["limits"]) for row in call.service.organisations.every()])


def summary(org: Any, users: int, limits: Any) -> shapes.Summary:
    """One line of that list."""
    return shapes.Summary(id=org.id, name=org.name, slug=org.slug, type=org.type, plan=org.plan, users=users, limits=limits_out(limits))


@HUB_ROUTES.post("/api/v1/organisations/", access="open", body=shapes.New, status=201, answer=shapes.Summary,
                 raises=(Unauthenticated, Forbidden, NotFound, LimitReached))
def create(call: Call) -> shapes.Summary:
    """Make an organisation, as far as this hub's registration allows it."""
    if call.actor.kind not in ("person", "console"):
        raise Unauthenticated()
    body, owner_id = call.body, ""
    if body.owner:
        if not call.service.organisations.operator(call.actor):
            raise Forbidden(T("Only who runs this hub chooses plan and owner."))
        found = call.services["identity"].people.find(body.owner)
        if found is None:
            raise NotFound(T("There is nobody with the e-mail address %(email)s.", email=body.owner))
        owner_id = found.id
    made = call.service.organisations.create(call.actor, body.name, body.type, body.plan or "", owner_id)
    return summary(made, 1 if made.owner_id else 0, call.service.limiter.of(made))
