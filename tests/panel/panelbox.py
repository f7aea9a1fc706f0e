"""A small real server for the scripts: pages, fragments, search, uploads and the live socket, under the policy that the panel sends."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import preview
from flask import Flask, Response, redirect, request, send_from_directory
from flask_sock import Sock
from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader
from playwright.sync_api import Page, expect
from simple_websocket import ConnectionClosed

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
          "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'")
LIVE_PAGE = """{% extends "base.html" %}{% import "components.html" as ui with context %}{% block title %}Live{% endblock %}
{% block content %}<span data-topics="weather"></span>
{% block list %}{% import "components.html" as ui with context %}{% call ui.card('List', block='list', topics='devices jobs') %}
  <p id="count">{{ count }}</p>
  <details id="more"><summary>more</summary><p>inside {{ count }}</p></details>
  <form><input id="note" name="note" value="{{ note }}"><input id="other" name="other" value="{{ count }}">
    <input type="checkbox" id="box" name="box"><textarea id="area" name="area">{{ count }}</textarea></form>
  <div id="scroller" tabindex="0" class="hits"><ul data-list>
  {% for row in rows %}<li data-key="{{ row }}"><a href="/row/{{ row }}/" data-item>{{ row }}</a></li>{% endfor %}</ul></div>
{% endcall %}{% endblock %}
{% block slow %}<section data-block="slow" data-topics="slow"><span id="slow">{{ slow }}</span></section>{% endblock %}
<b data-value="entity:1">20.0</b> <time data-value-at="entity:1" datetime="2026-03-20T10:00:00+00:00" title="then">old</time>
{% endblock %}"""


class Box:
    """The server, and what it was asked."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {"count": 1, "note": "from the server", "rows": ["a", "b", "c"], "slow": 0}
        self.hellos: list[list[str]] = []
        self.fetched: list[str] = []
        self.posts: list[tuple[str, dict[str, str], list[str]]] = []
        self.lines: list[Any] = []
        self.refuse = self.logged_out = self.silent = False
        self.loads = 0
        self.hold = threading.Event()
        self.hold.set()

    def say(self, **message: Any) -> None:
        for line in list(self.lines):
            line.send(json.dumps(message))

    def cut(self) -> None:
        for line in list(self.lines):
            with contextlib.suppress(ConnectionClosed):
                line.close()


def app(box: Box) -> Flask:
    flask = Flask(__name__, static_folder=None)
    sock = Sock(flask)
    loader = ChoiceLoader([DictLoader({"live.html": LIVE_PAGE}), FileSystemLoader(preview.PANEL / "templates")])

    @flask.after_request
    def policy(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    @flask.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(preview.STATIC, name, mimetype="text/javascript" if name.endswith(".js") else None)

    @flask.get("/")
    def components() -> str:
        return preview.render(prefix="/static/", longer="longer" in request.args, theme="dark")

    @flask.get("/live/")
    def live() -> Any:
        block = request.args.get("_block", "")
        if box.logged_out:
            return redirect("/login/")
        if block:
            assert request.headers["X-Requested-With"] == "unibos"
            box.fetched.append(block)
            facts = dict(box.facts)
            box.hold.wait(10)
        else:
            box.loads += 1
            facts = box.facts
        env: Environment = preview.environment(prefix="/static/", loader=loader)
        template = env.get_template("live.html")
        return "".join(template.blocks[block](template.new_context(facts))) if block in template.blocks else template.render(facts)

    @flask.get("/login/")
    def login() -> str:
        box.logged_out = False
        return "<title>login</title>"

    @flask.get("/search/")
    def search() -> Any:
        found = [{"title": f"Backup {i}", "kind": "page", "href": f"/devices/?{i}", "hint": "<b>hint</b>"} for i in range(3)]
        return found if request.args.get("_format") == "json" and "b" in request.args["q"] else []

    @flask.route("/<path:path>", methods=["GET", "POST"])
    def anything(path: str) -> Any:
        if request.method == "POST":
            box.posts.append((f"/{path}", dict(request.form), [f.filename or "" for f in request.files.values()]))
            if path == "dev/upload/" and request.headers.get("X-Requested-With"):
                return {"href": "/documents/7/"}
            return redirect("/posted/", 303)
        return f"<title>{path}</title>"

    @sock.route("/ws/live/")
    def line(ws: Any) -> None:
        if box.refuse:
            return
        box.lines.append(ws)
        try:
            while True:
                box.hellos.append(json.loads(ws.receive())["topics"])
                if not box.silent:
                    ws.send(json.dumps({"type": "ready", "version": "1", "at": int(time.time() * 1000) - 3_600_000}))
        finally:
            box.lines.remove(ws)

    return flask


def wait(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.01)


def go_live(page: Page) -> None:
    page.goto("/live/")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
