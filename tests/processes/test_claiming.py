"""The box and its owner: the claim, logins, tokens, and what the door refuses."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes.talk import ask, browser
from tests.stack import ADA, Stack

WRONG = "AAAA-AAAA-AAAA"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("fresh")) as running:
        yield running


def claim(url: str, code: str, **fields: str):
    return ask("POST", f"{url}/api/v1/claim/", {"code": code, **ADA, **fields})


def test_unclaimed_people_see_only_the_claim_page(fresh):
    for url in (fresh.hub, fresh.node):
        for path in ("/", "/settings/", "/login/", "/about/"):
            answer = ask("GET", url + path)
            assert (answer.status, answer.headers["Location"]) == (303, "/claim/"), path
        assert ask("GET", url + "/claim/").status == 200
        for method, path in (("GET", "/api/v1/organisation/"), ("GET", "/api/v1/jobs/"), ("GET", "/api/v1/auth/whoami/")):
            answer = ask(method, url + path)
            assert (answer.status, answer.json["type"]) == (403, "urn:unibos:problem:forbidden"), path
            assert "no owner yet" in answer.json["detail"]
        assert [ask("GET", url + path).status for path in ("/healthz", "/readyz", "/api/v1/auth/keys/")] == [200, 200, 200]
    assert ask("GET", f"{fresh.node}/api/v1/devices/").status == 403
    assert ask("POST", f"{fresh.node}/api/v1/local/auth/login/", {"email": ADA["email"], "password": ADA["password"]}).status == 403


def test_the_code_is_in_a_file_of_the_owner_and_on_the_console(fresh):
    for role in ("hub", "node"):
        place = fresh.data / role / "claim-code"
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", place.read_text().strip())
        assert fresh.said(f"{role} is not claimed").endswith(place.read_text().strip())


def test_wrong_code_then_too_many_then_the_right_one(fresh):
    """On the hub, so that the tries against the node start at none."""
    code = (fresh.data / "hub" / "claim-code").read_text().strip()
    assert code != WRONG
    assert [claim(fresh.hub, WRONG).status for _ in range(5)] == [403] * 5
    sixth = claim(fresh.hub, code)
    assert sixth.status == 429
    assert 1 <= int(sixth.headers["Retry-After"]) <= 61
    assert (fresh.data / "hub" / "claim-code").read_text().strip() == code


def test_bad_input_is_named_and_costs_nothing(fresh):
    code = (fresh.data / "node" / "claim-code").read_text().strip()
    answer = claim(fresh.node, code, password="short")
    assert (answer.status, list(answer.json["fields"])) == (400, ["password"])
    assert claim(fresh.node, code, colour="red").status == 400
    assert (fresh.data / "node" / "claim-code").exists()


def test_right_code_makes_one_owner_once(fresh):
    """Two people have the code and press at the same moment: one is the owner, the other one is nobody here."""
    code = (fresh.data / "node" / "claim-code").read_text().strip().lower().replace("-", " ")  # as somebody types it
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda email: claim(fresh.node, code, email=email), ("ada@example.org", "bo@example.org")))
    won, lost = sorted(both, key=lambda answer: answer.status)
    assert (won.status, lost.status) == (201, 409)
    assert set(won.json) == {"token", "refresh_token", "expires_in", "user"}
    assert won.json["user"]["name"] == "Ada"
    who = ask("GET", f"{fresh.node}/api/v1/auth/whoami/", Authorization=f"Bearer {won.json['token']}")
    assert (who.status, who.json["role"], who.json["via"]) == (200, "owner", "bearer")
    other = ({"ada@example.org", "bo@example.org"} - {won.json["user"]["email"]}).pop()
    assert ask("POST", f"{fresh.node}/api/v1/local/auth/login/", {"email": other, "password": ADA["password"]}).status == 401
    assert not (fresh.data / "node" / "claim-code").exists()
    assert claim(fresh.node, code, email="cy@example.org").status == 409
    assert ask("GET", f"{fresh.node}/claim/").headers["Location"] == "/login/"
    # The hub beside it is a box of its own.
    assert ask("GET", f"{fresh.hub}/api/v1/organisation/").status == 403


# Logins and tokens, on the claimed stack.


@pytest.mark.parametrize(("role", "path"), [("node", "/api/v1/local/auth/login"), ("hub", "/api/v1/auth/login")])
@pytest.mark.parametrize("slash", ["", "/"])
def test_login(stack, role, path, slash):
    url = stack.node if role == "node" else stack.hub
    answer = ask("POST", url + path + slash, {"email": "ADA@example.org", "password": ADA["password"]})
    assert answer.status == 200
    assert set(answer.json) == {"token", "refresh_token", "expires_in", "user"}
    who = ask("GET", f"{url}/api/v1/auth/whoami/", Authorization=f"Bearer {answer.json['token']}")
    assert (who.status, who.json["name"]) == (200, "Ada")


def test_logins_of_the_other_role_do_not_exist(stack):
    who = {"email": ADA["email"], "password": ADA["password"]}
    assert ask("POST", f"{stack.node}/api/v1/auth/login/", who).status == 404
    assert ask("POST", f"{stack.hub}/api/v1/local/auth/login/", who).status == 404


def test_wrong_password_and_unknown_person_are_told_alike(stack):
    url = f"{stack.node}/api/v1/local/auth/login/"
    wrong = ask("POST", url, {"email": ADA["email"], "password": "not this one"})
    unknown = ask("POST", url, {"email": "cy@example.org", "password": "not this one"})
    assert wrong.status == unknown.status == 401
    assert wrong.json["detail"] == unknown.json["detail"]


def test_a_refresh_token_works_once_and_a_stolen_one_ends_the_session(stack):
    login = ask("POST", f"{stack.hub}/api/v1/auth/login/", {"email": ADA["email"], "password": ADA["password"]}).json
    url = f"{stack.hub}/api/v1/auth/refresh/"
    second = ask("POST", url, {"refresh_token": login["refresh_token"]})
    assert second.status == 200
    assert second.json["refresh_token"] != login["refresh_token"]
    bearer = {"Authorization": f"Bearer {second.json['token']}"}
    assert ask("GET", f"{stack.hub}/api/v1/auth/whoami/", **bearer).status == 200
    assert ask("POST", url, {"refresh_token": login["refresh_token"]}).status == 401
    # Whoever holds the newer pair cannot go on either: one of the two is a thief.
    assert ask("POST", url, {"refresh_token": second.json["refresh_token"]}).status == 401
    assert ask("GET", f"{stack.hub}/api/v1/auth/whoami/", **bearer).status == 401


def test_logout_ends_the_session_of_the_token(stack):
    token = ask("POST", f"{stack.hub}/api/v1/auth/login/", {"email": ADA["email"], "password": ADA["password"]}).json["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert ask("POST", f"{stack.hub}/api/v1/auth/logout/", **bearer).status == 204
    assert ask("GET", f"{stack.hub}/api/v1/auth/whoami/", **bearer).status == 401


def test_tokens_are_of_one_device(stack):
    """The node's token says nothing to the hub, a changed one nothing to anybody."""
    own = stack.tokens["node"]
    head, body, sign = own.split(".")
    for url, token in ((stack.hub, own), (stack.node, f"{head}.{body}.{sign[::-1]}"), (stack.node, "x"), (stack.node, f"{head}.{body}.")):
        assert ask("GET", f"{url}/api/v1/auth/whoami/", Authorization=f"Bearer {token}").status == 401
    assert ask("GET", f"{stack.node}/api/v1/auth/whoami/").status == 401


# The door.


def test_a_foreign_host_name_is_refused(stack):
    port = stack.node_port
    assert ask("GET", f"{stack.node}/login/", Host=f"evil.example:{port}").status == 403
    assert ask("GET", f"{stack.node}/api/v1/auth/whoami/", Host="evil.example", Authorization=f"Bearer {stack.tokens['node']}").status == 403
    assert ask("GET", f"{stack.node}/login/", Host=f"localhost:{port}").status == 200


def test_forms_need_their_token_and_their_own_site(stack):
    cookie = browser(stack.node)
    home = ask("GET", f"{stack.node}/", **cookie)
    assert home.status == 200
    csrf = re.search(r'name="_csrf" value="([0-9a-f]+)"', ask("GET", f"{stack.node}/settings/", **cookie).text)[1]
    out = f"{stack.node}/logout/"
    assert ask("POST", out, form={}, **cookie).status == 403
    assert ask("POST", out, form={"_csrf": "0" * 64}, **cookie).status == 403
    assert ask("POST", out, form={"_csrf": csrf}, Origin="http://evil.example", **cookie).status == 403
    assert ask("POST", out, form={"_csrf": csrf}, Sec_Fetch_Site="cross-site", **cookie).status == 403
    assert ask("GET", f"{stack.node}/settings/", **cookie).status == 200
    assert ask("POST", out, form={"_csrf": csrf}, Origin=stack.node, **cookie).status == 303
    assert ask("GET", f"{stack.node}/settings/", **cookie).headers["Location"].startswith("/login/")


def test_the_api_with_a_cookie_needs_the_token_as_well(stack):
    cookie = browser(stack.node)
    new = {"name": "csrf test"}
    assert ask("POST", f"{stack.node}/api/v1/devices/credentials/", new, **cookie).status == 403
    assert ask("POST", f"{stack.node}/api/v1/devices/credentials/", new, Origin="http://evil.example",
               Authorization=f"Bearer {stack.tokens['node']}").status == 403


def test_answers_carry_the_shield(stack):
    for path in ("/login/", "/api/v1/auth/keys/", "/healthz", "/nothing/"):
        headers = ask("GET", stack.node + path).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Request-Id"]
