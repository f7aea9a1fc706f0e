"""Tables of registry; private to it."""

import peewee

from unibos.kernel.records import Record
from unibos.kernel.tables import Json, Moment, Table
from unibos.kernel.tenants import Finder


class Node(Record):
    """A node, or a dedicated worker (`kind`), that this hub has let in."""

    hostname = peewee.CharField(253)
    kind = peewee.CharField(8, default="node")
    type = peewee.CharField(12, default="standard")
    platform = peewee.CharField(120, default="")
    url = peewee.CharField(300, default="")
    authority = peewee.TextField(default="")  # PEM of the one CA that vouches for `url`; empty: public ones
    public_key = peewee.CharField(64)
    version = peewee.CharField(32, default="")
    modules = Json(default=list)
    queues = Json(default=list)  # what a worker serves
    capabilities = Json(default=dict)
    trust = peewee.IntegerField(default=3)
    maintenance = peewee.BooleanField(default=False)
    maintenance_why = peewee.CharField(200, default="")
    maintenance_by = peewee.CharField(36, default="")
    maintenance_until = Moment(null=True)  # None: until somebody ends it
    revoked_at = Moment(null=True)
    revoked_why = peewee.CharField(200, default="")

    class Meta:
        # Not of the key alone: what another organisation has enrolled must not show in what this one is refused.
        indexes = ((("org_id", "public_key"), True),)


class Pulse(Table):
    """The latest signs of life of a node; changes too often to be a record."""

    node_id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36, default="")
    heartbeat_at = Moment(null=True)
    goodbye_at = Moment(null=True)
    goodbye = peewee.CharField(120, default="")
    metrics = Json(default=dict)
    callback_fails = peewee.IntegerField(default=0)
    callback_at = Moment(null=True)
    callback_why = peewee.CharField(300, default="")
    silent_at = Moment(null=True)  # since when its silence has been told; None while it reports
    clock_offset = peewee.FloatField(null=True)  # its clock minus ours, in seconds


class EnrolToken(Table):
    """A one-time token that lets a node or worker in; kept as SHA-256."""

    hash = peewee.CharField(64, primary_key=True)
    org_id = peewee.CharField(36)
    kind = peewee.CharField(8, default="node")
    created_by = peewee.CharField(36)
    created_at = Moment()
    expires_at = Moment()
    used_by = peewee.CharField(36, default="")


class Challenge(Table):
    """A nonce that a node has to sign; used once."""

    nonce = peewee.CharField(64, primary_key=True)
    public_key = peewee.CharField(64)
    expires_at = Moment()


class Application(Table):
    """A node without a token that asks to be let in: pending until an admin has decided, or for a week."""

    id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36)
    public_key = peewee.CharField(64)
    about = Json(default=dict)
    address = peewee.CharField(64, default="")
    state = peewee.CharField(10, default="pending")  # pending, approved, refused
    node_id = peewee.CharField(36, default="")
    decided_by = peewee.CharField(36, default="")
    decided_at = Moment(null=True)
    created_at = Moment()
    seen_at = Moment()
    expires_at = Moment()

    class Meta:
        indexes = ((("org_id", "public_key"), True),)


class Alert(Table):
    """A node that became silent, until it reported again."""

    id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36)
    node_id = peewee.CharField(36)
    name = peewee.CharField(253)
    since = Moment()
    told_at = Moment()
    ended_at = Moment(null=True)

    class Meta:
        indexes = ((("org_id", "told_at"), False),)


class RevocationMark(Table):
    """The sequence number of an organisation's list of revoked nodes; grows with every change of it."""

    org_id = peewee.CharField(36, primary_key=True)
    sequence = peewee.BigIntegerField(default=0)


class HubSite(Table):
    """A hub that works on this database, or one that was there."""

    id = peewee.CharField(64, primary_key=True)
    name = peewee.CharField(253)
    role = peewee.CharField(12, default="alone")
    region = peewee.CharField(64, default="")
    version = peewee.CharField(32, default="")
    url = peewee.CharField(300, default="")
    capabilities = Json(default=dict)
    started_at = Moment()
    seen_at = Moment()
    ended_at = Moment(null=True)


AUTHORITY = (Node, Pulse, EnrolToken, Challenge, Application, Alert, RevocationMark, HubSite)

ORG_OF_NODE = Finder("node", "SELECT org_id FROM node WHERE id = {value} AND deleted_at IS NULL")
ORG_OF_TOKEN = Finder("enrol_token", "SELECT org_id FROM enrol_token WHERE hash = {value}")
WITH_NODES = Finder("with_nodes", "SELECT DISTINCT org_id FROM node WHERE deleted_at IS NULL")
