"""Live updates: one listener per web process reads the bus and fans out to the open pages, coalesced per connection."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos import __version__
from unibos.kernel.jobs import unsaid
from unibos.kernel.words import Text
from unibos.panel import i18n

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit
    from unibos.kernel.sockets import Connection

# Changes and values reach a page at most so often: a page cannot show more, and a phone should not have to.
INTERVAL = 0.1
# What is of the whole device, not of one organisation on it.
WIDE = frozenset({"load", "status", "link", "hubs", "export"})
# When a topic last changed is kept for so many topics; a page that was rendered before that is told at once.
REMEMBERED = 5000


class Page:
    """One open page: the topics it shows, and what has gathered for it since it was last told."""

    def __init__(self, connection: Connection, language: str):
        self.connection, self.actor, self.org = connection, connection.actor, connection.actor.org_id
        self.language, self.topics = language, frozenset[str]()
        self.changed: dict[str, None] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.waiting = threading.Event()


class Live:
    """The fan-out. `topics` are words such as `jobs` or `device:ID`; values belong to a topic, too.

    A message carries the organisation that it is of, and reaches the pages of no other. The topic `person:ID` is for that person alone.
    """

    def __init__(self, kit: Kit):
        self._kit, self._pages, self._lock = kit, set[Page](), threading.Lock()
        self._started, self._since, self._last = False, 0, dict[tuple[str, str], int]()
        # A node is one organisation's; what happens there without a request names none.
        self._alone = kit.role == "node"

    def serve(self, connection: Connection) -> None:
        """Serve one page until it leaves."""
        from unibos.panel.shell import shell  # with Flask and Jinja behind it, which agent and workers never need

        page = Page(connection, shell().language)
        with self._lock:
            self._pages.add(page)
            if not self._started:
                self._started, self._since = True, self._kit.now_ms()
                threading.Thread(target=self._listen, name="live", daemon=True).start()
        sender = threading.Thread(target=self._send, args=(page,), daemon=True)
        sender.start()
        try:
            while True:
                message = connection.receive()
                if message is None:
                    continue
                if message.get("type") == "hello":
                    topics = message.get("topics")
                    page.topics = frozenset(str(t)[:100] for t in topics[:100]) if isinstance(topics, list) else frozenset()
                    connection.send({"type": "ready", "version": __version__, "at": self._kit.now_ms()})
                    self._catch_up(page, message.get("since"))
        finally:
            with self._lock:
                self._pages.discard(page)
            page.waiting.set()

    def _catch_up(self, page: Page, since: Any) -> None:
        """Tell what changed between the rendering of the page (`since`, ms) and its hello: nobody told it then."""
        if not isinstance(since, int | float) or not since:
            return
        since -= 1000  # what the page shows was read a moment before it was rendered
        whole = since < self._since  # and maybe before this process listened
        missed = [t for t in page.topics if whole or self._last.get(self._key(t, page.org), 0) >= since]
        missed = [t for t in missed if not page.actor.own_only or t == f"person:{page.actor.id}"]
        if missed:
            page.changed.update(dict.fromkeys(missed))
            page.waiting.set()

    def count(self) -> int:
        """How many pages are open on this process."""
        return len(self._pages)

    def _listen(self) -> None:
        for item in self._kit.bus.listen(["live"], timeout=60.0):
            if item is not None:
                self.spread(item[1])

    def spread(self, message: Mapping[str, Any]) -> None:
        """Note a bus message for every page that shows its topic."""
        kind, now = message.get("type"), self._kit.now_ms()
        named = [message.get("topic")] if kind == "changed" else [v.get("topic") for v in message.get("values", ())]
        if len(self._last) > REMEMBERED:
            self._last, self._since = {}, now
        org = message.get("org") or ""
        self._last.update({self._key(topic, org): now for topic in (*named, *(["values"] if kind == "values" else []))})
        for page in list(self._pages):
            if kind == "left" and message.get("actor") == page.actor.id and org in ("", page.org):
                page.connection.close(*((1012, "connect again") if message.get("stays") else (4401, "log in again")))
            if not self._meant(page, message, org):
                continue
            if kind == "changed" and message.get("topic") in page.topics and message.get("actor") in (None, page.actor.id):
                page.changed[message["topic"]] = None
            elif kind == "values":
                for value in message.get("values", ()):
                    if value.get("topic") in page.topics or "values" in page.topics:
                        page.values[value["key"]] = value
            elif kind == "toast" and message.get("actor") in (None, page.actor.id):
                text = (unsaid(message["text"]) or Text("")).render(i18n.catalogue(page.language).gettext)
                page.connection.send({"type": "toast", "level": message["level"], "text": text})
            if page.changed or page.values:
                page.waiting.set()

    def _key(self, topic: str, org: str) -> tuple[str, str]:
        return ("*" if self._alone or topic in WIDE else org, topic)

    def _meant(self, page: Page, message: Mapping[str, Any], org: str) -> bool:
        """Whether a message is for the organisation of that page, and for somebody who may see more than their own."""
        if message.get("type") == "toast":
            return message.get("actor") is not None or (not page.actor.own_only and (self._alone or org == page.org))
        topic = message.get("topic", "")
        if page.actor.own_only:
            return topic == f"person:{page.actor.id}"
        return self._alone or (bool(org) and org == page.org) or topic in WIDE

    def _send(self, page: Page) -> None:
        while page.waiting.wait() and page in self._pages:
            page.waiting.clear()
            values, page.values = page.values, {}
            changed, page.changed = page.changed, {}
            for value in values.values():
                page.connection.send({"type": "value", "key": value["key"], "text": said(value, page.language), "at": value["at"]})
            for topic in changed:
                if not page.connection.send({"type": "changed", "topic": topic}):
                    return
            self._pause()

    @staticmethod
    def _pause() -> None:
        threading.Event().wait(INTERVAL)


def said(value: Mapping[str, Any], language: str) -> str:
    """A reading as the page of that language writes it."""
    text = value.get("text")
    if text in ("on", "off"):
        return i18n.catalogue(language).gettext(text)
    return i18n.number(value.get("number"), 2, language) if value.get("number") is not None else str(text or "–")


def build(kit: Kit, _services: Mapping[str, Any]) -> Live:
    """The service."""
    return Live(kit)
