"""The one way out for HTTP: every call names what leaves, is asked of the gate, and follows no redirect."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from typing import Any

from unibos.kernel.errors import Blocked, Unavailable
from unibos.kernel.ports import Gate
from unibos.kernel.words import T


class GatedHttp:
    """Port Http over requests. `gate` is looked up at each call, so that a gate bound later counts."""

    def __init__(self, gate: Callable[[], Gate], verify: str | bool = True):
        self._gate, self._verify, self._session = gate, verify, None

    def call(self, method: str, url: str, *, module: str, data_type: str, destination: str,
             json: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
             timeout: float = 5.0, limit: int = 1 << 20) -> tuple[int, dict[str, Any]]:
        """See kernel.ports.Http. An answer over `limit` bytes, or not JSON, is Unavailable."""
        body = jsonlib.dumps(json).encode() if json is not None else b""
        verdict = self._gate().check(module, data_type, destination, records=1, size=len(body))
        if not verdict.allowed:
            raise Blocked(verdict.why)
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = False
        try:
            with self._session.request(method, url, data=body or None, timeout=timeout, allow_redirects=False, stream=True,
                                       verify=self._verify, headers={"Content-Type": "application/json", **(headers or {})}) as answer:
                content = answer.raw.read(limit + 1, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise Unavailable(T("%(url)s does not answer: %(why)s.", url=url.split("?")[0], why=_reason(error))) from error
        try:
            value = jsonlib.loads(content) if content and len(content) <= limit else {}
        except ValueError:
            value = {}
        return status, value if isinstance(value, dict) else {}


def _reason(error: Exception) -> str:
    words = str(error)
    for sign, reason in (("refused", "connection refused"), ("timed out", "no answer in time"), ("Name or service", "unknown host name"),
                         ("CERTIFICATE", "its certificate is not trusted"), ("unreachable", "network unreachable")):
        if sign in words:
            return reason
    return type(error).__name__
