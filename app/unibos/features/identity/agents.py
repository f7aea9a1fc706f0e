"""What a program calls itself (User-Agent, RFC 9110 section 10.1.5), in words that people know. Pure; it only serves to be read."""

from __future__ import annotations

import re

from unibos.kernel.words import T, Text

# The first that fits counts: many browsers also name those that they want to be taken for.
_BROWSERS = (("Edge", r"\bEdg(?:e|A|iOS)?/"), ("Opera", r"\b(?:OPR|Opera)/"), ("Samsung Internet", r"\bSamsungBrowser/"),
             ("Firefox", r"\b(?:Firefox|FxiOS)/"), ("Chrome", r"\b(?:Chrome|CriOS|Chromium|HeadlessChrome)/"), ("Safari", r"\bVersion/.*Safari/"))
_SYSTEMS = (("iPhone", r"\biPhone\b"), ("iPad", r"\biPad\b"), ("Android", r"\bAndroid\b"), ("ChromeOS", r"\bCrOS\b"), ("Windows", r"\bWindows NT\b"),
            ("Mac", r"\bMacintosh\b"), ("Linux", r"\bLinux\b"))
_PROGRAM = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,30})(?:/|$)")


def _first(table: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in table if re.search(pattern, agent)), "")


def device_name(agent: str) -> Text:
    """A program and its system, such as "Firefox on Linux"; the program's own word where it is no browser; or that nobody knows."""
    browser, system = _first(_BROWSERS, agent[:400]), _first(_SYSTEMS, agent[:400])
    if browser and system:
        return T("%(browser)s on %(system)s", browser=browser, system=system)
    program = browser or system
    if not program and (found := _PROGRAM.match(agent)) and found[1] != "Mozilla":
        program = found[1]
    return Text(program) if program else T("An unknown program")
