"""HTTPS in front of a plain server, as the appliance's proxy is, with throw-away authorities; its certificate can be changed while it runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import select
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from unibos.adapters.certificates import ensure

TURN = 0.05  # seconds after which a thread looks whether it should end
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class Own:
    """A device's own authority and a leaf for `names`, below `folder`; with `like`, by the authority of that one."""

    def __init__(self, folder: Path, *names: str, like: Own | None = None):
        self._authority = like._authority if like else folder / "ca"
        ensure(self._authority, folder / "leaf", names or ("localhost",), [], NOW, NOW - dt.timedelta(days=1))
        self.ca, self._leaf = folder / "leaf" / "ca.pem", folder / "leaf"

    @property
    def pem(self) -> str:
        """The authority's certificate."""
        return self.ca.read_text(encoding="ascii")

    def context(self) -> ssl.SSLContext:
        """What a server shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._leaf / "leaf.pem", self._leaf / "leaf-key.pem")
        return context


class Front:
    """Listens on a port of loopback with `own`'s certificate and hands the bytes to `port`. `seen` is the plain text that clients sent."""

    def __init__(self, port: int, own: Own):
        self._to, self._context, self._era, self._threads = port, own.context(), 0, list[threading.Thread]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TURN)
        self.port, self.seen = self._listener.getsockname()[1], bytearray()
        self.url = f"https://localhost:{self.port}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def show(self, own: Own) -> None:
        """From now on show another certificate; who is connected is cut off."""
        self._context = own.context()
        self._era += 1
        self._join()

    def stop(self) -> None:
        """Close everything."""
        self._era = -1
        self._accepting.join()
        self._listener.close()
        self._join()

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _join(self) -> None:
        for thread in list(self._threads):
            thread.join()
            self._threads.remove(thread)

    def _accept(self) -> None:
        while self._era >= 0:
            try:
                plain, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(plain, self._context, self._era))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket, context: ssl.SSLContext, era: int) -> None:
        """One connection, in one thread: a TLS connection must not be read and written by two at once."""
        plain.settimeout(10)
        with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as client:
            with socket.create_connection(("127.0.0.1", self._to), 10) as server:
                while self._era == era:
                    ready = [client] if client.pending() else select.select([client, server], [], [], TURN)[0]
                    for source, target in ((client, server), (server, client)):
                        if source in ready:
                            data = source.recv(65536)
                            if not data:
                                return
                            if source is client:
                                self.seen += data
                            target.sendall(data)
