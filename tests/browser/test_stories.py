"""The user stories, with nothing but the panel, and mosquitto's clients where a device speaks."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.adapters.documents import drawn, pdf, saved
from tests.browser.room import Visits, announce, asks_to_join, hears, is_live, log_in, shot
from tests.stack import ADA, Stack

pytestmark = pytest.mark.browser
LETTER = ["Sayın İpek Güneş,", "kütüphanemize bağışladığınız kitapların", "listesi aşağıdadır. Teşekkür ederiz.", "Çanakkale, 3 Mayıs"]


def mark(page: Page) -> None:
    """Put something on the page that a reload would take away."""
    page.evaluate("window.unloaded = false")


def same(page: Page) -> bool:
    """Whether the page was not loaded anew since `mark`."""
    return page.evaluate("window.unloaded === false")


def test_a_box_is_claimed(room, visit: Visits) -> None:
    box = room.fresh
    code = (box.data / "node" / "claim-code").read_text().strip()
    page = visit("/devices/", stack=box, expected=(r"status of 4\d\d .*/claim/",))
    expect(page).to_have_url(re.compile("/claim/$"))
    fields = page.locator("main input:not([type=hidden])")
    expect(fields).to_have_count(1)
    expect(fields).to_be_focused()
    fields.fill("AAAA-BBBB-CCCC")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".alert.bad")).to_contain_text("not the code that the device shows")
    page.get_by_label("Claim code").fill(code.lower().replace("-", " "))
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Who are you?")
    page.get_by_label("Your name").fill(ADA["name"])
    page.get_by_label("E-mail").fill(ADA["email"])
    page.get_by_label("Password").fill(ADA["password"])
    page.get_by_role("button", name="show").click()
    expect(page.get_by_label("Password")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Make it mine").click()
    expect(page).to_have_url(f"{box.node}/")
    expect(page.locator("h1")).to_have_text("Home")
    is_live(page)
    expect(page.locator("main")).to_contain_text("No devices yet")
    page.goto("/claim/")
    expect(page).not_to_have_url(re.compile("/claim/"))


def test_a_device_is_added_and_lives(visit: Visits, stack: Stack) -> None:
    page = visit("/devices/")
    page.get_by_role("link", name="Add a device").click()
    page.get_by_label("Name").fill("Pond")
    page.get_by_role("button", name="Make the login").click()
    expect(page.locator(".alert.good")).to_contain_text("shown only here")
    host, username, password, topic, _discovery = page.locator(".code code").all_inner_texts()
    credential = {"host": host.rpartition(":")[0], "port": int(host.rpartition(":")[2]), "username": username, "password": password,
                  "topic": topic.removesuffix("/#").removesuffix("/")}
    page.get_by_role("link", name="To the devices").click()
    is_live(page)
    assert password not in page.content()
    mark(page)
    card = page.locator(".card", has=page.get_by_role("heading", name="Pond", exact=True))
    expect(card).to_have_count(0)
    start = time.monotonic()
    announce(stack, credential, "Pond", "sensor", "level", "Level", unit_of_measurement="cm")
    expect(card).to_have_count(1, timeout=1000)
    print(f"on the page after {time.monotonic() - start:.2f} s")
    announce(stack, credential, "Pond", "switch", "pump", "Fountain", command_topic="~/pump/set")
    stack.publish(credential, f"{credential['topic']}/level", "41.5")
    expect(card.locator(".stat", has_text="Level")).to_contain_text("41.5")
    expect(card).to_contain_text("Switch Fountain")
    assert same(page)

    card.get_by_role("link", name="Pond").click()
    is_live(page)
    mark(page)
    level = page.locator(".stat", has_text="Level")
    expect(level).to_contain_text("41.5")
    start = time.monotonic()
    stack.publish(credential, f"{credential['topic']}/level", "40.25")
    expect(level).to_contain_text("40.25", timeout=1000)
    print(f"live after {time.monotonic() - start:.2f} s")
    expect(page.locator("svg[data-points]").first).to_be_visible()
    stack.publish(credential, f"{credential['topic']}/pump", "OFF")
    expect(page.locator(".stat", has_text="Fountain").locator(".stat-value")).to_have_text("off")
    assert same(page)

    subscriber = hears(credential, f"{credential['topic']}/pump/set", stack)
    page.get_by_role("button", name="Switch on").click()
    assert subscriber.communicate(timeout=15)[0] == "ON\n"
    is_live(page)
    stack.publish(credential, f"{credential['topic']}/pump", "ON")
    expect(page.locator(".stat", has_text="Fountain").locator(".stat-value")).to_have_text("on")


def test_a_scan_is_read_and_found(visit: Visits, tmp_path) -> None:
    scan = tmp_path / "mektup.png"
    scan.write_bytes(saved(drawn(LETTER), "PNG"))
    page = visit("/documents/")
    # What the form says while it sends, noted by the page itself: it may be too quick to be seen from here.
    page.evaluate("""() => { const said = []; window.addEventListener('pagehide', () => sessionStorage.setItem('said', JSON.stringify(said)));
        const output = document.querySelector('form[data-upload] output');
        new MutationObserver(() => said.push([output.textContent, !output.form.querySelector('progress').hidden]))
            .observe(output, { childList: true, characterData: true, subtree: true }); }""")
    page.locator("input[type=file]").set_input_files(scan)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(re.compile(r"/documents/[0-9a-f-]+/$"))
    mark(page)
    assert page.evaluate("JSON.parse(sessionStorage.getItem('said'))")[:1] == [["Sending", True]]
    state = page.locator(".card", has=page.get_by_role("heading", name="State"))
    expect(state.locator(".badge")).to_have_text(re.compile("read$"), timeout=20_000)
    expect(page.locator(".page-text")).to_contain_text("kütüphanemize", timeout=20_000)
    assert same(page)
    expect(state.locator(".badge")).to_contain_text("●")

    page.goto("/documents/")
    page.get_by_label("Search in all documents").fill("KUTUPHANE kitap")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q="))
    hit = page.locator("[data-list] li").first
    expect(hit.locator("mark").first).to_be_visible()
    assert {"kütüphanemize", "kitapların"} >= {text.lower() for text in hit.locator("mark").all_inner_texts()}
    hit.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("#page-1$"))
    picture = page.locator("#page-1 img")
    expect(picture).to_be_visible()
    assert picture.evaluate("i => i.decode().then(() => i.naturalWidth)") > 300


def test_a_corrupt_file_says_why_and_can_be_tried_again(visit: Visits, tmp_path) -> None:
    file = tmp_path / "torn.pdf"
    file.write_bytes(pdf([["Torn"]])[:150])
    page = visit("/documents/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(re.compile(r"/documents/[0-9a-f-]+/$"))
    mark(page)
    state = page.locator(".card", has=page.get_by_role("heading", name="State"))
    again = state.get_by_role("button", name="Read it again")
    expect(again).to_be_visible(timeout=20_000)
    expect(state.locator(".badge")).to_contain_text("failed")
    assert len(state.locator("p").first.inner_text()) > len("■ failed") + 15
    assert same(page)
    again.click()
    expect(page.locator(".alert.good, .toast").filter(has_text="It will be read again.").first).to_be_visible()
    expect(again).to_be_visible(timeout=20_000)


def test_the_hub_shows_the_node(visit: Visits) -> None:
    page = visit("/nodes/", role="hub")
    row = page.locator("tbody tr").first
    expect(row.locator("[data-label=state]")).to_contain_text("online")
    expect(row.locator("[data-label=memory]")).to_contain_text(re.compile(r"\d %"))
    row.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text(re.compile(r"\S"))
    is_live(page)
    expect(page.locator(".stat", has_text="Processor")).to_be_visible()
    expect(page.locator("svg[data-points]").first).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Make an enrolment token").click()
    expect(page.locator(".code code").first).to_have_text(re.compile(r"unibos join http\S+ [A-Z2-7]{32}$"))


def test_a_node_asks_is_let_in_rests_and_is_put_out(stack: Stack, visit: Visits) -> None:
    """It appears by itself while the page is open; each act is told on the node's page, with who did it."""
    page = visit("/nodes/", role="hub")
    mark(page)
    asks_to_join(stack, "pi-attic", 8)
    card = page.locator(".card", has=page.get_by_role("heading", name="pi-attic asks to join"))
    expect(card.locator("code")).to_have_text(re.compile(r"^([0-9a-f]{4} ){7}[0-9a-f]{4}$"))
    assert same(page)
    card.get_by_label("I compared the fingerprints").check()
    card.get_by_role("button", name="Let pi-attic in").click()
    expect(page.locator("h1")).to_have_text("pi-attic")
    done = page.locator(".timeline")
    expect(done).to_contain_text("Let in as verified")
    page.get_by_label("Reason").fill("new disk")
    page.get_by_label("For how long").select_option(label="1 day")
    page.get_by_role("button", name="Begin maintenance").click()
    state = page.locator("[data-block=state]")
    expect(state).to_contain_text("new disk")
    expect(state).to_contain_text("Maintenance by Ada")
    page.get_by_role("button", name="End maintenance").click()
    expect(page.get_by_role("button", name="Begin maintenance")).to_be_visible()
    page.get_by_label("Level").select_option(label="known")
    page.get_by_role("button", name="Set the level").click()
    expect(done).to_contain_text("Trust: known")
    page.locator("#revoke summary").click()
    page.get_by_label("Why").fill("stolen")
    shot(page, "story-revoke")
    page.get_by_role("button", name="Revoke pi-attic").click()
    expect(state).to_contain_text("Its trust was taken away.")
    expect(done).to_contain_text("Trust taken away: stolen")
    shot(page, "story-revoked")
    expect(page.get_by_role("button", name="Set the level")).to_have_count(0)
    page.locator("#unrevoke summary").click()
    page.locator("#unrevoke").get_by_role("button", name="Trust it again").click()
    expect(done).to_contain_text("Trust given back")


def test_log_out_and_in_and_a_session_ended_elsewhere(visit: Visits) -> None:
    here, there = (visit("/devices/", login=False, expected=(r"status of 401",)) for _ in range(2))
    for page in (here, there):
        expect(page).to_have_url(re.compile("/login/"))
        log_in(page)
        expect(page).to_have_url(re.compile("/devices/$"))
        is_live(page)
    there.goto("/settings/account/")
    there.locator("#sessions").get_by_role("button", name="End it", exact=True).first.click()
    expect(there.locator(".alert.good, .toast").filter(has_text="That session has ended.").first).to_be_visible()
    expect(here).to_have_url(re.compile("/login/"))  # by itself
    there.locator("details.menu > summary").click()
    there.get_by_role("button", name="Log out").click()
    expect(there).to_have_url(re.compile("/login/$"))
    there.goto("/settings/")
    expect(there).to_have_url(re.compile("/login/"))


def test_language_and_theme_stay(visit: Visits) -> None:
    page = visit("/documents/", login=False)
    log_in(page)
    root = page.locator("html")
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Türkçe").click()
    expect(root).to_have_attribute("lang", "tr")
    expect(page.locator("h1")).to_have_text("Belgeler")
    page.locator("details.menu > summary").click()
    with page.expect_response(lambda r: "/settings/appearance/" in r.url):
        page.get_by_role("button", name="açık").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    expect(root).to_have_attribute("lang", "tr")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 248, 245)"
    # Ada's choice goes with her to another browser; it is taken back for the tests after this one.
    other = visit("/documents/", login=False)
    log_in(other)
    expect(other.locator("html")).to_have_attribute("data-theme", "light")
    other.locator("details.menu > summary").click()
    other.get_by_role("button", name="otomatik").click()
    other.get_by_role("button", name="English").click()
    expect(other.locator("html")).to_have_attribute("lang", "en")


def test_a_page_survives_the_end_of_the_web_process(visit: Visits, stack: Stack) -> None:
    page = visit("/devices/add/", expected=("ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "WebSocket connection to"))
    mark(page)
    page.get_by_label("Name").fill("half a na")
    stack.kill("node-web")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "reconnecting")
    expect(page.locator("#live-state")).to_contain_text("reconnecting since")
    expect(page.locator("#speak")).to_contain_text("reconnecting")
    is_live(page, 30)
    expect(page.get_by_label("Name")).to_have_value("half a na")
    assert same(page)
    page.get_by_label("Name").press_sequentially("me")
    page.get_by_role("button", name="Make the login").click()
    expect(page.locator(".card-title")).to_have_text("half a name")
