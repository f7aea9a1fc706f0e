# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment


def up(migrator, db):
    class Credential(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36)
        name = CharField(max_length=120)
        username = CharField(unique=True, max_length=64)
        publish = Json()
        subscribe = Json()
        created_at = Moment()
        created_by = CharField(max_length=36, default='')
        class Meta:
            database = db
            table_name = 'credential'
    db.create_tables([Credential])

    class Device(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        credential_id = CharField(max_length=36)
        identity = CharField(max_length=160)
        name = CharField(max_length=160)
        given_name = CharField(max_length=160, default='')
        source = CharField(max_length=20)
        info = Json(default=dict)
        class Meta:
            database = db
            table_name = 'device'
            indexes = ((('credential_id', 'identity'), True),)
    db.create_tables([Device])

    class DeviceEntity(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        device_id = CharField(index=True, max_length=36)
        object_id = CharField(max_length=300)
        component = CharField(max_length=20)
        name = CharField(max_length=160)
        definition = Json()
        config_topic = CharField(max_length=512)
        gone_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'device_entity'
            indexes = ((('device_id', 'object_id'), True),)
    db.create_tables([DeviceEntity])

    class Sign(Model):
        entity_id = CharField(primary_key=True, max_length=36)
        available = BooleanField()
        since = Moment()
        class Meta:
            database = db
            table_name = 'sign'
    db.create_tables([Sign])

    class Refusal(Model):
        key = CharField(primary_key=True, max_length=64)
        topic = CharField(max_length=200)
        reason = Json()
        count = IntegerField(default=1)
        at = Moment()
        class Meta:
            database = db
            table_name = 'refusal'
    db.create_tables([Refusal])

    class Tasmota(Model):
        mac = CharField(primary_key=True, max_length=12)
        config = BlobField(null=True)
        sensors = BlobField(null=True)
        class Meta:
            database = db
            table_name = 'tasmota'
    db.create_tables([Tasmota])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('tasmota'))
    migrator.migrate(migrator.drop_table('refusal'))
    migrator.migrate(migrator.drop_table('sign'))
    migrator.migrate(migrator.drop_table('device_entity'))
    migrator.migrate(migrator.drop_table('device'))
    migrator.migrate(migrator.drop_table('credential'))
