"""Applications, alerts, lists of revoked nodes, hubs; maintenance with a reason; a key is unique within its organisation only."""
from peewee import *
from unibos.kernel.tables import Json, Moment
from unibos.kernel.tenants import Finder, opened, protect, unprotect

OF_KEY = Finder("node_key", "SELECT org_id FROM node WHERE public_key = {value} AND deleted_at IS NULL")
COLUMNS = {"node": (("kind", CharField(max_length=8, default="node")), ("queues", Json(default=list)),
                    ("maintenance_why", CharField(max_length=200, default="")), ("maintenance_by", CharField(max_length=36, default="")),
                    ("maintenance_until", Moment(null=True)), ("revoked_why", CharField(max_length=200, default=""))),
           "pulse": (("silent_at", Moment(null=True)), ("clock_offset", FloatField(null=True))),
           "enrol_token": (("kind", CharField(max_length=8, default="node")),)}


def up(migrator, db):
    for table, columns in COLUMNS.items():
        with opened(db, table):  # a default is written into the rows of all organisations
            migrator.migrate(*(migrator.add_column(table, name, field) for name, field in columns))
    OF_KEY.drop(db)
    migrator.migrate(migrator.drop_index("node", "node_public_key"), migrator.add_index("node", ("org_id", "public_key"), True))

    class Application(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36)
        public_key = CharField(max_length=64)
        about = Json(default=dict)
        address = CharField(max_length=64, default='')
        state = CharField(max_length=10, default='pending')
        node_id = CharField(max_length=36, default='')
        decided_by = CharField(max_length=36, default='')
        decided_at = Moment(null=True)
        created_at = Moment()
        seen_at = Moment()
        expires_at = Moment()
        class Meta:
            database = db
            table_name = 'application'
            indexes = ((("org_id", "public_key"), True),)

    class Alert(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36)
        node_id = CharField(max_length=36)
        name = CharField(max_length=253)
        since = Moment()
        told_at = Moment()
        ended_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'alert'
            indexes = ((("org_id", "told_at"), False),)

    class RevocationMark(Model):
        org_id = CharField(primary_key=True, max_length=36)
        sequence = BigIntegerField(default=0)
        class Meta:
            database = db
            table_name = 'revocation_mark'

    class HubSite(Model):
        id = CharField(primary_key=True, max_length=64)
        name = CharField(max_length=253)
        role = CharField(max_length=12, default='alone')
        region = CharField(max_length=64, default='')
        version = CharField(max_length=32, default='')
        url = CharField(max_length=300, default='')
        capabilities = Json(default=dict)
        started_at = Moment()
        seen_at = Moment()
        ended_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'hub_site'

    db.create_tables([Application, Alert, RevocationMark, HubSite])
    for table in ("application", "alert", "revocation_mark"):
        protect(db, table)


def down(migrator, db):
    for table in ("hub_site", "revocation_mark", "alert", "application"):
        unprotect(db, table)
        migrator.migrate(migrator.drop_table(table))
    migrator.migrate(migrator.drop_index("node", "node_org_id_public_key"), migrator.add_index("node", ("public_key",), True))
    OF_KEY.create(db)
    for table, columns in COLUMNS.items():
        migrator.migrate(*(migrator.drop_column(table, name) for name, _field in columns))
