# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment


def up(migrator, db):
    class Worker(Model):
        name = CharField(primary_key=True, max_length=120)
        queue = CharField(max_length=64)
        pid = IntegerField()
        version = CharField(max_length=32)
        capabilities = Json(default=dict)
        started_at = Moment()
        seen_at = Moment()
        job_id = CharField(max_length=36, default='')
        class Meta:
            database = db
            table_name = 'worker'
    db.create_tables([Worker])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('worker'))
