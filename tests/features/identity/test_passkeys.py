"""Passkeys through the API: adding, logging in alone and as the second step, and what attackers send."""

import base64

import pytest
from unibos.features.identity.models import User
from unibos.features.identity.passkeys import site
from unibos.features.identity.safety_models import Passkey, SecurityEvent
from unibos.kernel.errors import Conflict

from tests.authenticator import BE, BS, UP, UV, Authenticator
from tests.conftest import PASSWORD, claim
from tests.features.identity.test_factor_web import LOGIN, code, enrol

ADA = {"email": "ada@example.org", "password": PASSWORD}
PASSKEYS = "/api/v1/auth/passkeys/"


@pytest.fixture(params=["hub", "node"])
def web(request):
    built = request.getfixturevalue(f"{request.param}_web")
    built.login = LOGIN[request.param]
    built.token = {"Authorization": f"Bearer {claim(built)}"}
    return built


@pytest.fixture
def hub(hub_web):
    """One of the two is enough where only the service differs."""
    hub_web.login = LOGIN["hub"]
    hub_web.token = {"Authorization": f"Bearer {claim(hub_web)}"}
    return hub_web


def post(web, path, body, token=None, client=None, **more):
    return (client or web.app.test_client()).post(path, json=body, headers=token, **more)


def added(web, name="Key", token=None, **how):
    """A passkey of Ada's; returns (authenticator, answer)."""
    token, key = token or web.token, Authenticator(**how)
    begun = post(web, f"{PASSKEYS}begin/", {"password": PASSWORD}, token)
    assert begun.status_code == 200, begun.text
    done = post(web, f"{PASSKEYS}finish/", {"handle": begun.json["handle"], "credential": key.create(begun.json["options"]), "name": name}, token)
    assert done.status_code == 201, done.text
    return key, done.json


def asked(web, **body):
    answer = post(web, f"{web.login}passkey/begin/", body)
    assert answer.status_code == 200, answer.text
    return answer.json


def finish(web, begun, credential, **body):
    return post(web, f"{web.login}passkey/finish/", {"handle": begun["handle"], "credential": credential, **body})


def bo(web):
    """Somebody else with a token; no member, so identity is asked directly."""
    service = web.services["identity"]
    return service.create("bo@example.org", PASSWORD, "Bo")


def kinds(web, user_id=None):
    return [row.kind for row in SecurityEvent.select().order_by(SecurityEvent.id)]


def test_a_passkey_is_added_lets_in_alone_and_turns_the_second_step_on(web):
    before = post(web, web.login, ADA).json["refresh_token"]
    key, made = added(web, "  My   phone ")
    assert made["passkey"]["name"] == "My phone" and made["passkey"]["rp_id"] == "localhost" and made["passkey"]["here"] is True
    assert len(set(made["recovery_codes"])) == 10 and "passkey-added" in kinds(web)
    assert post(web, "/api/v1/auth/refresh/", {"refresh_token": before}).status_code == 401  # a password alone had opened it
    begun = asked(web)
    assert begun["options"]["rpId"] == "localhost" and begun["options"]["userVerification"] == "required" and not begun["options"].get("allowCredentials")
    done = finish(web, begun, key.get(begun["options"]))
    assert done.status_code == 200 and done.json["user"]["email"] == ADA["email"], done.text
    listed = web.client.get(PASSKEYS, headers={"Authorization": f"Bearer {done.json['token']}"}).json["items"]
    assert [(item["name"], item["used_at"] is not None, item["backed_up"]) for item in listed] == [("My phone", True, False)]
    refused = post(web, web.login, ADA)
    assert refused.status_code == 401 and refused.json["type"] == "urn:unibos:problem:factor-needed" and refused.json["factors"] == ["passkey", "recovery"]


def test_a_passkey_completes_a_login_by_password(web):
    key, made = added(web)
    challenge = post(web, web.login, ADA).json["challenge"]
    begun = asked(web, challenge=challenge)
    assert [base64.urlsafe_b64decode(c["id"] + "==") for c in begun["options"]["allowCredentials"]] == [key.id]
    answer = key.get(begun["options"])
    assert finish(web, begun, answer).status_code == 401  # the handle belongs to that login
    begun = asked(web, challenge=challenge)
    done = finish(web, begun, key.get(begun["options"]), challenge=challenge)
    assert done.status_code == 200 and done.json["token"]
    assert post(web, f"{web.login}passkey/begin/", {"challenge": challenge}).status_code == 401
    challenge = post(web, web.login, ADA).json["challenge"]
    assert post(web, f"{web.login}factor/", {"challenge": challenge, "code": made["recovery_codes"][0]}).status_code == 200


@pytest.mark.parametrize("lie", [{"origin": "https://evil.example"}, {"origin": "http://localhost:8000"}, {"rp_id": "example"}, {"rp_id": "evil.example"},
                                 {"flags": UP}, {"flags": UV}, {"challenge": "AAAA"}], ids=str)
def test_an_answer_that_lies_in_one_thing_is_refused(hub, lie):
    begun = post(hub, f"{PASSKEYS}begin/", {"password": PASSWORD}, hub.token).json
    refused = post(hub, f"{PASSKEYS}finish/", {"handle": begun["handle"], "credential": Authenticator().create(begun["options"], **lie), "name": "x"}, hub.token)
    assert refused.status_code == 401 and Passkey.select().count() == 0
    key, _made = added(hub)
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"], **lie)).status_code == 401
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 200


def test_a_challenge_is_spent_by_its_first_answer_and_ends_after_five_minutes(hub):
    key, _made = added(hub)
    begun = asked(hub)
    answer = key.get(begun["options"])
    assert finish(hub, begun, answer).status_code == 200
    assert finish(hub, begun, answer).status_code == 401 and finish(hub, begun, key.get(begun["options"])).status_code == 401
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"], flags=UP)).status_code == 401  # a wrong answer spends it as well
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401
    begun = asked(hub)
    hub.clock.advance(301)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401
    hub.clock.advance(-310)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401  # nor before it was made, by a clock that went back


def test_a_handle_is_ours_for_one_purpose_and_one_session(hub):
    key, _made = added(hub)
    begun = asked(hub)
    text, _, mac = begun["handle"].partition(".")
    for forged in ("", ".", f"{text}.", f"{text}.{mac[:-1]}{'Q' if mac[-1] == 'A' else 'A'}", f"A{text}.{mac}", "é.é"):
        assert finish(hub, {"handle": forged}, key.get(begun["options"])).status_code == 401
    adding = post(hub, f"{PASSKEYS}begin/", {"password": PASSWORD}, hub.token).json
    assert finish(hub, adding, key.get(adding["options"])).status_code == 401
    fresh, body = Authenticator(), {"name": "x"}
    assert post(hub, f"{PASSKEYS}finish/", {**body, "handle": begun["handle"], "credential": fresh.create({**begun["options"], **{"user": {"id": "AAAA"}}})},
                hub.token).status_code == 401
    begun = asked(hub)
    other = {"Authorization": f"Bearer {finish(hub, begun, key.get(begun['options'])).json['token']}"}
    adding = post(hub, f"{PASSKEYS}begin/", {"password": PASSWORD}, hub.token).json
    assert post(hub, f"{PASSKEYS}finish/", {**body, "handle": adding["handle"], "credential": fresh.create(adding["options"])}, other).status_code == 401
    assert post(hub, f"{PASSKEYS}finish/", {**body, "handle": adding["handle"], "credential": fresh.create(adding["options"])}, hub.token).status_code == 201


def test_nobody_uses_anothers_passkey(hub):
    key, made = added(hub)
    service, other = hub.services["identity"], bo(hub)
    mine = Authenticator()
    begun = service.passkeys.begin(other.id, "s", site("http", "localhost"), "a", password=PASSWORD)
    row, _codes = service.passkeys.finish(other.id, "s", site("http", "localhost"), "a", begun["handle"], __import__("json").dumps(mine.create(begun["options"])), "B")
    challenge = post(hub, hub.login, ADA).json["challenge"]
    begun = asked(hub, challenge=challenge)
    assert finish(hub, begun, mine.get(begun["options"]), challenge=challenge).status_code == 401  # Ada's login, Bo's key
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"], user=mine.user)).status_code == 401  # says it is Bo's
    again = post(hub, f"{PASSKEYS}begin/", {"password": PASSWORD}, hub.token).json
    assert [base64.urlsafe_b64decode(c["id"] + "==") for c in again["options"]["excludeCredentials"]] == [key.id]
    assert post(hub, f"{PASSKEYS}finish/", {"handle": again["handle"], "credential": mine.create(again["options"]), "name": "x"}, hub.token).status_code == 409
    assert hub.client.patch(f"{PASSKEYS}{row.id}/", json={"name": "mine"}, headers=hub.token).status_code == 404
    assert hub.client.delete(f"{PASSKEYS}{row.id}/", json={"password": PASSWORD}, headers=hub.token).status_code == 404
    assert Passkey.get_by_id(row.id).name == "B"


def test_a_counter_that_goes_back_is_refused_and_told(hub):
    key, made = added(hub, count=5)
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 200
    for count in (6, 5, 1, 0):
        key.count, begun = count, asked(hub)
        assert finish(hub, begun, key.get(begun["options"])).status_code == 401
    assert kinds(hub).count("passkey-copied") == 4
    key.count, begun = 7, asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 200


def test_a_passkey_that_does_not_count_and_is_backed_up_works_every_time(hub):
    key, made = added(hub, count=0, flags=UP | UV | BE | BS)
    assert made["passkey"]["backed_up"] is True
    for _ in range(2):
        begun = asked(hub)
        assert finish(hub, begun, key.get(begun["options"])).status_code == 200


def test_adding_and_removing_ask_who_it_is(hub):
    for body, status in (({}, 400), ({"password": "wrong"}, 401), ({"password": PASSWORD, "code": "1"}, 400), ({"code": "123456"}, 401)):
        assert post(hub, f"{PASSKEYS}begin/", body, hub.token).status_code == status
    key, made = added(hub)
    at = f"{PASSKEYS}{made['passkey']['id']}/"
    assert hub.client.patch(at, json={"name": "x" * 61}, headers=hub.token).status_code == 400
    assert hub.client.patch(at, json={"name": "Ring"}, headers=hub.token).json["name"] == "Ring"
    for body, status in (({}, 400), ({"password": "wrong"}, 401), ({"code": "1" * 16}, 401)):
        assert hub.client.delete(at, json=body, headers=hub.token).status_code == status
    assert post(hub, hub.login, ADA).status_code == 401
    assert hub.client.delete(at, json={"code": made["recovery_codes"][0]}, headers=hub.token).status_code == 204
    assert post(hub, hub.login, ADA).status_code == 200  # with the last factor the second step is off
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401


def test_app_and_passkey_together(hub):
    secret, codes = enrol(hub)
    key, made = added(hub)
    assert made["recovery_codes"] == []  # those of the app stay
    needed = post(hub, hub.login, ADA).json
    assert needed["factors"] == ["totp", "passkey", "recovery"]
    hub.clock.advance(30)
    assert post(hub, f"{hub.login}factor/", {"challenge": needed["challenge"], "code": code(hub, secret)}).status_code == 200
    assert hub.client.delete("/api/v1/auth/factors/totp/", json={"password": PASSWORD}, headers=hub.token).status_code == 204
    needed = post(hub, hub.login, ADA).json
    assert needed["factors"] == ["passkey", "recovery"]
    assert post(hub, f"{hub.login}factor/", {"challenge": needed["challenge"], "code": codes[0]}).status_code == 200


def test_a_passkey_of_another_name_is_no_way_in_here_but_still_asks_for_a_code(hub):
    key, made = added(hub)
    here = {"base_url": "https://box.local"}
    needed = post(hub, hub.login, ADA, **here)
    assert needed.json["factors"] == ["recovery"] and "another name" in needed.json["detail"]
    begun = post(hub, f"{hub.login}passkey/begin/", {}, **here).json
    assert begun["options"]["rpId"] == "box.local"
    assert post(hub, f"{hub.login}passkey/finish/", {"handle": begun["handle"], "credential": key.get(begun["options"], rp_id="box.local",
                                                                                                    origin="https://box.local")}, **here).status_code == 401
    assert post(hub, f"{hub.login}passkey/begin/", {"challenge": needed.json["challenge"]}, **here).status_code == 409


@pytest.mark.parametrize("where", ["http://192.168.1.5", "https://192.168.1.5:8443", "https://[fd00::1]", "http://box.local"])
def test_under_an_address_or_without_tls_it_says_what_to_do(hub, where):
    refused = post(hub, f"{hub.login}passkey/begin/", {}, base_url=where)
    assert refused.status_code == 409 and "by" in refused.json["detail"] and "name" in refused.json["detail"]
    with pytest.raises(Conflict):
        scheme, _, host = where.partition("://")
        site(scheme, host)


def test_ten_are_the_most_and_a_disabled_person_gets_in_by_none(hub):
    key, _made = added(hub)
    row = Passkey.get()
    for n in range(9):
        Passkey.create(id=str(n), user_id=row.user_id, rp_id="localhost", credential_hash=str(n), credential_id="AAAA", public_key="", name="x", created_at=hub.clock.now())
    assert post(hub, f"{PASSKEYS}begin/", {"password": PASSWORD}, hub.token).status_code == 422
    User.update(disabled_at=hub.clock.now()).execute()
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401


@pytest.mark.parametrize("credential", [{}, {"response": 1}, {"rawId": 1, "response": {}}, {"rawId": "é", "response": {}}, {"rawId": "\ud800", "response": {}},
                                        {"rawId": "AAAA", "response": {"clientDataJSON": []}}, {"rawId": "A" * 2000, "response": {}}, {"x": "a" * 50_000, "response": {}}], ids=lambda c: str(c)[:40])
def test_no_nonsense_breaks_it(hub, credential):
    key, _made = added(hub)
    begun = asked(hub)
    assert finish(hub, begun, credential).status_code in (400, 401, 413)
    good = key.get(asked(hub)["options"])
    for at, value in (("authenticatorData", "AAAA"), ("signature", ""), ("clientDataJSON", "bnVsbA"), ("authenticatorData", None), ("userHandle", 7)):
        begun = asked(hub)
        assert finish(hub, begun, {**good, "response": {**good["response"], at: value}}).status_code in (400, 401), at


def test_the_console_removes_passkeys_too(hub):
    key, _made = added(hub)
    assert hub.services["identity"].factors.recover(ADA["email"]) is True
    begun = asked(hub)
    assert finish(hub, begun, key.get(begun["options"])).status_code == 401
    assert post(hub, hub.login, ADA).status_code == 200
