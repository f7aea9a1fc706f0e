# Generated from a schema diff on 2026-11-23 18:18.
from peewee import *
from unibos.kernel.tables import Json
from unibos.kernel.tables import Moment

def up(migrator, db):
    class Account(Model):
        user_id = CharField(primary_key=True, max_length=36)
        verified_email = CharField(max_length=254, default='')
        verified_at = Moment(null=True)
        mail_events = BooleanField(default=True)
        codes_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'account'
    db.create_tables([Account])

    class KnownDevice(Model):
        id = CharField(primary_key=True, max_length=64)
        user_id = CharField(index=True, max_length=36)
        agent = CharField(max_length=200, default='')
        address = CharField(max_length=64, default='')
        created_at = Moment()
        seen_at = Moment()
        class Meta:
            database = db
            table_name = 'known_device'
    db.create_tables([KnownDevice])

    class OneTime(Model):
        secret_hash = CharField(primary_key=True, max_length=64)
        user_id = CharField(index=True, max_length=36)
        purpose = CharField(max_length=12)
        email = CharField(max_length=254, default='')
        made_by = CharField(max_length=36, default='')
        expires_at = Moment()
        class Meta:
            database = db
            table_name = 'one_time'
    db.create_tables([OneTime])

    class Passkey(Model):
        id = CharField(primary_key=True, max_length=36)
        user_id = CharField(index=True, max_length=36)
        rp_id = CharField()
        credential_hash = CharField(unique=True, max_length=64)
        credential_id = CharField(max_length=1400)
        public_key = TextField()
        sign_count = BigIntegerField(default=0)
        transports = Json(default=list)
        backup_eligible = BooleanField(default=False)
        backed_up = BooleanField(default=False)
        name = CharField(max_length=60)
        created_at = Moment()
        used_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'passkey'
    db.create_tables([Passkey])

    class SecurityEvent(Model):
        id = BigAutoField()
        user_id = CharField(max_length=36)
        at = Moment()
        kind = CharField(max_length=40)
        text = Json()
        address = CharField(max_length=64, default='')
        seen_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'security_event'
            indexes = ((('user_id', 'id'), False),)
    db.create_tables([SecurityEvent])

    class Spent(Model):
        nonce_hash = CharField(primary_key=True, max_length=64)
        expires_at = Moment(index=True)
        class Meta:
            database = db
            table_name = 'spent'
    db.create_tables([Spent])

    migrator.migrate(migrator.add_column('session', 'ended_by', CharField(max_length=16, default='')))
    migrator.migrate(migrator.add_column('throttle', 'level', IntegerField(default=0)))


def down(migrator, db):
    migrator.migrate(migrator.drop_column('throttle', 'level'))
    migrator.migrate(migrator.drop_column('session', 'ended_by'))
    migrator.migrate(migrator.drop_table('spent'))
    migrator.migrate(migrator.drop_table('security_event'))
    migrator.migrate(migrator.drop_table('passkey'))
    migrator.migrate(migrator.drop_table('one_time'))
    migrator.migrate(migrator.drop_table('known_device'))
    migrator.migrate(migrator.drop_table('account'))
