# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Moment


def up(migrator, db):
    class ExportRule(Model):
        key = CharField(primary_key=True, max_length=200)
        decision = CharField(max_length=8)
        changed_at = Moment()
        actor_id = CharField(max_length=36, default='')
        class Meta:
            database = db
            table_name = 'export_rule'
    db.create_tables([ExportRule])

    class ExportLog(Model):
        id = BigAutoField()
        at = Moment(index=True)
        module = CharField(max_length=64)
        data_type = CharField(max_length=64)
        destination = CharField(max_length=16)
        records = IntegerField(default=0)
        size = BigIntegerField(default=0)
        actor = CharField(max_length=120, default='')
        allowed = BooleanField()
        why = CharField(max_length=300)
        class Meta:
            database = db
            table_name = 'export_log'
    db.create_tables([ExportLog])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('export_log'))
    migrator.migrate(migrator.drop_table('export_rule'))
