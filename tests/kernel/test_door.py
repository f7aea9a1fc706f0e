"""The one door in front of every route: host, origin, CSRF, access, input, errors; and the table of who may."""

import pytest
from unibos.kernel.actors import ACCESS, Actor
from unibos.kernel.compose import routes
from unibos.profiles.lists import BY_ROLE

from tests.conftest import PASSWORD, claim


def logged_in(web, **headers):
    """A browser of Ada's: (client, csrf token)."""
    claim(web)
    client = web.app.test_client()
    page = client.get("/login/").text
    token = page.split('name="_csrf" value="')[1].split('"')[0]
    answer = client.post("/login/", data={"email": "ada@example.org", "password": PASSWORD, "_csrf": token})
    assert answer.status_code == 303, answer.text
    return client, client.get("/settings/").text.split('name="_csrf" value="')[1].split('"')[0]


@pytest.mark.parametrize("host", ["evil.example", "box.evil.example", "127.0.0.1.nip.io", ""])
def test_a_foreign_host_name_is_refused(node_web, host):
    answer = node_web.client.get("/login/", headers={"Host": host or "x:y"})
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:8001", "box", "box.local", "127.0.0.1:8001", "[::1]:8001", "192.0.2.7"])
def test_the_names_and_addresses_of_the_device_are_answered(node_web, host):
    assert node_web.client.get("/claim/", headers={"Host": host}).status_code == 200


def test_an_unclaimed_box_shows_people_only_the_claim_page(node_web):
    assert node_web.client.get("/devices/").headers["Location"] == "/claim/"
    assert node_web.client.get("/login/").headers["Location"] == "/claim/"
    refused = node_web.client.get("/api/v1/devices/")
    assert refused.status_code == 403 and refused.json["type"] == "urn:unibos:problem:forbidden"
    assert node_web.client.get("/healthz").json == {"status": "ok", "role": "node", "version": "0.1.0"}
    assert node_web.client.get("/api/v1/auth/keys/").status_code == 200


def test_a_form_needs_its_token_and_its_own_site(node_web):
    client, token = logged_in(node_web)
    form = {"theme": "dark"}
    assert client.post("/settings/appearance/", data=form).status_code == 403
    assert client.post("/settings/appearance/", data={**form, "_csrf": "0" * 64}).status_code == 403
    for header in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert client.post("/settings/appearance/", data={**form, "_csrf": token}, headers=header).status_code == 403
    assert client.post("/settings/appearance/", data={**form, "_csrf": token}).status_code == 303


def test_a_cookie_alone_cannot_change_anything_through_the_api(node_web):
    client, token = logged_in(node_web)
    assert client.post("/api/v1/auth/logout").status_code == 403
    assert client.post("/api/v1/auth/logout", headers={"X-CSRF-Token": token}).status_code == 204
    assert client.get("/api/v1/devices/").status_code == 401


def test_the_cookie_is_for_this_site_and_no_script(node_web):
    claim(node_web)
    client = node_web.app.test_client()
    token = client.get("/login/").text.split('name="_csrf" value="')[1].split('"')[0]
    cookie = client.post("/login/", data={"email": "ada@example.org", "password": PASSWORD, "_csrf": token}).headers["Set-Cookie"]
    assert cookie.startswith("unibos-node=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_after_login_only_an_address_of_this_panel_is_followed(node_web):
    claim(node_web)
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        client = node_web.app.test_client()
        token = client.get("/login/").text.split('name="_csrf" value="')[1].split('"')[0]
        answer = client.post("/login/", data={"email": "ada@example.org", "password": PASSWORD, "_csrf": token, "next": target})
        assert answer.headers["Location"] == "/"


def test_security_headers_are_on_every_answer(node_web):
    for path in ("/claim/", "/healthz", "/static/unibos.css", "/api/v1/devices/", "/nothing/here/"):
        headers = node_web.client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Request-Id"]


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"[]", 400), (b"{", 400), (b'{"code":1}', 400), (b'{"code":"x","more":1}', 400),
                                              (b'{"code":"' + b"a" * 2_000_000 + b'"}', 413)])
def test_bad_input_is_a_problem_document_and_changes_nothing(node_web, body, status):
    answer = node_web.client.post("/api/v1/claim", data=body, content_type="application/json")
    assert answer.status_code == status and answer.mimetype == "application/problem+json"
    assert set(answer.json) >= {"type", "title", "status", "detail", "request_id"}
    assert not node_web.services["orgs"].claimed()


def test_an_unknown_address_and_a_wrong_method_are_told_in_the_same_form(node_web):
    token = {"Authorization": f"Bearer {claim(node_web)}"}
    assert node_web.client.get("/api/v1/nothing/", headers=token).json["type"] == "urn:unibos:problem:not-found"
    assert node_web.client.put("/api/v1/devices/", headers=token).json["type"] == "urn:unibos:problem:method-not-allowed"
    assert "There is nothing here" in node_web.client.get("/nothing/", headers=token).text


def test_a_fault_inside_reaches_nobody_but_the_log(node_web, monkeypatch):
    token = {"Authorization": f"Bearer {claim(node_web)}"}
    monkeypatch.setattr(node_web.services["devices"], "list", lambda: (_ for _ in ()).throw(RuntimeError("/secret/path SELECT")))
    answer = node_web.client.get("/api/v1/devices/", headers=token)
    assert answer.status_code == 500 and "secret" not in answer.text and answer.json["request_id"] in answer.json["detail"]


ROUTES = [(role, route) for role in BY_ROLE for _feature, route in routes(BY_ROLE[role])]


@pytest.mark.parametrize(("role", "route"), ROUTES, ids=[f"{role} {route.name}" for role, route in ROUTES])
def test_every_route_says_who_may_and_what_it_does(role, route):
    assert route.access in ACCESS and route.summary.endswith(".") and route.kind in ("api", "page", "file", "socket")
    if route.method not in ("GET", "WS") and route.access == "open":
        assert route.path in ("/api/v1/claim/", "/claim/", "/login/", "/api/v1/auth/login/", "/api/v1/local/auth/login/", "/api/v1/auth/refresh/",
                              "/api/v1/auth/login/factor/", "/api/v1/local/auth/login/factor/",
                              "/api/v1/auth/login/passkey/begin/", "/api/v1/auth/login/passkey/finish/", "/api/v1/local/auth/login/passkey/begin/",
                              "/api/v1/local/auth/login/passkey/finish/", "/api/v1/auth/password/forgot/", "/api/v1/auth/password/reset/",
                              "/api/v1/auth/email/verify/confirm/", "/password/forgot/", "/password/reset/", "/email/verify/",
                              "/settings/appearance/", "/api/v1/nodes/challenge/", "/api/v1/nodes/enrol/", "/api/v1/nodes/apply/", "/api/v1/nodes/session/",
                              # Who joins has no account yet; who was removed has no role any more, and may still choose, make, log out.
                              "/join/", "/register/", "/api/v1/invitations/look/", "/api/v1/invitations/accept/", "/api/v1/auth/register/", "/api/v1/local/auth/register/",
                              "/organisations/", "/organisations/new/", "/api/v1/organisations/", "/api/v1/auth/organisation/",
                              "/logout/", "/api/v1/auth/logout/")


@pytest.mark.parametrize("role", ["hub", "node"])
def test_a_stranger_gets_past_no_door_that_asks_for_somebody(role, request):
    web = request.getfixturevalue(f"{role}_web")
    claim(web)
    for _feature, route in routes(web.features):
        if route.access == "open" or route.method == "WS":
            continue
        path = route.path.replace("<int:number>", "1").replace("<", "").replace(">", "")
        answer = web.app.test_client().open(path, method=route.method)
        assert answer.status_code == (303 if route.kind == "page" and route.method == "GET" else 401), (route.name, answer.status_code)


@pytest.mark.parametrize(("role", "may"), [("", []), ("guest", ["guest"]), ("viewer", ["guest", "viewer"]), ("member", ["guest", "viewer", "member"]),
                                          ("owner", ["guest", "viewer", "member", "admin", "owner"])])
def test_a_rank_opens_the_doors_below_it(role, may):
    who = Actor("person", "1", role=role)
    assert [a for a in ACCESS if a not in ("open", "node") and who.may(a)] == may
    assert not who.may("node") and Actor("node").may("node") and not Actor("node").may("guest")
    assert who.own_only == (role in ("", "guest")) and not Actor("console", role="owner").own_only
