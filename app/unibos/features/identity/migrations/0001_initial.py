# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Moment


def up(migrator, db):
    class User(Model):
        id = CharField(primary_key=True, max_length=36)
        email = CharField(unique=True, max_length=254)
        name = CharField(max_length=120)
        password_hash = CharField(max_length=200)
        kind = CharField(max_length=12, default='local')
        language = CharField(max_length=8, default='')
        theme = CharField(max_length=8, default='')
        created_at = Moment()
        disabled_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'user'
    db.create_tables([User])

    class Session(Model):
        id = CharField(primary_key=True, max_length=36)
        user_id = CharField(index=True, max_length=36)
        kind = CharField(max_length=12)
        secret_hash = CharField(unique=True, max_length=64)
        previous_hash = CharField(index=True, max_length=64, default='')
        address = CharField(max_length=64, default='')
        agent = CharField(max_length=200, default='')
        created_at = Moment()
        seen_at = Moment()
        expires_at = Moment()
        revoked_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'session'
    db.create_tables([Session])

    class Throttle(Model):
        key = CharField(primary_key=True, max_length=200)
        count = IntegerField()
        since = Moment()
        class Meta:
            database = db
            table_name = 'throttle'
    db.create_tables([Throttle])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('throttle'))
    migrator.migrate(migrator.drop_table('session'))
    migrator.migrate(migrator.drop_table('user'))
