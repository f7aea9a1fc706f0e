# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment


def up(migrator, db):
    class Node(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        hostname = CharField(max_length=253)
        type = CharField(max_length=12, default='standard')
        platform = CharField(max_length=120, default='')
        url = CharField(max_length=300, default='')
        public_key = CharField(unique=True, max_length=64)
        version = CharField(max_length=32, default='')
        modules = Json(default=list)
        capabilities = Json(default=dict)
        trust = IntegerField(default=3)
        maintenance = BooleanField(default=False)
        revoked_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'node'
    db.create_tables([Node])

    class Pulse(Model):
        node_id = CharField(primary_key=True, max_length=36)
        heartbeat_at = Moment(null=True)
        goodbye_at = Moment(null=True)
        goodbye = CharField(max_length=120, default='')
        metrics = Json(default=dict)
        callback_fails = IntegerField(default=0)
        callback_at = Moment(null=True)
        callback_why = CharField(max_length=300, default='')
        class Meta:
            database = db
            table_name = 'pulse'
    db.create_tables([Pulse])

    class EnrolToken(Model):
        hash = CharField(primary_key=True, max_length=64)
        org_id = CharField(max_length=36)
        created_by = CharField(max_length=36)
        created_at = Moment()
        expires_at = Moment()
        used_by = CharField(max_length=36, default='')
        class Meta:
            database = db
            table_name = 'enrol_token'
    db.create_tables([EnrolToken])

    class Challenge(Model):
        nonce = CharField(primary_key=True, max_length=64)
        public_key = CharField(max_length=64)
        expires_at = Moment()
        class Meta:
            database = db
            table_name = 'challenge'
    db.create_tables([Challenge])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('challenge'))
    migrator.migrate(migrator.drop_table('enrol_token'))
    migrator.migrate(migrator.drop_table('pulse'))
    migrator.migrate(migrator.drop_table('node'))
