"""People in the browser: an invitation accepted in another browser, a role that changes while one looks, a guest, and another organisation."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.room import Room, Visits, is_live, log_in, shot
from tests.browser.test_pages import CUT, sideways, violations

pytestmark = pytest.mark.browser
PASSWORD = "seven unrelated words"


def link_of(page: Page) -> str:
    """The link that the page shows once, with its QR code."""
    shown = page.locator("#made")
    expect(shown.locator("svg.qr")).to_be_visible()
    return shown.locator("code").inner_text()


def row(page: Page, name: str):
    return page.locator("tr", has_text=name)


def test_somebody_is_invited_joins_and_gets_another_role(room: Room, visit: Visits) -> None:
    # Whoever looks at a person who is removed at that moment may still ask for what the page shows of them.
    ada = visit("/people/", role="hub", expected=(r"status of 404 .*_block=about",))
    form = ada.locator("#invite")
    form.get_by_label("E-mail").fill("efe@example.org")
    form.get_by_label("As").select_option("viewer")
    form.get_by_role("button", name="Make the link").click()
    link = link_of(ada)
    shot(ada, "people-made")
    assert violations(ada) == [] and ada.evaluate(CUT) == [] and sideways(ada, 320, 360) == []
    is_live(ada)
    expect(row(ada, "efe@example.org")).to_contain_text("0 of 1")
    asked: list[str] = []
    efe = visit("", role="hub", login=False, width=360, expected=("status of 403",))
    efe.on("request", lambda request: asked.append(request.url))
    efe.goto(link)
    expect(efe.locator("h1")).to_have_text(re.compile("^Join .+"))
    expect(efe).to_have_url(f"{room.stack.hub}/join/")
    assert not any(link.partition("=")[2] in url for url in asked), "the code went to the server in an address"
    shot(efe, "join-found-360")
    assert violations(efe) == [] and efe.evaluate(CUT) == [] and sideways(efe, 320, 360) == []
    efe.get_by_label("Your name").fill("Efe")
    expect(efe.get_by_label("E-mail")).to_have_value("efe@example.org")
    efe.get_by_label("Password").fill(PASSWORD)
    efe.get_by_role("button", name="Join").click()
    expect(efe.locator("h1")).to_have_text("Home")
    expect(ada.locator("#toasts")).to_contain_text("Efe has accepted your invitation")
    expect(row(ada, "Efe")).to_contain_text("viewer")
    expect(row(ada, "0 of 1")).to_have_count(0)
    efe.goto("/people/")
    is_live(efe)
    expect(efe.locator("#invite")).to_have_count(0)
    expect(row(efe, "Efe")).to_contain_text("viewer")
    ada.get_by_role("link", name="Efe").click()
    ada.locator("#role").get_by_label("Role").select_option("member")
    ada.get_by_role("button", name="Keep the role").click()
    expect(ada.locator(".alert.good")).to_contain_text("member")
    expect(row(efe, "Efe")).to_contain_text("member")
    again = visit("/join/", role="hub", login=False, expected=("status of 403",))
    again.get_by_label("Link or code").fill(link)
    again.get_by_role("button", name="Go on").click()
    expect(again.locator(".alert.bad")).to_contain_text("used up")
    ada.locator("#ending summary").first.click()
    ada.get_by_role("button", name="Remove Efe").click()
    expect(ada.locator(".alert.good")).to_contain_text("Efe")
    expect(efe.locator("h1")).to_have_text("Your organisations")  # the page leaves by itself
    expect(efe.locator("main")).to_contain_text("You belong to no organisation")


def test_who_has_an_account_logs_in_and_joins(room: Room, visit: Visits) -> None:
    """The code waits in a cookie while they log in; scripts are off."""
    made = json.loads(room.stack.cli("unibos-hub", "users", "invite", "--role", "member", "--json").stdout)
    there = json.loads(room.stack.cli("unibos-hub", "orgs", "--json").stdout)["items"][1]["slug"]
    assert [m["name"] for m in json.loads(room.stack.cli("unibos-hub", "users", "--org", there, "--json").stdout)["items"]] == ["Ada"]
    assert room.stack.cli("unibos-hub", "users", "--org", "nowhere", check=False).returncode == 66
    page = visit("/join/", role="hub", login=False, scripts=False, expected=("status of 409",))
    page.get_by_label("Link or code").fill(made["url"])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="I have an account here").click()
    log_in(page)
    expect(page).to_have_url(f"{room.stack.hub}/join/")
    page.get_by_role("button", name="Join").click()
    expect(page.locator(".alert.bad")).to_contain_text("belong to this organisation already")


def test_a_guest_opens_a_link_with_a_pin_and_is_sent_away(visit: Visits) -> None:
    ada = visit("/people/", role="hub")
    form = ada.locator("#guest")
    form.get_by_label("Who it is for").fill("Gizem")
    form.get_by_label("PIN").fill("4711")
    form.get_by_role("button", name="Make the link").click()
    guest = visit("", role="hub", login=False, width=360, expected=("status of 401",))
    guest.goto(link_of(ada))
    expect(guest.get_by_label("Your name")).to_have_value("Gizem")
    guest.get_by_label("PIN").fill("0000")
    guest.get_by_role("button", name="Come in").click()
    expect(guest.locator(".alert.bad")).to_contain_text("not the PIN")
    guest.get_by_label("PIN").fill("4711")
    guest.get_by_role("button", name="Come in").click()
    expect(guest.locator("main")).to_contain_text("You are a guest here")
    is_live(guest)
    assert violations(guest) == [] and sideways(guest, 320, 360) == []
    expect(guest.get_by_role("navigation", name="Places").get_by_role("link")).to_have_count(3)
    expect(row(ada, "Gizem")).to_contain_text(re.compile("1 day|23 hr"))
    row(ada, "Gizem").get_by_role("button", name="End the visit").click()
    expect(row(ada, "Gizem")).to_have_count(0)
    guest.goto("/")
    expect(guest).to_have_url(re.compile("/login/"))


def test_the_shell_goes_to_another_organisation_and_back(visit: Visits) -> None:
    page = visit("/organisation/", role="hub")
    page.locator("details.menu > summary").click()
    page.locator("details.menu").get_by_label("Organisation").select_option(label="Okuma kulübü")
    page.get_by_role("button", name="Go there").click()
    expect(page.locator("h1")).to_have_text("Home")
    page.goto("/organisation/")
    expect(page.locator("#uses")).to_contain_text("Okuma kulübü")
    expect(page.locator("#uses progress")).to_have_count(3)
    assert violations(page) == []
    page.goto("/nodes/")
    expect(page.locator("main")).to_contain_text("No nodes yet")
    page.goto("/organisations/")
    page.get_by_role("button", name="Ada").click()
    page.goto("/nodes/")
    expect(page.locator("main")).not_to_contain_text("No nodes yet")
