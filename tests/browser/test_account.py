"""The account page of a node in its states: a person of the hub with and without it, the owner who grants, and linking in three steps."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.room import Visits, is_live
from tests.browser.test_pages import looked_at, sideways
from tests.processes.talk import ready
from tests.stack import ADA, Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EVE = {"email": "eve@example.org", "password": ADA["password"]}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A hub of Eve's with a node of Ada's."""
    with Stack(tmp_path_factory.mktemp("account"), UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_CONTACT_SECONDS="1") as running:
        running.claim("node")
        code = (running.data / "hub" / "claim-code").read_text().strip()
        assert running.call("POST", f"{running.hub}/api/v1/claim", {"code": code, **EVE, "name": "Eve Çelik"})[0] == 201
        wait_for(lambda: running.api("GET", "/api/v1/node/")[1]["hubs"], 20, "the node did not join")
        yield running


def enter(page: Page, who: dict[str, str]) -> None:
    page.locator("input[name=email]").fill(who["email"])
    page.locator("input[name=password]").fill(who["password"])
    page.locator("main form").first.get_by_role("button", name=re.compile("^(Log in|Oturum aç)$")).click()
    is_live(page)


def seen(page: Page, name: str) -> None:
    looked_at(page, name)
    assert sideways(page, 320, 360) == []


def test_a_person_of_the_hub_sees_why_a_session_is_offline(house: Stack, visit: Visits) -> None:
    # The pages that stay open find their sessions over when the clock is moved by more than a session lasts.
    over = (r"status of 401 .*_block=",)
    page = visit("/login/?next=/settings/hub-account/", stack=house, expected=over)
    enter(page, EVE)
    expect(page.locator("#standing")).to_contain_text("within the last seven days")
    expect(page.locator("header.status")).not_to_contain_text("offline session")
    seen(page, "account-hub-dark-en-1280")
    os.kill(house.process.pid, signal.SIGSTOP)
    try:
        house.kill("hub-web")
        wait_for(lambda: not ready(house.hub), 5)
        page = visit("/login/?next=/settings/hub-account/", stack=house, theme="light", language="tr", width=360, expected=over)
        enter(page, EVE)
        expect(page.locator("#standing")).to_contain_text("çevrimdışı")
        badge = page.locator("header.status").get_by_role("link", name="çevrimdışı oturum")
        expect(badge).to_have_attribute("href", "/settings/hub-account/")
        seen(page, "account-offline-light-tr-360")
        eve = house.api("GET", "/api/v1/local/people/")[1]["items"][0]
        assert house.api("POST", f"/api/v1/local/people/{eve['id']}/grant/", {"role": "viewer"})[0] == 204
        (house.data / "node" / "clock-offset").write_text(str(8 * 86400))
        page = visit("/login/?next=/settings/hub-account/", stack=house, expected=over)
        enter(page, EVE)
        expect(page.locator("#standing")).to_contain_text("what the owner of this box granted until a hub answers")
        seen(page, "account-shrunk-dark-en-1280")
    finally:
        (house.data / "node" / "clock-offset").unlink(missing_ok=True)
        os.kill(house.process.pid, signal.SIGCONT)
    wait_for(lambda: ready(house.hub), 20)
    wait_for(lambda: house.api("GET", "/api/v1/node/")[1]["hubs"][0]["failure"] == "", 20)


def test_the_owner_grants_and_links(house: Stack, visit: Visits) -> None:
    page = visit("/login/?next=/settings/hub-account/", stack=house, expected=(r"status of 401 .*/settings/hub-account/",))
    enter(page, ADA)
    row = page.locator("#people tr", has_text="Eve Çelik")
    row.get_by_role("combobox").select_option("member")
    row.get_by_role("button", name="Keep").click()
    expect(page.locator("#people tr", has_text="Eve Çelik").get_by_role("combobox")).to_have_value("member")
    link = page.locator("#link")
    link.get_by_label("E-mail on the hub").fill(EVE["email"])
    link.get_by_label("Password on the hub").fill("not the password")
    link.get_by_role("button", name="Go on").click()
    expect(page.locator(".alert.bad")).to_contain_text("E-mail or password is wrong.")
    link.get_by_label("Password on the hub").fill(EVE["password"])
    link.get_by_role("button", name="Go on").click()
    expect(link).to_contain_text("Step 2: choose")
    seen(page, "account-pending-dark-en-1280")
    link.get_by_role("button", name="Take the link back").click()
    expect(link).to_contain_text("Step 1: show that it is yours")
    link.get_by_label("E-mail on the hub").fill(EVE["email"])
    link.get_by_label("Password on the hub").fill(EVE["password"])
    link.get_by_role("button", name="Go on").click()
    link.get_by_label("What of your older data goes to the hub").select_option("since")
    link.get_by_label("From this day on").fill("2026-01-01")
    link.get_by_role("button", name="Confirm", exact=True).click()
    expect(link).to_contain_text("What you made here under either account is yours.")
    page.set_viewport_size({"width": 360, "height": 740})
    seen(page, "account-owner-dark-en-360")
