"""WebSockets: a Connection with one writer and a bounded queue, and the middleware that makes them safe under gevent.

simple-websocket sends with `send()` and no lock, which loses data under gevent; and permessage-deflate costs 100 KiB a
connection. `Middleware` hands it a socket whose send is a locked `sendall`, and takes the deflate offer away.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import g, request

from unibos.kernel import errors
from unibos.kernel.actors import Actor
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

PING_SECONDS = 25
MAX_MESSAGE = 64 * 1024
QUEUE = 200
_open: set[Connection] = set()


class _LockedSocket:
    """A socket whose `send` sends everything, one caller at a time."""

    def __init__(self, sock: Any):
        self._sock, self._lock = sock, threading.Lock()

    def send(self, data: bytes) -> int:
        with self._lock:
            self._sock.sendall(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Middleware:
    """WSGI middleware for WebSocket upgrades under gunicorn."""

    def __init__(self, app: Any):
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
            if "gunicorn.socket" in environ:
                environ["gunicorn.socket"] = _LockedSocket(environ["gunicorn.socket"])
        return self.app(environ, start_response)


class Connection:
    """One open WebSocket: `send` never blocks; a client that does not read is closed instead of slowing the others."""

    def __init__(self, ws: Any, actor: Actor, kit: Kit | None = None):
        self.ws, self.actor, self.kit = ws, actor, kit
        self._queue: queue.Queue[str | None] = queue.Queue(QUEUE)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()
        _open.add(self)

    def send(self, message: Mapping[str, Any]) -> bool:
        """Queue a message; False (and the connection is closed) when the client is too slow."""
        try:
            self._queue.put_nowait(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
            return True
        except queue.Full:
            self.close(1013, "too slow")
            return False

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next JSON object from the client, or None after `timeout`. Raises ConnectionError when it is gone."""
        from simple_websocket import ConnectionClosed

        try:
            data = self.ws.receive(timeout=timeout)
        except ConnectionClosed as closed:
            raise ConnectionError from closed
        if data is None:
            return None
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.close(1003, "JSON objects only")
            raise ConnectionError
        return value

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code; safe to call twice and from any thread."""
        _open.discard(self)
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            pass
        try:
            self.ws.close(code, reason)
        except Exception:  # noqa: BLE001 - the other end may be gone in any way; there is nothing left to do
            pass

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self.ws.send(text)
            except Exception:  # noqa: BLE001 - gone; the reader notices by itself
                return


# How often open sockets are compared with the sessions that count, besides what the bus tells at once.
RECHECK = 20.0
_watched: set[int] = set()


def watch(kit: Kit, identity: Any) -> None:
    """In each web process once: close the sockets of sessions that end, with 4401, told by the bus; and now and then look for more of them."""
    if id(kit) in _watched:
        return
    _watched.add(id(kit))

    def listen() -> None:
        checked = kit.clock.monotonic()
        for item in kit.bus.listen(["sessions"], timeout=RECHECK):
            try:
                if item is not None:
                    end_sessions(set(item[1].get("ended", ())))
                if item is None or kit.clock.monotonic() - checked > RECHECK:
                    checked = kit.clock.monotonic()
                    open_now = {c.actor.session_id for c in list(_open) if c.kit is kit and c.actor.session_id}
                    end_sessions(open_now - identity.alive(list(open_now)))
            except Exception as error:  # noqa: BLE001 - whatever one look met, the next one is needed
                kit.log.warning("open sockets could not be compared with sessions: %s", error)
            finally:
                kit.db.release()

    threading.Thread(target=listen, name="sessions", daemon=True).start()


def end_sessions(ended: set[str]) -> None:
    """Close the sockets of these sessions, so that their pages go to the login."""
    for connection in list(_open):
        if connection.actor.session_id and connection.actor.session_id in ended:
            connection.close(4401, "session ended")


def close_all(code: int = 1001) -> None:
    """Tell every client that the server goes away."""
    for connection in list(_open):
        connection.close(code, "going away")


def close_actor(kind: str, actor_id: str, code: int, reason: str) -> int:
    """Close every connection of one actor in this process; returns how many there were."""
    found = [connection for connection in list(_open) if (connection.actor.kind, connection.actor.id) == (kind, actor_id)]
    for connection in found:
        connection.close(code, reason)
    return len(found)


def socket_door(feature: Any, route: Any, kit: Kit, services: Mapping[str, Any], authenticate: Callable[[], Actor],
                guards: Any, check_host: Callable[[set[str]], None], hosts: set[str]) -> Callable[..., Any]:
    """The view of a WebSocket route: the same checks as any route, then the handler until the client leaves.

    Without a session the first frame must be {"token": …} (decision 17); a token is never taken from the address.
    """

    from unibos.kernel.web import Call, check_socket_origin

    def talk(ws: Any, **path: Any) -> None:
        connection = Connection(ws, g.actor, kit)
        watch(kit, services["identity"])
        try:
            if not connection.actor.may(route.access):
                first = connection.receive(timeout=10) or {}
                try:
                    g.actor = connection.actor = services["identity"].by_token(str(first.get("token", "")))
                except errors.Unauthenticated:
                    connection.close(4401, "log in first")
                    return
                if not connection.actor.may(route.access):
                    connection.close(4401, "log in first")
                    return
            # It may have ended between the handshake and the moment from which its end is heard.
            if connection.actor.session_id and not services["identity"].alive([connection.actor.session_id]):
                connection.close(4401, "session ended")
                return
            for guard in guards:  # again, now that this connection can be found: who lost their rights a moment ago is not overlooked
                guard(route, connection.actor)
            kit.db.release()
            with kit.db.tenant(connection.actor.org_id):
                route.call(Call(kit, services, feature, connection.actor), connection, **path)
        except ConnectionError:
            pass
        except errors.UnibosError as error:
            connection.close(4400 + error.status % 100, error.code)
        finally:
            connection.close()
            kit.db.release()

    upgraded = _upgrade(talk)

    def enter(**path: Any) -> Any:
        check_host(hosts)
        check_socket_origin()
        g.actor = authenticate()
        for guard in guards:
            if (stopped := guard(route, g.actor)) is not None:
                return stopped
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise errors.Invalid(T("This address takes WebSockets."))
        kit.db.release()
        return upgraded(**path)

    return enter


def _upgrade(talk: Callable[..., None]) -> Callable[..., Any]:
    """flask-sock's view over `talk`, without letting it register a route: our door stands in front of the handshake."""
    from flask_sock import Sock

    class Catch:
        view: Callable[..., Any]

        def route(self, _path: str, **_options: Any) -> Callable[[Callable[..., Any]], None]:
            return lambda view: setattr(self, "view", view)

    catch = Catch()
    Sock().route("", bp=catch)(talk)
    return catch.view
