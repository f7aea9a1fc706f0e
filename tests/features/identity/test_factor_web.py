"""The second factor through the API and the panel of a hub and a node, and the ways round it that are closed."""

import base64
import re

import pytest
from unibos.features.identity import totp
from unibos.kernel.actors import Actor

from tests.conftest import PASSWORD, claim

LOGIN = {"hub": "/api/v1/auth/login/", "node": "/api/v1/local/auth/login/"}
ADA = {"email": "ada@example.org", "password": PASSWORD}


@pytest.fixture(params=["hub", "node"])
def web(request):
    built = request.getfixturevalue(f"{request.param}_web")
    built.login = LOGIN[request.param]
    built.token = {"Authorization": f"Bearer {claim(built)}"}
    return built


def code(web, secret, steps=0):
    return totp.hotp(base64.b32decode(secret), totp.step_at(web.clock.now().timestamp()) + steps)


def enrol(web):
    """Turn it on through the API; returns (secret, recovery codes)."""
    begun = web.client.post("/api/v1/auth/factors/totp/", json={"password": PASSWORD}, headers=web.token)
    assert begun.status_code == 201 and set(begun.json) == {"secret", "uri"}, begun.text
    done = web.client.post("/api/v1/auth/factors/totp/confirm/", json={"code": code(web, begun.json["secret"])}, headers=web.token)
    assert done.status_code == 200, done.text
    web.clock.advance(30)
    return begun.json["secret"], done.json["recovery_codes"]


def form(web, client, path, **values):
    """Send a form of the panel as a browser does."""
    token = client.get("/login/" if path == "/login/" else "/settings/").text.split('name="_csrf" value="')[1].split('"')[0]
    return client.post(path, data={**values, "_csrf": token})


def test_the_login_asks_for_the_second_step_and_takes_it(web):
    secret, recovery = enrol(web)
    asked = web.client.post(web.login, json=ADA)
    assert asked.status_code == 401 and asked.mimetype == "application/problem+json"
    assert asked.json["type"] == "urn:unibos:problem:factor-needed" and asked.json["factors"] == ["totp", "recovery"] and asked.json["expires_in"] == 300
    assert not {"token", "refresh_token", "user"} & set(asked.json)
    challenge = asked.json["challenge"]
    wrong = web.client.post(f"{web.login}factor/", json={"challenge": challenge, "code": "12345"})
    assert wrong.status_code == 401 and wrong.json["type"] == "urn:unibos:problem:unauthenticated" and "ended" not in wrong.json
    done = web.client.post(f"{web.login}factor/", json={"challenge": challenge, "code": code(web, secret)})
    assert done.status_code == 200 and set(done.json) == {"token", "refresh_token", "expires_in", "user"}
    mine = {"Authorization": f"Bearer {done.json['token']}"}
    state = web.client.get("/api/v1/auth/factors/", headers=mine).json
    assert state["totp"]["state"] == "on" and state["recovery"]["left"] == 10 and state["clock_trusted"] is True
    again = web.client.post(f"{web.login}factor/", json={"challenge": challenge, "code": recovery[0]})
    assert again.status_code == 401 and again.json["ended"] is True


def test_a_wrong_password_is_answered_as_ever(web):
    enrol(web)
    answer = web.client.post(web.login, json={**ADA, "password": "wrong"})
    assert answer.status_code == 401 and answer.json["type"] == "urn:unibos:problem:unauthenticated" and "challenge" not in answer.json


def test_guessing_codes_is_throttled_at_the_api(web):
    secret, _recovery = enrol(web)
    challenge = web.client.post(web.login, json=ADA).json["challenge"]
    for _ in range(5):
        assert web.client.post(f"{web.login}factor/", json={"challenge": challenge, "code": "not one"}).status_code == 401
    refused = web.client.post(f"{web.login}factor/", json={"challenge": challenge, "code": code(web, secret)})
    assert refused.status_code == 429 and 1 <= int(refused.headers["Retry-After"]) <= 61


def test_a_challenge_opens_nothing_but_its_login(web):
    enrol(web)
    challenge = web.client.post(web.login, json=ADA).json["challenge"]
    assert web.client.post("/api/v1/auth/refresh/", json={"refresh_token": challenge}).status_code == 401
    assert web.client.get("/api/v1/auth/whoami/", headers={"Authorization": f"Bearer {challenge}"}).status_code == 401
    browser = web.app.test_client()
    browser.set_cookie(f"unibos-{web.kit.role}", challenge)
    assert browser.get("/api/v1/auth/whoami/").status_code == 401
    for body in ({"challenge": challenge}, {"challenge": challenge, "code": "1", "email": "bo@example.org"}, {"challenge": 1, "code": "1"},
                 {"challenge": challenge, "code": "1" * 65}):
        assert web.client.post(f"{web.login}factor/", json=body).status_code == 400
    for body in ({**ADA, "code": "1"}, {**ADA, "challenge": challenge}):
        assert web.client.post(web.login, json=body).status_code == 400


def test_a_refresh_token_from_before_is_no_way_round(web):
    before = web.client.post(web.login, json=ADA).json["refresh_token"]
    enrol(web)
    assert web.client.post("/api/v1/auth/refresh/", json={"refresh_token": before}).status_code == 401


@pytest.mark.parametrize("who", [Actor("console", "console", "", "owner", "console", "socket"), Actor("node", "n", via="bearer")], ids=["console", "node"])
def test_the_console_and_nodes_have_no_factor_to_touch(node_web, monkeypatch, who):
    from unibos.kernel import compose
    from unibos.kernel.web import build_app
    from unibos.panel.shell import Shell

    claim(node_web)
    app = build_app(compose.routes(node_web.features), node_web.kit, node_web.services, hostname="box", authenticate=lambda: who,
                    shell=Shell(node_web.features, compose.navigation(node_web.features)))
    found = [r for _f, r in compose.routes(node_web.features) if "/auth/factors/" in r.path or r.path.startswith("/settings/security/")]
    assert len(found) == 7
    for route in found:
        if route.kind == "api":
            body = {"code": "1"} if route.path.endswith("/confirm/") else {"password": PASSWORD} if route.method != "GET" else None
            answer = app.test_client().open(route.path, method=route.method, json=body)
            assert answer.status_code == 403 and answer.json["type"] == "urn:unibos:problem:forbidden", route.name
        else:
            assert app.test_client().open(route.path, method=route.method).status_code == 403, route.name
    node_web.client.get("/healthz")  # the first app answers still


def test_off_by_delete_needs_a_proof(web):
    secret, recovery = enrol(web)
    for body, status in (({}, 400), ({"password": "wrong"}, 401), ({"code": "12345"}, 401), ({"password": PASSWORD, "code": recovery[0]}, 400)):
        assert web.client.delete("/api/v1/auth/factors/totp/", json=body, headers=web.token).status_code == status
    assert web.client.post(web.login, json=ADA).status_code == 401
    fresh = web.client.post("/api/v1/auth/factors/recovery/", json={"code": code(web, secret)}, headers=web.token)
    assert fresh.status_code == 201 and not set(fresh.json["recovery_codes"]) & set(recovery)
    assert web.client.delete("/api/v1/auth/factors/totp/", json={"password": PASSWORD}, headers=web.token).status_code == 204
    assert web.client.post(web.login, json=ADA).status_code == 200
    assert web.client.delete("/api/v1/auth/factors/totp/", json={"password": PASSWORD}, headers=web.token).status_code == 404


def test_the_panel_turns_it_on_and_asks_for_it(web):
    browser = web.app.test_client()
    assert form(web, browser, "/login/", **ADA).status_code == 303
    assert "Set it up" in browser.get("/settings/security/").text
    refused = form(web, browser, "/settings/security/", do="begin", password="wrong")
    assert refused.status_code == 401 and "password is wrong" in refused.text and "otpauth" not in refused.text
    shown = form(web, browser, "/settings/security/", do="begin", password=PASSWORD)
    assert shown.status_code == 200 and 'class="qr"' in shown.text and shown.headers["Cache-Control"] == "no-store"
    secret = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", shown.text)[1].replace(" ", "")
    waiting = browser.get("/settings/security/").text
    assert "waits for the first code" in waiting and secret[:4] + " " + secret[4:8] not in waiting and 'class="qr"' not in waiting
    assert form(web, browser, "/settings/security/", do="confirm", code="12345").status_code == 401
    on = form(web, browser, "/settings/security/", do="confirm", code=code(web, secret))
    recovery = re.findall(r"\b(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}\b", on.text)
    assert on.status_code == 200 and len(recovery) == 10
    page = browser.get("/settings/security/").text
    assert "10 left" in page and recovery[0] not in page and "10 recovery codes are left" in browser.get("/settings/").text
    web.clock.advance(30)

    other = web.app.test_client()
    asked = form(web, other, "/login/", **ADA, next="/about/")
    assert asked.status_code == 200 and "Set-Cookie" not in asked.headers and "Six digits" in asked.text
    challenge = re.search(r'name="challenge" value="([0-9a-f]+)"', asked.text)[1]
    assert PASSWORD not in asked.text and other.get("/settings/").status_code == 303
    wrong = form(web, other, "/login/", challenge=challenge, code="12345", next="/about/")
    assert wrong.status_code == 401 and challenge in wrong.text
    done = form(web, other, "/login/", challenge=challenge, code=recovery[0], next="/about/")
    assert done.status_code == 303 and done.headers["Location"] == "/about/" and other.get("/settings/").status_code == 200
    dead = form(web, web.app.test_client(), "/login/", challenge=challenge, code=recovery[1])
    assert dead.status_code == 401 and "Begin again with your password" in dead.text and 'name="password"' in dead.text

    assert form(web, other, "/settings/security/", do="off", password="wrong").status_code == 401
    assert form(web, other, "/settings/security/", do="codes", code=recovery[2]).status_code == 200
    assert form(web, other, "/settings/security/", do="off", password=PASSWORD).status_code == 303
    assert form(web, web.app.test_client(), "/login/", **ADA).headers["Location"] == "/"


def test_a_box_without_a_clock_says_what_still_lets_in(web):
    _secret, recovery = enrol(web)
    web.clock.is_trusted = False
    browser = web.app.test_client()
    asked = form(web, browser, "/login/", **ADA)
    assert "takes a recovery code only" in asked.text
    challenge = re.search(r'name="challenge" value="([0-9a-f]+)"', asked.text)[1]
    refused = form(web, browser, "/login/", challenge=challenge, code="123456")
    assert refused.status_code == 409 and "Use a recovery code" in refused.text and challenge in refused.text
    assert form(web, browser, "/login/", challenge=challenge, code=recovery[0]).status_code == 303
    assert "only recovery codes let you in" in browser.get("/settings/security/").text


def test_the_qr_code_is_drawn_as_the_standard_says_and_escapes_its_label():
    import segno
    from unibos.panel.qr import BORDER, svg

    content = "otpauth://totp/UNIBOS%20box:ada@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    drawn = str(svg(content, 'a "<b>'))
    dots = {(int(x) - BORDER, int(y) - BORDER) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", drawn)}
    matrix = segno.make(content, error="m", micro=False).matrix
    assert dots == {(x, y) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark}
    assert "<b>" not in drawn and "style=" not in drawn
