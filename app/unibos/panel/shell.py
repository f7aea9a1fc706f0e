"""The shell: renders pages and their fragments, in the reader's language, with navigation, status line and errors."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import importlib.resources
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import jinja2
from flask import Flask, Response, g, redirect, request
from markupsafe import Markup

from unibos import __version__
from unibos.kernel.actors import Actor
from unibos.kernel.errors import UnibosError
from unibos.kernel.feature import Feature, Nav
from unibos.kernel.ports import Point
from unibos.kernel.web import Call, actor, correlation, csrf_token
from unibos.kernel.words import Text
from unibos.panel import i18n, plot

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

BASE_BLOCKS = ("status_hub", "status_alerts", "status_bell")
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "webmanifest": "application/manifest+json",
         "png": "image/png"}


@functools.cache
def static_file(name: str) -> tuple[bytes, str, str] | None:
    """(content, media type, hash) of one of our own files, or None."""
    folder = importlib.resources.files("unibos.panel") / "static"
    ending = name.rpartition(".")[2]
    if "/" in name or ending not in TYPES or not (folder / name).is_file():
        return None
    content = (folder / name).read_bytes()
    return content, TYPES[ending], hashlib.sha256(content).hexdigest()[:12]


@functools.cache
def packed_file(name: str) -> bytes:
    """One of our own files, compressed once (gzip, the same bytes each time)."""
    import gzip

    found = static_file(name)
    return gzip.compress(found[0], 9, mtime=0) if found else b""


def static_url(name: str) -> str:
    """The address of one of our own files, with its hash, so that it can be cached for ever."""
    found = static_file(name)
    return f"/static/{name}?v={found[2]}" if found else f"/static/{name}"


class _State:
    """`shell` in the templates: what the status line and the navigation show, found once a request, when first asked for."""

    def __init__(self, find: Callable[[], dict[str, Any]]):
        self._find = find

    def _now(self) -> dict[str, Any]:
        if "shell_state" not in g:
            g.shell_state = self._find()
        return g.shell_state

    def __getattr__(self, name: str) -> Any:
        return self._now()[name]

    def get(self, name: str, default: Any = None) -> Any:
        """As a dictionary's."""
        return self._now().get(name, default)


class Shell:
    """Bound to one application by `install`; `page` is what the features' pages call."""

    def __init__(self, features: Sequence[Feature], navigation: Sequence[Nav]):
        self._navigation = navigation
        self._parts = {nav.id: feature.name for feature in features if feature.switch for nav in feature.nav}
        loaders = [jinja2.PackageLoader(f.package) for f in features if _has_templates(f.package)]
        self.env = jinja2.Environment(loader=jinja2.ChoiceLoader([jinja2.PackageLoader("unibos.panel"), *loaders]), autoescape=True,
                                      extensions=["jinja2.ext.i18n", "jinja2.ext.do"], trim_blocks=True, lstrip_blocks=True, auto_reload=False,
                                      undefined=jinja2.StrictUndefined)
        self.env.install_gettext_callables(lambda s: self.translations().gettext(s),  # type: ignore[attr-defined]
                                           lambda s, p, n: self.translations().ngettext(s, p, n), newstyle=True)
        self.env.globals.update(static=static_url, csrf=self._csrf, when=self.when, number=self.number, size=self.size,
                                duration=self.duration, say=self.say, shell=_State(self.state),
                                sparks=lambda points: plot.spark([p.mean for p in points]))

    def install(self, app: Flask, kit: Kit, services: Mapping[str, Any]) -> None:
        """Make this the shell of `app`."""
        self._kit, self._services = kit, services
        app.extensions["unibos-shell"] = self

    # The reader.

    @property
    def language(self) -> str:
        """The language of the current reader."""
        if "language" not in g:
            chosen = actor().language or request.cookies.get("unibos-language", "")
            best = request.accept_languages.best_match(list(i18n.LANGUAGES), self._kit.settings["UNIBOS_LANGUAGE"])
            g.language = chosen if chosen in i18n.LANGUAGES else best
        return g.language

    def translations(self):
        """The catalogue of the current reader."""
        return i18n.catalogue(self.language)

    def say(self, text: Text | str | None) -> str:
        """A sentence in the reader's language."""
        if isinstance(text, Text):
            return text.render(self.translations().gettext) if text.message else ""
        return text or ""

    @property
    def zone(self) -> dt.tzinfo:
        """The reader's time zone, as their browser told it, or the machine's."""
        if "zone" not in g:
            g.zone = i18n.zone(request.cookies.get("unibos-zone", ""))
        return g.zone

    def when(self, moment: dt.datetime | int | None) -> Markup:
        """A time as people say it, with the exact one on hover."""
        if moment is None:
            return Markup("–")
        if not isinstance(moment, dt.datetime):
            moment = dt.datetime.fromtimestamp(moment / 1000, dt.UTC)
        text = i18n.ago(moment, self._kit.now(), self.language)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            moment.isoformat(timespec="seconds"), i18n.exact(moment, self.language, self.zone), text)

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number in the reader's signs."""
        return i18n.number(value, digits, self.language)

    def size(self, octets: float | None) -> str:
        """An amount of data."""
        return i18n.size(octets, self.language)

    def duration(self, seconds: float | None) -> str:
        """A length of time."""
        return i18n.duration(seconds, self.language)

    def _csrf(self) -> Markup:
        return Markup('<input type="hidden" name="_csrf" value="{}">').format(csrf_token(self._kit))

    def state(self) -> dict[str, Any]:
        """What the status line and the navigation show."""
        who, path = actor(), request.path
        people = who.kind in ("person", "console")
        shown = [n for n in self._navigation if who.may(n.access) and self._open(n, who)]
        nav = [{"id": n.id, "href": n.href, "label": self.say(n.label), "key": n.key, "glyph": n.glyph,
                "current": path == n.href or (n.href != "/" and path.startswith(n.href))} for n in shown] if people else []
        status: dict[str, Any] = {"hub": None, "alerts": 0, "bell": None}
        if people and not who.own_only:
            for report in self._kit.gather("status"):
                status.update(report())
        trusted, message = self._kit.clock.trusted(), unquote(request.cookies.get("unibos-toast", ""))[:500]
        return {"at": self._kit.now_ms(), "host": socket.gethostname(), "role": self._kit.role, "version": __version__, "path": path, "lang": self.language,
                "languages": [{"code": c, "name": n} for c, n in i18n.LANGUAGES.items()], "nav": nav,
                "theme": who.theme or request.cookies.get("unibos-theme", "") or "auto",
                "user": {"name": who.name} if people else None, "own_only": who.own_only, "org_id": who.org_id,
                "organisations": self._organisations(who), "csrf": csrf_token(self._kit),
                "messages": [{"level": "good", "text": message}] if message else [],
                "clock": {"ok": trusted, "text": self._clock(trusted)}, **status}

    def _open(self, nav: Nav, who: Actor) -> bool:
        """Whether the organisation of that reader has the part that a place belongs to."""
        part = self._parts.get(nav.id)
        return part is None or all(closed(part, who) is None for closed in self._kit.gather("access"))

    def _organisations(self, who: Actor) -> list[tuple[str, str]]:
        """(id, name) of the organisations between which the reader can choose."""
        return [(m["id"], m["name"]) for m in self._services["orgs"].memberships(who.id)] if who.kind == "person" and "orgs" in self._services else []

    def _clock(self, trusted: bool) -> str:
        from babel.dates import format_time

        now = self._kit.now().astimezone(self.zone)
        return format_time(now, "HH:mm", locale=self.language) if trusted else self.translations().gettext("clock not set")

    # Rendering.

    def render(self, template: str, http_status: int = 200, /, **context: Any) -> Response:
        """A whole page, or, when the address asks with `_block`, the one named block of it."""
        loaded = self.env.get_template(template)
        block = request.args.get("_block", "")
        own = block in loaded.blocks
        context.update(layout="fragment.html" if own else "base.html", fragment=block)
        html = loaded.render(context) if own or block not in BASE_BLOCKS else self._status(block, context)
        answer = Response(html, http_status, mimetype="text/html")
        if not block and request.cookies.get("unibos-toast"):
            answer.delete_cookie("unibos-toast", path="/")
        answer.headers["Vary"] = "Cookie, Accept-Language"
        return answer

    def _status(self, block: str, context: dict[str, Any]) -> str:
        """One part of the status line, which belongs to the layout and not to the page."""
        base = self.env.get_template("base.html")
        scope = base.new_context({**context, "ui": self.env.get_template("components.html").module})
        return "".join(base.blocks[block](scope))

    def error(self, error: UnibosError) -> Response:
        """An error as a page; who is not logged in is sent to the login instead."""
        if error.status == 401 and request.method == "GET" and "_block" not in request.args:
            return redirect("/login/?next=" + quote(request.full_path.rstrip("?")), 303)  # type: ignore[return-value]
        if request.headers.get("X-Requested-With") == "unibos" or request.accept_mimetypes.best == "application/json":
            from unibos.kernel.web import problem

            return problem(error, self.say)
        return self.render("error.html", error.status, title=self.say(error.title), text=self.say(error.text), code=error.code,
                           status=error.status, request_id=correlation(), now=self._kit.now(), retry_after=error.retry_after)


def _has_templates(package: str) -> bool:
    return package != "unibos.panel" and (importlib.resources.files(package) / "templates").is_dir()


def shell() -> Shell:
    """The shell of the current application."""
    from flask import current_app

    return current_app.extensions["unibos-shell"]


def page(call: Call, template: str, status: int = 200, /, **context: Any) -> Response:
    """Render a page of a feature; `call` is there so that templates can ask for the actor."""
    return shell().render(template, status, actor=call.actor, **context)


def say(text: Text | str | None) -> str:
    """A sentence in the reader's language."""
    return shell().say(text)


class Words(dict[str, Text]):
    """Words for states, said in the reader's language when a template looks one up."""

    def __getitem__(self, key: str) -> str:  # type: ignore[override]
        return say(self.get(key) or key)


def labels(at: dt.datetime, kind: str) -> str:
    """The time of a plot's tick in the reader's language."""
    from babel.dates import format_date, format_datetime, format_time

    language = shell().language
    if kind in ("second", "minute"):
        return format_time(at, "HH:mm:ss" if kind == "second" else "HH:mm", locale=language)
    if kind == "exact":
        return format_datetime(at, "d MMM HH:mm:ss", locale=language)
    return format_date(at, "LLL y" if kind == "month" else "d MMM", locale=language)


def draw(points: Sequence[Point], *, start: int, end: int, unit: str, title: str, kind: str = "line") -> dict[str, Any]:
    """{title, unit, svg, rows}: a plot in the reader's language and zone, with the numbers of its table."""
    here = shell()
    return {"title": title, "unit": unit, "points": points,
            "svg": plot.plot(points, start=start, end=end, unit=unit, title=title, tz=here.zone, kind=kind, labels=labels, numbers=here.number,
                             low=0 if kind == "step" else None, high=1 if kind == "step" else None, height=120 if kind == "step" else 200),
            "rows": plot.rows(points, start=start, end=end, tz=here.zone, labels=labels, numbers=here.number)}


def go(href: str) -> Response:
    """Send the browser on after a form (303: the next request is a GET)."""
    return redirect(href, 303)  # type: ignore[return-value]


def toast(href: str, text: Text) -> Response:
    """Send the browser on with a sentence that the next page shows once (in a cookie: it needs no session)."""
    answer = go(href)
    answer.set_cookie("unibos-toast", quote(say(text)[:500]), max_age=30, samesite="Lax", path="/")
    return answer
