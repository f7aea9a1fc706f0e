"""Language: catalogues read from .po files at start, and dates, numbers and sizes as the reader's language writes them."""

from __future__ import annotations

import datetime as dt
import functools
import gettext
import importlib.resources
import io
import math
from zoneinfo import ZoneInfo

LANGUAGES = {"en": "English", "tr": "Türkçe"}


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language; English is what the sources say."""
    path = importlib.resources.files("unibos.panel") / "locale" / f"{language}.po"
    if language == "en" or not path.is_file():
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def findable(text: str) -> str:
    """A text as searches compare it: small letters, and i, ı, I and İ as one, since people type what their keyboard has."""
    return text.casefold().replace("\u0307", "").replace("ı", "i")


def zone(name: str) -> dt.tzinfo:
    """The time zone of that name, or the machine's own."""
    try:
        return ZoneInfo(name) if name and len(name) < 64 else dt.datetime.now().astimezone().tzinfo or dt.UTC
    except (KeyError, ValueError, OSError):
        return dt.datetime.now().astimezone().tzinfo or dt.UTC


@functools.lru_cache(maxsize=4096)
def exact(moment: dt.datetime, language: str, tz: dt.tzinfo) -> str:
    """Date and time to the second."""
    from babel.dates import format_datetime

    return format_datetime(moment.astimezone(tz), "medium", locale=language)


def ago(moment: dt.datetime, now: dt.datetime, language: str) -> str:
    """How long ago (or in how long), in the reader's words: "2 minutes ago"."""
    return _ago(math.floor((moment - now).total_seconds()), language)


@functools.lru_cache(maxsize=4096)
def _ago(seconds: int, language: str) -> str:
    from babel.dates import format_timedelta

    return format_timedelta(dt.timedelta(seconds=seconds), add_direction=True, locale=language, threshold=1.2)


def number(value: float | None, digits: int, language: str) -> str:
    """A number with at most `digits` decimals and the language's signs; a dash for none."""
    return "–" if value is None else _number(value or 0, digits, language)


@functools.lru_cache(maxsize=4096)
def _number(value: float, digits: int, language: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(value, "#,##0." + "#" * digits if digits else "#,##0", locale=language)


def size(octets: float | None, language: str) -> str:
    """An amount of data in the unit people would choose."""
    if octets is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if octets < 1000 or unit == "TB":
            return f"{number(octets, 0 if unit == 'B' or octets >= 100 else 1, language)} {unit}"
        octets /= 1000
    return ""


def duration(seconds: float | None, language: str) -> str:
    """A length of time in its largest two units."""
    from babel.units import format_unit

    if seconds is None:
        return "–"
    left, parts = int(round(max(0, seconds))), []
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, length)
        if count or (unit == "second" and not parts):
            parts.append(format_unit(count, unit, "short", locale=language))
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)
