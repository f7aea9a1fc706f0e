"""The web process: gunicorn's settings (this file is its configuration) and the application it loads in each worker.

The master imports none of our features; only this process knows gevent.
"""

from __future__ import annotations

import os
from typing import Any

worker_class = "gevent"
worker_connections = 2000
graceful_timeout = 8
timeout = 30
keepalive = 5
max_requests = 0
control_socket_disable = True
umask = 0o077
preload_app = False
errorlog = "-"
loglevel = "warning"
limit_request_line = 8190
limit_request_field_size = 16380
forwarded_allow_ips = "127.0.0.1"


def argv(role: str) -> list[str]:
    """The command line of the web process of `role`; addresses come from its settings."""
    import sys

    return [sys.executable, "-m", "unibos.profiles.serve", role]


def application(role: str) -> Any:
    """The WSGI application of `role`."""
    from gevent import get_hub

    from unibos.adapters.system import hostname
    from unibos.kernel import compose
    from unibos.kernel.sockets import Middleware
    from unibos.kernel.web import build_app
    from unibos.panel.shell import Shell
    from unibos.profiles.build import compose_all
    from unibos.profiles.lists import BY_ROLE

    features = BY_ROLE[role]
    kit, services = compose_all(role)
    pool = get_hub().threadpool
    kit.heavy = lambda call, *args: pool.apply(call, args)
    if kit.db.kind == "postgresql":
        wait_politely()
    authenticate = next(f.load(f.authenticate)(kit, services) for f in features if f.authenticate)
    app = build_app(compose.routes(features), kit, services, hostname=hostname(), authenticate=authenticate,
                    guards=kit.gather("guards"), shell=Shell(features, compose.navigation(features)))
    wsgi: Any = app.wsgi_app
    if kit.settings["UNIBOS_TLS_PROXY"]:
        from werkzeug.middleware.proxy_fix import ProxyFix

        wsgi = ProxyFix(wsgi, x_for=1, x_proto=1, x_host=1)
    return Middleware(in_turn(wsgi))


def in_turn(wsgi: Any) -> Any:
    """Let every connection that waits have its turn first: a kept one whose next request is there already would not yield by itself."""
    from gevent import sleep

    def enter(environ: dict[str, Any], start_response: Any) -> Any:
        sleep(0)
        return wsgi(environ, start_response)

    return enter


def wait_politely() -> None:
    """Let psycopg2 yield to other greenlets while it waits for the server."""
    import psycopg2.extensions as pg
    from gevent.socket import wait_read, wait_write

    def wait(connection: Any) -> None:
        while (state := connection.poll()) != pg.POLL_OK:
            if state == pg.POLL_READ:
                wait_read(connection.fileno())
            elif state == pg.POLL_WRITE:
                wait_write(connection.fileno())
            else:
                raise pg.OperationalError(f"unexpected state {state}")

    pg.set_wait_callback(wait)


def post_worker_init(worker: Any) -> None:
    """On SIGTERM tell every WebSocket that the server goes away (1001), then stop as gunicorn does."""
    import signal

    before = signal.getsignal(signal.SIGTERM)

    def leave(number: int, frame: Any) -> None:
        import gevent

        from unibos.kernel.sockets import close_all

        gevent.spawn(close_all)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, leave)




ROLE_VARIABLE = "_UNIBOS_WEB_ROLE"


def app() -> Any:
    """Factory for gunicorn: `unibos.profiles.web:app()`."""
    return application(os.environ[ROLE_VARIABLE])
