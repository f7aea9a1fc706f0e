"""Renders the page of all components to files: `python tests/panel/preview.py DIRECTORY` makes one for each theme, to be looked at."""

from __future__ import annotations

import datetime as dt
import gettext
import shutil
import sys
import zoneinfo
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from unibos.panel import examples

PANEL = Path(examples.__file__).parent
STATIC = PANEL / "static"
ZONE = zoneinfo.ZoneInfo("Europe/Istanbul")
NOW = dt.datetime.fromtimestamp((examples.START + examples.DAY) / 1000, ZONE)
PLACES = (("overview", "o", "▣"), ("devices", "d", "◉"), ("documents", "c", "▤"), ("jobs", "j", "▸"), ("sync", "s", "⇄"),
          ("hubs", "h", "◇"), ("settings", "e", "≡"))


class Longer(gettext.NullTranslations):
    """A made-up language in which every sentence is a third longer, and which shows what nobody marked."""

    def gettext(self, message: str) -> str:
        return f"{message} {'ığüşöç' * 9}"[: int(len(message) * 4 / 3) + 1]

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        return self.gettext(singular if n == 1 else plural)


def when(value: dt.datetime | int) -> Markup:
    at = value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(value / 1000, ZONE)
    minutes = int((NOW - at).total_seconds() // 60)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S"),
                                                                      f"{minutes} minutes ago")


def shell(theme: str, lang: str) -> dict[str, Any]:
    return {
        "host": "pi-001", "role": "node", "version": "0.1.0", "path": "/dev/components", "lang": lang, "theme": theme,
        "languages": [{"code": "en", "name": "English"}, {"code": "tr", "name": "Türkçe"}], "user": {"name": "Ada"}, "alerts": 2,
        "nav": [{"id": p, "href": f"/{p}/", "label": p, "key": k, "glyph": g, "current": p == "devices"} for p, k, g in PLACES],
        "clock": {"ok": True, "text": "clock set by a time server"},
        "hub": {"state": "good", "text": "hub rocksteady", "href": "/hubs/"},
    }


def environment(*, theme: str = "auto", lang: str = "en", prefix: str = "static/", longer: bool = False,
                loader: BaseLoader | None = None) -> Environment:
    """Jinja as the panel sets it up, with plain stand-ins for what it says in a language; static files are expected under `prefix`."""
    env = Environment(loader=loader or FileSystemLoader(PANEL / "templates"), autoescape=True,
                      extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    env.install_gettext_translations(Longer() if longer else gettext.NullTranslations(), newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        static=lambda name: prefix + name,
        csrf=lambda: Markup('<input type="hidden" name="_csrf" value="token">'), when=when, number=lambda x, digits=0: f"{x:,.{digits}f}",
        size=lambda n: f"{n / 1e9:.1f} GB", duration=lambda s: f"{int(s)} s", shell=shell(theme, lang), **examples.context(ZONE))
    return env


def render(template: str = "dev_components.html", more: dict[str, Any] | None = None, **options: Any) -> str:
    """A whole page as text; `more` is what its route would hand over."""
    return environment(**options).get_template(template).render(more or {})


def error(status: int = 503) -> dict[str, Any]:
    """What the page of errors is given."""
    return {"title": "The database does not answer", "text": "Pages that need it wait. The box tries again by itself.",
            "code": "unavailable", "status": status, "request_id": "01J8Z3", "now": NOW, "retry_after": None}


def main(directory: str) -> None:
    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copytree(STATIC, out / "static", dirs_exist_ok=True)
    for theme in ("dark", "light"):
        (out / f"{theme}.html").write_text(render(theme=theme))
        (out / f"{theme}-longer.html").write_text(render(theme=theme, longer=True))
        (out / f"{theme}-error.html").write_text(render("error.html", error(), theme=theme))


if __name__ == "__main__":
    main(sys.argv[1])
