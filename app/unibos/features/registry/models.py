"""Tables of registry; private to it."""

import peewee

from unibos.kernel.records import Record
from unibos.kernel.tables import Json, Moment, Table
from unibos.kernel.tenants import Finder


class Node(Record):
    """A node that has enrolled at this hub."""

    hostname = peewee.CharField(253)
    type = peewee.CharField(12, default="standard")
    platform = peewee.CharField(120, default="")
    url = peewee.CharField(300, default="")
    authority = peewee.TextField(default="")  # PEM of the one CA that vouches for `url`; empty: public ones
    public_key = peewee.CharField(64, unique=True)
    version = peewee.CharField(32, default="")
    modules = Json(default=list)
    capabilities = Json(default=dict)
    trust = peewee.IntegerField(default=3)
    maintenance = peewee.BooleanField(default=False)
    revoked_at = Moment(null=True)


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


class EnrolToken(Table):
    """A one-time token that lets a node in; kept as SHA-256."""

    hash = peewee.CharField(64, primary_key=True)
    org_id = peewee.CharField(36)
    created_by = peewee.CharField(36)
    created_at = Moment()
    expires_at = Moment()
    used_by = peewee.CharField(36, default="")


class Challenge(Table):
    """A nonce that a node has to sign; used once."""

    nonce = peewee.CharField(64, primary_key=True)
    public_key = peewee.CharField(64)
    expires_at = Moment()


AUTHORITY = (Node, Pulse, EnrolToken, Challenge)

ORG_OF_NODE = Finder("node", "SELECT org_id FROM node WHERE id = {value} AND deleted_at IS NULL")
ORG_OF_KEY = Finder("node_key", "SELECT org_id FROM node WHERE public_key = {value} AND deleted_at IS NULL")
ORG_OF_TOKEN = Finder("enrol_token", "SELECT org_id FROM enrol_token WHERE hash = {value}")
WITH_NODES = Finder("with_nodes", "SELECT DISTINCT org_id FROM node WHERE deleted_at IS NULL")
