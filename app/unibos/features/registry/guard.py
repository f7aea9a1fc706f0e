"""In front of every request of a node: is it still trusted? Its row is read here, once, for whoever needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import g

from unibos.features.registry.fleet import CHANNEL
from unibos.kernel import sockets

if TYPE_CHECKING:
    from unibos.kernel.actors import Actor
    from unibos.kernel.kit import Kit
    from unibos.kernel.web import Route

CLOSED = 4403


def guard(kit: Kit, services: Mapping[str, Any]) -> Callable[[Route, Actor], None]:
    """Refuses a node whose trust was taken away, however long its token is good; keeps its row as `g.registry_node`.

    Before the first socket of a node is opened in this process, it begins to listen for those that lose their trust.
    """
    registry = services["registry"]
    listening = threading.Event()
    lock = threading.Lock()

    def listen() -> None:
        for item in kit.bus.listen([CHANNEL], timeout=60.0):
            if item is not None and item[1].get("type") == "revoked":
                sockets.close_actor("node", str(item[1].get("node", "")), CLOSED, "not trusted any more")

    def check(route: Route, actor: Actor) -> None:
        if actor.kind != "node":
            return
        if route.kind == "socket" and not listening.is_set():
            with lock:
                if not listening.is_set():
                    threading.Thread(target=listen, name="nodes", daemon=True).start()
                    listening.set()
        with kit.db.tenant(actor.org_id):
            g.registry_node = registry.speaks(actor.id)

    return check
