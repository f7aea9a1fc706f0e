# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Moment


def up(migrator, db):
    class Hub(Model):
        url = CharField(primary_key=True, max_length=300)
        node_id = CharField(max_length=36)
        org_id = CharField(max_length=36)
        priority = IntegerField(default=1)
        joined_at = Moment()
        answered_at = Moment(null=True)
        failed_at = Moment(null=True)
        failure = CharField(max_length=300, default='')
        class Meta:
            database = db
            table_name = 'hub'
    db.create_tables([Hub])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('hub'))
