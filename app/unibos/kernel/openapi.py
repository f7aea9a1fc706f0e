"""The OpenAPI 3.1 document of a role's JSON API, made of its routes: what they take, what they answer, who may, and every status there is.

WebSockets are listed under `x-websockets`, since OpenAPI knows none. Source: OpenAPI Specification 3.1.0; problem documents: RFC 9457.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from unibos.kernel import errors

if TYPE_CHECKING:
    from unibos.kernel.feature import Feature
    from unibos.kernel.web import Route

_PARAMETER = re.compile(r"<(?:(int):)?([a-z_]+)>")
PROBLEM = "application/problem+json"


class Problem(BaseModel):
    """What every error answers (RFC 9457). Some errors say more in fields of their own."""

    type: str = Field(description="urn:unibos:problem:CODE; the codes stand in the reference.")
    title: str
    status: int
    detail: str
    request_id: str
    fields: dict[str, str] = Field(default_factory=dict, description="What is wrong with each field of the input.")


def general(route: Route) -> list[type[errors.UnibosError]]:
    """The errors that a route can answer with because of its kind: its declared ones are not among them."""
    found: list[type[errors.UnibosError]] = [errors.Forbidden]
    if not route.bare:
        found += [errors.Unauthenticated, errors.Unavailable]
    if route.body is not None or route.query is not None or route.files:
        found.append(errors.Invalid)
    if route.body is not None or route.files:
        found.append(errors.TooLarge)
    if "<" in route.path:
        found.append(errors.NotFound)
    return found


def document(routes: Iterable[tuple[Feature, Route]], *, role: str, version: str, cookie: str) -> dict[str, Any]:
    """The document; `cookie` is the name of the session's cookie."""
    chosen = [(feature, route) for feature, route in routes if route.kind == "api" or (route.kind == "file" and route.path.startswith("/api/"))]
    wanted: dict[tuple[type[BaseModel], Any], None] = {(Problem, "serialization"): None}
    for _feature, route in chosen:
        wanted.update({(model, mode): None for model, mode in ((route.body, "validation"), (route.query, "validation"),
                                                               (route.answer, "serialization")) if model is not None})
    refs, schemas = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for feature, route in chosen:
        paths.setdefault(_PARAMETER.sub(r"{\2}", route.path), {})[route.method.lower()] = _operation(feature, route, refs, schemas.get("$defs", {}))
    for _feature, route in chosen:
        if route.query is not None:  # written out as parameters
            schemas["$defs"].pop(refs[(route.query, "validation")]["$ref"].rpartition("/")[2], None)
    sockets = [{"path": route.path, "summary": route.summary, "access": route.access} for _f, route in routes if route.kind == "socket"]
    return {
        "openapi": "3.1.0",
        "info": {"title": f"UNIBOS {role}", "version": version, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
                 "description": "x-unibos-access says who may: open anybody, node a node by its key, else the least role in the organisation. "
                                "A call that changes something and is authenticated by the cookie also carries X-CSRF-Token."},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(feature.name for feature, _r in chosen)],
        "paths": paths,
        "components": {"schemas": schemas.get("$defs", {}), "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}, "cookie": {"type": "apiKey", "in": "cookie", "name": cookie}}},
        "x-websockets": sockets,
    }


def _operation(feature: Feature, route: Route, refs: dict[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path.replace('/api/v1', '')).rstrip('_')}",
        "tags": [feature.name], "summary": route.summary, "x-unibos-access": route.access,
        "security": [{}] if route.access == "open" else [{"bearer": []}] if route.access == "node" else [{"bearer": []}, {"cookie": []}],
        "responses": _responses(route, refs)}
    parameters = [{"name": name, "in": "path", "required": True,
                   "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1} if kind else {"type": "string", "minLength": 1}}
                  for kind, name in _PARAMETER.findall(route.path)]
    if route.query is not None:
        parameters += _query(schemas[refs[(route.query, "validation")]["$ref"].rpartition("/")[2]])
    if parameters:
        said["parameters"] = parameters
    if route.files:
        said["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": {
            "type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}}}}
    elif route.body is not None:
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[(route.body, "validation")]}}}
    return said


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", [])
    return [{"name": name, "in": "query", "required": name in needed, "schema": value} for name, value in schema.get("properties", {}).items()]


def _responses(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    status = 204 if route.answer is None and route.kind == "api" else route.status
    good: dict[str, Any] = {"description": "Done." if status == 204 else route.summary or "The answer."}
    if route.kind == "file":
        good["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    elif route.answer is not None:
        good["content"] = {"application/json": {"schema": refs[(route.answer, "serialization")]}}
    found = {str(code): good for code in (status, *route.also)}
    for error in (*general(route), *route.raises):
        code, text = str(error.status), str(error.title)
        if code in found and text not in found[code]["description"]:
            found[code]["description"] += f" {text}."
        found.setdefault(code, {"description": f"{text}.", "content": {PROBLEM: {"schema": refs[(Problem, "serialization")]}}})
    return dict(sorted(found.items()))
