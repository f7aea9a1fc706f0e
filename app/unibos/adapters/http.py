"""The one way out for HTTP: every call names what leaves, is asked of the gate, and follows no redirect."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unibos.kernel.errors import Blocked, Unavailable
from unibos.kernel.ports import Gate
from unibos.kernel.words import T

if TYPE_CHECKING:
    from requests import Session

PEEK_LIMIT = 16384


class GatedHttp:
    """Port Http over requests. `gate` is looked up at each call, so that a gate bound later counts. `verify` stands for the public CAs."""

    def __init__(self, gate: Callable[[], Gate], verify: str | bool = True):
        self._gate, self._verify, self._session = gate, verify, None

    def call(self, method: str, url: str, *, module: str, data_type: str, destination: str,
             json: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
             timeout: float = 5.0, limit: int = 1 << 20, authority: Path | None = None) -> tuple[int, dict[str, Any]]:
        """See kernel.ports.Http. An answer over `limit` bytes, or not JSON, is empty."""
        body = jsonlib.dumps(json).encode() if json is not None else b""
        self._ask(module, data_type, destination, len(body))
        self._session = self._session or _session()
        return _answer(self._session, method, url, limit, data=body or None, timeout=timeout,
                       headers={"Content-Type": "application/json", **(headers or {})}, verify=self._verify if authority is None else str(authority))

    def peek(self, url: str, *, module: str, destination: str) -> tuple[int, dict[str, Any]]:
        """See kernel.ports.Http. The only place where a certificate is not verified."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(url)
        self._ask(module, "enrol", destination, 0)
        import urllib3

        # The warning is for callers who believe what they read; here it is compared with a pin.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        # A session of its own, so that no later call can go out over a connection that nobody verified.
        with _session() as session:
            return _answer(session, "GET", url, PEEK_LIMIT, timeout=5.0, verify=False)

    def _ask(self, module: str, data_type: str, destination: str, size: int) -> None:
        verdict = self._gate().check(module, data_type, destination, records=1, size=size)
        if not verdict.allowed:
            raise Blocked(verdict.why)


def _session() -> Session:
    import requests

    session = requests.Session()
    session.trust_env = False  # no proxies, no .netrc, no other CA bundle
    return session


def _answer(session: Session, method: str, url: str, limit: int, **options: Any) -> tuple[int, dict[str, Any]]:
    from requests import RequestException

    try:
        with session.request(method, url, allow_redirects=False, stream=True, **options) as answer:
            content = answer.raw.read(limit + 1, decode_content=True)
            status = answer.status_code
    except (RequestException, OSError) as error:
        raise Unavailable(T("%(url)s does not answer: %(why)s.", url=url.split("?")[0], why=_reason(error))) from error
    try:
        value = jsonlib.loads(content) if content and len(content) <= limit else {}
    except ValueError:
        value = {}
    return status, value if isinstance(value, dict) else {}


def _reason(error: Exception) -> str:
    words = str(error)
    for sign, reason in (("refused", "connection refused"), ("timed out", "no answer in time"), ("Name or service", "unknown host name"),
                         ("mismatch, certificate", "its certificate is for another name"), ("CERTIFICATE", "its certificate is not trusted"),
                         ("CA certificate bundle", "the certificate of its authority is missing"),
                         ("unreachable", "network unreachable")):
        if sign in words:
            return reason
    return type(error).__name__
