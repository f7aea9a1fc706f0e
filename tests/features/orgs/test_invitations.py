"""Invitations and guests, on both databases: each as often as it says, for whom it says, as long as it says."""

import pytest
from unibos.features.orgs.models import Invitation, Member
from unibos.features.orgs.organisations import tidy
from unibos.kernel.errors import Conflict, Forbidden, Invalid, LimitReached, Throttled, Unauthenticated

from tests.conftest import PASSWORD
from tests.features.orgs.conftest import CONSOLE
from tests.features.orgs.test_members import at_once


def accept(house, secret, name="Bo", **more):
    return house.orgs.invitations.accept(secret, "x", name=name, email=more.pop("email", f"{name.lower()}@example.org"), password=PASSWORD, **more)


def test_an_invitation_lets_one_in_once_and_its_secret_is_kept_nowhere(on_hub):
    secret = on_hub.invite("viewer")
    assert len(secret) == 32
    seen = on_hub.orgs.invitations.look(f"https://hub.example.org/join/#invite={secret.lower()} ", "x")
    assert (seen["organisation"], seen["role"], seen["pin"]) == ("Ada", "viewer", False)
    user, org_id = accept(on_hub, secret)
    assert org_id == on_hub.home and on_hub.role_of(user) == "viewer"
    with pytest.raises(Forbidden, match="wrong, used up"):
        accept(on_hub, secret, "Cy")
    assert on_hub.identity.people.find("cy@example.org") is None
    with on_hub.within():
        assert secret not in str(list(Invitation.select().dicts()))


def test_whatever_is_wrong_with_an_invitation_sounds_alike(on_hub):
    late, taken, said = on_hub.invite(hours=1), on_hub.invite(), set()
    with on_hub.within():
        on_hub.orgs.invitations.revoke(on_hub.home, CONSOLE, on_hub.orgs.invitations.open(on_hub.home)[0].id)
    on_hub.built.clock.advance(3601)
    for secret in (late, taken, "A" * 32, "", "x" * 300):
        for act in (on_hub.orgs.invitations.look, accept.__get__(on_hub)):
            with pytest.raises(Forbidden) as refused:
                act(secret, "x") if act == on_hub.orgs.invitations.look else act(secret)
            said.add(str(refused.value))
    assert len(said) == 1


def test_one_for_an_address_is_for_that_address(on_hub):
    cy = on_hub.join("Cy")
    secret = on_hub.invite(email="Bo@Example.org")
    for wrong in (lambda: accept(on_hub, secret, "Di"), lambda: on_hub.orgs.invitations.accept(secret, "x", actor=on_hub.actor(cy))):
        with pytest.raises(Forbidden, match="another e-mail"):
            wrong()
    assert accept(on_hub, secret, "Bo")[0].email == "bo@example.org"


def test_a_known_address_is_told_to_log_in_and_nothing_is_used_up(on_hub):
    bo, other = on_hub.join("Bo"), on_hub.organisation("Other", on_hub.ada)
    secret = on_hub.invite("admin", other)
    with pytest.raises(Conflict, match="Log in, then"):
        accept(on_hub, secret, "Bo")
    on_hub.orgs.invitations.accept(secret, "x", actor=on_hub.actor(bo))
    assert on_hub.role_of(bo, other) == "admin" and on_hub.role_of(bo) == "member"
    again = on_hub.invite("owner", other)
    with pytest.raises(Conflict, match="belong"):
        on_hub.orgs.invitations.accept(again, "x", actor=on_hub.actor(bo))
    assert on_hub.role_of(bo, other) == "admin"
    assert accept(on_hub, again, "Di")[0].name == "Di"


def test_who_may_not_invite_as_that_is_refused_and_bad_ones_are_not_made(on_hub):
    bo, cy = on_hub.join("Bo", "admin"), on_hub.join("Cy")
    for who, role in ((cy, "viewer"), (cy, "guest"), (bo, "owner")):
        with pytest.raises(Forbidden):
            on_hub.invite(role, by=on_hub.actor(who), guest_hours=1 if role == "guest" else 0)
    for wrong in ({"role": "king"}, {"hours": 0}, {"hours": 721}, {"uses": 0}, {"uses": 101}, {"email": "a@b", "uses": 2}, {"role": "guest"},
                  {"role": "guest", "guest_hours": 721}, {"role": "guest", "guest_hours": 1, "pin": "12a4"}, {"pin": "1234"}, {"guest_hours": 3},
                  {"role": "guest", "guest_hours": 1, "email": "a@b"}, {"role": "guest", "guest_hours": 1, "pin": "١٢٣٤"}):
        with pytest.raises(Invalid):
            on_hub.invite(**wrong)
    with on_hub.within():
        assert Invitation.select().where(Invitation.used < Invitation.uses).count() == 0


def test_of_two_at_once_one_gets_in(on_hub):
    secret = on_hub.invite()

    def come(name):
        try:
            return accept(on_hub, secret, name)[0].name
        finally:
            on_hub.kit.db.release()

    found = at_once(lambda: come("Bo"), lambda: come("Cy"))
    assert sorted(type(x).__name__ for x in found) == ["Forbidden", "str"], found
    assert sum(on_hub.identity.people.find(f"{name}@example.org") is not None for name in ("bo", "cy")) == 1


def test_two_for_the_last_place_and_one_gets_it(on_hub):
    org = on_hub.organisation("Small", on_hub.ada, "free")
    with on_hub.within(org):
        on_hub.orgs.organisations.change(org, CONSOLE, max_users=2)
    first, second = on_hub.invite(org_id=org), on_hub.invite(org_id=org)

    def come(secret, name):
        try:
            return accept(on_hub, secret, name)[0].name
        finally:
            on_hub.kit.db.release()

    found = at_once(lambda: come(first, "Bo"), lambda: come(second, "Cy"))
    assert sorted(type(x).__name__ for x in found) == ["LimitReached", "str"], found
    refused = next(x for x in found if isinstance(x, LimitReached))
    assert refused.extra == {"limit": "users", "used": 2, "allowed": 2}
    assert str(refused) == ("The limit of people of this organisation is reached: 2 of 2 are used (plan free). Whoever runs this hub can raise it.")
    with on_hub.within(org):
        on_hub.orgs.organisations.change(org, CONSOLE, max_users=3)
        assert Member.select().where(Member.organisation_id == org).count() == 2
    late = next(s for s, x in zip((first, second), found, strict=True) if x is refused)
    assert accept(on_hub, late, "Di")[0].name == "Di", "what was refused was not used up"


def test_a_guest_comes_without_anything_and_goes_with_the_time(on_hub):
    guest, _org = on_hub.orgs.invitations.accept(on_hub.invite("guest", guest_hours=48), "x", name="Gül")
    _session, secret = on_hub.identity.open_session(guest, "browser", "", "")
    tokens = on_hub.identity.tokens(guest, "", "")
    who = on_hub.identity.by_cookie(secret)
    assert (who.role, who.own_only, who.org_id) == ("guest", True, on_hub.home) and on_hub.identity.by_token(tokens["token"]).role == "guest"
    assert on_hub.orgs.claims_of(guest.id)["permissions"] == {"is_admin": False, "modules": {}, "nodes": {}}
    on_hub.built.clock.advance(47 * 3600)
    assert on_hub.identity.by_cookie(secret).role == "guest", "not to be logged out by idling"
    assert on_hub.identity.refresh(tokens["refresh_token"])["expires_in"] <= 3600
    on_hub.built.clock.advance(3600)
    assert on_hub.identity.by_cookie(secret).kind == "nobody"
    for again in (lambda: on_hub.identity.by_token(tokens["token"]), lambda: on_hub.identity.refresh(tokens["refresh_token"]),
                  lambda: on_hub.identity.log_in(guest.email, "", "x")):
        with pytest.raises(Unauthenticated):
            again()
    on_hub.orgs.forget()
    assert on_hub.orgs.claims_of(guest.id) == {}
    assert tidy(on_hub.kit, on_hub.built.services) == "took out 1" and tidy(on_hub.kit, on_hub.built.services) is None
    assert on_hub.role_of(guest) == "" and on_hub.identity.user(guest.id).disabled_at


def test_a_guest_can_be_sent_away_at_once_and_is_never_made_more(on_hub):
    guest, _org = on_hub.orgs.invitations.accept(on_hub.invite("guest", guest_hours=1), "x", name="Gül")
    _session, secret = on_hub.identity.open_session(guest, "browser", "", "")
    with on_hub.within():
        with pytest.raises(Forbidden, match="no e-mail"):
            on_hub.orgs.people.change(on_hub.home, CONSOLE, guest.id, "member")
        with pytest.raises(Conflict):
            on_hub.orgs.people.offer(on_hub.home, CONSOLE, guest.id)
        with pytest.raises(Forbidden, match="as a guest"):
            on_hub.orgs.invitations.accept(on_hub.invite("admin"), "x", actor=on_hub.actor(guest))
        assert on_hub.orgs.organisations.why_not_create(on_hub.actor(guest)) is not None
        on_hub.orgs.people.remove(on_hub.home, CONSOLE, guest.id)
    assert on_hub.identity.by_cookie(secret).kind == "nobody"


def test_a_pin_is_asked_for_and_ten_wrong_ones_end_the_link(on_hub):
    secret = on_hub.invite("guest", guest_hours=1, pin="4711", uses=2)
    enter = lambda pin: on_hub.orgs.invitations.accept(secret, "x", name="Gül", pin=pin)
    for wrong in ("", "4712", "47110"):
        with pytest.raises(Unauthenticated, match="PIN"):
            enter(wrong)
    assert enter("4711")[0].kind == "guest"
    with on_hub.within():
        assert "4711" not in str(list(Invitation.select().dicts()))
    for _ in range(7):
        with pytest.raises(Unauthenticated):
            enter("0000")
    with pytest.raises(Forbidden, match="wrong, used up"):
        enter("4711")


def test_tries_are_counted_by_address_and_a_pin_by_its_link(on_hub):
    del on_hub.identity.throttle
    secret = on_hub.invite("guest", guest_hours=1, pin="4711")
    for n in range(5):
        with pytest.raises(Unauthenticated):
            on_hub.orgs.invitations.accept(secret, f"address-{n}", name="Gül", pin="0000")
    with pytest.raises(Throttled):
        on_hub.orgs.invitations.accept(secret, "another", name="Gül", pin="4711")
    for _ in range(20):
        with pytest.raises(Forbidden):
            on_hub.orgs.invitations.look("A" * 32, "one")
    with pytest.raises(Throttled):
        on_hub.orgs.invitations.look(secret, "one")
    on_hub.built.clock.advance(61)
    assert on_hub.orgs.invitations.accept(secret, "one", name="Gül", pin="4711")[0].kind == "guest"


def test_old_invitations_are_forgotten_and_open_ones_bounded(on_hub, monkeypatch):
    monkeypatch.setattr("unibos.features.orgs.limits.INVITATIONS", 2)
    on_hub.invite(hours=1)
    on_hub.invite(hours=720)
    with pytest.raises(LimitReached, match="open invitations"):
        on_hub.invite()
    on_hub.built.clock.advance(3600)
    on_hub.invite()
    on_hub.built.clock.advance(31 * 86400)
    tidy(on_hub.kit, on_hub.built.services)
    with on_hub.within():
        assert Invitation.select().count() == 2


def test_the_same_on_a_node(on_node):
    bo = on_node.join("Bo", "viewer")
    assert on_node.role_of(bo) == "viewer" and bo.kind == "local"
    guest, _org = on_node.orgs.invitations.accept(on_node.invite("guest", guest_hours=1), "x", name="Gül")
    assert on_node.role_of(guest) == "guest"
    on_node.built.clock.advance(3600)
    assert tidy(on_node.kit, on_node.built.services) == "took out 1"
