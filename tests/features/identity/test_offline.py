"""A person of a hub on a node: with the hub, without it, after changes there, and as time passes."""

import base64
import datetime as dt

import pytest
from unibos.features.identity import totp
from unibos.features.identity.hub_models import HubPerson, LocalGrant
from unibos.features.identity.models import Session, User
from unibos.kernel.errors import Blocked
from unibos.wire import tokens

from tests.conftest import PASSWORD
from tests.features.identity.two import EVE, Pair

DAY = 86400


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    yield made
    made.close()


def test_a_person_of_the_hub_logs_in_with_it_and_without_it(pair):
    first = pair.log_in()
    assert first.status_code == 200, first.text
    assert first.json["user"]["kind"] == "hub" and first.json["user"]["email"] == EVE
    who = pair.whoami(first.json["token"]).json
    assert (who["role"], who["offline"], who["org_id"], who["why"]) == ("owner", False, pair.node.services["orgs"].home_id(), "")
    kept = HubPerson.get()
    assert kept.verifier.startswith("$argon2id$") and User.get(User.id == kept.id).password_hash == ""
    with pair.on_hub():
        assert User.get(User.email == EVE).password_hash != kept.verifier
    pair.wire.down = True
    second = pair.log_in()
    assert second.status_code == 200 and pair.whoami(second.json["token"]).json["offline"] is True
    assert pair.log_in(password="another four words").status_code == 401
    pair.wire.down = False
    pair.contact.report()
    pair.advance(3)
    assert pair.whoami(second.json["token"]).json["offline"] is False  # the hub has confirmed it since


def test_unknown_people_and_wrong_passwords_are_told_alike(pair):
    pair.log_in()
    told = {}
    for down in (False, True):
        pair.wire.down = down
        for email in (EVE, "nobody@example.org", "ada@example.org"):
            pair.advance(61)
            answer = pair.log_in(email, "wrong")
            told[down, email] = (answer.status_code, answer.json["detail"], answer.json["type"])
    assert len(set(told.values())) == 1, told


def test_local_accounts_come_first_and_need_no_hub(pair):
    before = len(pair.wire.calls)
    pair.wire.down = True
    answer = pair.log_in("ada@example.org")
    assert answer.status_code == 200 and pair.whoami(answer.json["token"]).json["offline"] is False
    assert len(pair.wire.calls) == before


def test_a_changed_password_ends_what_was_kept_at_the_next_contact(pair):
    token = pair.log_in().json["token"]
    with pair.on_hub() as identity:
        eve = User.get(User.email == EVE)
        identity.set_password(eve.id, "other words altogether")
        assert User.get(User.email == EVE).credential_version == 2
    assert pair.whoami(token).status_code == 200
    pair.contact.report()
    assert pair.whoami(token).status_code == 401
    pair.wire.down = True
    assert pair.log_in().status_code == 401 and pair.log_in(password="other words altogether").status_code == 401
    pair.wire.down = False
    pair.advance(61)
    assert pair.log_in().status_code == 401
    assert pair.log_in(password="other words altogether").status_code == 200
    pair.wire.down = True
    assert pair.log_in(password="other words altogether").status_code == 200


def test_a_disabled_person_is_out_at_the_next_contact(pair):
    token = pair.log_in().json["token"]
    with pair.on_hub():
        User.update(disabled_at=pair.hub.clock.now()).execute()
    pair.contact.report()
    assert pair.whoami(token).status_code == 401 and HubPerson.get().verifier == ""
    pair.wire.down = True
    assert pair.log_in().status_code == 401


def test_a_contact_carries_no_secret_and_only_what_changed(pair):
    pair.log_in()
    pair.contact.report()
    path, sent = pair.wire.calls[-1]
    assert path == "/api/v1/auth/permissions/sync/" and set(sent["people"][0]) == {"id", "version", "fingerprint"}
    with pair.on_hub():
        User.update(name="Eva").execute()
    assert "1 permissions" in pair.contact.report() and User.get(User.email == EVE).name == "Eva"
    assert "1 unchanged" in pair.contact.report()


def test_rights_shrink_after_seven_days_and_end_after_thirty(pair):
    pair.log_in()
    person = HubPerson.get()
    pair.wire.down = True
    pair.node.clock.advance(8 * DAY)
    token = pair.log_in().json["token"]
    who = pair.whoami(token).json
    assert who["role"] == "guest" and "seven days" in who["why"]
    headers = pair.bearer(pair.node.client.post("/api/v1/local/auth/login/", json={"email": "ada@example.org", "password": PASSWORD}).json["token"])
    grant = f"/api/v1/local/people/{person.id}/grant/"
    assert pair.node.client.post(grant, json={"role": "member"}, headers=pair.bearer(token)).status_code == 403
    assert pair.node.client.post(grant, json={"role": "member"}, headers=headers).status_code == 204
    assert LocalGrant.get().role == "member" and pair.whoami(token).json["role"] == "member"
    shown = pair.node.client.get("/api/v1/local/people/", headers=headers).json["items"]
    assert [(p["email"], p["state"], p["role"], p["grant"]) for p in shown] == [(EVE, "shrunk", "member", "member")]
    pair.node.clock.advance(23 * DAY)
    refused = pair.log_in()
    assert refused.status_code == 401 and "30 days" in refused.json["detail"]
    assert pair.log_in("ada@example.org").status_code == 200


def test_setting_the_clock_back_lengthens_nothing(pair):
    pair.log_in()
    pair.wire.down = True
    pair.node.clock.advance(29 * DAY)
    pair.identity.hub_people.mark()
    pair.node.clock.advance(-28 * DAY)
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "guest"
    pair.node.clock.advance(1.5 * DAY)
    pair.identity.hub_people.mark()
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "guest"
    pair.node.clock.advance(-9 * DAY)  # behind the last contact
    answer = pair.log_in()
    assert pair.whoami(answer.json["token"]).json["role"] == "guest"
    pair.node.clock.is_trusted = False
    assert pair.whoami(answer.json["token"]).json["role"] == "guest"
    pair.node.clock.is_trusted = True
    pair.wire.down = False
    pair.node.clock.advance(7.5 * DAY)
    pair.contact.report()
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "owner"


def test_a_clock_that_was_never_set_gives_less_and_breaks_nothing(pair):
    clock = pair.node.clock
    real, clock.time, clock.is_trusted = clock.time, dt.datetime(1970, 1, 2, tzinfo=dt.UTC), False
    first = pair.log_in()
    assert first.status_code == 200 and pair.whoami(first.json["token"]).json["role"] == "guest"
    pair.wire.down = True
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "guest"
    pair.wire.down = False
    pair.contact.report()  # which counts time anew, from a day in 1970 on
    pair.wire.down = True
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "guest"
    clock.time, clock.is_trusted = real, True  # the time came, and with it some fifty years without a word of the hub
    clock.advance(61)
    assert pair.log_in().status_code == 401
    pair.wire.down = False
    pair.contact.report()
    clock.advance(61)
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "owner"


def test_a_login_with_the_hub_under_a_clock_that_went_back_is_worth_as_much_once_it_is_right_again(pair):
    pair.node.clock.advance(-20 * DAY)
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "guest"
    pair.wire.down = True
    pair.node.clock.advance(20 * DAY + 61)
    assert pair.whoami(pair.log_in().json["token"]).json["role"] == "owner"


def test_the_hubs_second_step_is_passed_through_and_is_missed_offline(pair):
    with pair.on_hub() as identity:
        eve = User.get(User.email == EVE)
        made = identity.factors.begin(eve.id, "a", PASSWORD)

        secret = base64.b32decode(made["secret"])
        codes = identity.factors.confirm(eve.id, "", "a", totp.hotp(secret, totp.step_at(pair.hub.clock.now().timestamp())))
    asked = pair.log_in()
    assert asked.status_code == 401 and asked.json["type"].endswith("factor-needed")
    step = {"challenge": asked.json["challenge"], "code": "000000"}
    assert pair.node.client.post("/api/v1/local/auth/login/factor/", json=step).status_code == 401
    done = pair.node.client.post("/api/v1/local/auth/login/factor/", json={**step, "code": codes[0]})
    assert done.status_code == 200 and done.json["user"]["email"] == EVE
    assert pair.node.client.post("/api/v1/local/auth/login/factor/", json={**step, "code": codes[1]}).status_code == 401
    pair.wire.down = True
    pair.advance(61)
    refused = pair.log_in()
    assert refused.status_code == 401 and "second step on the hub" in refused.json["detail"] and "challenge" not in refused.json
    # One that the person has set up on the node takes its place.
    person = HubPerson.get()
    made = pair.identity.factors.begin(person.id, "b", PASSWORD)
    local = pair.identity.factors.confirm(person.id, "", "b", totp.hotp(base64.b32decode(made["secret"]), totp.step_at(pair.node.clock.now().timestamp())))
    pair.advance(61)
    asked = pair.log_in()
    assert asked.json["type"].endswith("factor-needed")
    done = pair.node.client.post("/api/v1/local/auth/login/factor/", json={"challenge": asked.json["challenge"], "code": local[0]})
    assert done.status_code == 200 and pair.whoami(done.json["token"]).json["offline"] is True
    assert Session.select().where(Session.offline == True).count() == 1  # noqa: E712


def test_a_token_from_the_hub_lets_in_on_its_node_only(pair):
    with pair.on_hub():
        answer = pair.hub.client.post("/api/v1/auth/node-token/", json={"node_id": pair.node_id}, headers=pair.bearer(pair.eve))
        assert answer.status_code == 200, answer.text
        assert pair.hub.client.get("/api/v1/auth/whoami/", headers=pair.bearer(answer.json["token"])).status_code == 401
        for other in ("00000000-0000-0000-0000-000000000000", "x\0y", "\ud800"):
            code = pair.hub.client.post("/api/v1/auth/node-token/", json={"node_id": other}, headers=pair.bearer(pair.eve)).status_code
            assert code == (404 if other[0] == "0" else 400)
    token = answer.json["token"]
    assert pair.whoami(token).json["role"] == "owner"
    assert pair.whoami(pair.eve).status_code == 401
    pair.advance(DAY + 1)
    assert pair.whoami(token).status_code == 401


def test_a_node_that_was_revoked_is_told_nothing(pair):
    pair.log_in()
    with pair.on_hub():
        org = pair.hub.services["orgs"].home_id()
        pair.hub.services["registry"].fleet.revoke(pair.node_id, org, "eve")
    pair.contact.report()
    pair.advance(61)
    refused = pair.log_in()  # what was kept of the hub's people went with the trust
    assert refused.status_code == 401 and refused.json["detail"] == pair.log_in("nobody@example.org").json["detail"]


def test_a_nodes_token_on_another_node_and_other_attacks(pair):
    with pair.on_hub() as identity:
        signer, eve = identity.signer, User.get(User.email == EVE)
        person = identity.for_nodes.person(eve, pair.node_id, pair.hub.services["orgs"].home_id())
        good = identity.for_nodes.token(person, pair.node_id)[0]
        other = identity.for_nodes.token(person, "another-node")[0]
        access = pair.eve
        claims = tokens.signed(good, tokens.NODE, tokens.keys_of(signer.jwks()))
        own_audience = signer.sign(claims, typ=tokens.NODE)
        typ = signer.sign(claims, audience=tokens.node_audience(pair.node_id))
        now = int(pair.hub.clock.now().timestamp())
        expired = signer.sign({**claims, "exp": now - 1}, audience=claims["aud"], typ=tokens.NODE)
        older = signer.sign({**claims, "ver": 0, "jti": "2"}, audience=claims["aud"], typ=tokens.NODE)
        worse = signer.sign({**claims, "org": "x"}, audience=claims["aud"], typ=tokens.NODE)
    assert pair.whoami(good).status_code == 200
    for token in (other, access, own_audience, typ, expired, older, worse, good[:-3] + "AAA", tokens.sign(b"\1" * 32, tokens.NODE, claims)):
        assert pair.whoami(token).status_code == 401
    with pair.on_hub() as identity:
        identity.signer.rotate(at_once=True)
    assert pair.whoami(good).status_code == 200  # the node has not heard of it yet
    pair.contact.report()
    assert pair.whoami(good).status_code == 401


def test_keys_that_were_fetched_too_long_ago_vouch_for_nobody(pair):
    with pair.on_hub() as identity:
        person = identity.for_nodes.person(User.get(User.email == EVE), pair.node_id, pair.hub.services["orgs"].home_id())
        short = identity.for_nodes.token(person, pair.node_id)[0]
        claims = tokens.signed(short, tokens.NODE, tokens.keys_of(identity.signer.jwks()))
        token = identity.signer.sign({**claims, "exp": claims["iat"] + 400 * DAY}, audience=claims["aud"], typ=tokens.NODE)
    pair.log_in()
    pair.node.clock.advance(89 * DAY)
    assert "30 days" in pair.whoami(token).json["detail"]
    pair.node.clock.advance(1 * DAY)
    assert "not one of this device" in pair.whoami(token).json["detail"]


def test_a_person_who_comes_by_a_token_first_is_kept_without_a_verifier(pair):
    with pair.on_hub():
        token = pair.hub.client.post("/api/v1/auth/node-token/", json={"node_id": pair.node_id}, headers=pair.bearer(pair.eve)).json["token"]
    assert pair.whoami(token).status_code == 200 and HubPerson.get().verifier == ""
    pair.wire.down = True
    assert pair.log_in().status_code == 401


def test_a_local_account_with_the_same_e_mail_stays_its_own(pair):
    with pair.on_hub():
        User.update(email="ada@example.org").execute()
    with pair.on_hub() as identity:
        identity.set_password(User.get(User.email == "ada@example.org").id, "the hub's other words")
    local, hub = pair.log_in("ada@example.org"), pair.log_in("ada@example.org", "the hub's other words")
    assert (local.status_code, hub.status_code) == (200, 200)
    ids = [pair.whoami(answer.json["token"]).json["id"] for answer in (local, hub)]
    assert ids[0] != ids[1] and User.get(User.id == ids[1]).email.endswith("@hub.invalid")
    pair.wire.down = True
    assert pair.whoami(pair.log_in("ada@example.org", "the hub's other words").json["token"]).json["id"] == ids[1]


def test_a_hub_that_is_away_is_not_waited_for_again_and_again(pair):
    pair.log_in()
    pair.wire.down = True
    tries = []
    pair.contact._link.call = lambda *a, **k: tries.append(1) or pair.wire.call("POST", "/x", module="identity", data_type="login", destination="hub")
    hub = pair.contact._link.hub()
    type(hub).update(failure="nobody answers").execute()
    assert pair.log_in().status_code == 200 and pair.log_in().status_code == 200
    assert len(tries) == 1
    pair.advance(11)
    pair.log_in()
    assert len(tries) == 2


def test_nothing_is_asked_for_what_the_owner_denies(pair):
    pair.log_in()
    pair.node.services["export"].set("identity", "login", "hub", "deny")
    def gated(*_a, module, data_type, destination, **_k):
        verdict = pair.node.kit.gate.check(module, data_type, destination)
        if not verdict.allowed:
            raise Blocked(verdict.why)
        raise AssertionError("it went out")

    pair.wire.call = gated
    answer = pair.log_in()
    assert answer.status_code == 200 and pair.whoami(answer.json["token"]).json["offline"] is True
