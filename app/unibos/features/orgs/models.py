"""Tables of orgs; private to it."""

import peewee

from unibos.kernel.records import Record
from unibos.kernel.tables import Json, Moment, Table
from unibos.kernel.tenants import Finder


class Organisation(Record):
    """A person, family, team or company whose data lies here (spec section 4)."""

    name = peewee.CharField(255)
    slug = peewee.CharField(255, unique=True)
    type = peewee.CharField(16, default="individual")
    plan = peewee.CharField(16, default="self_hosted")
    max_users = peewee.IntegerField(null=True)
    max_nodes = peewee.IntegerField(null=True)
    max_storage_gb = peewee.IntegerField(null=True)
    enabled_modules = Json(default=list)
    custom_domain = peewee.CharField(255, default="")
    claimed_at = Moment(null=True)
    offered_to = peewee.CharField(36, default="")  # ownership, until it is accepted or taken back
    offered_by = peewee.CharField(36, default="")
    offered_at = Moment(null=True)


class Member(Table):
    """Who belongs to an organisation, and as what."""

    id = peewee.CharField(36, primary_key=True)
    organisation_id = peewee.CharField(36)
    user_id = peewee.CharField(36, index=True)
    role = peewee.CharField(12)
    joined_at = Moment()
    expires_at = Moment(null=True)  # a guest's end

    class Meta:
        indexes = ((("organisation_id", "user_id"), True),)


class Invitation(Table):
    """A way in for whoever holds its secret, which is kept as SHA-256 only. A guest's may ask for a PIN, kept bound to the secret."""

    id = peewee.CharField(36, primary_key=True)
    organisation_id = peewee.CharField(36)
    hash = peewee.CharField(64, unique=True)
    role = peewee.CharField(12)
    email = peewee.CharField(254, default="")
    label = peewee.CharField(120, default="")
    uses = peewee.IntegerField(default=1)
    used = peewee.IntegerField(default=0)
    guest_hours = peewee.IntegerField(default=0)
    pin_hash = peewee.CharField(64, default="")
    tries = peewee.IntegerField(default=0)
    created_by = peewee.CharField(36)
    created_at = Moment()
    expires_at = Moment()
    revoked_at = Moment(null=True)

    class Meta:
        indexes = ((("organisation_id", "created_at"), False),)


MODELS = (Organisation, Member, Invitation)

HOME = Finder("home", "SELECT id FROM organisation ORDER BY created_at LIMIT 1")
CLAIMED = Finder("claimed", "SELECT id FROM organisation WHERE claimed_at IS NOT NULL LIMIT 1")
ORG_OF_PERSON = Finder("person", "SELECT organisation_id FROM member WHERE user_id = {value} ORDER BY joined_at LIMIT 1")
MEMBERSHIPS = Finder("memberships", "SELECT organisation_id FROM member WHERE user_id = {value} ORDER BY joined_at, organisation_id")
ORG_OF_INVITATION = Finder("invitation", "SELECT organisation_id FROM invitation WHERE hash = {value}")
ORG_OF_SLUG = Finder("slug", "SELECT id FROM organisation WHERE slug = {value} OR id = {value}")
ORGANISATIONS = Finder("organisations", "SELECT id FROM organisation ORDER BY created_at, id")
WITH_GUESTS = Finder("with_guests", "SELECT DISTINCT organisation_id FROM member WHERE expires_at IS NOT NULL")
WITH_INVITATIONS = Finder("with_invitations", "SELECT DISTINCT organisation_id FROM invitation")
