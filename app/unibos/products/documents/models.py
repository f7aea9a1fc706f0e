"""Tables of documents; private to it."""

import peewee

from unibos.kernel.records import Record
from unibos.kernel.tables import Json


class Document(Record):
    """A file that somebody gave to be kept and read. `status` is waiting, reading, done or failed."""

    title = peewee.CharField(255)
    filename = peewee.CharField(255)
    media_type = peewee.CharField(40)
    size = peewee.BigIntegerField()
    digest = peewee.CharField(64, index=True)
    pages = peewee.IntegerField(null=True)
    status = peewee.CharField(12, default="waiting")
    reason = Json(null=True)
    languages = peewee.CharField(40, default="")
    tags = Json(default=list)
    job_id = peewee.CharField(36, default="")


class DocumentPage(Record):
    """The text of one page; `preview` is the digest of its small picture."""

    document_id = peewee.CharField(36)
    number = peewee.IntegerField()
    text = peewee.TextField()
    preview = peewee.CharField(64, default="")

    class Meta:
        indexes = ((("document_id", "number"), True),)


MODELS = (Document, DocumentPage)
