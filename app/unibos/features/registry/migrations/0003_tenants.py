"""Nodes, their signs of life and enrolment tokens are shown to their organisation only (PostgreSQL); signs of life say whose they are."""
from peewee import CharField
from unibos.kernel.tenants import Finder, protect, unprotect

FINDERS = (Finder("node", "SELECT org_id FROM node WHERE id = {value} AND deleted_at IS NULL"),
           Finder("node_key", "SELECT org_id FROM node WHERE public_key = {value} AND deleted_at IS NULL"),
           Finder("enrol_token", "SELECT org_id FROM enrol_token WHERE hash = {value}"),
           Finder("with_nodes", "SELECT DISTINCT org_id FROM node WHERE deleted_at IS NULL"))


def up(migrator, db):
    migrator.migrate(migrator.add_column("pulse", "org_id", CharField(max_length=36, default="")))
    db.execute_sql("UPDATE pulse SET org_id = (SELECT node.org_id FROM node WHERE node.id = pulse.node_id) "
                   "WHERE EXISTS (SELECT 1 FROM node WHERE node.id = pulse.node_id)")
    protect(db, "node", found=True)
    protect(db, "enrol_token", found=True)
    protect(db, "pulse")
    for finder in FINDERS:
        finder.create(db)


def down(migrator, db):
    for finder in FINDERS:
        finder.drop(db)
    for table in ("pulse", "enrol_token", "node"):
        unprotect(db, table)
    migrator.migrate(migrator.drop_column("pulse", "org_id"))
