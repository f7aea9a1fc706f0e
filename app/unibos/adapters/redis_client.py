"""The one place where Redis clients are made, the same for redis-py 5 to 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis


def redis_client(url: str, *, blocking: bool = False, timeout: float = 5.0) -> Redis:
    """A client of `url` (unix://, redis:// or rediss://) that answers in bytes. It connects when first used and is thread-safe.

    `blocking=True` is for readers that wait in the server (BLPOP, pub/sub, RQ workers): it sets no limit on reading. Otherwise an
    answer is waited for at most `timeout` seconds.

    Said here because redis-py's own defaults differ between releases: 8 reads for 5 s and tries ten times, so that a blocking
    read fails after a minute; 5 waits without end. We try once and let the caller decide. RESP2 keeps one shape of answers.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_timeout": None if blocking else timeout}
    if not url.startswith("unix:"):  # the class for unix sockets knows none of these
        options |= {"socket_connect_timeout": timeout, "socket_keepalive": True}
    return Redis.from_url(url, **options)
