"""The account page of a node: what one may here and why, linking with an account of the hub, and what the owner grants."""

from __future__ import annotations

from flask import Response

from unibos.kernel.web import Call, Routes
from unibos.panel.shell import page

ROUTES = Routes()


@ROUTES.get("/settings/account/", access="guest", kind="page")
def show(call: Call) -> Response:
    """One's account here."""
    return page(call, "account.html")
