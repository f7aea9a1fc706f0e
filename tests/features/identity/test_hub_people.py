"""What a node keeps of people of hubs, on both databases: whose keys, whose ids, whose time."""

import pytest
from unibos.features.identity.hub_models import ClockSeen, HubKeys, HubPerson, LocalGrant
from unibos.features.identity.models import Session, User
from unibos.features.identity.passwords import make
from unibos.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from unibos.wire import contact, proof, tokens

from tests.conftest import PASSWORD

EVE = contact.Person("eve", "Eve@Example.org", "Eve", 1, "member", False, {"name": "Home"}, {"nodes": {"*": 3}})


@pytest.fixture
def house(node):
    node.identity = node.services["identity"]
    node.people = node.identity.hub_people
    node.keep = lambda told=EVE, issuer="h", **more: _keep(node, told, issuer, more)
    return node


def _keep(node, told, issuer, more):
    with node.db.transaction():
        return node.people.keep(issuer, told, **more)


def test_a_person_is_kept_once_and_by_one_hub(house):
    assert house.keep(verifier=make(PASSWORD)).email == "eve@example.org"
    assert house.keep().id == "eve" and User.select().count() == HubPerson.select().count() == 1
    assert HubPerson.get().verifier != ""  # what is kept without a password keeps what was there
    with pytest.raises(Forbidden):
        house.keep(issuer="another hub")
    ada = house.identity.create("ada@example.org", PASSWORD, "Ada")
    with pytest.raises(Forbidden):
        house.keep(contact.Person(ada.id, "x@y", "Mallory", 1, "owner", False, {}, {}))
    assert User.get(User.id == ada.id).kind == "local"


def test_who_was_disabled_here_stays_so_whatever_the_hub_says(house):
    house.keep(verifier=make(PASSWORD))
    with house.db.transaction():
        User.update(disabled_at=house.clock.now()).where(User.id == "eve").execute()
    house.keep()
    assert User.get(User.id == "eve").disabled_at is not None
    with pytest.raises(Unauthenticated):
        house.people.offline("eve@example.org", PASSWORD)


def test_without_a_hub_the_verifier_decides_and_ends(house):
    house.keep(verifier=make(PASSWORD))
    user = house.people.offline("EVE@example.org ", PASSWORD)
    assert user.offline_session
    session, secret = house.identity.open_session(user, "browser", "a", "x")
    actor = house.identity.by_cookie(secret)
    assert (actor.role, actor.offline, actor.org_id) == ("member", True, house.services["orgs"].home_id())
    with house.db.transaction():
        house.people.confirm("eve")
    assert Session.get(Session.id == session.id).offline is False
    with house.db.transaction():
        house.people.end("eve", revoked=True)
    assert house.identity.by_cookie(secret).kind == "nobody"
    with pytest.raises(Unauthenticated):
        house.people.offline("eve@example.org", PASSWORD)


def test_two_people_of_two_hubs_with_one_e_mail_are_not_mixed_up(house):
    house.keep(verifier=make(PASSWORD))
    house.keep(contact.Person("eve2", "eve@example.org", "Eve", 1, "owner", False, {}, {}), "h2", verifier=make(PASSWORD))
    assert {u.email for u in User.select()} == {"eve@example.org", "eve2@hub.invalid"}
    with pytest.raises(Unauthenticated, match="E-mail or password is wrong"):
        house.people.offline("eve@example.org", PASSWORD)


def test_time_is_what_the_clock_has_shown_latest(house):
    house.people.mark()
    house.clock.advance(86400)
    house.people.mark()
    house.clock.advance(-40000)
    house.people.mark()
    assert (house.people.seen() - house.clock.now()).total_seconds() == 40000 and ClockSeen.select().count() == 1
    house.people.contacted()
    assert house.people.seen() == house.clock.now()


def test_a_second_hub_cannot_take_the_name_of_the_first(house):
    keys = {"keys": [tokens.jwk(proof.public_key(b"\1" * 32))]}
    with house.db.transaction():
        house.people.keep_keys("node-at-a", "h", keys, {"node-at-a", "node-at-b"})
    with pytest.raises(Forbidden, match="Two hubs"):
        house.people.keep_keys("node-at-b", "h", keys, {"node-at-a", "node-at-b"})
    house.people.keep_keys("node-joined-anew", "h", keys, {"node-joined-anew"})
    assert HubKeys.get().node_id == "node-joined-anew"


def test_what_the_owner_grants(house):
    house.keep()
    for nobody in ("nobody", "a\0b", "\ud800"):
        with pytest.raises(NotFound):
            house.people.set_grant(nobody, "member", "ada")
    for role in ("owner", "root", "x" * 50):
        with pytest.raises(Invalid):
            house.people.set_grant("eve", role, "ada")
    house.people.set_grant("eve", "admin", "ada"), house.people.set_grant("eve", "viewer", "ada")
    assert house.people.grant("eve") == "viewer" and house.people.claims_of("eve")["org"]["role"] == "member"
    house.clock.advance(8 * 86400)
    assert house.people.claims_of("eve")["org"]["role"] == "viewer" and house.people.claims_of("eve")["permissions"] == {}
    house.people.set_grant("eve", "", "ada")
    assert LocalGrant.select().count() == 0 and house.people.claims_of("eve")["org"]["role"] == "guest"


def test_the_password_of_a_hubs_person_is_not_changed_here(house):
    from unibos.kernel.errors import Conflict

    house.keep()
    with pytest.raises(Conflict, match="change it there"):
        house.identity.set_password("eve", "other words altogether")
    ada = house.identity.create("ada@example.org", PASSWORD, "Ada")
    first, _secret = house.identity.open_session(ada, "browser", "a", "x")
    house.identity.open_session(ada, "browser", "a", "y")
    house.identity.set_password(ada.id, "other words altogether", but=first.id)
    assert [s.id for s in house.identity.sessions(ada.id)] == [first.id] and house.identity.user(ada.id).credential_version == 2
    assert house.identity.log_in("ada@example.org", "other words altogether", "a").id == ada.id
    with pytest.raises(Invalid):
        house.identity.set_password(ada.id, "short")
