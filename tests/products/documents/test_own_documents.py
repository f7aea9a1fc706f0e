"""Who is shown only what is theirs: lists, searches, opens and changes their own documents, also those of an account they have linked."""

import io

import pytest
from unibos.features.identity.hub_models import AccountLink
from unibos.kernel.actors import Actor
from unibos.kernel.errors import NotFound

PDF = b"%PDF-1.4\n"
GUEST = Actor("person", "eve", "home", "guest")


@pytest.fixture
def shelf(node):
    node.documents, node.org = node.services["documents"], node.services["orgs"].home_id()
    with node.db.tenant(node.org):
        node.ids = {owner: node.documents.add(io.BytesIO(PDF + owner.encode()), f"contract {owner}.pdf", org_id=node.org, owner_id=owner)[0].id
                    for owner in ("ada", "eve", "local-eve")}
        yield node


def seen(shelf, words, owners):
    return sorted(row["document"].owner_id for row in shelf.documents.list(shelf.org, words, owners=owners))


@pytest.mark.parametrize("words", ["", "contract"])
def test_only_ones_own_are_listed_and_found(shelf, words):
    assert seen(shelf, words, None) == ["ada", "eve", "local-eve"]
    assert seen(shelf, words, ("eve",)) == ["eve"] and seen(shelf, words, ("nobody",)) == [] and seen(shelf, words, ()) == []


def test_anothers_is_not_there_for_any_verb(shelf):
    mine = shelf.services["identity"].owners(GUEST)
    assert mine == ("eve",)
    assert shelf.documents.get(shelf.ids["eve"], shelf.org, mine).owner_id == "eve"
    for verb in (lambda i: shelf.documents.get(i, shelf.org, mine), lambda i: shelf.documents.change(i, shelf.org, "eve", title="x", owners=mine),
                 lambda i: shelf.documents.retry(i, shelf.org, "eve", mine), lambda i: shelf.documents.delete(i, shelf.org, "eve", mine)):
        with pytest.raises(NotFound):
            verb(shelf.ids["ada"])
    assert shelf.documents.change(shelf.ids["eve"], shelf.org, "eve", title="mine", owners=mine).title == "mine"
    shelf.documents.delete(shelf.ids["eve"], shelf.org, "eve", mine)
    assert seen(shelf, "", None) == ["ada", "local-eve"]


def test_what_is_ones_own_includes_the_linked_account(shelf):
    with shelf.db.transaction():
        AccountLink.create(local_id="local-eve", hub_id="eve", issuer="h", state="pending", linked_at=shelf.clock.now())
    identity = shelf.services["identity"]
    assert set(identity.owners(GUEST)) == set(identity.own_ids("local-eve")) == {"eve", "local-eve"}
    assert seen(shelf, "contract", identity.owners(GUEST)) == ["eve", "local-eve"]
    assert identity.owners(Actor("person", "eve", "home", "member")) is None
