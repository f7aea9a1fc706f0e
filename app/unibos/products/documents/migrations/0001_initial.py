# Generated from a schema diff on 2026-11-23 12:20.
from peewee import *
from unibos.kernel.tables import Json, Moment
from unibos.products.documents import index


def up(migrator, db):
    class Document(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        title = CharField()
        filename = CharField()
        media_type = CharField(max_length=40)
        size = BigIntegerField()
        digest = CharField(index=True, max_length=64)
        pages = IntegerField(null=True)
        status = CharField(max_length=12, default='waiting')
        reason = Json(null=True)
        languages = CharField(max_length=40, default='')
        tags = Json(default=list)
        job_id = CharField(max_length=36, default='')
        class Meta:
            database = db
            table_name = 'document'
    db.create_tables([Document])

    class DocumentPage(Model):
        id = CharField(primary_key=True, max_length=36)
        org_id = CharField(max_length=36, default='')
        owner_id = CharField(max_length=36, default='')
        stamp = CharField(max_length=64, default='')
        origin = CharField(max_length=64, default='')
        created_at = Moment()
        deleted_at = Moment(null=True)
        extra = Json(default=dict)
        document_id = CharField(max_length=36)
        number = IntegerField()
        text = TextField()
        preview = CharField(max_length=64, default='')
        class Meta:
            database = db
            table_name = 'document_page'
            indexes = ((('document_id', 'number'), True),)
    db.create_tables([DocumentPage])
    index.create(db)


def down(migrator, db):
    migrator.migrate(migrator.drop_table('document_index'))
    migrator.migrate(migrator.drop_table('document_page'))
    migrator.migrate(migrator.drop_table('document'))
