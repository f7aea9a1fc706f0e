# Generated from a schema diff on 2026-11-23 15:12.
from peewee import *

def up(migrator, db):
    migrator.migrate(migrator.add_column('hub', 'authority', TextField(default='')))


def down(migrator, db):
    migrator.migrate(migrator.drop_column('hub', 'authority'))
