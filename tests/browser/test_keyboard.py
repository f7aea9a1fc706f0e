"""The panel with nothing but a keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.room import Room, Visits, is_live

pytestmark = pytest.mark.browser
FOCUS = """() => { const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 8));
    return { name: (e.getAttribute('aria-label') || e.innerText || e.name || e.id || e.nodeName).trim().slice(0, 60), tag: e.nodeName,
             seen: parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== 'none' && box.width > 1 && box.height > 1,
             inside: box.top >= 0 && box.bottom <= innerHeight + 1, free: !hit || e.contains(hit) || hit.contains(e),
             at: [...document.querySelectorAll('*')].indexOf(e) }; }"""


def focused(page: Page) -> dict:
    """What has the focus, and whether that can be seen."""
    return page.evaluate(FOCUS)


def tabbed(page: Page, most: int = 80) -> list[dict]:
    """What Tab stops at, until it leaves the page."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = focused(page)
        if stop["tag"] == "BODY":
            return stops
        stops.append(stop)
    raise AssertionError(f"Tab did not come round: {stops[-3:]}")


@pytest.mark.parametrize("path,width", [("/", 1280), ("/devices/", 360), ("/documents/", 1280)])
def test_tab_stops_at_everything_in_order_and_is_seen(visit: Visits, path: str, width: int) -> None:
    page = visit(path, width=width, height=740)
    stops = tabbed(page)
    assert stops[0]["name"] == "Skip to the content"
    assert [s for s in stops if not (s["seen"] and s["inside"] and s["free"])] == []
    places = [s["at"] for s in stops]
    assert places == sorted(places)
    # Everything that a pointer can press is among them.
    reachable = page.evaluate("""() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
        .filter((e) => e.checkVisibility() && !e.disabled).length""")
    assert len(stops) >= reachable > 10


def test_the_skip_link(visit: Visits) -> None:
    page = visit("/devices/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Add a device")).to_be_focused()


def test_keys_go_search_and_open(room: Room, visit: Visits) -> None:
    page = visit("/")
    page.keyboard.press("?")
    keys = page.locator("dialog#keys")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("go to Devices")
    assert focused(page)["seen"]
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("/devices/$"))
    is_live(page)
    page.keyboard.press("/")
    search = page.get_by_role("combobox", name=re.compile("^Search"))
    expect(search).to_be_focused()
    page.keyboard.type("green")
    option = page.get_by_role("option").first
    expect(option).to_contain_text("Greenhouse")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.type("zzz")
    expect(page.locator("#search-said")).to_contain_text("Nothing found")
    page.keyboard.press("Control+a")
    page.keyboard.type("temperature")
    options = page.get_by_role("option")
    expect(options).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(search).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id") or "")
    name = options.nth(1).locator(".title").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(name)
    is_live(page)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/devices/$"))


def test_j_and_k_move_in_a_list_and_enter_opens(visit: Visits) -> None:
    page = visit("/documents/")
    links = page.locator("[data-list] [data-item]")
    assert links.count() >= 3
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(links.nth(1)).to_be_focused()
    assert focused(page)["seen"]
    name = links.nth(1).inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(name)


def test_a_dangerous_act_asks_and_the_safe_button_has_the_focus(visit: Visits) -> None:
    page = visit("/devices/add/")
    page.get_by_label("Name").focus()
    page.keyboard.type("Short lived")
    page.keyboard.press("Enter")
    expect(page.locator(".card-title")).to_have_text("Short lived")
    page.goto("/devices/")
    is_live(page)
    row = page.locator("tr", has_text="Short lived")
    summary = row.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    dialog = row.get_by_role("dialog", name="Remove the login Short lived?")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Its connection is cut at once.")
    safe = dialog.get_by_role("link", name="Keep it").or_(dialog.get_by_role("button", name="Keep it"))
    expect(safe).to_be_focused()
    assert focused(page)["seen"]
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    expect(safe).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(row).to_have_count(1)
    summary.press("Enter")
    expect(safe).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Remove the login")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".toast, .alert.good").first).to_contain_text("gone")
    expect(row).to_have_count(0)


def test_a_plot_is_read_with_arrows(room: Room, visit: Visits) -> None:
    page = visit(f"/devices/{room.places['device']}/")
    figure = page.locator(".figure", has_text="Soil moisture").first
    area, output = figure.locator(".plot-area"), figure.locator("output")
    area.focus()
    expect(output).to_contain_text("%")
    before = output.inner_text()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(output).not_to_have_text(before)
    expect(area).to_have_attribute("aria-valuetext", output.inner_text())
    page.keyboard.press("t")
    expect(figure.locator("details table")).to_be_visible()


def test_what_changes_is_spoken(visit: Visits) -> None:
    page = visit("/devices/")
    for region in ("#speak", "#toasts", "#search-said"):
        expect(page.locator(region)).to_have_attribute("role", "status")
    assert page.locator("#speak").inner_text() == ""
