"""What every login in a browser or by a program has in common: the device cookie, the site that passkeys are bound to, the address of links."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import after_this_request, request

from unibos.features.identity.models import User
from unibos.features.identity.passkeys import Site, site
from unibos.kernel.errors import Conflict
from unibos.kernel.web import Call, cookie_name, set_cookie

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# Browsers keep a cookie for 400 days at most (RFC 6265bis section 5.5).
SECONDS = 400 * 86400


def here() -> Site:
    """The site of the current request; raises Conflict where passkeys cannot be."""
    return site(request.scheme, request.host)


def rp_id() -> str:
    """The host name that passkeys are bound to here; empty where there can be none."""
    try:
        return here().rp_id
    except Conflict:
        return ""


def base(kit: Kit) -> str:
    """The address that links in mails begin with; empty where none can be trusted.

    It is the public address, or the name that this request was made to, which the door has compared with the device's own names. An IP
    address could be anybody's who asked, and a link to it would carry the secret to them.
    """
    public = str(kit.settings["UNIBOS_PUBLIC_URL"]).rstrip("/")
    if public:
        return public
    try:
        ipaddress.ip_address(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return f"{request.scheme}://{request.host}"
    return ""


def cookie(kit: Kit) -> str:
    """The device cookie of the current request."""
    return request.cookies.get(cookie_name(kit, "device"), "")[:64]


def welcome(call: Call, user: User) -> None:
    """What goes with every finished login: the device is known from now on, and a session that this browser had before is ended."""
    if call.actor.kind == "person" and call.actor.via == "cookie" and call.actor.session_id:
        call.services["identity"].close_sessions([call.actor.session_id], "again")
    kept = call.services["identity"].devices.arrive(user, cookie(call.kit), request.remote_addr or "", request.user_agent.string)

    @after_this_request
    def keep(response):
        set_cookie(call.kit, response, "device", kept, SECONDS)
        return response
