"""JSON v1 of documents."""

from __future__ import annotations

from typing import Any

from flask import Response, request, send_file
from pydantic import BaseModel, ConfigDict, Field

from unibos.kernel.errors import Conflict, Forbidden, Invalid, LimitReached, StorageFull, Unsupported
from unibos.kernel.web import Call, Routes, correlation
from unibos.kernel.words import T
from unibos.panel.shell import say

ROUTES = Routes()
LIMIT = 512 * 1_000_000 + (1 << 20)


class Query(BaseModel):
    """What is looked for."""

    q: str = Field("", max_length=200)
    limit: int = Field(50, ge=1, le=200)


class Change(BaseModel):
    """Another title, other tags."""

    model_config = ConfigDict(extra="forbid")
    title: str | None = Field(None, max_length=255)
    tags: list[str] | None = Field(None, max_length=20)


class DocumentView(BaseModel):
    """A document; `reason` says why when its status is failed."""

    id: str
    title: str
    filename: str
    media_type: str
    size: int
    status: str
    reason: str
    page_count: int
    tags: list[str]
    job_id: str
    created_at: str


class Found(DocumentView):
    """A document of a list or a search: how much of it was read, and where the words stand."""

    pages_read: int
    page: int | None
    snippet: str
    hits: list[str]


class Documents(BaseModel):
    """Documents, the newest or best first."""

    items: list[Found]


class Page(BaseModel):
    """The text of one page."""

    number: int
    text: str


class Whole(DocumentView):
    """A document with its text."""

    text: str
    pages: list[Page]


class Kept(BaseModel):
    """An upload that is kept; `new` is false for a file that was there already."""

    id: str
    job_id: str
    new: bool


class Queued(BaseModel):
    """A document that is read again."""

    id: str
    job_id: str


def owners(call: Call) -> tuple[str, ...] | None:
    """Whose documents the one asking may see: None for all, or the ids that are their own."""
    return call.services["identity"].owners(call.actor)


def changing(call: Call) -> tuple[str, ...] | None:
    """Whose documents the one asking may change. Raises Forbidden for who may see all and change none."""
    if not call.actor.own_only and not call.actor.may("member"):
        raise Forbidden()
    return owners(call)


def shown(document: Any, state: dict[str, Any]) -> dict[str, Any]:
    """A document as the API shows it."""
    return {"id": document.id, "title": document.title, "filename": document.filename, "media_type": document.media_type, "size": document.size,
            "status": state["status"], "reason": say(state["why"]), "page_count": document.pages, "tags": document.tags,
            "job_id": document.job_id, "created_at": document.created_at.isoformat()}


def uploaded(call: Call) -> tuple[Any, bool]:
    """The document of the file in this multipart request."""
    if len(request.files) != 1:
        raise Invalid(T("Send one file as multipart form data, in the field named file."))
    file = next(iter(request.files.values()))
    return call.service.add(file.stream, file.filename or "document", org_id=call.actor.org_id, owner_id=call.actor.id,
                            correlation=correlation())


@ROUTES.post("/api/v1/documents/", access="member", status=202, limit=LIMIT, files=True, answer=Kept, raises=(Unsupported, StorageFull, LimitReached))
def upload(call: Call) -> dict:
    """Keep a PNG, JPEG, TIFF or PDF and have it read; the same file twice is one document."""
    document, new = uploaded(call)
    return {"id": document.id, "job_id": document.job_id, "new": new}


@ROUTES.get("/api/v1/documents/", access="guest", query=Query, answer=Documents)
def documents(call: Call) -> dict:
    """Documents, the newest first, or those that match `q`, the best first, with a snippet."""
    rows = call.service.list(call.actor.org_id, call.query.q, call.query.limit, owners(call))
    return {"items": [{**shown(r["document"], r), "pages_read": r["read"], "page": r["page"],
                       "snippet": "".join(text for text, _hit in r["snippet"]), "hits": [text for text, hit in r["snippet"] if hit]}
                      for r in rows]}


@ROUTES.get("/api/v1/documents/<document_id>/", access="guest", answer=Whole)
def document(call: Call, document_id: str) -> dict:
    """One document with its text, whole and by page."""
    found = call.service.get(document_id, call.actor.org_id, owners(call))
    pages = call.service.pages(found)
    return {**shown(found, call.service.state(found)), "text": "\n\n".join(p.text for p in pages),
            "pages": [{"number": p.number, "text": p.text} for p in pages]}


@ROUTES.patch("/api/v1/documents/<document_id>/", access="guest", body=Change, answer=DocumentView)
def change(call: Call, document_id: str) -> dict:
    """Give a document another title or other tags."""
    found = call.service.change(document_id, call.actor.org_id, call.actor.id, title=call.body.title, tags=call.body.tags,
                                owners=changing(call))
    return shown(found, call.service.state(found))


@ROUTES.delete("/api/v1/documents/<document_id>/", access="guest", status=204)
def delete(call: Call, document_id: str) -> None:
    """Forget a document, its text and its file."""
    call.service.delete(document_id, call.actor.org_id, call.actor.id, changing(call))


@ROUTES.post("/api/v1/documents/<document_id>/retry/", access="guest", status=202, answer=Queued, raises=(Conflict,))
def retry(call: Call, document_id: str) -> dict:
    """Read a failed document again."""
    found = call.service.retry(document_id, call.actor.org_id, call.actor.id, changing(call))
    return {"id": found.id, "job_id": found.job_id}


@ROUTES.get("/api/v1/documents/<document_id>/file/", access="guest", kind="file")
def file(call: Call, document_id: str) -> Response:
    """The file as it was uploaded (always as a download: its content is never run in the panel)."""
    found = call.service.get(document_id, call.actor.org_id, owners(call))
    return send_file(call.kit.files.path(found.digest, org_id=call.actor.org_id), found.media_type, as_attachment=True, download_name=found.filename)


@ROUTES.get("/api/v1/documents/<document_id>/pages/<int:number>/image/", access="guest", kind="file")
def image(call: Call, document_id: str, number: int) -> Response:
    """A small picture of one page."""
    found = call.service.page(call.service.get(document_id, call.actor.org_id, owners(call)), number)
    answer = send_file(call.kit.files.path(found.preview, org_id=call.actor.org_id), "image/webp")
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer
