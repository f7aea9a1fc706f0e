"""Dashboard, settings, about."""

from __future__ import annotations

import platform
from typing import Any

from flask import Response, request

from unibos.kernel.web import Call, Routes
from unibos.panel.shell import page, say

ROUTES = Routes()


@ROUTES.get("/", access="guest", kind="page")
def dashboard(call: Call) -> Response:
    """What is wrong, what runs, how this device is."""
    if call.actor.own_only:  # nothing here is theirs
        return page(call, "dashboard.html", cards=[], ready=True, checks=[])

    def find() -> tuple[list[dict[str, Any]], bool, list[dict[str, Any]]]:
        cards = sorted(filter(None, (card(call.actor) for card in call.kit.gather("cards"))), key=lambda c: c["order"])
        return cards, *call.service.ready()

    # A fragment is asked for because something changed: it must not show what was before.
    cards, ready, checks = find() if "_block" in request.args else call.service.recent(f"{call.actor.org_id} {call.actor.role}", find)
    words = {name: value for card in cards for name, value in card.get("words", {}).items()}
    return page(call, "dashboard.html", cards=cards, ready=ready, checks=checks, **words)


@ROUTES.get("/settings/", access="guest", kind="page")
def settings(call: Call) -> Response:
    """Appearance, account, hub, and the effective settings."""
    sessions = call.services["identity"].sessions(call.actor.id)
    hubs = call.services["link"].hubs() if "link" in call.services and not call.actor.own_only else None
    effective = [{"id": e.setting.name, "name": e.setting.name, "value": e.shown() or "–", "source": e.source, "sentence": say(e.setting.sentence)}
                 for e in call.kit.settings.effective()] if call.actor.may("admin") and call.services["orgs"].of_device(call.actor) else []
    factor = call.services["identity"].factors.state(call.actor.id) if call.actor.kind == "person" and not call.actor.own_only else None
    return page(call, "settings.html", sessions=sessions, hubs=hubs, effective=effective, factor=factor,
                visiting=call.actor.own_only and call.services["identity"].user(call.actor.id).kind == "guest")


@ROUTES.get("/about/", access="guest", kind="page")
def about(call: Call) -> Response:
    """Version, machine, licence, and where help is."""
    return page(call, "about.html", machine=call.kit.machine(), python=platform.python_version(), parts=list(call.services))
