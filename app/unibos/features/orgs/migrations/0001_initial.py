# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment


def up(migrator, db):
    class Organisation(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        name = CharField()
        slug = CharField(unique=True)
        type = CharField(max_length=16, default='individual')
        plan = CharField(max_length=16, default='self_hosted')
        max_users = IntegerField(null=True)
        max_nodes = IntegerField(null=True)
        max_storage_gb = IntegerField(null=True)
        enabled_modules = Json(default=list)
        custom_domain = CharField(default='')
        claimed_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'organisation'
    db.create_tables([Organisation])

    class Member(Model):
        id = CharField(primary_key=True, max_length=36)
        organisation_id = CharField(max_length=36)
        user_id = CharField(index=True, max_length=36)
        role = CharField(max_length=12)
        joined_at = Moment()
        class Meta:
            database = db
            table_name = 'member'
            indexes = ((('organisation_id', 'user_id'), True),)
    db.create_tables([Member])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('member'))
    migrator.migrate(migrator.drop_table('organisation'))
