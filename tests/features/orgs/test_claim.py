"""The claim: once, with the code, throttled; and what it makes."""

import stat

import pytest
from unibos.kernel.errors import Conflict, Forbidden, Invalid, Throttled

from tests.conftest import PASSWORD

ADA = {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"}


@pytest.fixture
def orgs(node):
    node.orgs = node.services["orgs"]
    return node


def test_the_code_has_sixty_bits_is_kept_to_the_owner_and_typed_as_people_type(orgs):
    code = orgs.orgs.code()
    assert len(code) == 14 and orgs.orgs.code() == code
    assert stat.S_IMODE((orgs.kit.data_dir / "claim-code").stat().st_mode) == 0o600
    orgs.orgs.check_code(f" {code.lower().replace('-', ' ')} ".replace("0", "o").replace("1", "l"), "a")


def test_a_claim_makes_an_owner_once_and_uses_the_code_up(orgs):
    code = orgs.orgs.code()
    user = orgs.orgs.claim(code, "a", **ADA, organisation="The Lovelaces")
    claims = orgs.services["identity"].claims(user.id)
    assert claims["org"]["role"] == "owner" and claims["org"]["name"] == "The Lovelaces" and claims["permissions"]["is_admin"]
    assert not (orgs.kit.data_dir / "claim-code").exists() and orgs.orgs.code() == ""
    with pytest.raises(Conflict):
        orgs.orgs.claim(code, "a", **{**ADA, "email": "bo@example.org"})


def test_a_bad_password_leaves_the_box_unclaimed(orgs):
    with pytest.raises(Invalid):
        orgs.orgs.claim(orgs.orgs.code(), "a", **{**ADA, "password": "short"})
    assert not orgs.orgs.claimed()


def test_five_wrong_codes_a_minute_and_ten_make_a_new_one(orgs):
    code = orgs.orgs.code()
    for n in range(5):
        with pytest.raises(Forbidden):
            orgs.orgs.check_code(f"WRONG-{n}", "a")
    with pytest.raises(Throttled):
        orgs.orgs.check_code(code, "a")
    for n in range(4):
        with pytest.raises(Forbidden, match="not the code"):
            orgs.orgs.check_code(f"WRONG-{n}", f"b{n}")
    with pytest.raises(Forbidden, match="a new one"):
        orgs.orgs.check_code("WRONG", "c")
    assert orgs.orgs.code() != code
    with pytest.raises(Forbidden):
        orgs.orgs.check_code(code, "d")
    orgs.orgs.check_code(orgs.orgs.code(), "d")


def test_what_is_made_before_the_claim_belongs_to_the_organisation_that_is_claimed(orgs):
    before = orgs.orgs.home_id()
    user = orgs.orgs.claim(orgs.orgs.code(), "a", **ADA)
    assert orgs.services["identity"].claims(user.id)["org"]["id"] == before
