"""What a hub says of this node and of revoked ones, and hubs that are asked without a token."""
from peewee import *
from unibos.kernel.tables import Json, Moment

COLUMNS = (("signer", CharField(max_length=64, default="")), ("revocations", Json(default=dict)), ("refused_since", CharField(max_length=40, default="")),
           ("trust", IntegerField(null=True)), ("maintenance", BooleanField(default=False)))


def up(migrator, db):
    migrator.migrate(*(migrator.add_column("hub", name, field) for name, field in COLUMNS))

    class Wish(Model):
        url = CharField(primary_key=True, max_length=300)
        organisation = CharField(max_length=100, default='')
        authority = TextField(default='')
        state = CharField(max_length=10, default='pending')
        why = CharField(max_length=300, default='')
        tries = IntegerField(default=0)
        asked_at = Moment()
        due_at = Moment()
        class Meta:
            database = db
            table_name = 'wish'
    db.create_tables([Wish])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("wish"))
    migrator.migrate(*(migrator.drop_column("hub", name) for name, _field in COLUMNS))
