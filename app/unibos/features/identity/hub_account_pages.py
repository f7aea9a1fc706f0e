"""The account page of a node: what one may here and why, linking with an account of the hub, and what the owner grants people of hubs."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.identity.link_api import midnight, own
from unibos.kernel.errors import FactorNeeded, Forbidden, Invalid, UnibosError
from unibos.kernel.web import Call, Routes
from unibos.kernel.words import T
from unibos.panel.shell import Words, page, say, toast

ROUTES = Routes()
ROLES = Words(guest=T("guest"), viewer=T("viewer"), member=T("member"), admin=T("admin"), owner=T("owner"))
STATES = Words(fresh=T("confirmed"), shrunk=T("reduced"), unsure=T("reduced"), ended=T("ended"), revoked=T("ended"))
LEVELS = {"fresh": "good", "shrunk": "warn", "unsure": "warn", "ended": "bad", "revoked": "bad"}


class Form(BaseModel):
    """What a form of this page asks for, and its fields."""

    do: Literal["begin", "second", "choose", "confirm", "undo", "grant"]
    email: str = Field("", max_length=254)
    password: str = Field("", max_length=256)
    challenge: str = Field("", max_length=128)
    code: str = Field("", max_length=64)
    older: str = Field("none", max_length=8)
    since: str = Field("", max_length=10)
    choice: str = Field("separate", max_length=12)
    person: str = Field("", max_length=36)
    role: str = Field("", max_length=12)


def _page(call: Call, status: int = 200, **shown: Any) -> Response:
    own(call)
    identity, local = call.service, call.service.user(call.actor.id).kind == "local"
    people = identity.hub_people.all() if call.actor.may("admin") else []
    rows = [{"id": p["id"], "name": p["name"] or p["email"], "hub_role": ROLES[p["hub_role"]], "grant": p["grant"], "standing": p["standing"],
             "level": LEVELS[p["standing"].state], "word": STATES[p["standing"].state], "at": p["confirmed_at"]} for p in people]
    return page(call, "hub_account.html", status, **{
        "problem": "", "challenge": "", "email": "", "link": identity.linking.shown(call.actor.id) if local else None, "local": local,
        "joined": call.services["link"].hub() is not None, "standing": identity.hub_people.standing(call.actor.id), "offline": call.actor.offline,
        "role": ROLES[call.actor.role], "people": rows, "may_grant": call.actor.may("owner"), "levels": LEVELS, "states": STATES, "roles": ROLES,
        "link_states": Words(pending=T("waits for you to confirm"), confirmed=T("linked")), **shown})


@ROUTES.get("/settings/hub-account/", access="guest", kind="page")
def show(call: Call) -> Response:
    """What one may on this node and why, and what one's account is linked with."""
    return _page(call)


@ROUTES.post("/settings/hub-account/", access="guest", kind="page", body=Form)
def act(call: Call) -> Response:
    """Link one's account with the hub's in three steps, take that back, or grant a person of a hub a role here."""
    form = call.body
    try:
        return _ACTS[form.do](call, form)
    except FactorNeeded as needed:
        return _page(call, challenge=needed.extra["challenge"], email=form.email)
    except UnibosError as error:
        again = form.challenge if form.do == "second" and not error.extra.get("ended") else ""
        return _page(call, error.status, problem=say(error.text), challenge=again, email=form.email)


def _begin(call: Call, form: Form) -> Response:
    told = call.service.linking.begin(own(call), form.email, form.password, request.remote_addr or "")
    return _page(call, link=told)


def _second(call: Call, form: Form) -> Response:
    return _page(call, link=call.service.linking.second(own(call), form.challenge, form.code, request.remote_addr or ""))


def _choose(call: Call, form: Form) -> Response:
    try:
        since = midnight(dt.date.fromisoformat(form.since)) if form.older == "since" else None
    except ValueError:
        raise Invalid(T("Choose from which day on older data goes to the hub.")) from None
    call.service.linking.choose(own(call), choice=form.choice, older=form.older, since=since, confirm=form.do == "confirm")
    return toast("/settings/hub-account/", T("Your accounts are linked.") if form.do == "confirm" else T("Kept."))


def _undo(call: Call, _form: Form) -> Response:
    call.service.linking.undo(own(call))
    return toast("/settings/hub-account/", T("The link was taken back. Nothing was given to the hub."))


def _grant(call: Call, form: Form) -> Response:
    if not call.actor.may("owner"):
        raise Forbidden()
    call.service.hub_people.set_grant(form.person, form.role, call.actor.id)
    return toast("/settings/hub-account/", T("Kept."))


_ACTS = {"begin": _begin, "second": _second, "choose": _choose, "confirm": _choose, "undo": _undo, "grant": _grant}
