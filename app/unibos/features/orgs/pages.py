"""The claim page: one field first (the code), then the rest; and the guard that shows an unclaimed box nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response, request
from pydantic import BaseModel, Field

from unibos.kernel.actors import Actor
from unibos.kernel.errors import Forbidden, Invalid, UnibosError
from unibos.kernel.web import Call, Route, Routes, set_cookie
from unibos.kernel.words import T
from unibos.panel.shell import go, page, say

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ROUTES = Routes()


class Form(BaseModel):
    """The claim form; without name and password it is the first step."""

    code: str = Field("", max_length=64)
    email: str = Field("", max_length=254)
    password: str = Field("", max_length=256)
    name: str = Field("", max_length=120)
    organisation: str = Field("", max_length=255)


@ROUTES.get("/claim/", access="open", kind="page", unclaimed=True)
def show(call: Call) -> Response:
    """Ask for the claim code."""
    if call.service.claimed():
        return go("/login/")
    return page(call, "claim.html", step="code", form=Form(), problem="", fields={})


@ROUTES.post("/claim/", access="open", kind="page", body=Form, unclaimed=True)
def claim(call: Call) -> Response:
    """Check the code, then ask for the owner, then log them in."""
    form, address = call.body, request.remote_addr or ""
    identity = call.services["identity"]
    step = "code"
    try:
        if not form.email:
            call.service.check_code(form.code, address)
            identity.forgive(f"claim@{address}")
            return page(call, "claim.html", step="owner", form=form, problem="", fields={})
        step = "owner"
        user = call.service.claim(form.code, address, email=form.email, password=form.password, name=form.name,
                                  organisation=form.organisation)
    except UnibosError as error:
        again = "owner" if isinstance(error, Invalid) and step == "owner" else "code"
        return page(call, "claim.html", error.status, step=again, form=form, problem=say(error.text),
                    fields={k: say(v) for k, v in error.fields.items()})
    identity.welcome(call, user)
    _session, secret = identity.open_session(user, "browser", address, request.user_agent.string)
    answer = go("/")
    set_cookie(call.kit, answer, "", secret, call.kit.settings["UNIBOS_REFRESH_SECONDS"])
    return answer


def guard(kit: Kit, services: Mapping[str, Any]) -> Callable[[Route, Actor], Response | None]:
    """Unclaimed means that people see only the claim page (decision 16); the owner's console and machines are let through."""
    orgs = services["orgs"]

    def check(route: Route, actor: Actor) -> Response | None:
        if actor.kind == "person" and not actor.role and route.access not in ("open", "node"):
            # They belong to no organisation, or not any more to the one that this session means.
            if route.kind == "page":
                return go("/organisations/")
            raise Forbidden(T("You do not belong to this organisation (any more). Choose another one, or ask for an invitation."))
        if route.device and actor.kind == "person" and not orgs.of_device(actor):
            raise Forbidden(T("This concerns the whole device. Only its own organisation may do it."))
        if route.unclaimed or route.access == "node" or actor.kind in ("console", "node") or orgs.claimed():
            return None
        if route.kind == "page":
            return go("/claim/")
        raise Forbidden(T("This device has no owner yet. Open its panel and claim it with the code that it shows."))

    return check
