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


class Member(Table):
    """Who belongs to an organisation, and as what."""

    id = peewee.CharField(36, primary_key=True)
    organisation_id = peewee.CharField(36)
    user_id = peewee.CharField(36, index=True)
    role = peewee.CharField(12)
    joined_at = Moment()

    class Meta:
        indexes = ((("organisation_id", "user_id"), True),)


MODELS = (Organisation, Member)

HOME = Finder("home", "SELECT id FROM organisation ORDER BY created_at LIMIT 1")
CLAIMED = Finder("claimed", "SELECT id FROM organisation WHERE claimed_at IS NOT NULL LIMIT 1")
ORG_OF_PERSON = Finder("person", "SELECT organisation_id FROM member WHERE user_id = {value} ORDER BY joined_at LIMIT 1")
ORG_OF_SLUG = Finder("slug", "SELECT id FROM organisation WHERE slug = {value} AND deleted_at IS NULL")
