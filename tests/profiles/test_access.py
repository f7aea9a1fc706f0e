"""docs/access.md against the running door: who is let in where, tried out for every route and everybody."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from unibos.kernel import compose
from unibos.kernel.actors import Actor
from unibos.kernel.web import Route
from unibos.profiles.lists import BY_ROLE

from tests.conftest import close
from tests.society import Caller, settle

WHO = ("stranger", "guest", "viewer", "member", "admin", "owner", "node")
TABLE = Path(__file__).parents[2] / "docs" / "access.md"
ABSENT = "00000000-0000-4000-8000-000000000000"


def rows():
    """{(role, method, path): {who: let in or not}} as the document says."""
    found, head = {}, []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(cells[0]) <= {"-"}:
            continue
        if cells[0] == "method":
            head = cells[3:]
            continue
        assert all(cell in ("yes", "") for cell in cells[3:]), line
        for role in cells[2].replace(",", " ").split():
            key = (role, cells[0], cells[1])
            assert key not in found, f"{key} is there twice"
            found[key] = {who: cell == "yes" for who, cell in zip(head, cells[3:], strict=True)}
            assert tuple(head) == WHO
    return found


ROWS = rows()


def test_every_route_has_a_row_and_every_row_a_route():
    there = {(role, r.method, r.path) for role, features in BY_ROLE.items() for _f, r in compose.routes(features)}
    assert set(ROWS) - there == set(), "rows without a route"
    assert there - set(ROWS) == set(), "routes without a row in docs/access.md: say who may, and why"


@pytest.fixture(scope="module", params=["hub", "node"])
def place(request, tmp_path_factory):
    """A device whose routes have their own doors, and behind each of them nothing but a note of who came in."""
    built = settle(request.param, tmp_path_factory.mktemp("access"))
    built.node_id, built.routes = built.admit(), list(compose.routes(built.features))
    built.open_to([(feature, replace(route, call=came_in, body=None, query=None, files=False, status=200)) for feature, route in built.routes if route.method != "WS"]
                  + [(built.features[0], Route("GET", "/who/", lambda call: {"actor": asdict(call.actor)}, "open"))])
    yield built
    close(built)


def came_in(call, **_path):
    return {"came": "in"}


def path_of(route):
    return re.sub("<int:[a-z_]+>", "1", re.sub("<[a-z_]+>", ABSENT, route.path))


def admitted(caller, route):
    """Whether the door lets this one through. A WebSocket's door asks the same of the same actor, after the handshake (tests/processes)."""
    if route.method == "WS":
        return Actor(**caller.send("GET", "/who/").json["actor"]).may(route.access)
    answer = caller.send(route.method, path_of(route))
    if answer.status_code == 200:
        assert answer.json == {"came": "in"}
        return True
    assert answer.status_code in (401, 403) or (answer.status_code == 303 and answer.headers["Location"].startswith("/login/")), (route.name, answer.text)
    return False


@pytest.mark.parametrize("who", WHO)
def test_everybody_is_let_in_where_the_table_says_and_nowhere_else(place, who):
    caller = Caller(place, who)
    wrong = [f"{route.name}: {who} is {'let in' if found else 'refused'}" for _f, route in place.routes
             if (found := admitted(caller, route)) != ROWS[place.kit.role, route.method, route.path][who]]
    assert not wrong, "docs/access.md says otherwise:\n" + "\n".join(wrong)

