"""The second step of the login, with nothing but the panel and an app that computes its codes."""

from __future__ import annotations

import base64
import re
import time

import pytest
from playwright.sync_api import Page, expect
from unibos.features.identity import totp

from tests.browser.room import Visits
from tests.browser.test_pages import looked_at, sideways
from tests.stack import ADA

pytestmark = pytest.mark.browser


def password_first(page: Page) -> None:
    """E-mail and password; the second step is asked for."""
    page.get_by_label("E-mail").fill(ADA["email"])
    page.get_by_label("Password").fill(ADA["password"])
    page.get_by_role("button", name="Log in", exact=True).click()


def test_a_second_step_is_set_up_used_and_turned_off(room, visit: Visits) -> None:
    box = room.fresh
    if (box.data / "node" / "claim-code").exists():
        box.claim("node")
    page = visit("/login/?next=/settings/", stack=box, expected=(r"status of 401 .*/settings/security/",))
    password_first(page)
    page.get_by_role("link", name="Security", exact=True).click()
    expect(page.locator("#factor .badge")).to_contain_text("off")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".alert.bad")).to_contain_text("E-mail or password is wrong.")
    page.get_by_label("Password").fill(ADA["password"])
    page.get_by_role("button", name="Set it up").click()

    expect(page.get_by_role("img", name="QR code of the key for your app")).to_be_visible()
    looked_at(page, "security-connect")
    assert sideways(page, 320, 360) == []
    secret = base64.b32decode(page.locator("#connect .code code").inner_text().replace(" ", ""))
    step = totp.step_at(time.time())
    page.get_by_label("Code that the app shows").fill(totp.hotp(secret, step))
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator("#recovery .code code").inner_text().split()
    assert len(set(codes)) == 10
    looked_at(page, "security-codes")
    assert sideways(page, 320, 360) == []
    printed = page.evaluate("""() => new Promise((done) => { window.print = () => done(true);
        [...document.querySelectorAll('[data-print]')][0].click(); setTimeout(() => done(false), 3000); })""")
    assert printed
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#factor .badge")).to_contain_text("on")
    expect(page.locator("#codes")).to_contain_text("10 left")
    expect(page.locator("main")).not_to_contain_text(codes[0])
    looked_at(page, "security-on")

    other = visit("/devices/", stack=box, expected=(r"status of 401 .*/login/",))
    password_first(other)
    expect(other.locator("h1")).to_have_text("Second step")
    expect(other.get_by_label("Code")).to_be_focused()
    looked_at(other, "login-second")
    assert sideways(other, 320, 360) == []
    other.get_by_label("Code").fill(totp.hotp(secret, step))
    other.keyboard.press("Enter")
    expect(other.locator(".alert.bad")).to_contain_text("it was used already")
    other.get_by_label("Code").fill(totp.hotp(secret, step + 1))
    other.keyboard.press("Enter")
    expect(other).to_have_url(re.compile("/devices/$"))

    # The box's clock counts, not the one of who logs in: two hours on, only the code of then is right.
    offset = box.data / "node" / "clock-offset"
    offset.write_text("7200")
    later = visit("/devices/", stack=box, expected=(r"status of 401 .*/login/",))
    password_first(later)
    later.get_by_label("Code").fill(totp.hotp(secret, totp.step_at(time.time()) + 1))
    later.keyboard.press("Enter")
    expect(later.locator(".alert.bad")).to_contain_text("This code is wrong")
    later.get_by_label("Code").fill(totp.hotp(secret, totp.step_at(time.time() + 7200)))
    later.keyboard.press("Enter")
    expect(later).to_have_url(re.compile("/devices/$"))
    offset.unlink()

    plain = visit("/login/", stack=box, scripts=False)
    password_first(plain)
    plain.get_by_label("Code").fill(codes[4].lower())
    plain.get_by_role("button", name="Log in").click()
    expect(plain).to_have_url(f"{box.node}/")

    page.reload()
    expect(page.locator("#codes")).to_contain_text("9 left")
    page.locator("#off > summary").click()
    page.locator("#off-password").fill(ADA["password"])
    page.get_by_role("dialog").get_by_role("button", name="Turn it off").click()
    expect(page.locator(".alert.good, .toast").filter(has_text="The second step is off.").first).to_be_visible()
    expect(page.locator("#factor .badge")).to_contain_text("off")
