"""JSON v1 of orgs: the claim, and the organisation of the one asking."""

from __future__ import annotations

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from unibos.kernel.errors import Conflict
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T

ROUTES = Routes()


class Claim(BaseModel):
    """What makes somebody the owner of this device."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(max_length=64)
    email: str = Field(max_length=254)
    password: str = Field(max_length=256)
    name: str = Field(max_length=120)
    organisation: str = Field("", max_length=255)


@ROUTES.post("/api/v1/claim/", access="open", body=Claim, status=201, unclaimed=True)
def claim(call: Call) -> dict:
    """Claim this device with the code that it shows; once."""
    body, address = call.body, request.remote_addr or ""
    if call.service.claimed():
        raise Conflict(T("This device has an owner already."))
    user = call.service.claim(body.code, address, email=body.email, password=body.password, name=body.name,
                              organisation=body.organisation)
    return call.services["identity"].tokens(user, address, request.user_agent.string)


@ROUTES.get("/api/v1/organisation/", access="viewer")
def organisation(call: Call) -> dict:
    """The organisation of the one asking, with its members."""
    org = call.service.get(call.actor.org_id)
    members = call.service.members(call.actor.org_id)
    return {"id": call.actor.org_id, "name": org.name if org else "", "plan": org.plan if org else "",
            "members": [{"user_id": m.user_id, "role": m.role, "joined_at": m.joined_at.isoformat()} for m in members]}
