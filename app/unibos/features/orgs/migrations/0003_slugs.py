"""An organisation is found by its slug before it is known for whom one works (PostgreSQL)."""
from unibos.kernel.tenants import Finder

FINDER = Finder("slug", "SELECT id FROM organisation WHERE slug = {value} AND deleted_at IS NULL")


def up(migrator, db):
    FINDER.create(db)


def down(migrator, db):
    FINDER.drop(db)
