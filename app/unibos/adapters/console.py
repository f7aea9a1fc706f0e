"""The command lines' way in: HTTP over the unix socket of the running process, which knows the caller by its uid."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unibos.kernel.errors import Unavailable
from unibos.kernel.words import T


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float):
        super().__init__("unibos", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(path: Path, method: str, address: str, body: Mapping[str, Any] | None = None, timeout: float = 30.0,
            headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Call the API of the process that listens at `path`; returns (status, JSON). Raises Unavailable when none does."""
    connection = _UnixConnection(path, timeout)
    try:
        data = json.dumps(body).encode() if body is not None else None
        connection.request(method, address, data, {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(T("Nothing answers at %(path)s: is it running? Start it with `make run`, or set UNIBOS_DATA_DIR to where "
                            "its data lies.", path=str(path))) from error
    finally:
        connection.close()
    try:
        return answer.status, json.loads(content) if content else {}
    except ValueError:
        return answer.status, {}
