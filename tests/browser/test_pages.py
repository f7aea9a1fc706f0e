"""Every page: fits small screens and large text, is accessible, obeys the policy, is light, and works without scripts."""

from __future__ import annotations

import itertools
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.adapters.documents import pdf
from tests.browser.room import Room, Visits, log_in, shot
from tests.stack import Stack

pytestmark = pytest.mark.browser
# name: address ({…} as in Room.places), and role of the box; nobody: not logged in to the node, stranger: to the hub
PAGES = {
    "home": ("/", "node"), "devices": ("/devices/", "node"), "device": ("/devices/{device}/", "node"), "device-away": ("/devices/{away}/", "node"),
    "device-add": ("/devices/add/", "node"), "documents": ("/documents/", "node"), "document": ("/documents/{scan}/", "node"),
    "document-failed": ("/documents/{broken}/", "node"), "documents-found": ("/documents/?q=sozlesme", "node"),
    "documents-none": ("/documents/?q=nothing+at+all", "node"), "jobs": ("/jobs/", "node"), "job": ("/jobs/{job}/", "node"),
    "settings": ("/settings/", "node"), "security": ("/settings/security/", "node"),
    "account": ("/settings/account/", "node"), "hub-account": ("/settings/hub-account/", "node"), "about": ("/about/", "node"), "search": ("/search/?q=e", "node"), "missing": ("/nowhere/", "node"),
    "login": ("/login/", "nobody"), "forgot": ("/password/forgot/", "nobody"), "reset": ("/password/reset/", "nobody"),
    "verify": ("/email/verify/", "nobody"), "claim": ("/claim/", "unclaimed"), "hub-home": ("/", "hub"), "nodes": ("/nodes/", "hub"),
    "node": ("/nodes/{node}/", "hub"), "nodes-none": ("/nodes/?status=unreachable", "hub"), "hub": ("/hub/", "node"), "hub-settings": ("/settings/", "hub"),
    "people": ("/people/", "node"), "person": ("/people/{person}/", "node"), "organisation": ("/organisation/", "node"), "hub-people": ("/people/", "hub"),
    "hub-organisation": ("/organisation/", "hub"), "organisations": ("/organisations/", "hub"), "join": ("/join/", "nobody"), "register": ("/register/", "stranger")}
EVERY = list(itertools.product(("dark", "light"), ("en", "tr"), (360, 1280)))
TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
POLICY = {"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"}
# Text that is cut off although the reader cannot scroll to it.
CUT = """() => [...document.querySelectorAll('main *, .places .label, .status *')].filter((e) => {
    const style = getComputedStyle(e);
    return e.checkVisibility() && e.innerText && e.scrollWidth > e.clientWidth + 1 && style.overflowX !== 'visible' && style.overflowX !== 'auto'
        && !e.closest('.unseen') && e.clientWidth > 1;
}).map((e) => `${e.className || e.nodeName}: ${e.innerText}`)"""


def open_page(room: Room, visit: Visits, name: str, theme: str = "dark", language: str = "en", width: int = 1280, **more) -> Page:
    """The page in that look; the answer's policy and status are checked."""
    path, role = PAGES[name]
    missing = name == "missing"
    page = visit("", role="hub" if role in ("hub", "unclaimed", "stranger") else "node", stack=room.fresh if role == "unclaimed" else None, theme=theme,
                 login=role in ("node", "hub"), language=language, width=width, height=740 if width < 700 else 800,
                 expected=("status of 404 .*/nowhere/",) if missing else (), **more)
    answer = page.goto(path.format(**room.places) if "{" in path else path)
    assert answer is not None and answer.status == (404 if missing else 200)
    policy = answer.headers["content-security-policy"]
    assert set(policy.split("; ")) >= POLICY and "unsafe" not in policy and "http" not in policy
    return page


def settled(page: Page) -> None:
    """Wait until the page is live and shows what it fetches."""
    if page.locator("#live-state").count():
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.evaluate("Promise.all([...document.images].filter((i) => i.checkVisibility()).map((i) => { i.loading = 'eager'; return i.decode(); }))")


def sideways(page: Page, *widths: int) -> list[str]:
    """At which of these widths the page scrolls sideways, and what sticks out."""
    found, before = [], page.viewport_size
    for width in widths:
        page.set_viewport_size({"width": width, "height": 740})
        over = page.evaluate("""() => document.documentElement.scrollWidth <= innerWidth ? null :
            [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3)
                .map((e) => e.outerHTML.slice(0, 120)).join(' | ')""")
        if over is not None:
            found.append(f"{width}: {over}")
    page.set_viewport_size(before)  # type: ignore[arg-type]
    return found


def violations(page: Page) -> list[str]:
    """What axe has to say: rule, and the elements."""
    answer = Axe().run(page, options={"runOnly": TAGS, "resultTypes": ["violations"]}).response
    assert answer["passes"], "axe looked at nothing"
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:200]}" for v in answer["violations"] for n in v["nodes"]]


def looked_at(page: Page, name: str) -> None:
    """The checks that hold in every look."""
    settled(page)
    shot(page, name)
    assert page.evaluate(CUT) == []
    assert violations(page) == []


@pytest.mark.parametrize("at,name", list(enumerate(PAGES)), ids=list(PAGES))
def test_page(room: Room, visit: Visits, at: int, name: str) -> None:
    """Once each, in a look that goes round."""
    theme, language, width = EVERY[at * 3 % 8]
    page = open_page(room, visit, name, theme, language, width)
    expect(page.locator("html")).to_have_attribute("lang", language)
    looked_at(page, f"{name}-{theme}-{language}-{width}")
    assert sideways(page, 320, 360) == []
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.enable")
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}})
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
    assert sideways(page, 640) == []


@pytest.mark.slow
@pytest.mark.parametrize("theme,language,width", EVERY)
@pytest.mark.parametrize("name", PAGES)
def test_page_in_every_look(room: Room, visit: Visits, name: str, theme: str, language: str, width: int) -> None:
    page = open_page(room, visit, name, theme, language, width)
    looked_at(page, f"{name}-{theme}-{language}-{width}")
    assert sideways(page, 320, width) == []


@pytest.mark.parametrize("name", ["login", "home"])
def test_the_first_page_is_light(room: Room, visit: Visits, name: str) -> None:
    page = visit("", login=name == "home")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    received, by = {}, {}
    devtools.on("Network.requestWillBeSent", lambda e: by.update({e["requestId"]: (e["request"]["url"], e["initiator"].get("url", ""))}))
    devtools.on("Network.loadingFinished", lambda e: received.update({e["requestId"]: e["encodedDataLength"]}))
    page.goto(PAGES[name][0])
    settled(page)
    page.wait_for_load_state("networkidle")
    weight = sum(received.values())
    print(f"{name}: {weight} bytes in {len(received)} answers")
    assert len(received) >= 4 and weight <= 60_000, sorted((received[i], by[i][0]) for i in received)
    assert {url for url, _by in by.values() if "/static/" in url and re.search(r"/static/", _by)} == set()  # one request deep


def test_without_scripts(room: Room, visit: Visits, stack: Stack, tmp_path) -> None:
    """Log in, read every page, add a device, switch one, upload, read again, search, change the language, log out."""
    page = visit("/devices/", scripts=False, login=False, expected=("status of 404",))
    log_in(page)
    expect(page).to_have_url(re.compile("/devices/$"))
    for name, (path, role) in PAGES.items():
        if role == "node":
            answer = page.goto(path.format(**room.places))
            assert answer is not None and answer.status == (404 if name == "missing" else 200), name
            expect(page.locator("h1")).to_be_visible()
            assert page.locator(".needs-script").evaluate_all("all => all.every((e) => !e.checkVisibility())")
    page.goto("/devices/add/")
    page.get_by_label("Name").fill("Plain box")
    page.get_by_role("button", name="Make the login").click()
    expect(page.locator(".card-title")).to_have_text("Plain box")
    page.goto(f"/devices/{room.places['device']}/")
    page.get_by_role("button", name="Switch off").click()
    expect(page.locator("h1")).to_have_text("Greenhouse")
    page.goto("/devices/")
    row = page.locator("tr", has_text="Plain box")
    row.locator("summary").click()
    row.get_by_role("button", name="Remove the login").click()
    expect(page.locator(".alert.good")).to_contain_text("gone")
    file = tmp_path / "plain.pdf"
    file.write_bytes(pdf([["Plain"]])[:140])
    page.goto("/documents/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("h1")).to_have_text("plain")
    again = page.get_by_role("button", name="Read it again")
    for _ in range(100):
        if again.count():
            break
        page.reload()
    again.click()
    expect(page.locator(".alert.good")).to_contain_text("again")
    page.goto("/search/")
    page.locator("#search-words").fill("green")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Greenhouse").click()
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login/$"))
