# Generated from a schema diff on 2026-11-23 18:19.
from peewee import *
from unibos.kernel.tables import Json
from unibos.kernel.tables import Moment
from unibos.kernel.tenants import protect, unprotect

def up(migrator, db):
    class AccountLink(Model):
        local_id = CharField(primary_key=True, max_length=36)
        hub_id = CharField(index=True, max_length=36)
        issuer = CharField(max_length=200)
        older = CharField(max_length=8, default='none')
        since = Moment(null=True)
        state = CharField(max_length=12)
        linked_at = Moment()
        confirmed_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'account_link'
    db.create_tables([AccountLink])

    class ClockSeen(Model):
        id = IntegerField(primary_key=True)
        at = Moment()
        class Meta:
            database = db
            table_name = 'clock_seen'
    db.create_tables([ClockSeen])

    class HubKeys(Model):
        issuer = CharField(primary_key=True, max_length=200)
        node_id = CharField(max_length=36)
        jwks = Json()
        fetched_at = Moment()
        class Meta:
            database = db
            table_name = 'hub_keys'
    db.create_tables([HubKeys])

    class HubLogin(Model):
        secret_hash = CharField(primary_key=True, max_length=64)
        hub_url = CharField(max_length=300)
        verifier = CharField(max_length=200)
        expires_at = Moment()
        class Meta:
            database = db
            table_name = 'hub_login'
    db.create_tables([HubLogin])

    class HubPerson(Model):
        id = CharField(primary_key=True, max_length=36)
        issuer = CharField(max_length=200)
        email = CharField(index=True, max_length=254)
        version = IntegerField()
        role = CharField(max_length=12)
        factor = BooleanField(default=False)
        org = Json(default=dict)
        permissions = Json(default=dict)
        fingerprint = CharField(max_length=32, default='')
        verifier = CharField(max_length=200, default='')
        confirmed_at = Moment()
        revoked_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'hub_person'
    db.create_tables([HubPerson])

    class LinkedAccount(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36)
        user_id = CharField(max_length=36)
        node_id = CharField(max_length=36)
        local_id = CharField(max_length=36)
        email = CharField(max_length=254)
        choice = CharField(max_length=12, default='separate')
        state = CharField(max_length=12)
        linked_at = Moment()
        confirmed_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'linked_account'
            indexes = ((('org_id', 'node_id', 'local_id'), True), (('org_id', 'user_id'), False))
    db.create_tables([LinkedAccount])
    protect(db, "linked_account")

    class LocalGrant(Model):
        person_id = CharField(primary_key=True, max_length=36)
        role = CharField(max_length=12)
        granted_by = CharField(max_length=36)
        granted_at = Moment()
        class Meta:
            database = db
            table_name = 'local_grant'
    db.create_tables([LocalGrant])

    class SigningKey(Model):
        number = IntegerField(primary_key=True)
        kid = CharField(unique=True, max_length=16)
        public = CharField(max_length=64)
        sealed = CharField(max_length=200)
        issuer = CharField(max_length=120)
        made_at = Moment()
        starts_at = Moment()
        class Meta:
            database = db
            table_name = 'signing_key'
    db.create_tables([SigningKey])

    migrator.migrate(migrator.add_column('login_challenge', 'offline', BooleanField(default=False)))
    migrator.migrate(migrator.add_column('session', 'offline', BooleanField(default=False)))
    migrator.migrate(migrator.add_column('user', 'credential_version', IntegerField(default=1)))


def down(migrator, db):
    migrator.migrate(migrator.drop_column('user', 'credential_version'))
    migrator.migrate(migrator.drop_column('session', 'offline'))
    migrator.migrate(migrator.drop_column('login_challenge', 'offline'))
    migrator.migrate(migrator.drop_table('signing_key'))
    migrator.migrate(migrator.drop_table('local_grant'))
    unprotect(db, "linked_account")
    migrator.migrate(migrator.drop_table('linked_account'))
    migrator.migrate(migrator.drop_table('hub_person'))
    migrator.migrate(migrator.drop_table('hub_login'))
    migrator.migrate(migrator.drop_table('hub_keys'))
    migrator.migrate(migrator.drop_table('clock_seen'))
    migrator.migrate(migrator.drop_table('account_link'))
