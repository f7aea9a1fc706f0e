"""Reading a document: page by page, each kept as soon as it is read, so that a killed worker goes on where it was."""

from __future__ import annotations

import io
from typing import Any

from unibos.kernel.errors import Invalid, NotFound
from unibos.kernel.jobs import Cancelled, Task
from unibos.kernel.words import T
from unibos.products.documents.models import Document

PREVIEW_WIDTH = 900
PREVIEW_LIMIT = 2_000_000


def process_document(task: Task, payload: dict[str, Any]) -> dict[str, Any]:
    """Read every page that has not been read yet; a file that cannot be read ends as a failed document with the reason."""
    service, reader = task.services["documents"], task.kit.reader
    document = Document.get_or_none(Document.id == payload["document_id"], Document.deleted_at.is_null())
    if document is None:
        return {"pages": 0}
    if reader is None:
        raise Invalid(T("This worker cannot read documents."))
    task.progress(T("Opening"), None)
    try:
        path = task.kit.files.path(document.digest, org_id=document.org_id)
        pages = reader.pages(path, document.media_type)
        known = service.begin(document, pages)
        for number in range(1, pages + 1):
            task.progress(T("Page %(number)s of %(pages)s", number=number, pages=pages), (number - 1) / pages)
            if number in known:
                continue
            text = reader.text(path, document.media_type, number, document.languages)
            service.keep_page(document, number, text, _preview(task, path, document, number))
    except (Invalid, NotFound) as error:
        service.finish(document, error.text)
        raise
    except Cancelled:
        service.finish(document, T("Its reading was cancelled."))
        raise
    service.finish(document)
    return {"pages": pages}


def _preview(task: Task, path: Any, document: Document, number: int) -> str:
    """The digest of the page's small picture; a page without one is read all the same."""
    try:
        picture = task.kit.reader.render(path, document.media_type, number, PREVIEW_WIDTH)
        return task.kit.files.put(io.BytesIO(picture), org_id=document.org_id, limit=PREVIEW_LIMIT)[0]
    except Exception as error:  # noqa: BLE001 - whatever kept the picture from being made must not cost the text
        task.kit.log.warning("no preview of page %s of %s: %s", number, document.id, error)
        return ""
