"""The components in a real browser: dialogs, forms with and without scripts, uploads, plots, and every width."""

from __future__ import annotations

import pytest
from panelbox import Box, wait
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
NO_SCRIPTS = {"java_script_enabled": False}


def test_a_confirmation_has_the_focus_on_the_safe_button(page: Page, box: Box) -> None:
    page.goto("/")
    page.locator("#remove-pi > summary").click()
    assert page.locator("#remove-pi dialog").evaluate("d => d.matches(':modal')")
    expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#remove-pi > summary")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the safe button
    expect(page.locator("#remove-pi dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove pi-001").click()
    page.wait_for_url("**/posted/")
    assert box.posts == [("/dev/nothing/", {"_csrf": "token"}, [])]


@pytest.mark.parametrize("page", [NO_SCRIPTS], indirect=True)
def test_without_scripts_everything_can_be_read_and_posted(page: Page, box: Box) -> None:
    page.goto("/")
    expect(page.locator("#live-state .word")).to_have_text("not live")
    expect(page.locator("button.copy")).to_be_hidden()
    expect(page.locator("#remove-pi dialog")).to_be_hidden()
    page.locator("#remove-pi > summary").click()
    page.get_by_role("button", name="Remove pi-001").click()
    page.goto("/")
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="light").click()
    page.goto("/")
    page.set_input_files("input[type=file]", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"})
    page.get_by_role("button", name="Send").click()
    page.goto("/")
    page.get_by_role("link", name="Search").click()
    page.wait_for_url("**/search/")
    assert box.posts == [("/dev/nothing/", {"_csrf": "token"}, []),
                         ("/settings/appearance/", {"_csrf": "token", "next": "/dev/components", "theme": "light"}, []),
                         ("/dev/upload/", {"_csrf": "token"}, ["a.pdf"])]


def test_an_upload_follows_its_answer(page: Page, box: Box) -> None:
    page.goto("/")
    page.set_input_files("input[type=file]", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"})
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/documents/7/")
    assert box.posts == [("/dev/upload/", {"_csrf": "token"}, ["a.pdf"])]


def test_a_dropped_file_is_sent(page: Page, box: Box) -> None:
    page.goto("/")
    page.evaluate("""() => {
      const held = new DataTransfer();
      held.items.add(new File(['x'], 'dropped.pdf'));
      document.querySelector('form.drop').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: held}));
    }""")
    page.wait_for_url("**/documents/7/")
    assert box.posts[0][2] == ["dropped.pdf"]


def test_the_sentence_of_the_last_request_is_said_once(page: Page, address: str) -> None:
    page.context.add_cookies([{"name": "unibos-toast", "value": "The%20device%20was%20added.", "url": address}])
    page.goto("/")
    expect(page.locator(".toast.good p")).to_have_text("The device was added.")
    assert [c["name"] for c in page.context.cookies()] == ["unibos-zone"]


def test_the_theme_changes_at_once_and_is_kept(page: Page, box: Box) -> None:
    page.goto("/")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    expect(page.get_by_role("button", name="light")).to_have_attribute("aria-pressed", "true")
    wait(lambda: box.posts and box.posts[0][1]["theme"] == "light")


def test_a_plot_is_read_by_keys_and_pointer(page: Page) -> None:
    page.goto("/")
    area = page.locator(".plot-area").first
    area.focus()
    expect(area).to_have_role("slider")
    figure = page.locator("figure").first
    page.keyboard.press("Home")
    expect(figure.locator("output")).to_have_text("Mar 20, 2026, 13:00 · 21 °C (20.85 – 21.15)")
    page.keyboard.press("ArrowRight")
    expect(figure.locator("output")).to_contain_text("13:05")
    assert area.get_attribute("aria-valuenow") == "1"
    page.keyboard.press("t")
    expect(figure.locator("details table")).to_be_visible()
    area.hover(position={"x": 300, "y": 50})
    expect(figure.locator("output")).not_to_contain_text("13:05")
    assert float(figure.locator(".cursor circle").get_attribute("cy") or "nan") > 0


def test_copy_says_that_it_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/")
    page.locator("button.copy").click()
    expect(page.locator("button.copy")).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("SHA256 9f86")


WIDTHS = [(320, ""), (320, "?longer"), (360, ""), (640, "?longer"), (900, ""), (1280, "?longer"), (2560, "")]


@pytest.mark.parametrize(("width", "query"), WIDTHS)
def test_no_page_scrolls_sideways(page: Page, width: int, query: str) -> None:
    """640 px is what 1280 px become at 200 % zoom."""
    page.set_viewport_size({"width": width, "height": 700})
    page.goto("/" + query)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate("""width => [...document.querySelectorAll('body *')]
      .filter(e => e.checkVisibility() && !e.closest('svg, .unseen') && e.getBoundingClientRect().right > width + 1)
      .map(e => e.outerHTML.slice(0, 80))""", width)
    assert beyond == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")  # text alone at 200 %
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_places_move_below_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto("/")
    shown = page.locator(".places .bar > li:visible")
    expect(shown).to_have_count(5)
    page.locator(".places summary").click()
    page.get_by_role("link", name="settings").click()
    page.wait_for_url("**/settings/")


def test_focus_is_seen_on_everything_that_takes_it(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
          return [e.outerHTML.slice(0, 90), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && e.checkVisibility()]; }""")
        if "<body" in found[0]:
            break
        assert found[1], found[0]
        seen.add(found[0])
    assert len(seen) > 30
