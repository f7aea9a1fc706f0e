"""A browser, a server of its own for each test, and a page that fails the test when anything is refused."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
from panelbox import Box, app
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("there is no chromium here")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def address(box: Box) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = make_server("127.0.0.1", port, app(box), threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    box.hold.set()
    box.refuse = True
    box.cut()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own that fails the test when a script fails, the policy refuses something, or another host is asked."""
    options = {"viewport": {"width": 1280, "height": 800}, "base_url": address, "reduced_motion": "reduce", "locale": "en-GB"}
    context = browser.new_context(**(options | getattr(request, "param", {})))
    tab = context.new_page()
    tab.set_default_timeout(10_000)
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" and "/ws/live/" not in m.text else None)
    tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((address, "data:")) else None)
    yield tab
    context.close()
    assert wrong == []
