"""The look by computing: contrast of every pair of tokens, one light theme, nothing inline, every sentence marked, weight."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from typing import Any

import preview
import pytest

CSS = (preview.STATIC / "unibos.css").read_text()
PARTS = (preview.STATIC / "parts.css").read_text()
SCRIPTS = sorted(preview.STATIC.glob("*.js"))


def tokens(selector: str) -> dict[str, str]:
    block = CSS.split(selector + " {", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})\b", block))


DARK, LIGHT = tokens(":root"), tokens(':root[data-theme="light"]')


def luminance(colour: str) -> float:
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_text_and_lines_can_be_told_from_their_ground(theme: dict[str, str]) -> None:
    texts = ("text", "quiet", "accent", "good", "warn", "bad", "info")
    pairs = [(t, g) for t in texts for g in ("page", "surface", "raise")] + [("on-accent", "accent"), ("text", "band")]
    assert {(t, g): round(contrast(theme[t], theme[g]), 2) for t, g in pairs if contrast(theme[t], theme[g]) < 4.5} == {}
    lines = [("edge", g) for g in ("page", "surface", "raise")]
    assert {(t, g): round(contrast(theme[t], theme[g]), 2) for t, g in lines if contrast(theme[t], theme[g]) < 3} == {}


def test_both_themes_have_the_same_tokens_and_light_is_one() -> None:
    assert set(DARK) == set(LIGHT) and len(DARK) > 12
    assert tokens(':root:not([data-theme="dark"])') == LIGHT


def test_colours_stand_in_the_tokens_only() -> None:
    rules = CSS.split("/* Ground */")[1].split("@media print")[0] + PARTS
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?!\s*\{)|rgba?\(|hsla?\(", re.sub(r"#search|#\w+-\w+", "", rules)) == []
    used = set(re.findall(r"var\(--([\w-]+)", CSS + PARTS))
    assert used == set(re.findall(r"--([\w-]+)\s*:", CSS + PARTS)), "a token is used but not defined, or the other way round"


class Strict(HTMLParser):
    """Collects what the content security policy would refuse and what a reader's program needs."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.ids: list[str] = []
        self.pointed: list[str] = []
        self.fields: list[dict[str, str | None]] = []
        self.labels: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.refused += [f"{tag} {n}" for n in names if n == "style" or n.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.refused.append(tag)
        self.refused += [f"{tag} {v}" for n, v in attrs if n in ("src", "href", "action") and v and re.match(r"\w+:|//", v)]
        if names.get("id"):
            self.ids.append(names["id"] or "")
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            self.pointed += (names.get(name) or "").split()
        if tag in ("input", "select", "textarea") and names.get("type") != "hidden":
            self.fields.append(names)
        if tag == "label":
            self.labels.add(names.get("for") or "")
        if tag not in ("input", "meta", "link", "img", "br"):
            self.open.append(tag)
        self.texts += [v for n, v in attrs if n in ("aria-label", "placeholder") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"code", "time", "option", "title", "kbd"} & set(self.open[-1:]) and "svg" not in self.open:
            self.texts.append(data.strip())


PAGES: dict[str, Any] = {"components": {}, "error": {"template": "error.html", "more": preview.error()},
                         "search": {"template": "search.html", "more": {"words": "pi", "found": [
                             {"title": "pi-001", "kind": "hub", "href": "/nodes/1/", "hint": ""}]}},
                         "nothing": {"template": "search.html", "more": {"words": "<pi>", "found": []}},
                         "missing": {"template": "error.html", "more": preview.error(404)}}


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_well_formed_and_have_nothing_inline(page: str) -> None:
    html = Strict()
    html.feed(preview.render(**PAGES[page]))
    assert html.refused == [] and html.open == []
    assert len(html.ids) == len(set(html.ids))
    assert set(html.pointed) <= set(html.ids)
    assert [f for f in html.fields if f.get("id") not in html.labels and not f.get("aria-label")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_sentence_is_marked(page: str) -> None:
    """In a made-up language each marked text ends in made-up letters; what has none and holds a word was not marked."""
    html = Strict()
    html.feed(preview.render(longer=True, **PAGES[page]))
    names = {"UNIBOS", "pi-001", "Ada", "English", "Türkçe", "Heating plan", "rocksteady", "bebop", "hub", "kitchen-sensor", "heater",
             "pi-zero-01", "zigbee2mqtt-0x00158d0001a2b3c4", "clock set by a time server", "hub rocksteady", "UNIBOS 0.1.0", "GB", "Enter",
             *map(str, preview.error().values()), *(place for place, _, _ in preview.PLACES)}
    left = [t for t in html.texts if re.search(r"[a-z]{3}", t) and t not in names and not re.search("[ığüşöç]", t)
            and not re.fullmatch(r"SHA256 .*|\d[\d-]*.*", t)]
    assert left == []


def test_the_first_page_is_light() -> None:
    shared = sum(len(gzip.compress(f.read_bytes(), 6)) for f in [*SCRIPTS, *preview.STATIC.glob("*.css"), preview.STATIC / "icon.svg"])
    page = len(gzip.compress(preview.render().encode(), 6))
    assert shared <= 25_000, shared
    assert shared + page <= 60_000, (shared, page)


def test_scripts_stay_on_this_host_and_make_no_code() -> None:
    for script in SCRIPTS:
        text = script.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), script.name
        assert not re.search(r"\beval\(|new Function|document\.write|outerHTML\s*=|^import ", text, re.M), script.name


def test_every_word_that_a_script_says_is_handed_over() -> None:
    """`words.someName` in a script is `data-some-name` in the page."""
    handed = set(re.findall(r'\bdata-([\w-]+)="', preview.render().split('<div id="words"', 1)[1].split("</div>", 1)[0]))
    for script in SCRIPTS:
        for name in re.findall(r"\bwords\.(\w+)", script.read_text()):
            assert re.sub("([A-Z])", r"-\1", name).lower() in handed, (script.name, name)
