"""Organisations and their members are shown to themselves only (PostgreSQL); jobs of nobody become those of the first organisation."""
import peewee
from unibos.kernel.tenants import Finder, opened, protect, unprotect

FINDERS = (Finder("home", "SELECT id FROM organisation ORDER BY created_at LIMIT 1"),
           Finder("claimed", "SELECT id FROM organisation WHERE claimed_at IS NOT NULL LIMIT 1"),
           Finder("person", "SELECT organisation_id FROM member WHERE user_id = {value} ORDER BY joined_at LIMIT 1"))


def up(migrator, db):
    if isinstance(db, peewee.PostgresqlDatabase):
        home = db.execute_sql("SELECT id FROM organisation ORDER BY created_at LIMIT 1").fetchone()
        with opened(db, "job"):
            # The device's own work has no organisation of its own; without any it could not be seen or done by anybody.
            if home is not None:
                db.execute_sql("UPDATE job SET org_id = %s WHERE org_id = ''", home)
        db.execute_sql("UPDATE organisation SET org_id = id WHERE org_id = ''")
    protect(db, "organisation", found=True)
    protect(db, "member", "organisation_id", found=True)
    for finder in FINDERS:
        finder.create(db)


def down(migrator, db):
    for finder in FINDERS:
        finder.drop(db)
    unprotect(db, "member")
    unprotect(db, "organisation")
