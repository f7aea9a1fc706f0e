"""The organisation in the panel: what it is, may and uses; handing it over, leaving it, choosing another; and the page of an invitation."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.features.orgs import decide
from unibos.features.orgs.api import changes, person
from unibos.features.orgs.limits import GIGABYTE
from unibos.features.orgs.people_api import REGISTERED, address
from unibos.features.orgs.people_pages import ROLES
from unibos.features.orgs.shapes import Line
from unibos.kernel.errors import Invalid, UnibosError
from unibos.kernel.web import Call, Routes, cookie_name, set_cookie
from unibos.kernel.words import T
from unibos.panel.shell import Words, go, page, say, toast

ROUTES, HUB_ROUTES = Routes(), Routes()
TYPE_WORDS = Words(individual=T("individual"), family=T("family"), team=T("team"), organization=T("organisation"), nonprofit=T("non-profit"),
                   enterprise=T("company"))
PLAN_WORDS = Words(free=T("free"), starter=T("starter"), professional=T("professional"), enterprise=T("enterprise"), self_hosted=T("self-hosted"))
JOIN_SECONDS = 900


class Form(BaseModel):
    """Name, type, domain and modules; a module is on where its box is ticked."""

    name: Line | None = Field(None, max_length=120)
    type: decide.Type | None = None
    custom_domain: Line | None = Field(None, max_length=253)
    modules: Line = Field("", max_length=1)


def _page(call: Call, status: int = 200, **shown: Any) -> Response:
    service, org_id = call.service, call.actor.org_id
    organisation = service.get(org_id)
    limits, used = service.limiter.of(organisation), service.organisations.used(org_id)
    bars = [{"id": "users", "label": say(T("People")), "used": used["users"], "allowed": limits.users},
            {"id": "nodes", "label": say(T("Nodes")), "used": used["nodes"], "allowed": limits.nodes},
            {"id": "storage", "label": say(T("Storage")), "used": used["storage"], "allowed": limits.storage_gb and limits.storage_gb * GIGABYTE}]
    for bar in bars:
        bar["level"] = decide.level(bar["used"], bar["allowed"])
    to = service.people.offered(organisation)
    return page(call, "organisation.html", status, organisation=organisation, bars=bars if call.kit.role == "hub" else [b for b in bars if b["id"] != "nodes"],
                types=[(word, TYPE_WORDS[word]) for word in decide.TYPES], type_words=TYPE_WORDS, plan_words=PLAN_WORDS, role=call.actor.role, role_words=ROLES,
                offered=service.people.get(org_id, to) if to else None, offered_to_me=bool(to) and to == call.actor.id,
                modules=[{"name": name, "title": say(title), "on": not organisation.enabled_modules or name in organisation.enabled_modules}
                         for name, title in call.kit.modules.items()],
                why_not_leave=say(decide.may_remove(call.actor.role, call.actor.role, self=True,
                                                    owners=len([p for p in service.people.list(org_id) if p.role == "owner"]))),
                **{"problem": "", "fields": {}, **shown})


@ROUTES.get("/organisation/", access="viewer", kind="page")
def organisation(call: Call) -> Response:
    """What the organisation is, what it may, and what it uses of that."""
    return _page(call)


@ROUTES.post("/organisation/", access="admin", kind="page", body=Form)
def change(call: Call) -> Response:
    """Keep another name, type or domain, or other modules."""
    fields = changes(call.body)
    if fields.pop("modules", ""):
        fields["enabled_modules"] = [name for name in call.kit.modules if request.form.get(f"module-{name}")]
    try:
        if fields.get("enabled_modules") == []:
            raise Invalid(T("Leave at least one module on."))
        call.service.organisations.change(call.actor.org_id, call.actor, **fields)
    except UnibosError as error:
        return _page(call, error.status, problem=say(error.text), fields={k: say(v) for k, v in error.fields.items()})
    return toast("/organisation/", T("Kept."))


@ROUTES.post("/organisation/accept/", access="viewer", kind="page")
def accept_offer(call: Call) -> Response:
    """Become the owner, as it was offered."""
    call.service.people.accept(call.actor.org_id, call.actor)
    return toast("/organisation/", T("You are the owner now."))


@ROUTES.post("/organisation/withdraw/", access="viewer", kind="page")
def withdraw(call: Call) -> Response:
    """Take the offer back, or decline it."""
    call.service.people.withdraw(call.actor.org_id, call.actor)
    return toast("/organisation/", T("The ownership stays where it is."))


@ROUTES.post("/organisation/leave/", access="guest", kind="page")
def leave(call: Call) -> Response:
    """Leave; a guest's account ends with it."""
    call.service.people.remove(call.actor.org_id, call.actor, call.actor.id)
    return toast("/organisations/" if call.actor.role != "guest" else "/login/", T("You have left."))


# Choosing between organisations.


class Choice(BaseModel):
    """The id of an organisation, and where to go then."""

    organisation: Line = Field(max_length=36)


@ROUTES.get("/organisations/", access="open", kind="page")
def choose(call: Call) -> Response:
    """The organisations of the one asking, to choose from; or that there is none (any more)."""
    if call.actor.kind != "person":
        return go("/login/")
    service = call.service.organisations
    return page(call, "organisations.html", mine=service.memberships(call.actor.id), current=call.actor.org_id, role_words=ROLES,
                may_create=service.why_not_create(call.actor) is None, problem="")


@ROUTES.post("/organisations/", access="open", kind="page", body=Choice)
def switch(call: Call) -> Response:
    """Mean that organisation from now on."""
    person(call).organisations.switch(call.actor, call.body.organisation)
    return go("/")


class Made(BaseModel):
    """A new organisation."""

    name: Line = Field("", max_length=120)
    type: decide.Type = "individual"


@ROUTES.post("/organisations/new/", access="open", kind="page", body=Made)
def create(call: Call) -> Response:
    """Make an organisation of one's own, and go there."""
    try:
        made = person(call).organisations.create(call.actor, call.body.name, call.body.type)
    except Invalid as error:
        return toast("/organisations/", error.text)  # type: ignore[arg-type]
    call.service.organisations.switch(call.actor, made.id)
    return toast("/organisation/", T("Your organisation is made."))


# Joining.


class Join(BaseModel):
    """The join page: the code first, then who one is."""

    code: Line = Field("", max_length=300)
    do: Line = Field("", max_length=10)
    name: Line = Field("", max_length=120)
    email: Line = Field("", max_length=254)
    password: str = Field("", max_length=256)
    pin: Line = Field("", max_length=12)


def _open(call: Call) -> bool:
    return call.kit.role == "hub" and call.kit.settings["UNIBOS_REGISTRATION"] == "open"


def _join(call: Call, status: int = 200, **shown: Any) -> Response:
    return page(call, "join.html", status, **{"registers": _open(call), "found": None, "form": Join(), "problem": "", "fields": {}, "role_words": ROLES,
                                              **shown})


@ROUTES.get("/join/", access="open", kind="page")
def join(call: Call) -> Response:
    """Ask for an invitation's code; or, when its cookie is there because one logged in meanwhile, go on."""
    secret = request.cookies.get(cookie_name(call.kit, "join"), "")[:300]
    if not secret:
        return _join(call)
    try:
        return _join(call, found=call.service.invitations.look(secret, address()))
    except UnibosError:
        answer = _join(call)
        set_cookie(call.kit, answer, "join", "", 0)
        return answer


@ROUTES.post("/join/", access="open", kind="page", body=Join)
def accept(call: Call) -> Response:
    """Look at an invitation, or accept it."""
    form, service = call.body, call.service.invitations
    secret = form.code or request.cookies.get(cookie_name(call.kit, "join"), "")[:300]
    found = None
    try:
        if form.do != "accept":
            found = service.look(secret, address())
            answer = _join(call, found=found)
            set_cookie(call.kit, answer, "join", "".join(secret.split()), JOIN_SECONDS)
            return answer
        user, org_id = service.accept(secret, address(), actor=call.actor, name=form.name, email=form.email, password=form.password, pin=form.pin)
    except UnibosError as error:
        if form.do == "accept" and error.code != "forbidden":
            found = _still(call, secret)
        return _join(call, error.status, found=found, form=form, problem=say(error.text), fields={k: say(v) for k, v in error.fields.items()})
    return _in(call, user, org_id)


def _still(call: Call, secret: str) -> dict[str, Any] | None:
    try:
        return call.service.invitations.look(secret, address())
    except UnibosError:
        return None


def _in(call: Call, user: Any, org_id: str) -> Response:
    """Into the panel, as who accepted and in the organisation that they joined."""
    answer = toast("/", T("Welcome. You are in."))
    if call.actor.kind == "person" and call.actor.id == user.id:
        call.service.organisations.switch(call.actor, org_id)
    else:
        call.services["identity"].welcome(call, user)
        _session, secret = call.services["identity"].open_session(user, "browser", address(), request.user_agent.string)
        left = user.expires_at and int((user.expires_at - call.kit.now()).total_seconds())
        seconds = left or call.kit.settings["UNIBOS_REFRESH_SECONDS"]
        set_cookie(call.kit, answer, "", secret, seconds)
    set_cookie(call.kit, answer, "join", "", 0)
    return answer


# Registering, where a hub lets everybody in.


class Newcomer(BaseModel):
    """A new person with an organisation of their own."""

    name: Line = Field("", max_length=120)
    email: Line = Field("", max_length=254)
    password: str = Field("", max_length=256)
    organisation: Line = Field("", max_length=120)


@HUB_ROUTES.get("/register/", access="open", kind="page")
def newcomer(call: Call) -> Response:
    """Ask who wants to register; elsewhere than on an open hub it takes an invitation."""
    if not _open(call):
        return go("/join/")
    return page(call, "register.html", form=Newcomer(), problem="", fields={})


@HUB_ROUTES.post("/register/", access="open", kind="page", body=Newcomer)
def register(call: Call) -> Response:
    """Register; what follows is the login, whether or not the e-mail was known."""
    form = call.body
    try:
        call.service.organisations.register(form.email, form.password, form.name, form.organisation, address())
    except UnibosError as error:
        return page(call, "register.html", error.status, form=form, problem=say(error.text), fields={k: say(v) for k, v in error.fields.items()})
    return toast("/login/", REGISTERED)
