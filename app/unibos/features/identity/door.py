"""Who sent this request: the owner's console by its unix socket, a program by its bearer token, a browser by its cookie."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import request

from unibos.kernel.actors import NOBODY, Actor
from unibos.kernel.web import cookie_name

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


def _console(services: Any) -> Actor | None:
    sock = request.environ.get("gunicorn.socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (0, os.getuid()):
        return NOBODY
    word = request.headers.get("X-Unibos-Organisation", "")
    org = "" if "orgs" not in services else services["orgs"].organisations.by_word(word) if word else services["orgs"].home_id()
    return Actor("console", "console", org, "owner", "console", "socket")


def authenticator(kit: Kit, services: Any) -> Callable[[], Actor]:
    """The function that answers for the current request. A wrong token is an error, a stale cookie is nobody."""
    identity = services["identity"]

    def authenticate() -> Actor:
        console = _console(services)
        if console is not None:
            return console
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return identity.by_token(token.strip())
        secret = request.cookies.get(cookie_name(kit), "")
        return identity.by_cookie(secret) if secret else NOBODY

    return authenticate
