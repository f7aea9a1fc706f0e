"""What a hub tells a node of people: those of its organisation, and of nobody else more than that they are not let in."""

import pytest
from unibos.features.identity.models import User
from unibos.features.orgs.models import Member, Organisation
from unibos.features.registry.models import Node
from unibos.kernel.actors import Actor
from unibos.kernel.errors import Forbidden, NotFound

from tests.conftest import PASSWORD

A, B = "org-a", "org-b"


@pytest.fixture
def two(hub):
    """Two organisations with a person and a node each."""
    hub.identity, hub.nodes = hub.services["identity"], {}
    for org_id, name in ((A, "ada"), (B, "bo")):
        user = hub.identity.create(f"{name}@example.org", PASSWORD, name.title())
        with hub.db.tenant(org_id), hub.db.transaction():
            hub.kit.records.create(Organisation, id=org_id, org_id=org_id, name=org_id, slug=org_id)
            Member.create(id=f"m-{org_id}", organisation_id=org_id, user_id=user.id, role="member", joined_at=hub.clock.now())
            hub.nodes[org_id] = hub.kit.records.create(Node, org_id=org_id, hostname=name, public_key=name).id
        setattr(hub, name, user)
    return hub


def contact(hub, org_id, *users):
    with hub.db.tenant(org_id):
        return hub.identity.for_nodes.contact(hub.nodes[org_id], org_id, [{"id": u, "version": 1, "fingerprint": ""} for u in users])["people"]


def test_only_people_of_the_nodes_organisation_are_told_of(two):
    told = {one["id"]: one for one in contact(two, A, two.ada.id, two.bo.id, "nobody")}
    assert told[two.ada.id]["state"] == "permissions" and told[two.ada.id]["person"]["role"] == "member"
    assert told[two.bo.id] == {"id": two.bo.id, "state": "revoked"} and told["nobody"] == {"id": "nobody", "state": "revoked"}
    assert contact(two, B, two.bo.id)[0]["person"]["org"]["id"] == B


def test_a_person_of_two_organisations_is_in_each_what_they_are_there(two):
    """Also on the node of the one that is not their first."""
    with two.db.tenant(B), two.db.transaction():
        Member.create(id="m-both", organisation_id=B, user_id=two.ada.id, role="viewer", joined_at=two.clock.now())
    for org_id, role in ((A, "member"), (B, "viewer")):
        person = contact(two, org_id, two.ada.id)[0]["person"]
        assert (person["org"]["id"], person["role"]) == (org_id, role)
    with two.db.tenant(B):
        Member.delete().where(Member.id == "m-both").execute()
    two.services["orgs"].forget()
    assert contact(two, B, two.ada.id)[0]["state"] == "revoked"


def test_nobody_of_another_organisation_logs_in_on_a_node(two):
    with two.db.tenant(A):
        assert two.identity.for_nodes.log_in(two.nodes[A], A, "ada@example.org", PASSWORD, "1")["state"] == "in"
        assert two.identity.for_nodes.log_in(two.nodes[A], A, "bo@example.org", PASSWORD, "1") == {"state": "refused", "why": "not-here"}
        wrong = [two.identity.for_nodes.log_in(two.nodes[A], A, email, "wrong", "1") for email in ("ada@example.org", "bo@example.org", "no@example.org")]
    assert wrong == [{"state": "refused", "why": "credentials"}] * 3


def test_a_node_of_another_organisation_is_not_there(two):
    ada = Actor("person", two.ada.id, A, "member")
    with two.db.tenant(A):
        assert two.identity.for_nodes.node_token(ada, two.nodes[A])["audience"] == f"unibos:node:{two.nodes[A]}"
        for other in (two.nodes[B], "nowhere"):
            with pytest.raises(NotFound):
                two.identity.for_nodes.node_token(ada, other)
        with pytest.raises(Forbidden):
            two.identity.for_nodes.node_token(Actor("console", "console", A, "owner"), two.nodes[A])


def test_who_may_not_use_the_node_or_was_disabled_gets_no_token(two):
    claims = two.identity.claims
    two.identity.claims = lambda user_id, org_id="": {**claims(user_id, org_id), "permissions": {"nodes": {"another": 3, two.nodes[A]: 0}}}
    with two.db.tenant(A), pytest.raises(Forbidden):
        two.identity.for_nodes.node_token(Actor("person", two.ada.id, A, "member"), two.nodes[A])
    assert contact(two, A, two.ada.id)[0]["state"] == "revoked"
    two.identity.claims = claims
    assert contact(two, A, two.ada.id)[0]["state"] == "permissions"
    with two.db.transaction():
        User.update(disabled_at=two.clock.now()).where(User.id == two.ada.id).execute()
    assert contact(two, A, two.ada.id)[0]["state"] == "revoked"


def test_tries_through_a_node_are_counted_by_account_and_by_the_address_there(two):
    with two.db.tenant(A):
        tries = [two.identity.for_nodes.log_in(two.nodes[A], A, "ada@example.org", "wrong", f"10.0.0.{n}")["why"] for n in range(7)]
        assert tries == ["credentials"] * 5 + ["throttled"] * 2
        # Somebody else from an address that tried nothing gets in all the same.
        assert two.identity.for_nodes.log_in(two.nodes[A], A, "nobody@example.org", "wrong", "10.0.0.99")["why"] == "credentials"
