# Generated from a schema diff on 2026-11-23 16:18.
from peewee import *
from unibos.kernel.tables import Moment

def up(migrator, db):
    class Factor(Model):
        user_id = CharField(primary_key=True, max_length=36)
        sealed = CharField(max_length=200)
        last_step = BigIntegerField(default=0)
        created_at = Moment()
        confirmed_at = Moment(null=True)
        used_at = Moment(null=True)
        codes_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'factor'
    db.create_tables([Factor])

    class LoginChallenge(Model):
        secret_hash = CharField(primary_key=True, max_length=64)
        user_id = CharField(index=True, max_length=36)
        tries = IntegerField(default=0)
        expires_at = Moment()
        used_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'login_challenge'
    db.create_tables([LoginChallenge])

    class RecoveryCode(Model):
        code_hash = CharField(primary_key=True, max_length=64)
        user_id = CharField(index=True, max_length=36)
        used_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'recovery_code'
    db.create_tables([RecoveryCode])


def down(migrator, db):
    migrator.migrate(migrator.drop_table('recovery_code'))
    migrator.migrate(migrator.drop_table('login_challenge'))
    migrator.migrate(migrator.drop_table('factor'))
