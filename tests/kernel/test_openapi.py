"""The OpenAPI document: complete, without loose ends, and alike from the command line and the running process."""

import json
import re

import pytest
from click.testing import CliRunner
from unibos.kernel import compose, openapi
from unibos.kernel.errors import Conflict
from unibos.kernel.feature import Feature
from unibos.kernel.web import Routes
from unibos.kernel.words import T
from unibos.profiles.contract import contract_command, openapi_of
from unibos.profiles.lists import BY_ROLE


@pytest.mark.parametrize("role", BY_ROLE)
def test_every_address_of_the_api_is_in_it(role):
    found = openapi_of(role)
    told = {(method.upper(), re.sub(r"{[a-z_]+}", "{}", path)) for path, methods in found["paths"].items() for method in methods}
    there = {(r.method, re.sub("<[a-z_:]+>", "{}", r.path)) for _f, r in compose.routes(BY_ROLE[role]) if r.kind == "api" or "/api/" in r.path}
    assert told == there and len(told) > 30
    assert {s["path"] for s in found["x-websockets"]} == {r.path for _f, r in compose.routes(BY_ROLE[role]) if r.kind == "socket"}


@pytest.mark.parametrize("role", BY_ROLE)
def test_nothing_hangs_loose(role):
    found = openapi_of(role)
    refs = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found)))
    assert refs == set(found["components"]["schemas"])
    operations = [(path, operation) for path, methods in found["paths"].items() for operation in methods.values()]
    assert len({operation["operationId"] for _path, operation in operations}) == len(operations)
    for path, operation in operations:
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall("{([a-z_]+)}", path)), path
        assert operation["summary"] and operation["security"] and any(code.startswith("2") for code in operation["responses"]), path
    assert "$defs" not in json.dumps(found)


def test_a_route_says_its_own_errors_beside_those_of_its_kind():
    routes = Routes()

    @routes.post("/api/v1/things/<int:number>/", access="admin", raises=(Conflict,), also=(202,), status=204)
    def change(call, number):
        """Change a thing."""

    said = openapi.document([(Feature("things", T("Things"), "things"), routes[0])], role="hub", version="1", cookie="c")
    operation = said["paths"]["/api/v1/things/{number}/"]["post"]
    assert set(operation["responses"]) == {"202", "204", "401", "403", "404", "409", "503"}
    assert operation["parameters"] == [{"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}}]
    assert operation["x-unibos-access"] == "admin" and operation["summary"] == "Change a thing."


def test_the_running_process_answers_the_same_document(hub_web):
    answer = hub_web.client.get("/api/v1/openapi.json")  # before there is an owner, and to anybody: it holds nothing of anybody
    assert answer.status_code == 200
    written = json.loads(CliRunner().invoke(contract_command, ["--openapi", "hub"]).stdout)
    answered = answer.json
    for one in (written, answered):
        del one["components"]["securitySchemes"]["cookie"]["name"]
    assert answered == written


BAD = [b'{"code": "a\\u0000", "email": "", "password": "", "name": ""}', b'{"code": "\\ud800", "email": "", "password": "", "name": ""}', b'{"code": NaN}',
       b'{"code": 1e999}', b"[" * 100_000, b'{"code": ' * 5000, b"\xff\xfe", b"[]", b"null", b"1", b'{"code": 5, "email": "a", "password": "b", "name": "c"}']


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_what_is_no_json_or_no_text_is_refused(hub_web, body):
    answer = hub_web.client.post("/api/v1/claim/", data=body, content_type="application/json")
    assert answer.status_code == 400 and answer.json["type"] == "urn:unibos:problem:invalid"


def test_a_nul_in_an_address_leads_nowhere(hub_web):
    assert hub_web.client.get("/static/a%00b").status_code == 404
    assert hub_web.client.get("/login/?next=%00").status_code in (200, 303)
