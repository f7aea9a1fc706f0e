"""The link of the QR code on the box's screen: it fills the code in, shows the certificate to compare, and leaves no trace in the address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.room import Room, Visits
from tests.browser.test_pages import CUT, sideways

pytestmark = pytest.mark.browser
PRINT = "00112233445566778899AABBCCDDEEFF" * 2
# The hub of a fresh box stays unclaimed in all stories.


@pytest.mark.parametrize("start", ["/", "/claim/"])
def test_the_link_fills_the_code_and_shows_the_certificate(room: Room, visit: Visits, start: str) -> None:
    asked = []
    page = visit("", role="hub", stack=room.fresh, login=False)
    page.on("request", lambda request: asked.append(request.url))
    code = (room.fresh.data / "hub" / "claim-code").read_text().strip()
    page.goto(f"{start}#claim={code}&sha256={PRINT}")
    expect(page.get_by_label("Claim code")).to_have_value(code)
    shown = page.locator("#certificate")
    expect(shown).to_be_visible()
    expect(shown.locator("code")).to_have_text(re.sub("(.{4})", r"\1 ", PRINT).strip())
    expect(page).to_have_url(f"{room.fresh.hub}/claim/")
    assert page.evaluate("history.length") <= 2 and not any(code in url or PRINT in url.upper() for url in asked)
    assert sideways(page, 320, 360, 1280) == [] and page.evaluate(CUT) == []
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("h1")).to_have_text("Who are you?")
    expect(page.locator("#certificate")).to_have_count(0)


@pytest.mark.parametrize("fragment", ["", "#top", "#claim=%3Cimg%20src=x%3E&sha256=xyz", f"#claim={'A' * 400}&sha256={'0' * 63}", "#sha256=", "#claim=%"])
def test_anything_else_in_the_address_shows_and_fills_nothing(room: Room, visit: Visits, fragment: str) -> None:
    page = visit(f"/claim/{fragment}", role="hub", stack=room.fresh, login=False)
    expect(page.locator("html")).to_have_attribute("data-scripts", "on")
    page.wait_for_load_state("load")
    expect(page.get_by_label("Claim code")).to_have_value("")
    expect(page.locator("#certificate")).to_be_hidden()
    kept = fragment if fragment in ("", "#top") else ""
    expect(page).to_have_url(f"{room.fresh.hub}/claim/{kept}")
