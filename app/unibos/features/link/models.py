"""Tables of link; private to it."""

import peewee

from unibos.kernel.tables import Json, Moment, Table


class Hub(Table):
    """A hub that this node has joined."""

    url = peewee.CharField(300, primary_key=True)
    node_id = peewee.CharField(36)
    org_id = peewee.CharField(36)
    priority = peewee.IntegerField(default=1)
    joined_at = Moment()
    answered_at = Moment(null=True)
    failed_at = Moment(null=True)
    failure = peewee.CharField(300, default="")
    authority = peewee.TextField(default="")  # PEM of the one CA that vouches for this hub; empty: public ones
    signer = peewee.CharField(64, default="")  # the key of its signed lists, Base64, as the hub itself said over its own connection
    revocations = Json(default=dict)  # the newest signed list of revoked nodes
    refused_since = peewee.CharField(40, default="")  # since when it does not trust this node (ISO 8601, or "?"); empty: it does
    trust = peewee.IntegerField(null=True)
    maintenance = peewee.BooleanField(default=False)


class Wish(Table):
    """A hub that this node asks, without a token, to be let in."""

    url = peewee.CharField(300, primary_key=True)
    organisation = peewee.CharField(100, default="")
    authority = peewee.TextField(default="")
    state = peewee.CharField(10, default="pending")  # pending or refused
    why = peewee.CharField(300, default="")  # why it could not be asked the last time
    tries = peewee.IntegerField(default=0)
    asked_at = Moment()
    due_at = Moment()


MODELS = (Hub, Wish)
