# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment


def up(migrator, db):
    class ClockMark(Model):
        id = IntegerField(primary_key=True)
        ms = BigIntegerField()
        counter = IntegerField()
        class Meta:
            database = db
            table_name = 'clock_mark'
    db.create_tables([ClockMark])

    class Change(Model):
        seq = BigAutoField()
        org_id = CharField(max_length=64)
        model = CharField(max_length=64)
        record_id = CharField(max_length=64)
        stamp = CharField(max_length=64)
        origin = CharField(max_length=64)
        fields = Json()
        deleted = BooleanField(default=False)
        actor_id = CharField(max_length=64, default='')
        at = Moment()
        class Meta:
            database = db
            table_name = 'change'
            indexes = ((('model', 'record_id', 'seq'), False), (('origin', 'stamp'), True))
    db.create_tables([Change])

    class Job(Model):
        id = CharField(primary_key=True, max_length=36)
        type = CharField(max_length=64)
        queue = CharField(max_length=64)
        org_id = CharField(max_length=36, default='')
        actor_id = CharField(max_length=36, default='')
        subject = CharField(max_length=200, default='')
        payload = Json(default=dict)
        priority = IntegerField(default=5)
        state = CharField(max_length=12, default='waiting')
        attempt = IntegerField(default=0)
        attempts = IntegerField(default=3)
        due = Moment()
        lease = Moment(null=True)
        worker = CharField(max_length=120, default='')
        stage = Json(null=True)
        fraction = FloatField(null=True)
        error = Json(null=True)
        result = Json(null=True)
        cancel = BooleanField(default=False)
        correlation = CharField(max_length=64, default='')
        created_at = Moment()
        started_at = Moment(null=True)
        ended_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'job'
            indexes = ((('state', 'queue', 'priority', 'created_at'), False), (('created_at',), False))
    db.create_tables([Job])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('job'))
    migrator.migrate(migrator.drop_table('change'))
    migrator.migrate(migrator.drop_table('clock_mark'))
