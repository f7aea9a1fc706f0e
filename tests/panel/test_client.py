"""Live updates, keys and search in a real browser against a real server with a real WebSocket."""

from __future__ import annotations

import pytest
from panelbox import Box, go_live, wait
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

# --- live ----------------------------------------------------------------------------------------------------------------


def test_a_change_is_laid_over_the_page_and_keeps_what_the_reader_did(page: Page, box: Box) -> None:
    go_live(page)
    assert box.hellos[0] == ["alerts", "devices", "jobs", "link", "slow", "weather"]
    page.locator("#more summary").click()
    page.check("#box")
    page.fill("#note", "typed by me")
    page.evaluate("document.getElementById('note').setSelectionRange(2, 5)")
    page.evaluate("window.kept = document.querySelector('[data-key=b]')")
    box.facts.update(count=2, note="new from the server", rows=["c", "b", "d"])
    box.say(type="changed", topic="jobs")
    expect(page.locator("#count")).to_have_text("2")
    expect(page.locator("#more p")).to_have_text("inside 2")
    expect(page.locator("#more p")).to_be_visible()
    expect(page.locator("#note")).to_have_value("typed by me")
    expect(page.locator("#note")).to_be_focused()
    expect(page.locator("#box")).to_be_checked()
    expect(page.locator("#other")).to_have_value("2")
    expect(page.locator("#area")).to_have_value("2")
    assert page.evaluate("[note.selectionStart, note.selectionEnd]") == [2, 5]
    assert page.locator("[data-list] li").all_inner_texts() == ["c", "b", "d"]
    assert page.evaluate("window.kept === document.querySelector('[data-key=b]')")
    assert box.fetched == ["list"] and box.loads == 1


def test_a_moved_row_keeps_its_focus(page: Page, box: Box) -> None:
    go_live(page)
    page.locator("[data-key=c] a").focus()
    box.facts["rows"] = ["c", "a", "b"]
    box.say(type="changed", topic="devices")
    expect(page.locator("[data-list] li").first).to_have_text("c")
    expect(page.locator("[data-key=c] a")).to_be_focused()


def test_many_changes_are_one_running_and_one_waiting_fetch_in_order(page: Page, box: Box) -> None:
    go_live(page)
    box.hold.clear()
    box.say(type="changed", topic="slow")
    wait(lambda: box.fetched == ["slow"])
    for i in range(10):
        box.facts.update(slow=i + 1, count=i + 1)
        box.say(type="changed", topic="slow")
        box.say(type="changed", topic="devices")
    box.say(type="value", key="entity:1", text="mark")
    expect(page.locator("[data-value]")).to_have_text("mark")  # all words before this one have been heard
    expect(page.locator("[data-block=slow]")).to_have_attribute("aria-busy", "true")
    box.hold.set()
    expect(page.locator("#slow")).to_have_text("10")
    expect(page.locator("#count")).to_have_text("10")
    assert box.fetched == ["slow", "slow", "list"]
    expect(page.locator("[data-block=slow]")).not_to_have_attribute("aria-busy", "true")


def test_values_and_toasts_arrive(page: Page, box: Box) -> None:
    go_live(page)
    at = page.evaluate("Date.now() - 120000")
    box.say(type="value", key="entity:1", text="21.5 <b>", at=at)
    expect(page.locator("[data-value]")).to_have_text("21.5 <b>")
    expect(page.locator("[data-value-at]")).to_have_text("in 58 minutes")  # the box's clock is an hour behind: its word counts
    assert page.locator("[data-value-at]").get_attribute("datetime") == page.evaluate(f"new Date({at}).toISOString()")
    box.say(type="toast", level="bad", text="<img src=x>")
    expect(page.locator(".toast.bad p")).to_have_text("<img src=x>")
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_a_lost_line_is_said_found_again_and_caught_up(page: Page, box: Box) -> None:
    go_live(page)
    page.fill("#note", "typed by me")
    box.refuse = True
    box.cut()
    expect(page.locator("#live-state")).to_have_attribute("data-state", "reconnecting")
    expect(page.locator("#live-state .word")).to_contain_text("reconnecting since ")
    expect(page.locator("#speak")).to_contain_text("reconnecting since ")
    box.facts["count"] = 7
    box.refuse = False
    expect(page.locator("#count")).to_have_text("7")
    expect(page.locator("#live-state .word")).to_have_text("live")
    expect(page.locator("#note")).to_have_value("typed by me")
    assert box.loads == 1


def test_after_half_a_minute_the_values_are_stale(page: Page, box: Box) -> None:
    page.clock.install()
    go_live(page)
    box.refuse = True
    box.cut()
    expect(page.locator("#live-state")).to_have_attribute("data-state", "reconnecting")
    page.clock.run_for(20_000)
    expect(page.locator("#live-state")).to_have_attribute("data-state", "reconnecting")
    page.clock.run_for(20_000)
    expect(page.locator("#live-state")).to_have_attribute("data-state", "stale")
    assert page.locator("[data-value]").evaluate("e => getComputedStyle(e).fontStyle") == "italic"


def test_a_silent_line_is_asked_and_then_given_up(page: Page, box: Box) -> None:
    page.clock.install()
    go_live(page)
    greeted = len(box.hellos)
    box.silent = True
    page.clock.run_for(31_000)
    wait(lambda: len(box.hellos) > greeted)
    page.clock.run_for(11_000)
    expect(page.locator("#live-state")).to_have_attribute("data-state", "reconnecting")


def test_a_lost_session_reloads_once(page: Page, box: Box) -> None:
    go_live(page)
    box.logged_out = True
    box.say(type="changed", topic="jobs")
    page.wait_for_url("**/login/")


def test_a_lost_session_does_not_lose_what_was_typed(page: Page, box: Box) -> None:
    go_live(page)
    page.fill("#note", "typed by me")
    box.logged_out = True
    box.say(type="changed", topic="jobs")
    expect(page.locator(".toast.bad")).to_contain_text("Your session has ended")
    expect(page.locator("#note")).to_have_value("typed by me")


def test_a_new_version_reloads_unless_something_is_typed(page: Page, box: Box) -> None:
    go_live(page)
    box.say(type="reload")
    wait(lambda: box.loads == 2 and len(box.lines) == 1)
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    page.fill("#note", "typed by me")
    box.say(type="reload")
    expect(page.locator(".toast.info")).to_contain_text("new version")
    assert box.loads == 2


# --- keys and search -----------------------------------------------------------------------------------------------------


def test_keys(page: Page, box: Box) -> None:
    go_live(page)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-key=b] a")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("[data-key=a] a")).to_be_focused()
    page.fill("#note", "")
    page.locator("#note").press_sequentially("?/gdj")
    expect(page.locator("#note")).to_have_value("?/gdj")
    page.keyboard.press("Escape")
    expect(page.locator("#note")).not_to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/devices/")


def test_single_keys_can_be_turned_off(page: Page) -> None:
    go_live(page)
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.press("?")
    assert page.locator("dialog:modal").count() == 0


def test_search_by_keys(page: Page) -> None:
    go_live(page)
    page.keyboard.press("/")
    page.keyboard.type("b")
    expect(page.locator("#hits li")).to_have_count(3)
    assert page.locator("#hits b").count() == 0
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Backup 1")
    assert page.locator("#search input").get_attribute("aria-activedescendant") == "hit-1"
    page.keyboard.press("Enter")
    page.wait_for_url("**/devices/?1")


def test_search_that_finds_nothing_says_so(page: Page) -> None:
    go_live(page)
    page.get_by_role("link", name="Search").click()
    page.keyboard.type("zzz")
    expect(page.locator("#search-said")).to_contain_text("Nothing found")
