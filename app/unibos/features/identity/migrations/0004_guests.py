"""A guest's account has an end, and a session means one organisation."""
from peewee import *
from unibos.kernel.tables import Moment

def up(migrator, db):
    migrator.migrate(migrator.add_column('session', 'chosen_org', CharField(max_length=36, default='')))
    migrator.migrate(migrator.add_column('user', 'expires_at', Moment(null=True)))


def down(migrator, db):
    migrator.migrate(migrator.drop_column('user', 'expires_at'))
    migrator.migrate(migrator.drop_column('session', 'chosen_org'))
