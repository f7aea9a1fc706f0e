"""The web kernel: routes as values, one checked door in front of them, one error handler behind them.

A route says who may come in, what it takes and what it answers (pydantic models); the door checks, in this order: the
host name, who is asking, the guards, the access, the origin and the CSRF token, the size, the input. Problem documents
follow RFC 9457.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from unibos.kernel import errors
from unibos.kernel.actors import NOBODY, Actor
from unibos.kernel.sockets import MAX_MESSAGE, PING_SECONDS, socket_door
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.feature import Feature
    from unibos.kernel.kit import Kit

SAFE = ("GET", "HEAD", "OPTIONS")
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
       "form-action 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'")
HEADERS = {"Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
           "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
           "Permissions-Policy": "camera=(), geolocation=(), microphone=()"}
MIB = 1 << 20


@dataclass(frozen=True)
class Route:
    """One address: method, path, who may come (`access`), input and answer, and the code behind it.

    `raises`: errors beyond those that every route of its kind can answer with (input, access, size, a part that is away).
    `also`: further statuses under which the answer has the same form.
    `device`: it concerns the whole device, so the people of other organisations than its first are kept out.
    `unclaimed`: served before the box has an owner. `bare`: nobody is asked who they are (files, health).
    """

    method: str
    path: str
    call: Callable[..., Any]
    access: str
    kind: str = "api"
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    raises: tuple[type[errors.UnibosError], ...] = ()
    also: tuple[int, ...] = ()
    status: int = 200
    limit: int = MIB
    files: bool = False
    unclaimed: bool = False
    bare: bool = False
    device: bool = False

    @property
    def name(self) -> str:
        """A unique name for tables and documents."""
        return f"{self.method} {self.path}"

    @property
    def summary(self) -> str:
        """The first sentence of the handler's docstring."""
        return (self.call.__doc__ or "").strip().split("\n")[0]


class Routes(list[Route]):
    """The routes of one file, filled by decorators: `@ROUTES.get("/x/", access="member")`."""

    def _add(self, method: str, path: str, **options: Any) -> Callable[[Callable], Callable]:
        def keep(call: Callable) -> Callable:
            self.append(Route(method, path, call, **options))
            return call

        return keep

    def get(self, path: str, **options: Any):
        """A GET route."""
        return self._add("GET", path, **options)

    def post(self, path: str, **options: Any):
        """A POST route."""
        return self._add("POST", path, **options)

    def delete(self, path: str, **options: Any):
        """A DELETE route."""
        return self._add("DELETE", path, **options)

    def patch(self, path: str, **options: Any):
        """A PATCH route."""
        return self._add("PATCH", path, **options)

    def socket(self, path: str, **options: Any):
        """A WebSocket route; its handler gets (call, connection)."""
        return self._add("WS", path, kind="socket", **options)


@dataclass
class Call:
    """One request as a handler sees it."""

    kit: Kit
    services: Mapping[str, Any]
    feature: Feature
    actor: Actor
    body: Any = None
    query: Any = None

    @property
    def service(self) -> Any:
        """The service of the handler's own feature."""
        return self.services[self.feature.name]


def actor() -> Actor:
    """Who is asking in the current request."""
    return g.get("actor", NOBODY)


def correlation() -> str:
    """The id that ties a request to its jobs and messages."""
    return g.get("correlation", "")


def cookie_name(kit: Kit, what: str = "") -> str:
    """The name of a cookie of this role (decision 14)."""
    name = f"unibos-{kit.role}" + (f"-{what}" if what else "")
    return f"__Host-{name}" if kit.settings["UNIBOS_TLS_PROXY"] else name


def set_cookie(kit: Kit, response: Response, what: str, value: str, seconds: int | None) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send."""
    response.set_cookie(cookie_name(kit, what), value, max_age=seconds, httponly=True, samesite="Lax",
                        secure=bool(kit.settings["UNIBOS_TLS_PROXY"]), path="/")


def _csrf_root(kit: Kit) -> str:
    return request.cookies.get(cookie_name(kit)) or request.cookies.get(cookie_name(kit, "visit")) or g.get("visit", "")


def csrf_token(kit: Kit) -> str:
    """The token that a form of this browser carries; makes the visit cookie when there is no session."""
    root = _csrf_root(kit)
    if not root:
        root = g.visit = kit.random.bytes(16).hex()
    # A form of one organisation is not taken as another's, although both are of the same session.
    return hmac.new(kit.secret("csrf", 32), f"{root} {actor().org_id}".encode(), hashlib.sha256).hexdigest()


def _check_origin(kit: Kit, route: Route) -> None:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise errors.Forbidden(T("This request came from another site."))
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        raise errors.Forbidden(T("This request came from another site."))
    if route.kind == "page" or actor().via == "cookie":
        given = request.headers.get("X-CSRF-Token") or request.form.get("_csrf", "")
        if not _csrf_root(kit) or not hmac.compare_digest(given.encode(), csrf_token(kit).encode()):
            raise errors.Forbidden(T("This form is too old. Load the page again and send it once more."))


def check_socket_origin() -> None:
    """A WebSocket of another site is refused: browsers send cookies with it."""
    origin = request.headers.get("Origin")
    if origin and urlsplit(origin).netloc != request.host:
        raise errors.Forbidden(T("This request came from another site."))


def allowed_hosts(kit: Kit, hostname: str) -> set[str]:
    """The host names that this device answers to (DNS rebinding is refused by it)."""
    public = urlsplit(str(kit.settings["UNIBOS_PUBLIC_URL"])).hostname or ""
    own = hostname.lower()
    names = {own, f"{kit.role}-{own}"}  # where hub and node share a machine, the hub is hub-NAME.local
    return {"localhost", "unibos", *names, *(f"{name}.local" for name in names), public,
            *(h.lower() for h in kit.settings["UNIBOS_ALLOWED_HOSTS"])} - {""}


def _check_host(hosts: set[str]) -> None:
    name = (urlsplit(f"//{request.host}").hostname or "").lower()
    if name in hosts:
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise errors.Forbidden(T("This device does not answer to the name %(name)s.", name=name[:100])) from None


_FAULTS = {
    "missing": T("It is needed."), "extra_forbidden": T("There is no such field."), "string_too_long": T("It is too long."),
    "string_too_short": T("It is too short."), "string_type": T("Text is needed."), "int_parsing": T("A whole number is needed."),
    "int_type": T("A whole number is needed."), "float_parsing": T("A number is needed."), "float_type": T("A number is needed."),
    "bool_parsing": T("Yes or no is needed."), "literal_error": T("It is none of the values that are taken."),
    "string_pattern_mismatch": T("It is not written as it has to be."), "greater_than_equal": T("It is too small."), "less_than_equal": T("It is too large."),
    "too_long": T("There are too many of them."),
}


def _validated(model: type[BaseModel] | None, values: Any, *, strict: bool = False) -> Any:
    if model is None:
        return None
    try:
        # A program's JSON has types, and is held to them; what comes from an address or a form is text.
        return model.model_validate_json(json.dumps(values), strict=True) if strict else model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        fields = {".".join(map(str, e["loc"])) or "body": _FAULTS.get(e["type"], T("It does not fit: %(why)s.", why=e["msg"])) for e in found}
        raise errors.Invalid(T("Some fields cannot be used: %(names)s.", names=", ".join(fields)), fields=fields) from None


_HALVES = re.compile("[\ud800-\udfff]")


def _number(text: str) -> float | int:
    """A JSON number with a point or an exponent; 5.0 is an integer there, too (JSON Schema 2020-12, section 6.1.1)."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _refuse(text: str) -> None:
    raise ValueError(text)


def _json() -> Any:
    """The JSON of this request. Raises Invalid for what is none: NaN, Infinity, bytes that are not UTF-8, too deep a nesting."""
    value = None
    if request.is_json:
        try:
            value = json.loads(request.get_data().decode(), parse_float=_number, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise errors.Invalid(T("This address takes a JSON object."))
    return value


def _input(route: Route) -> Any:
    if route.body is None:
        return None
    if route.kind == "page" or route.files:
        return _validated(route.body, _writable({k: v for k, v in request.form.items() if k != "_csrf"}))
    return _validated(route.body, _writable(_json()), strict=True)


def _plain(value: Any) -> bool:
    """Whether all text in a JSON value can be kept: without NUL, which no database takes, and without halves of characters (lone surrogates)."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and ("\0" in item or (not item.isascii() and _HALVES.search(item))):
            return False
    return True


def _writable(value: Any) -> Any:
    """The value, if all its text can be kept; raises Invalid."""
    if not _plain(value):
        raise errors.Invalid(T("Text with a NUL character or half a character cannot be kept."))
    return value


def problem(error: errors.UnibosError, say: Callable[[Any], str] = str) -> Response:
    """The problem document of an error (RFC 9457)."""
    answer = jsonify({"type": f"urn:unibos:problem:{error.code}", "title": say(error.title), "status": error.status,
                      "detail": say(error.text), "request_id": correlation(),
                      **({"fields": {k: say(v) for k, v in error.fields.items()}} if error.fields else {}), **error.extra})
    answer.status_code, answer.mimetype = error.status, "application/problem+json"
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(int(error.retry_after) + 1)
    return answer


def as_error(error: Exception, log: logging.Logger) -> errors.UnibosError:
    """Any exception as one of our tree; what we do not know is logged and told as nothing but its id."""
    if isinstance(error, errors.UnibosError):
        return error
    if isinstance(error, HTTPException):
        by_status = {400: errors.Invalid, 404: errors.NotFound, 405: errors.MethodNotAllowed, 413: errors.TooLarge,
                     415: errors.Unsupported}
        kind = by_status.get(error.code or 500)
        if kind is not None:
            return kind()
    log.exception("request %s %s (%s) broke", request.method, request.path, correlation())
    return errors.UnibosError(T("Something went wrong here. The log has the details under %(id)s.", id=correlation()))


def build_app(routes: Sequence[tuple[Feature, Route]], kit: Kit, services: Mapping[str, Any], *, hostname: str,
              authenticate: Callable[[], Actor], guards: Sequence[Callable[[Route, Actor], Response | None]] = (),
              shell: Any = None) -> Flask:
    """The WSGI application over `routes`. `shell` (the panel) renders pages and errors, or is None for a bare API."""
    app = Flask("unibos", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MIB, MAX_FORM_MEMORY_SIZE=MIB, MAX_FORM_PARTS=100)
    # Servers ping by themselves; a frame over the limit closes the connection.
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_SECONDS, "max_message_size": MAX_MESSAGE}
    app.json.sort_keys = False  # type: ignore[attr-defined]
    hosts = allowed_hosts(kit, hostname)
    app.extensions["unibos.routes"] = routes
    if shell is not None:
        shell.install(app, kit, services)

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.correlation = given if re.fullmatch(r"[A-Za-z0-9-]{8,64}", given) else kit.random.bytes(8).hex()

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Request-Id"] = correlation()
        if g.get("visit"):
            set_cookie(kit, response, "visit", g.visit, None)
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        kit.db.release()

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        known = as_error(error, kit.log)
        if shell is not None and not request.path.startswith("/api/"):
            with kit.db.tenant(actor().org_id):
                return shell.error(known)
        return problem(known, shell.say if shell is not None else str)

    def answered(feature: Feature, route: Route, path: Mapping[str, Any]) -> Any:
        """What the route gives to who is asking, as whose organisation this thread works."""
        for guard in () if route.bare else guards:
            stopped = guard(route, g.actor)
            if stopped is not None:
                return stopped
        if not g.actor.may(route.access):
            if g.actor.kind == "nobody":
                raise errors.Unauthenticated()
            raise errors.Forbidden()
        for closed in kit.gather("access") if feature.switch else ():
            if (why := closed(feature.name, g.actor)) is not None:
                raise why
        if route.method not in SAFE:
            _check_origin(kit, route)
        call = Call(kit, services, feature, g.actor, _input(route), _validated(route.query, _writable(request.args.to_dict())))
        answer = route.call(call, **path)
        if isinstance(answer, BaseModel):
            answer = answer.model_dump(mode="json", by_alias=True)
        if isinstance(answer, dict):
            answer = jsonify(answer)
            answer.status_code = route.status
        elif answer is None:
            answer = Response(status=204)
        elif isinstance(answer, str):
            answer = Response(answer, route.status, mimetype="text/html")
        return answer

    def door(feature: Feature, route: Route) -> Callable[..., Any]:
        def enter(**path: Any) -> Any:
            request.max_content_length = route.limit
            _check_host(hosts)
            if not _plain(path):
                raise errors.NotFound()
            g.actor = NOBODY if route.bare else authenticate()
            with kit.db.tenant(g.actor.org_id):
                return answered(feature, route, path)

        return enter

    for feature, route in routes:
        if route.method == "WS":
            app.add_url_rule(route.path, route.name, socket_door(feature, route, kit, services, authenticate, guards, _check_host, hosts),
                             methods=["GET"], strict_slashes=False, websocket=True)
        else:
            app.add_url_rule(route.path, route.name, door(feature, route), methods=[route.method], strict_slashes=False)
    return app
