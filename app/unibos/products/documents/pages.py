"""Documents in the panel: upload, list and search, one document with its pages; the dashboard's card; the search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, request
from pydantic import BaseModel, Field

from unibos.kernel.actors import Actor
from unibos.kernel.jobs import unsaid
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import Words, page, toast
from unibos.products.documents.api import LIMIT, Query, changing, owners, uploaded

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()
STATES = Words(waiting=T("waits"), reading=T("is read"), done=T("read"), failed=T("failed"))


class Form(BaseModel):
    """Title and tags of a document (tags separated by commas)."""

    title: str = Field("", max_length=255)
    tags: str = Field("", max_length=1000)


@ROUTES.get("/documents/", access="guest", kind="page", query=Query)
def documents(call: Call) -> Response:
    """The list, or what matches the words."""
    rows = call.service.list(call.actor.org_id, call.query.q, owners=owners(call))
    return page(call, "documents.html", rows=rows, words=call.query.q, limit=call.service.limit(), unsaid=unsaid,
                document_words=STATES)


@ROUTES.post("/documents/", access="member", kind="page", limit=LIMIT)
def upload(call: Call) -> Response:
    """Take a file from the form, or from the script that shows progress."""
    document, new = uploaded(call)
    href = f"/documents/{document.id}/"
    if request.headers.get("X-Requested-With") == "unibos":
        return jsonify({"href": href})
    return toast(href, T("It is kept and will be read now.") if new else T("This file is here already."))


@ROUTES.get("/documents/<document_id>/", access="guest", kind="page")
def document(call: Call, document_id: str) -> Response:
    """One document: state, pages, text."""
    found = call.service.get(document_id, call.actor.org_id, owners(call))
    return page(call, "document.html", document=found, state=call.service.state(found), pages=call.service.pages(found), unsaid=unsaid,
                document_words=STATES)


@ROUTES.post("/documents/<document_id>/", access="guest", kind="page", body=Form)
def change(call: Call, document_id: str) -> Response:
    """Keep another title or other tags."""
    call.service.change(document_id, call.actor.org_id, call.actor.id, title=call.body.title, tags=call.body.tags.split(","),
                        owners=changing(call))
    return toast(f"/documents/{document_id}/", T("Kept."))


@ROUTES.post("/documents/<document_id>/retry/", access="guest", kind="page")
def retry(call: Call, document_id: str) -> Response:
    """Read it again."""
    call.service.retry(document_id, call.actor.org_id, call.actor.id, changing(call))
    return toast(f"/documents/{document_id}/", T("It will be read again."))


@ROUTES.post("/documents/<document_id>/delete/", access="guest", kind="page")
def delete(call: Call, document_id: str) -> Response:
    """Forget it."""
    call.service.delete(document_id, call.actor.org_id, call.actor.id, changing(call))
    return toast("/documents/", T("The document is gone."))


def card(_kit: Kit, services: Mapping[str, Any]) -> Callable[[Actor], dict[str, Any]]:
    """The newest documents on the dashboard."""

    def show(actor: Actor) -> dict[str, Any]:
        rows = services["documents"].list(actor.org_id, most=5, owners=services["identity"].owners(actor))
        return {"template": "card_documents.html", "order": 50, "rows": rows,
                "words": {"document_words": STATES}}

    return show


def find(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, Actor], list[dict[str, Any]]]:
    """Documents for the search."""

    def look(words: str, actor: Actor) -> list[dict[str, Any]]:
        found = services["documents"].list(actor.org_id, words, 8, services["identity"].owners(actor))
        return [{"title": r["document"].title, "kind": T("document"), "href": f"/documents/{r['document'].id}/",
                 "hint": "".join(text for text, _hit in r["snippet"])[:80]} for r in found]

    return look
