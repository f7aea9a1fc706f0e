"""A mail server for tests: SMTP on a socket (RFC 5321, 3207, 4954), as small as the tests allow; it keeps what it was given."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Got:
    """One mail that was taken: over TLS or not, as whom, and its envelope and bytes."""

    tls: bool
    user: str
    sender: str
    to: list[str] = field(default_factory=list)
    data: bytes = b""


class SmtpServer:
    """Listens on loopback. `context`: certificate; `at_once`: TLS from the first byte; `offer`: whether STARTTLS is offered;
    `refuse`: command -> answer in place of the usual one, such as {"RCPT": "550 no"}."""

    def __init__(self, context: ssl.SSLContext | None = None, *, at_once: bool = False, offer: bool = True, refuse: dict[str, str] | None = None):
        self._context, self._at_once, self._offer, self.refuse = context, at_once, offer and context is not None and not at_once, refuse or {}
        self.got: list[Got] = []
        self.said: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> SmtpServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                plain, _ = self._listener.accept()
            except TimeoutError:
                continue
            plain.settimeout(5)
            with contextlib.suppress(OSError), plain:
                self._serve(plain)

    def _serve(self, sock: Any) -> None:
        tls, user, mail = self._at_once, "", Got(False, "", "")
        if self._at_once:
            sock = self._context.wrap_socket(sock, server_side=True)
        file = sock.makefile("rb")
        say: Callable[[str], None] = lambda line: sock.sendall(line.encode() + b"\r\n")
        say("220 mail.test ready")
        while line := file.readline(4096):
            words = line.decode(errors="replace").strip()
            verb = words.split(" ")[0].upper()
            self.said.append(words)
            if verb in self.refuse:
                say(self.refuse[verb])
            elif verb == "EHLO":
                say("250-mail.test\r\n" + ("250-STARTTLS\r\n" if self._offer and not tls else "") + "250 AUTH PLAIN")
            elif verb == "STARTTLS" and self._offer:
                say("220 go on")
                file.close()
                sock = self._context.wrap_socket(sock, server_side=True)
                file, tls = sock.makefile("rb"), True
            elif verb == "AUTH":
                user = base64.b64decode(words.split(" ")[2]).decode().split("\0")[1]
                say("235 welcome")
            elif verb == "MAIL":
                mail = Got(tls, user, words)
                say("250 ok")
            elif verb == "RCPT":
                mail.to.append(words)
                say("250 ok")
            elif verb == "DATA":
                say("354 end with a dot")
                while (part := file.readline(65536)) not in (b".\r\n", b""):
                    mail.data += part[1:] if part.startswith(b".") else part  # RFC 5321 section 4.5.2
                self.got.append(mail)
                say("250 kept")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("502 what")
        file.close()
        sock.close()
