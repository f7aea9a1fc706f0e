"""The verbs of documents: keep, list, search, read again, delete."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import peewee

from unibos.kernel.errors import Conflict, Invalid, NotFound, Unsupported
from unibos.kernel.jobs import Job, said, unsaid
from unibos.kernel.words import T, Text
from unibos.products.documents import index
from unibos.products.documents.fold import snippet, terms
from unibos.products.documents.models import Document, DocumentPage
from unibos.wire.magic import sniff

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

READ = "ocr.process_document"
MEGABYTE = 1_000_000


def title_of(filename: str) -> tuple[str, str]:
    """(title, file name) of an uploaded file's name, which is only ever shown."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    name = "".join(c for c in name if c.isprintable())[:255] or "document"
    return (PurePosixPath(name).stem.replace("_", " ").strip() or name)[:255], name


class Documents:
    """The documents of this node."""

    def __init__(self, kit: Kit):
        self._kit = kit

    @staticmethod
    def _shown(org_id: str, owners: Collection[str] | None) -> Any:
        """Which documents somebody may see: the organisation's, or, with `owners`, those that belong to one of these ids."""
        there = (Document.org_id == org_id) & Document.deleted_at.is_null()
        return there if owners is None else there & Document.owner_id.in_(list(owners))

    def limit(self) -> int:
        """The largest upload in bytes."""
        return min(512, self._kit.settings["UNIBOS_UPLOAD_MB"]) * MEGABYTE

    def add(self, stream: IO[bytes], filename: str, *, org_id: str, owner_id: str, correlation: str = "") -> tuple[Document, bool]:
        """Keep a file and have it read; returns the document and whether it is new. Raises Unsupported, TooLarge, StorageFull."""
        head = stream.read(1024)
        stream.seek(0)
        media_type = sniff(head)
        if media_type is None:
            raise Unsupported(T("This file is no PNG, JPEG, TIFF or PDF.") if head else T("The file is empty."))
        digest, size = self._kit.files.put(stream, org_id=org_id, limit=self.limit())
        title, name = title_of(filename)
        with self._kit.db.transaction():
            known = Document.get_or_none(Document.digest == digest, Document.org_id == org_id, Document.deleted_at.is_null())
            if known is not None:
                return known, False
            document = self._kit.records.create(Document, org_id=org_id, owner_id=owner_id, actor_id=owner_id, title=title, filename=name,
                                                media_type=media_type, size=size, digest=digest,
                                                languages=self._kit.settings["UNIBOS_OCR_LANGUAGES"])
            index.put(document.id, org_id, 0, f"{title} {name}")
            self._read(document, owner_id, correlation)
        return document, True

    def _read(self, document: Document, actor_id: str, correlation: str = "") -> None:
        job = self._kit.jobs.put(READ, {"document_id": document.id}, org_id=document.org_id, actor_id=actor_id, subject=document.title,
                                 correlation=correlation)
        self._kit.records.update(document, status="waiting", reason=None, job_id=job.id, actor_id=actor_id)
        self._kit.changed("documents", f"document:{document.id}")

    def get(self, document_id: str, org_id: str, owners: Collection[str] | None = None) -> Document:
        """One document; raises NotFound, also for another organisation's, or, with `owners`, for what belongs to none of them."""
        row = Document.get_or_none((Document.id == document_id) & self._shown(org_id, owners))
        if row is None:
            raise NotFound(T("There is no document with this id."))
        return row

    def pages(self, document: Document) -> list[DocumentPage]:
        """The pages that have been read."""
        return list(DocumentPage.select().where(DocumentPage.document_id == document.id, DocumentPage.deleted_at.is_null())
                    .order_by(DocumentPage.number))

    def page(self, document: Document, number: int) -> DocumentPage:
        """One page; raises NotFound."""
        row = DocumentPage.get_or_none(DocumentPage.document_id == document.id, DocumentPage.number == number)
        if row is None:
            raise NotFound(T("This page has not been read."))
        return row

    def list(self, org_id: str, words: str = "", most: int = 50, owners: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Documents, the newest first, or those that match `words`, the best first; each with state, job and snippet. `owners`: only theirs."""
        mine = self._shown(org_id, owners)
        hits: dict[str, int] = {}
        if words.strip():
            # Others' documents take places among the hits, so more are asked for where only some are shown.
            hits = dict(index.search(words, org_id, most if owners is None else most * 20))
            rows = list(Document.select().where(mine, Document.id.in_(list(hits)))) if hits else []
            rows = sorted(rows, key=lambda d: list(hits).index(d.id))[:most]
        else:
            rows = list(Document.select().where(mine).order_by(Document.created_at.desc()).limit(most))
        ids = [d.id for d in rows]
        jobs = {j.id: j for j in Job.select().where(Job.id.in_([d.job_id for d in rows]))} if rows else {}
        read = dict(DocumentPage.select(DocumentPage.document_id, peewee.fn.COUNT(DocumentPage.id)).where(DocumentPage.document_id.in_(ids))
                    .group_by(DocumentPage.document_id).tuples()) if rows else {}
        wanted = terms(words)
        texts = {(p.document_id, p.number): p.text for p in DocumentPage.select().where(
            DocumentPage.document_id.in_(ids), DocumentPage.number.in_(list(set(hits.values()))))} if hits else {}
        return [{"document": d, **self.state(d, jobs.get(d.job_id)), "read": read.get(d.id, 0), "page": hits.get(d.id, 0),
                 "snippet": snippet(texts.get((d.id, hits.get(d.id, 0)), d.title), wanted) if wanted else []} for d in rows]

    def state(self, document: Document, job: Job | None = None) -> dict[str, Any]:
        """{status, level, why, job} of a document: what its row says, unless its job ended without being able to say so."""
        job = job or (Job.get_or_none(Job.id == document.job_id) if document.job_id else None)
        status, why = document.status, unsaid(document.reason)
        if status in ("waiting", "reading") and job is not None and job.state in ("failed", "cancelled"):
            status = "failed"
            why = unsaid(job.error) if job.state == "failed" else T("Its reading was cancelled.")
        level = {"done": "good", "failed": "bad", "reading": "info"}.get(status, "quiet")
        return {"status": status, "level": level, "why": why, "job": job}

    def retry(self, document_id: str, org_id: str, actor_id: str, owners: Collection[str] | None = None) -> Document:
        """Read a failed document again; pages that were read stay."""
        document = self.get(document_id, org_id, owners)
        if self.state(document)["status"] != "failed":
            raise Conflict(T("Only a document that failed can be read again."))
        with self._kit.db.transaction():
            self._read(document, actor_id)
        return document

    def change(self, document_id: str, org_id: str, actor_id: str, *, title: str | None = None, tags: list[str] | None = None,
               owners: Collection[str] | None = None) -> Document:
        """Give a document another title or other tags."""
        document = self.get(document_id, org_id, owners)
        fields: dict[str, Any] = {}
        if title is not None:
            if not title.strip():
                raise Invalid(T("A document needs a title."), fields={"title": T("1 to 255 characters.")})
            fields["title"] = title.strip()[:255]
        if tags is not None:
            fields["tags"] = sorted({t.strip().lower()[:40] for t in tags if t.strip()})[:20]
        with self._kit.db.transaction():
            self._kit.records.update(document, actor_id=actor_id, **fields)
            index.put(document.id, org_id, 0, " ".join((document.title, document.filename, *document.tags)))
            self._kit.changed("documents", f"document:{document.id}")
        return document

    def delete(self, document_id: str, org_id: str, actor_id: str, owners: Collection[str] | None = None) -> None:
        """Forget a document with its pages and, when no other has it, its file."""
        document = self.get(document_id, org_id, owners)
        pages = self.pages(document)
        with self._kit.db.transaction():
            for page in pages:
                self._kit.records.delete(page, actor_id=actor_id)
            self._kit.records.delete(document, actor_id=actor_id)
            index.remove(document.id)
            self._kit.changed("documents")
        for digest in {document.digest, *(p.preview for p in pages)} - {""}:
            self._kit.files.delete(digest, org_id=org_id)

    # The worker's verbs.

    def begin(self, document: Document, pages: int) -> set[int]:
        """Note how many pages there are; returns the numbers of those that were read before."""
        with self._kit.db.transaction():
            self._kit.records.update(document, status="reading", pages=pages)
            self._kit.changed("documents", f"document:{document.id}")
        return {p.number for p in self.pages(document)}

    def keep_page(self, document: Document, number: int, text: str, preview: str) -> None:
        """Keep a page's text and index it, in one transaction."""
        with self._kit.db.transaction():
            self._kit.records.create(DocumentPage, org_id=document.org_id, owner_id=document.owner_id, document_id=document.id, number=number,
                                     text=text, preview=preview)
            index.put(document.id, document.org_id, number, text)
            self._kit.changed(f"document:{document.id}")

    def finish(self, document: Document, reason: Text | str | None = None) -> None:
        """The document is read, or failed for `reason`."""
        with self._kit.db.transaction():
            self._kit.records.update(document, status="failed" if reason else "done", reason=said(reason) if reason else None)
            self._kit.changed("documents", f"document:{document.id}")


def build(kit: Kit, _services: Mapping[str, Any]) -> Documents:
    """The service."""
    return Documents(kit)
