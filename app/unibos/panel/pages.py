"""The shell's own addresses: files, live socket, search, appearance, and the page that shows all components."""

from __future__ import annotations

from typing import Literal

from flask import Response, jsonify, request
from pydantic import BaseModel

from unibos.kernel.errors import NotFound
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.i18n import findable
from unibos.panel.shell import go, labels, packed_file, page, say, shell, static_file

ROUTES = Routes()


@ROUTES.get("/static/<name>", access="open", kind="file", unclaimed=True, bare=True)
def static(call: Call, name: str) -> Response:
    """A style sheet, script or image of the panel."""
    found = static_file(name)
    if found is None:
        raise NotFound()
    packed = request.accept_encodings["gzip"] > 0
    answer = Response(packed_file(name) if packed else found[0], mimetype=found[1])
    answer.headers["ETag"] = f'"{found[2]}{"-gzip" if packed else ""}"'
    answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    # With its hash in the address a file never changes; without it, it is asked for again.
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if request.args.get("v") == found[2] else "no-cache"
    return answer.make_conditional(request)


@ROUTES.get("/favicon.ico", access="open", kind="file", unclaimed=True, bare=True)
def favicon(call: Call) -> Response:
    """The icon, for browsers that look for it here."""
    return static(call, "icon.svg")


@ROUTES.socket("/ws/live/", access="guest")
def live(call: Call, connection) -> None:
    """Changes and values for the open page."""
    call.services["panel"].serve(connection)


class Query(BaseModel):
    """What is looked for."""

    q: str = ""
    _format: str = ""


@ROUTES.get("/search/", access="guest", kind="page", query=Query)
def search(call: Call) -> Response:
    """Find pages, settings, devices, documents and nodes by a word."""
    words = call.query.q.strip()[:100]
    found = []
    if words:
        needle = findable(words)
        for nav in shell().state()["nav"]:
            if needle in findable(nav["label"]):
                found.append({"title": nav["label"], "kind": say(T("page")), "href": nav["href"], "hint": f"g {nav['key']}"})
        for look in () if call.actor.own_only else call.kit.gather("search"):
            found += [{**item, "kind": say(item["kind"]), "hint": say(item.get("hint", ""))} for item in look(words, call.actor) or ()]
    if request.args.get("_format") == "json":
        return jsonify(found[:30])
    return page(call, "search.html", words=words, found=found[:100])


class Appearance(BaseModel):
    """Theme and language; an empty one stays as it is."""

    theme: Literal["", "auto", "dark", "light"] = ""
    language: Literal["", "en", "tr"] = ""
    next: str = "/"


@ROUTES.post("/settings/appearance/", access="open", kind="page", body=Appearance, unclaimed=True)
def appearance(call: Call) -> Response:
    """Keep the theme and the language that a person chose."""
    body = call.body
    target = body.next if body.next.startswith("/") and not body.next.startswith(("//", "/\\")) else "/"
    answer = Response(status=204) if request.headers.get("X-Requested-With") == "unibos" else go(target)
    if call.actor.kind == "person":
        call.services["identity"].choose(call.actor.id, theme=body.theme or None, language=body.language or None)
    for name, value in (("unibos-theme", body.theme), ("unibos-language", body.language)):
        if value:
            answer.set_cookie(name, value, max_age=365 * 86400, samesite="Lax", path="/")
    return answer


@ROUTES.get("/dev/components/", access="viewer", kind="page")
def components(call: Call) -> Response:
    """Every component once, for those who build pages (development only)."""
    if call.kit.settings["UNIBOS_DEPLOYMENT_TYPE"] != "development":
        raise NotFound()
    from unibos.panel.examples import context

    return page(call, "dev_components.html", **context(shell().zone, labels))
