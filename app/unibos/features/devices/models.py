"""Tables of devices; private to it. Readings are no rows here: they lie in the series (decision 22)."""

import peewee

from unibos.kernel.records import Record
from unibos.kernel.tables import Json, Moment, Table


class Credential(Table):
    """A broker account that the owner made for one device or bridge. The password is known to the broker alone (hashed)."""

    id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36)
    name = peewee.CharField(120)
    username = peewee.CharField(64, unique=True)
    publish = Json()
    subscribe = Json()
    created_at = Moment()
    created_by = peewee.CharField(36, default="")


class Device(Record):
    """A thing on the LAN, as its discovery describes it. `identity` is unique within its credential."""

    credential_id = peewee.CharField(36)
    identity = peewee.CharField(160)
    name = peewee.CharField(160)
    given_name = peewee.CharField(160, default="")
    source = peewee.CharField(20)
    info = Json(default=dict)

    class Meta:
        indexes = ((("credential_id", "identity"), True),)


class DeviceEntity(Record):
    """One thing that a device measures or switches; `definition` is the Entity, `config_topic` where it was announced."""

    device_id = peewee.CharField(36, index=True)
    object_id = peewee.CharField(300)
    component = peewee.CharField(20)
    name = peewee.CharField(160)
    definition = Json()
    config_topic = peewee.CharField(512)
    gone_at = Moment(null=True)

    class Meta:
        indexes = ((("device_id", "object_id"), True),)


class Sign(Table):
    """The last word of an entity's availability topics."""

    entity_id = peewee.CharField(36, primary_key=True)
    available = peewee.BooleanField()
    since = Moment()


class Refusal(Table):
    """What was refused, counted by topic and reason, so that a person can see it."""

    key = peewee.CharField(64, primary_key=True)
    topic = peewee.CharField(200)
    reason = Json()
    count = peewee.IntegerField(default=1)
    at = Moment()


class Tasmota(Table):
    """The two halves of a Tasmota discovery, kept because they come in either order."""

    mac = peewee.CharField(12, primary_key=True)
    config = peewee.BlobField(null=True)
    sensors = peewee.BlobField(null=True)


MODELS = (Credential, Device, DeviceEntity, Sign, Refusal, Tasmota)
