"""Members: roles, leaving, removing, and the ownership, on both databases."""

import threading

import pytest
from unibos.features.identity.models import MODELS, User
from unibos.features.orgs.models import Member, Organisation
from unibos.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated
from unibos.kernel.words import T

from tests.conftest import PASSWORD
from tests.features.orgs.conftest import CONSOLE


def at_once(*works):
    """Do all at the same moment, each on a thread of its own; returns what each gave or raised."""
    gate, found = threading.Barrier(len(works)), [None] * len(works)

    def do(number, work):
        gate.wait()
        try:
            found[number] = work()
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=do, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_role_is_changed_told_and_counts_at_once(on_hub):
    bo, told = on_hub.join("Bo"), []
    on_hub.identity.events.note = lambda user_id, kind, text, address="": told.append((user_id, kind, str(text)))
    ada = on_hub.actor(on_hub.ada)
    assert on_hub.orgs.claims_of(bo.id)["org"]["role"] == "member"
    with on_hub.within():
        assert on_hub.orgs.people.change(on_hub.home, ada, bo.id, "viewer").role == "viewer"
    assert on_hub.orgs.claims_of(bo.id)["org"]["role"] == "viewer"
    assert told == [(bo.id, "role-changed", "Your role in Ada is now: viewer.")]
    with on_hub.within(), pytest.raises(Forbidden, match="Only owners and admins"):
        on_hub.orgs.people.change(on_hub.home, on_hub.actor(bo), bo.id, "admin")
    with on_hub.within(), pytest.raises(NotFound):
        on_hub.orgs.people.change(on_hub.home, ada, "nobody", "viewer")


def test_what_counts_is_the_role_now_and_not_what_the_session_remembers(on_hub):
    bo, cy = on_hub.join("Bo", "admin"), on_hub.join("Cy")
    before = on_hub.actor(bo)
    with on_hub.within():
        on_hub.orgs.people.change(on_hub.home, CONSOLE, bo.id, "member")
        with pytest.raises(Forbidden):
            on_hub.orgs.people.remove(on_hub.home, before, cy.id)
    assert on_hub.role_of(cy) == "member"


def test_the_last_owner_stays_until_there_is_another(on_hub):
    ada, bo = on_hub.actor(on_hub.ada), on_hub.join("Bo")
    with on_hub.within():
        for act in (lambda: on_hub.orgs.people.remove(on_hub.home, ada, ada.id), lambda: on_hub.orgs.people.remove(on_hub.home, CONSOLE, ada.id),
                    lambda: on_hub.orgs.people.change(on_hub.home, ada, ada.id, "admin")):
            with pytest.raises(Forbidden, match="last owner"):
                act()
        on_hub.orgs.people.change(on_hub.home, ada, bo.id, "owner")
        on_hub.orgs.people.remove(on_hub.home, ada, ada.id)
    assert on_hub.role_of(bo) == "owner" and on_hub.role_of(on_hub.ada) == "" and on_hub.orgs.claims_of(on_hub.ada.id) == {}


def test_of_two_owners_who_leave_at_once_one_stays(on_hub):
    ada, bo = on_hub.actor(on_hub.ada), on_hub.actor(on_hub.join("Bo", "owner"))

    def leave(who):
        try:
            with on_hub.within():
                on_hub.orgs.people.remove(on_hub.home, who, who.id)
        finally:
            on_hub.kit.db.release()

    found = at_once(lambda: leave(ada), lambda: leave(bo))
    assert sorted(type(e).__name__ for e in found) == ["Forbidden", "NoneType"], found
    with on_hub.within():
        assert Member.select().where(Member.role == "owner").count() == 1


def test_removal_ends_rights_invitations_and_open_pages(on_hub):
    bo, sent = on_hub.join("Bo", "admin"), []
    secret = on_hub.invite("member", by=on_hub.actor(bo))
    on_hub.kit.tell = lambda channel, message: sent.append(message)
    with on_hub.within():
        on_hub.orgs.people.remove(on_hub.home, on_hub.actor(on_hub.ada), bo.id)
    assert on_hub.orgs.claims_of(bo.id) == {} and {"type": "left", "actor": bo.id, "org": on_hub.home} in sent
    with pytest.raises(Forbidden, match="wrong, used up"):
        on_hub.orgs.invitations.look(secret, "x")


def test_another_process_knows_a_removal_within_two_seconds(on_hub):
    bo = on_hub.join("Bo")
    assert on_hub.orgs.claims_of(bo.id)["org"]["role"] == "member"
    with on_hub.within():
        Member.delete().where(Member.user_id == bo.id).execute()  # as another process does
    on_hub.built.clock.advance(2.1)
    assert on_hub.orgs.claims_of(bo.id) == {}


def test_the_ownership_is_offered_with_a_password_and_accepted(on_hub):
    bo, people, ada = on_hub.join("Bo", "viewer"), on_hub.orgs.people, on_hub.actor(on_hub.ada)
    with on_hub.within():
        with pytest.raises(Unauthenticated):
            people.offer(on_hub.home, ada, bo.id, password="wrong one altogether")
        with pytest.raises(Forbidden):
            people.offer(on_hub.home, on_hub.actor(bo), bo.id, password=PASSWORD)
        people.offer(on_hub.home, ada, bo.id, password=PASSWORD)
        with pytest.raises(Conflict, match="not offered to you"):
            people.accept(on_hub.home, ada)
        assert on_hub.role_of(bo) == "viewer"
        people.accept(on_hub.home, on_hub.actor(bo))
        assert (on_hub.role_of(bo), on_hub.role_of(on_hub.ada), Organisation.get().owner_id) == ("owner", "admin", bo.id)
        with pytest.raises(Conflict):
            people.accept(on_hub.home, on_hub.actor(bo))


def test_an_offer_ends_by_time_withdrawal_removal_and_by_losing_it(on_hub):
    bo, cy, people, ada = on_hub.join("Bo"), on_hub.join("Cy"), on_hub.orgs.people, on_hub.actor(on_hub.ada)
    with on_hub.within():
        people.offer(on_hub.home, ada, bo.id, password=PASSWORD)
        with pytest.raises(Forbidden):
            people.withdraw(on_hub.home, on_hub.actor(cy))
        people.withdraw(on_hub.home, on_hub.actor(bo))
        for end in (lambda: on_hub.built.clock.advance(7 * 86400), lambda: people.offer(on_hub.home, ada, cy.id, password=PASSWORD),
                    lambda: people.change(on_hub.home, CONSOLE, cy.id, "owner") and people.change(on_hub.home, CONSOLE, on_hub.ada.id, "member")):
            people.offer(on_hub.home, ada, bo.id, password=PASSWORD)
            end()
            with pytest.raises(Conflict):
                people.accept(on_hub.home, on_hub.actor(bo))
        people.offer(on_hub.home, CONSOLE, bo.id)
        people.remove(on_hub.home, CONSOLE, bo.id)
        assert Organisation.get().offered_to == ""


def test_the_console_replaces_an_owner_who_is_lost(on_hub):
    bo = on_hub.join("Bo")
    with on_hub.within():
        on_hub.orgs.people.offer(on_hub.home, CONSOLE, bo.id)
        on_hub.orgs.people.accept(on_hub.home, on_hub.actor(bo))
    assert on_hub.role_of(on_hub.ada) == "admin" and on_hub.role_of(bo) == "owner"


def test_an_owner_is_neither_disabled_nor_erased_and_others_leave_their_records(on_hub):
    bo, people = on_hub.join("Bo"), on_hub.orgs.people
    other = on_hub.organisation("Other", bo)
    for act in (people.disable, people.erase):
        for user in (on_hub.ada, bo):
            with pytest.raises(Conflict, match="own the organisation"):
                act(user.id)
    cy = on_hub.join("Cy", org_id=other)
    session, secret = on_hub.identity.open_session(cy, "browser", "", "")
    assert on_hub.identity.by_cookie(secret).role == "member"
    people.disable(cy.id)
    assert on_hub.identity.by_cookie(secret).kind == "nobody" and on_hub.role_of(cy, other) == "member"
    with pytest.raises(Unauthenticated):
        on_hub.identity.log_in("cy@example.org", PASSWORD, "x")
    people.enable(cy.id)
    assert on_hub.identity.log_in("cy@example.org", PASSWORD, "x").id == cy.id
    on_hub.identity.devices.arrive(cy, "", "10.0.0.1", "a browser")
    on_hub.identity.events.note(cy.id, "password-changed", T("The password of your account was changed."))
    kept = [table for table in MODELS if table is not User and "user_id" in table._meta.fields]
    assert sum(table.select().where(table.user_id == cy.id).count() for table in kept) >= 3
    people.erase(cy.id)
    assert not any(table.select().where(table.user_id == cy.id).exists() for table in kept)
    assert on_hub.role_of(cy, other) == "" and on_hub.identity.user(cy.id).name == "–" and on_hub.identity.people.find("cy@example.org") is None
