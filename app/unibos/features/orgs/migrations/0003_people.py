"""Invitations, guests with an end, an ownership on offer, and the questions that come before the tenant is known."""
from peewee import *
from unibos.kernel.tables import Moment
from unibos.kernel.tenants import Finder, opened, protect, unprotect

FINDERS = (Finder("memberships", "SELECT organisation_id FROM member WHERE user_id = {value} ORDER BY joined_at, organisation_id"),
           Finder("invitation", "SELECT organisation_id FROM invitation WHERE hash = {value}"),
           Finder("slug", "SELECT id FROM organisation WHERE slug = {value} OR id = {value}"),
           Finder("organisations", "SELECT id FROM organisation ORDER BY created_at, id"),
           Finder("with_guests", "SELECT DISTINCT organisation_id FROM member WHERE expires_at IS NOT NULL"),
           Finder("with_invitations", "SELECT DISTINCT organisation_id FROM invitation"))


def up(migrator, db):
    class Invitation(Model):
        id = CharField(primary_key=True, max_length=36)
        organisation_id = CharField(max_length=36)
        hash = CharField(unique=True, max_length=64)
        role = CharField(max_length=12)
        email = CharField(max_length=254, default='')
        label = CharField(max_length=120, default='')
        uses = IntegerField(default=1)
        used = IntegerField(default=0)
        guest_hours = IntegerField(default=0)
        pin_hash = CharField(max_length=64, default='')
        tries = IntegerField(default=0)
        created_by = CharField(max_length=36)
        created_at = Moment()
        expires_at = Moment()
        revoked_at = Moment(null=True)
        class Meta:
            database = db
            table_name = 'invitation'
            indexes = ((('organisation_id', 'created_at'), False),)
    db.create_tables([Invitation])

    migrator.migrate(migrator.add_column('member', 'expires_at', Moment(null=True)))
    with opened(db, "organisation"):  # rows that are there get the empty default
        migrator.migrate(migrator.add_column('organisation', 'offered_to', CharField(max_length=36, default='')))
        migrator.migrate(migrator.add_column('organisation', 'offered_by', CharField(max_length=36, default='')))
        migrator.migrate(migrator.add_column('organisation', 'offered_at', Moment(null=True)))
    protect(db, "invitation", "organisation_id", found=True)
    for finder in FINDERS:
        finder.create(db)


def down(migrator, db):
    for finder in FINDERS:
        finder.drop(db)
    unprotect(db, "invitation")
    migrator.migrate(migrator.drop_column('organisation', 'offered_at'))
    migrator.migrate(migrator.drop_column('organisation', 'offered_by'))
    migrator.migrate(migrator.drop_column('organisation', 'offered_to'))
    migrator.migrate(migrator.drop_column('member', 'expires_at'))
    migrator.migrate(migrator.drop_table('invitation'))
