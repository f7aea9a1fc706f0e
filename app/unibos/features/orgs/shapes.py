"""What the JSON of orgs looks like: input, and answers."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from unibos.features.orgs.decide import Plan, Role, Type


def _printable(text: str) -> str:
    """PostgreSQL takes no NUL in text, and a name needs no control characters."""
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise PydanticCustomError("string_pattern_mismatch", "control characters")
    return text


Line = Annotated[str, AfterValidator(_printable)]
# What PostgreSQL keeps in an integer column.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Strict(BaseModel):
    """Input that takes no unknown field."""

    model_config = ConfigDict(extra="forbid")


class Registration(Strict):
    """A new person with an organisation of their own."""

    email: Line = Field(max_length=254)
    password: str = Field(max_length=256)
    name: Line = Field(max_length=120)
    organisation: Line = Field("", max_length=120)


class Account(Strict):
    """A new account with a chosen password."""

    email: Line = Field(max_length=254)
    password: str = Field(max_length=256)
    name: Line = Field(max_length=120)
    role: Role = "member"


class LocalAccount(Account):
    """An account of this node: made by an admin, or by whoever holds an invitation, which then says the role."""

    invitation: Line = Field("", max_length=300)


class RoleIn(Strict):
    """Another role."""

    role: Role


class Offer(Strict):
    """To whom the ownership is offered, and one's own password or a code (from the console neither)."""

    user_id: Line = Field(max_length=36)
    password: str = Field("", max_length=256)
    code: Line = Field("", max_length=64)


class InvitationIn(Strict):
    """A new invitation. For a guest: how many hours they stay, and maybe a PIN of 4 to 12 digits."""

    role: Literal["owner", "admin", "member", "viewer", "guest"] = "member"
    email: Line = Field("", max_length=254)
    label: Line = Field("", max_length=120)
    hours: int = Field(168, ge=1, le=720)
    uses: int = Field(1, ge=1, le=100)
    guest_hours: int = Field(0, ge=0, le=720)
    pin: Line = Field("", max_length=12)


class Secret(Strict):
    """An invitation's code, or its whole link."""

    invitation: Line = Field(max_length=300)


class Acceptance(Secret):
    """An invitation and who accepts it: nothing more for who is logged in; name, e-mail and password for a new person; name (and PIN) for a guest."""

    name: Line = Field("", max_length=120)
    email: Line = Field("", max_length=254)
    password: str = Field("", max_length=256)
    pin: Line = Field("", max_length=12)


class New(Strict):
    """A new organisation; plan and owner are for who runs the hub."""

    name: Line = Field(max_length=120)
    type: Type = "individual"
    plan: Plan | None = None
    owner: Line = Field("", max_length=254, description="e-mail of the owner; empty: who asks")


class Change(Strict):
    """What is to change; plan and limits are for who runs the device, and null gives a limit back to the plan."""

    name: Line | None = Field(None, max_length=120)
    type: Type | None = None
    enabled_modules: list[Line] | None = Field(None, max_length=50)
    custom_domain: Line | None = Field(None, max_length=253)
    plan: Plan | None = None
    max_users: Count | None = None
    max_nodes: Count | None = None
    max_storage_gb: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class Chosen(Strict):
    """The id of one of one's organisations."""

    organisation: Line = Field(max_length=36)


# Answers.


class MemberOut(BaseModel):
    """A member; `expires_at` is a guest's end."""

    user_id: str
    name: str
    email: str
    role: str
    joined_at: dt.datetime
    expires_at: dt.datetime | None
    disabled: bool


class MembersOut(BaseModel):
    """Everybody of an organisation."""

    items: list[MemberOut]


class LimitsOut(BaseModel):
    """Numbers; null in the limits: no bound. Storage in bytes."""

    users: int | None
    guests: int | None = None
    nodes: int | None
    storage: int | None


class OrganisationOut(BaseModel):
    """An organisation with what it may and what it uses."""

    id: str
    name: str
    slug: str
    type: str
    plan: str
    enabled_modules: list[str]
    custom_domain: str
    role: str
    limits: LimitsOut
    used: LimitsOut
    members: list[MemberOut]
    offered_to: str


class Summary(BaseModel):
    """An organisation in the list of who runs the hub."""

    id: str
    name: str
    slug: str
    type: str
    plan: str
    users: int
    limits: LimitsOut


class Summaries(BaseModel):
    """All organisations of the hub."""

    items: list[Summary]


class Membership(BaseModel):
    """One of one's organisations."""

    id: str
    name: str
    role: str
    slug: str
    current: bool


class Memberships(BaseModel):
    """One's organisations, the first one first."""

    items: list[Membership]


class InvitationOut(BaseModel):
    """An open invitation."""

    id: str
    role: str
    email: str
    label: str
    uses: int
    used: int
    guest_hours: int
    pin: bool
    created_at: dt.datetime
    expires_at: dt.datetime


class InvitationsOut(BaseModel):
    """Open invitations, the newest first."""

    items: list[InvitationOut]


class Invited(InvitationOut):
    """A new invitation with its code and link, which are shown only now."""

    code: str
    url: str


class Look(BaseModel):
    """What an invitation is for."""

    organisation: str
    role: str
    email: str
    label: str
    guest_hours: int
    pin: bool
    expires_at: dt.datetime


class Joined(BaseModel):
    """Where one belongs now; with tokens for who was not logged in."""

    organisation_id: str
    organisation: str
    role: str
    token: str | None = None
    refresh_token: str | None = None
    expires_in: int | None = None
    user: dict[str, str] | None = None


class Tokens(BaseModel):
    """What a claim answers, as a login does (decision 15)."""

    token: str
    refresh_token: str
    expires_in: int
    user: dict[str, str]


class Said(BaseModel):
    """A sentence."""

    detail: str


class Token(BaseModel):
    """A token for the organisation that was chosen; empty for a browser, whose cookie stays."""

    organisation_id: str
    token: str
    expires_in: int


def member(person: Any) -> MemberOut:
    """A member as the API shows them."""
    return MemberOut.model_validate(person, from_attributes=True)


def invitation(row: Any) -> dict[str, Any]:
    """An invitation as the API shows it."""
    return {"id": row.id, "role": row.role, "email": row.email, "label": row.label, "uses": row.uses, "used": row.used, "guest_hours": row.guest_hours,
            "pin": bool(row.pin_hash), "created_at": row.created_at, "expires_at": row.expires_at}
