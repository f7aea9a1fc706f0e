"""The rules about roles and limits, walked through in full."""

import itertools

import pytest
from unibos.features.orgs.decide import DEFAULTS, PLANS, ROLES, level, limits, may_change, may_invite, may_remove
from unibos.kernel.actors import RANKS
from unibos.kernel.words import Text

EVERYBODY = ("", "guest", *ROLES)


def test_who_changes_whom():
    """Against the rules written a second way: nobody below an admin acts; owners are the matter of owners; the last of them stays."""
    seen = 0
    for actor, target, role, own, owners in itertools.product(EVERYBODY, ("guest", *ROLES), (*ROLES, "guest", "king"), (False, True), (1, 2)):
        if own and actor != target:
            continue
        may = (actor in ("owner", "admin") and target != "guest" and role in ROLES and (actor == "owner" or "owner" not in (target, role))
               and not (target == "owner" and role != "owner" and owners == 1))
        why = may_change(actor, target, role, self=own, owners=owners)
        assert (why is None) == may, (actor, target, role, own, owners, why)
        assert why is None or isinstance(why, Text)
        seen += may
    assert seen > 20


def test_who_removes_whom_and_who_leaves():
    for actor, target, own, owners in itertools.product(EVERYBODY, ("guest", *ROLES), (False, True), (1, 2)):
        if own and actor != target:
            continue
        may = (own or actor in ("owner", "admin")) and (target != "owner" or (actor == "owner" and owners == 2))
        assert (may_remove(actor, target, self=own, owners=owners) is None) == may, (actor, target, own, owners)


@pytest.mark.parametrize("actor", EVERYBODY)
def test_who_invites_as_what(actor):
    found = {role for role in (*ROLES, "guest") if may_invite(actor, role) is None}
    assert found == {"owner": {*ROLES, "guest"}, "admin": {"admin", "member", "viewer", "guest"}}.get(actor, set())


def test_nobody_gets_more_than_they_have_by_any_one_act():
    for actor, role, owners in itertools.product(("guest", *ROLES), ROLES, (1, 2, 3)):
        if may_change(actor, actor, role, self=True, owners=owners) is None:
            assert RANKS[role] <= RANKS[actor]
        if may_invite(actor, role) is None:
            assert RANKS[role] <= RANKS[actor]


def test_limits_are_the_plans_unless_the_organisation_has_its_own():
    assert set(DEFAULTS) == set(PLANS) and (DEFAULTS["free"].users, DEFAULTS["free"].nodes, DEFAULTS["free"].storage_gb) == (1, 1, 5)
    assert all(bound is None for bound in vars(DEFAULTS["self_hosted"]).values())
    assert limits("starter", None, 7, 0).nodes == 7 and limits("starter", None, 7, 0).storage_gb == 0 and limits("starter", None, 7, 0).users == 5
    assert limits("unheard of", None, None, None) == DEFAULTS["free"]
    assert [level(*case) for case in ((0, 5), (4, 5), (5, 5), (6, 5), (0, 0), (3, None))] == ["good", "warn", "bad", "bad", "bad", "quiet"]
