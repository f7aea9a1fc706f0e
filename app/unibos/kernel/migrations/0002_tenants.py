"""Jobs and the change log are shown to their own organisation only (PostgreSQL)."""
from unibos.kernel.tenants import Finder, protect, unprotect

FINDERS = (Finder("job", "SELECT org_id FROM job WHERE id = {value}"),
           Finder("open_jobs", "SELECT DISTINCT org_id FROM job WHERE state IN ('waiting', 'handed', 'running')"),
           Finder("jobs", "SELECT DISTINCT org_id FROM job"))


def up(migrator, db):
    protect(db, "job", found=True)
    protect(db, "change")
    for finder in FINDERS:
        finder.create(db)


def down(migrator, db):
    for finder in FINDERS:
        finder.drop(db)
    unprotect(db, "change")
    unprotect(db, "job")
