"""Whatever is sent to the registry's routes of a hub or node on PostgreSQL, the answer is one that the route declares, and none is a fault of the server."""

import random

import pytest
from unibos.kernel import compose
from unibos.kernel.errors import Unavailable
from unibos.kernel.web import build_app
from unibos.panel.shell import Shell

from tests.conftest import build, claim, close
from tests.features.registry.machines_of_test import Machine

ODD = ["", "\0", "a\0b", "\ud800", "ÿ" * 5000, "'; --", "\x1b[2J", 0, -1, 10 ** 400, 1e308, True, None, [], {}, [[]], {"a": {"b": []}}, "2026-13-45T99:99:99Z",
       "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "A" * 43 + "=", "0" * 36, "..", "-" * 36, "NaN", "Infinity"]
GENERAL = {200, 201, 204, 400, 401, 403, 404, 413, 415, 429}


def refused(*_question):
    raise Unavailable("no agent runs here")


@pytest.fixture(params=["hub", "node"])
def web(request, tmp_path, postgres_server):
    built = build(request.param, tmp_path, postgres_server.create_owned()[1])
    authenticate = next(f.load(f.authenticate)(built.kit, built.services) for f in built.features if f.authenticate)
    built.client = build_app(compose.routes(built.features), built.kit, built.services, hostname="box", authenticate=authenticate,
                             guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features))).test_client()
    built.kit.bus.ask = refused
    built.services["identity"].throttle = lambda *_keys, **_more: None
    yield built
    close(built)


def body_of(route, good, chance):
    """What the route takes, with one field or more that is odd."""
    names = list(route.body.model_fields) if route.body else []
    body = {name: good[name] for name in names if name in good}
    for name in chance.sample(names, min(len(names), chance.choice((1, 1, 2)))):
        body[name] = chance.choice(ODD)
    return chance.choice((body, body, body, body, {**body, "more": chance.choice(ODD)}, [], None, "text"))


def test_every_route_takes_odd_input_calmly(web):
    chance, ada = random.Random(20), {"Authorization": f"Bearer {claim(web)}"}
    machine = Machine(web.client, 1)
    if web.kit.role == "hub":
        machine.enrol(web.client.post("/api/v1/nodes/tokens/", json={}, headers=ada).json["token"])
        machine.log_in()
    good = {**machine.about, "public_key": machine.key, "metrics": {"cpu": 5.0}, "node_id": machine.node_id, "trust": 3, "on": True, "why": "x", "hours": 1,
            "token": "T", "organisation": "", "challenge": "0" * 48, "signature": "A" * 86 + "==", "kind": "node", "at": 5, "revocations": 0, "pin": "A" * 26}
    routes = [route for feature, route in compose.routes(web.features) if feature.name == "registry" and route.kind == "api"]
    assert len(routes) >= {"hub": 20, "node": 4}[web.kit.role]
    for route in routes:
        for turn in range(30):
            path = route.path
            for part in ("<node_id>", "<application_id>"):
                path = path.replace(part, chance.choice((machine.node_id, "%00", "x" * 300, "%ED%A0%80", "0" * 36)) if turn else machine.node_id)
            query = {name: str(chance.choice(ODD))[:2000].encode("utf-8", "replace").decode() for name in (route.query.model_fields if route.query else ())}
            body = body_of(route, good, chance) if route.method != "GET" else None
            for head in (machine.head if route.access == "node" else ada, {}):
                answer = web.client.open(path, method=route.method, query_string=query if turn % 3 else {}, headers=head,
                                         **({"json": body} if body is not None else {}))
                declared = GENERAL | {error.status for error in route.raises} | {route.status}
                if route.path == "/api/v1/node/join/":
                    declared |= {503}  # its agent is away
                assert answer.status_code in declared, (route.name, path, query, body, answer.status_code, answer.text[:300])
                if answer.status_code < 300 and route.answer is not None:
                    route.answer.model_validate(answer.json)
        if web.kit.role == "node":
            continue
        web.client.post(f"/api/v1/nodes/{machine.node_id}/unrevoke/", headers=ada)
        web.client.post(f"/api/v1/nodes/{machine.node_id}/trust/", json={"trust": 3}, headers=ada)
