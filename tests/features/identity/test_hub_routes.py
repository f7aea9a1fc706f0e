"""Every route between hubs and nodes answers nasty input with a status that it declares, and never breaks."""

import random

import pytest
from unibos.features.identity import hub_api, link_api
from unibos.features.identity.models import User

from tests.conftest import PASSWORD
from tests.features.identity.two import EVE, Pair

NASTY = ["", " ", "x", "\0", "a\0b", "\ud800", "é" * 300, "x" * 5000, "'; DROP TABLE user; --", "../../etc/passwd", "00000000-0000-4000-8000-000000000000", None, True,
         0, -1, 2**31, 2**63, 10**30, 1.5, [], {}, ["\0"], {"id": "x", "version": 1, "fingerprint": ""}, [{"id": "x", "version": 1}], "2026-01-01", "all", "merge",
         "confirm", EVE, PASSWORD]


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    yield made
    made.close()


def bodies(route, chance, count):
    """Bodies of the right fields with wrong values, and of wrong fields."""
    if route.body is None:
        return [None]
    names = list(route.body.model_fields)
    found = [{}, [], "x", None, {"unknown": 1}]
    found += [{name: chance.choice(NASTY) for name in names if chance.random() < 0.9} for _ in range(count)]
    return found


def allowed(route):
    return {route.status, 400, 401, 403, 413, 503, *({404} if "<" in route.path else ()), *(kind.status for kind in route.raises)}


def asked(client, route, headers, chance, count=25):
    for body in bodies(route, chance, count):
        path = route.path.replace("<person_id>", chance.choice(["x", "%00", "%ff", "é", "a" * 300]))
        answer = client.open(path, method=route.method, json=body, headers=headers)
        assert answer.status_code in allowed(route), (route.name, body, answer.text)
        if route.answer and answer.status_code == route.status:
            route.answer.model_validate(answer.json)


def test_nasty_input(pair):
    chance = random.Random(5)
    ada = pair.bearer(pair.ada)
    for route in link_api.NODE_ROUTES:
        asked(pair.node.client, route, ada, chance)
        assert pair.node.client.open(route.path.replace("<person_id>", "x"), method=route.method, json={}).status_code == 401
    with pair.on_hub() as identity:
        token = pair.bearer(identity.issue_node_token(pair.node_id, pair.hub.services["orgs"].home_id(), 3600))
        for route in (*hub_api.ROUTES, *link_api.HUB_ROUTES):
            for headers in (token, pair.bearer(pair.eve)):
                asked(pair.hub.client, route, headers, chance)
                pair.advance(61)
            assert pair.hub.client.open(route.path, method=route.method, json={}).status_code == 401
        assert User.select().count() == 1
        assert pair.hub.client.get("/api/v1/auth/whoami/", headers=pair.bearer(pair.eve)).status_code == 200


def test_every_route_says_what_it_answers():
    for route in (*hub_api.ROUTES, *link_api.HUB_ROUTES, *link_api.NODE_ROUTES):
        assert (route.answer is not None) != (route.status == 204), route.name
