"""Tables of export; private to it."""

import peewee

from unibos.kernel.tables import Moment, Table


class ExportRule(Table):
    """What the owner decided for one kind of data and one destination; `kill` is the kill switch's row."""

    key = peewee.CharField(200, primary_key=True)
    decision = peewee.CharField(8)
    changed_at = Moment()
    actor_id = peewee.CharField(36, default="")


class ExportLog(Table):
    """One answer of the gate."""

    id = peewee.BigAutoField()
    at = Moment(index=True)
    module = peewee.CharField(64)
    data_type = peewee.CharField(64)
    destination = peewee.CharField(16)
    records = peewee.IntegerField(default=0)
    size = peewee.BigIntegerField(default=0)
    actor = peewee.CharField(120, default="")
    allowed = peewee.BooleanField()
    why = peewee.CharField(300)


MODELS = (ExportRule, ExportLog)
