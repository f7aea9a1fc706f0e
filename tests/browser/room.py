"""What the tests in the browser share: one claimed UNIBOS with devices, documents and a node, and pages that are watched."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.adapters.documents import drawn, pdf, saved
from tests.stack import ADA, Stack, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
SHOTS = Path(__file__).parent / "shots"
# A page that is left while its socket still opens says so; nobody is harmed.
HARMLESS = ("WebSocket is closed before the connection is established",)
ZONE = "Europe/Istanbul"

# name: [(component, key, name, what its discovery says besides, first state, (middle, swing, noise) of its history)]
DEVICES: dict[str, list[tuple[str, str, str, dict[str, Any], str, tuple[float, float, float] | None]]] = {
    "Living room": [
        ("sensor", "temperature", "Temperature", {"unit_of_measurement": "°C", "device_class": "temperature"}, "21.4", (21.4, 0.9, 0.04)),
        ("sensor", "humidity", "Humidity", {"unit_of_measurement": "%", "device_class": "humidity"}, "44", (44, 3, 0.3)),
        ("sensor", "co2", "CO₂", {"unit_of_measurement": "ppm", "device_class": "carbon_dioxide"}, "642", (640, 90, 6))],
    "Greenhouse": [
        ("sensor", "soil", "Soil moisture", {"unit_of_measurement": "%"}, "37.5", (38, 4, 0.2)),
        ("sensor", "temperature", "Temperature", {"unit_of_measurement": "°C", "device_class": "temperature"}, "26.8", (26.4, 1.8, 0.1)),
        ("switch", "pump", "Pump", {"command_topic": "~/pump/set"}, "ON", None),
        ("number", "target", "Target moisture", {"command_topic": "~/target/set", "min": 20, "max": 60, "step": 1, "unit_of_measurement": "%"}, "40", None)],
    "Coffee machine": [
        ("switch", "plug", "Plug", {"command_topic": "~/plug/set"}, "OFF", None),
        ("sensor", "power", "Power", {"unit_of_measurement": "W", "device_class": "power"}, "1.2", (240, 230, 20))],
    "Solar roof": [
        ("sensor", "power", "Power", {"unit_of_measurement": "W", "device_class": "power"}, "2315", (2200, 350, 60)),
        ("sensor", "today", "Energy today", {"unit_of_measurement": "kWh", "device_class": "energy"}, "11.7", (11, 0.9, 0))],
    "Front door": [
        ("binary_sensor", "door", "Door", {"device_class": "door"}, "OFF", None),
        ("sensor", "battery", "Battery", {"unit_of_measurement": "%", "device_class": "battery", "entity_category": "diagnostic"}, "88", None)],
    "Attic": [("sensor", "temperature", "Temperature", {"unit_of_measurement": "°C", "availability_topic": "~/status"}, "14.1", (14.2, 0.3, 0.02))],
    "Çocuk odası sıcaklık ve nem ölçeri": [
        ("sensor", "sicaklik", "Şu anki sıcaklık", {"unit_of_measurement": "°C"}, "", None)]}
BO = {"password": "six unrelated words"}
TURKISH = ["Kira sözleşmesi", "Kiracı: Şükrü Yıldırım, İstanbul", "Aylık kira bedeli 12.500 TL olup her ayın", "beşinci gününe kadar ödenecektir."]
ENGLISH = [["Annual report of the reading society", "We met forty times and read twelve books."],
           ["Second page: quarterly figures", "Members: 31. Income: 412. Expenses: 398."]]


def announce(stack: Stack, credential: dict[str, Any], device: str, component: str, key: str, name: str, **more: Any) -> None:
    """Publish a retained Home Assistant discovery of one entity; ~ stands for the credential's topic."""
    topic = credential["topic"]
    about = {"name": name, "unique_id": f"{topic}_{key}", "state_topic": f"{topic}/{key}",
             "device": {"identifiers": [topic], "name": device, "manufacturer": "UNIBOS tests", "model": "T-1", "sw_version": "1.2.0"},
             **{k: v.replace("~", topic) if isinstance(v, str) else v for k, v in more.items()}}
    stack.publish(credential, f"homeassistant/{component}/{topic}/{key}/config", json.dumps(about), retain=True)


def curve(middle: float, swing: float, noise: float, minute: float, phase: float, chance: random.Random) -> float:
    """A plausible reading: a slow wave, a faster small one, and noise."""
    return middle + swing * (math.sin(minute / 17 + phase) * 0.8 + math.sin(minute / 5 + phase) * 0.2) + noise * chance.uniform(-1, 1)


def asks_to_join(stack: Stack, hostname: str, number: int) -> str:
    """A machine that asks the hub to be let in, without a token; its public key."""
    from base64 import b64encode

    from unibos.wire import proof

    seed = bytes([number]) * 32
    key = b64encode(proof.public_key(seed)).decode()
    nonce = stack.api("POST", "/api/v1/nodes/challenge/", {"public_key": key}, role="hub")[1]["challenge"]
    status, answer = stack.api("POST", "/api/v1/nodes/apply/", {
        "hostname": hostname, "platform": "linux aarch64", "version": "0.1.0", "public_key": key, "challenge": nonce,
        "signature": b64encode(proof.sign(seed, "apply", nonce, "")).decode()}, role="hub")
    assert (status, answer["state"]) == (200, "pending"), answer
    return key


def fill(stack: Stack, folder: Path) -> None:
    """Devices with an hour of history, documents that are read or failed, and a node that reports to the hub."""
    from unibos.adapters.series_sqlite import SqliteSeries
    from unibos.features.devices.service import series_key

    for name, content in (("kira_sözleşmesi.png", saved(drawn(TURKISH), "PNG")), ("report.pdf", pdf(ENGLISH)), ("broken.pdf", pdf(ENGLISH)[:200])):
        (folder / name).write_bytes(content)
        assert stack.upload(folder / name)[0] == 202
    wanted = {}
    for device, entities in DEVICES.items():
        status, credential = stack.api("POST", "/api/v1/devices/credentials/", {"name": device})
        assert status == 201, credential
        for component, key, name, more, state, history in entities:
            announce(stack, credential, device, component, key, name, **more)
            wanted[device, name] = history
            if state:
                stack.publish(credential, f"{credential['topic']}/{key}", state)
        if device == "Attic":
            stack.publish(credential, f"{credential['topic']}/status", "offline")
        if device == "Front door":
            stack.publish(credential, f"homeassistant/sensor/{credential['topic']}/x/config", "no JSON")
    found = wait_for(lambda: (d := {x["name"]: x for x in stack.api("GET", "/api/v1/devices/")[1]["items"]}).keys() == DEVICES.keys() and d)
    chance, now, rows = random.Random(7), int(time.time() * 1000), []
    for i, ((device, name), history) in enumerate(wanted.items()):
        entity = next(e for e in found[device]["entities"] if e["name"] == name)
        for second in range(30, 3600, 20) if history else ():
            minute = second / 60
            if not (device == "Attic" or (device == "Coffee machine" and 20 < minute < 26)):  # a gap, and one that went away
                rows.append((series_key(entity["id"]), now - second * 1000, round(curve(*history, -minute, i, chance), 2), None))
            elif device == "Attic" and minute > 35:
                rows.append((series_key(entity["id"]), now - second * 1000, round(curve(*history, -minute, i, chance), 2), None))
    node = wait_for(lambda: next(iter(stack.api("GET", "/api/v1/nodes/", role="hub")[1]["items"]), None))
    asks_to_join(stack, "pi-zero-greenhouse", 7)
    usual = (("cpu", (12, 8, 4)), ("memory", (41, 2, 0.3)), ("disk", (36, 0.1, 0)), ("temperature", (47, 3, 0.4)))
    for role, keys in (("node", [(f"self:{n}", c) for n, c in usual]), ("hub", [(f"{w}:{n}", c) for n, c in usual for w in ("self", f"node:{node['id']}")])):
        load = [(key, now - second * 1000, round(curve(*how, -second / 60, i, chance), 1), None)
                for i, (key, how) in enumerate(keys) for second in range(30, 3600 * (24 if key.startswith("node") else 1), 30)]
        series = SqliteSeries(stack.data / role / "readings.sqlite")
        series.append(load + (rows if role == "node" else []))
        series.close()
    people(stack)
    wait_for(lambda: all(d["status"] in ("done", "failed") for d in stack.api("GET", "/api/v1/documents/")[1]["items"]), 40)


def people(stack: Stack) -> None:
    """A member, a guest and open invitations on the node; a second organisation on the hub."""
    for name, role in (("Bo Çelik", "member"), ("Cy", "viewer")):
        assert stack.api("POST", "/api/v1/users/", {**BO, "name": name, "role": role, "email": f"{role}@example.org"})[0] == 201
    for wanted in ({"role": "viewer", "email": "didem.yildirim@example.org"}, {"role": "guest", "label": "Gül", "guest_hours": 72}):
        status, made = stack.api("POST", "/api/v1/organisation/invitations/", wanted)
        assert status == 201, made
    assert stack.call("POST", stack.node + "/api/v1/invitations/accept/", {"invitation": made["code"], "name": "Gül Aydın"})[0] == 201
    assert stack.api("POST", "/api/v1/organisations/", {"name": "Okuma kulübü", "type": "nonprofit"}, role="hub")[0] == 201


class Room:
    """Starts what is asked for, once, and stops all of it in the end. Opened by the first test that needs it."""

    def __init__(self, folder: Path):
        self.folder, self._open = folder, contextlib.ExitStack()
        self._browser: Browser | None = None
        self._stacks: dict[str, Stack] = {}
        self._logins: dict[str, Any] = {}

    def close(self) -> None:
        """Stop browser and servers."""
        self._open.close()
        self.__dict__.pop("places", None)
        self.__init__(self.folder)  # type: ignore[misc]

    @property
    def browser(self) -> Browser:
        """One Chromium."""
        if self._browser is None:
            if not CHROMIUM:
                pytest.skip("there is no chromium here")
            play = self._open.enter_context(sync_playwright())
            self._browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            self._open.callback(self._browser.close)
        return self._browser

    def _stack(self, name: str, **settings: str) -> Stack:
        folder = Path(self.folder / f"{name}{time.monotonic_ns()}")
        folder.mkdir()
        self._stacks[name] = self._open.enter_context(Stack(folder, **settings))
        return self._stacks[name]

    @property
    def fresh(self) -> Stack:
        """A UNIBOS that nobody has claimed; a story claims its node, its hub stays as it is."""
        return self._stacks.get("fresh") or self._stack("fresh")

    @property
    def stack(self) -> Stack:
        """A UNIBOS in use."""
        if "home" not in self._stacks:
            stack = self._stack("home", UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_HUB_REGISTRATION="open")
            stack.claim("hub")
            stack.claim("node")
            fill(stack, stack.folder)
        return self._stacks["home"]

    @functools.cached_property
    def places(self) -> dict[str, str]:
        """What stands for {device} and its like in addresses."""
        def items(path: str, role: str = "node") -> list[dict[str, Any]]:
            return self.stack.api("GET", f"/api/v1/{path}/", role=role)[1]["items"]

        devices, documents = {d["name"]: d for d in items("devices")}, {d["filename"]: d for d in items("documents")}
        return {"device": devices["Greenhouse"]["id"], "away": devices["Attic"]["id"], "scan": documents["kira_sözleşmesi.png"]["id"],
                "broken": documents["broken.pdf"]["id"], "job": documents["broken.pdf"]["job_id"], "node": items("nodes", "hub")[0]["id"],
                "person": next(m["user_id"] for m in items("organisation/members") if m["role"] == "member")}

    def logged_in(self, role: str) -> Any:
        """The cookies of a browser in which Ada is logged in."""
        if role not in self._logins:
            context = self.browser.new_context(timezone_id=ZONE)
            page = context.new_page()
            page.goto(getattr(self.stack, role) + "/login/")
            log_in(page)
            self._logins[role] = context.storage_state()
            context.close()
        return self._logins[role]


def log_in(page: Page) -> None:
    """Fill the login form and wait for the page behind it."""
    page.get_by_label(re.compile("^E-(mail|posta)")).fill(ADA["email"])
    page.locator("input[type=password]").fill(ADA["password"])
    page.locator("main form button[type=submit], main form button:not([type])").first.click()
    expect(page.locator("h1")).not_to_have_text(re.compile("Log in|Oturum|Giriş"))


class Watch:
    """Notes what a page must not do: ask another host, break, be refused something by the policy, get an error of the server."""

    def __init__(self, context: BrowserContext, origin: str, expected: tuple[str, ...] = ()):
        self.wrong: list[str] = []
        self.expected = [*map(re.compile, (*expected, *HARMLESS))]
        self._own = (origin, origin.replace("http", "ws", 1), "data:", "blob:", "about:")
        context.route(lambda url: not url.startswith(self._own), lambda route: (self._note(f"another host: {route.request.url}"), route.abort()))
        context.on("request", lambda r: self._own_only(r.url))
        context.on("response", lambda r: self._note(f"{r.status} {r.url}") if r.status >= 500 else None)
        context.on("console", lambda m: self._note(f"{m.text} ({m.location.get('url', '')})") if m.type == "error" else None)
        context.on("weberror", lambda e: self._note(str(e.error)))
        context.on("page", lambda page: page.on("websocket", lambda w: self._own_only(w.url)))

    def _own_only(self, url: str) -> None:
        if not url.startswith(self._own):
            self._note(f"another host: {url}")

    def _note(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self.expected):
            self.wrong.append(text)


class Visits:
    """Opens pages and holds their watches."""

    def __init__(self, room: Room):
        self.room, self._open = room, list[tuple[BrowserContext, Watch]]()

    def __call__(self, path: str = "/", *, role: str = "node", stack: Stack | None = None, login: bool = True, expected: tuple[str, ...] = (),
                 width: int = 1280, height: int = 800, theme: str = "dark", language: str = "en", scripts: bool = True, live: bool | None = None, host: str = "") -> Page:
        """A page in a browser of its own, at `path`; `live`: wait until it is (default: on pages that can be). `host`: another name of the box."""
        origin = getattr(stack or self.room.stack, role)
        origin = origin.replace("127.0.0.1", host) if host else origin
        context = self.room.browser.new_context(
            viewport={"width": width, "height": height}, base_url=origin, reduced_motion="reduce", locale={"en": "en-GB", "tr": "tr-TR"}[language],
            timezone_id=ZONE, color_scheme=theme, java_script_enabled=scripts,  # type: ignore[arg-type]
            storage_state=self.room.logged_in(role) if login and stack is None else None)
        self._open.append((context, Watch(context, origin, expected)))
        context.set_default_timeout(10_000)
        page = context.new_page()
        if path:
            page.goto(path)
            if live or (live is None and scripts and page.locator("#live-state").count()):
                is_live(page)
        return page

    def close(self) -> Iterator[str]:
        """Close all; yields what went wrong."""
        for context, watch in self._open:
            context.close()
            yield from watch.wrong
        self._open.clear()


def is_live(page: Page, seconds: float = 10) -> None:
    """Wait until the page says that it is live."""
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live", timeout=seconds * 1000)


def shot(page: Page, name: str, *, full: bool = True) -> Path:
    """Keep a picture of the page for people to look at."""
    SHOTS.mkdir(exist_ok=True)
    file = SHOTS / f"{name}.png"
    page.screenshot(path=file, full_page=full, animations="disabled")
    return file


def hears(credential: dict[str, Any], topic: str, stack: Stack) -> subprocess.Popen[str]:
    """A mosquitto_sub as the device that has subscribed, and ends after one message on `topic`."""
    stack.publish(credential, f"{credential['topic']}/listening", "now", retain=True)
    process = subprocess.Popen(["mosquitto_sub", "-h", credential["host"], "-p", str(credential["port"]), "-u", credential["username"], "-P",
                                credential["password"], "-q", "1", "-C", "2", "-W", "15", "-t", topic, "-t", f"{credential['topic']}/listening"],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "now\n"
    return process
