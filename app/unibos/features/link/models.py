"""Tables of link; private to it."""

import peewee

from unibos.kernel.tables import Moment, Table


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


MODELS = (Hub,)
