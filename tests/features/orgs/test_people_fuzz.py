"""Odd input at every JSON address of orgs, on both databases: what comes back is what the route says, never a 5xx, and nothing is changed by it."""

from unibos.kernel import compose
from unibos.kernel.web import build_app
from unibos.panel.shell import Shell

from tests.conftest import PASSWORD

# What every route may answer besides what it names: input, who, size; 404 where there is a path parameter.
GENERAL = {400, 401, 403, 413, 503}
ODD = ["", "\0", "a\0b", "\ud800", "x" * 5000, "'; DROP TABLE member; --", "<script>", "é́", 0, -1, 2**31, 2**63, 1e308, True, None, [], {}, ["\0"], "%00",
       "00000000-0000-0000-0000-000000000000", "ada@example.org", "owner", "guest", "A" * 32]


def statuses(route):
    return {route.status, *GENERAL, *(error.status for error in route.raises), *([404] if "<" in route.path else []), 405}


def test_no_odd_input_breaks_or_changes_anything(on_hub):
    built = on_hub.built
    authenticate = next(f.load(f.authenticate)(built.kit, built.services) for f in built.features if f.authenticate)
    app = build_app(compose.routes(built.features), built.kit, built.services, hostname="box", authenticate=authenticate,
                    guards=built.kit.gather("guards"), shell=Shell(built.features, compose.navigation(built.features)))
    client, bo = app.test_client(), on_hub.join("Bo", "admin")
    heads = [{}, on_hub.token(on_hub.ada), on_hub.token(bo)]
    on_hub.registration("open")
    routes = [r for f, r in compose.routes(built.features) if f.name == "orgs" and r.kind == "api" and r.method != "WS"]
    assert len(routes) > 20
    asked = 0
    for route in routes:
        assert route.answer is not None or route.status == 204, route.name
        fields = list(route.body.model_fields) if route.body else []
        plain = {"email": "z@example.org", "password": PASSWORD, "name": "", "organisation": "-", "role": "viewer", "invitation": "B" * 32,
                 "user_id": "nobody", "code": ""}
        bodies = [{**{k: plain[k] for k in fields if k in plain}, name: odd} for name in fields for odd in ODD] if fields else [None, []]
        for number, body in enumerate([*bodies, *([None, [], "x", {"none": 1}] if fields else [])]):
            odd = ODD[number % len(ODD)]
            path = route.path
            for part in ("<user_id>", "<invitation_id>"):
                path = path.replace(part, str(odd).replace("\ud800", "%ED%A0%80").replace("\0", "%00").replace("/", "%2F") or "%20")
            head = heads[number % 3]
            if path.endswith(("leave/", "claim/")) or (route.method == "PATCH" and body == {}):
                continue
            answer = client.open(path, method=route.method, json=body, headers=head)
            assert answer.status_code in statuses(route), (route.name, body, path, answer.status_code, answer.text[:300])
            asked += 1
    assert asked > 800
    with on_hub.within():
        assert {p.name: p.role for p in on_hub.orgs.people.list(on_hub.home) if not p.email.startswith("z@")} == {"Ada": "owner", "Bo": "admin"}


def test_an_odd_address_is_not_found(web):
    for path in ("%00", "%ED%A0%80", "a" * 3000, "..", "%2e%2e%2f"):
        for place in ("people", "api/v1/organisation/members"):
            assert web.client.get(f"/{place}/{path}/", headers=web.token_of_ada).status_code in (404, 308, 301, 303), path
