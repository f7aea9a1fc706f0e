"""The job queue: RQ on Redis, JSON-serialised, one list per queue. It carries ids only; the job table is the truth."""

from __future__ import annotations

from typing import Any

from unibos.kernel.errors import Unavailable
from unibos.kernel.words import T

# The one function that RQ knows; workers resolve it in their own process.
TRAMPOLINE = "unibos.profiles.worker.run"


class RqQueue:
    """Port Queue over RQ. `prefix` keeps the queues of the roles apart on a shared Redis."""

    def __init__(self, url: str, prefix: str = ""):
        self._url, self._prefix, self._redis = url, prefix, None

    def connection(self) -> Any:
        """The Redis client, made on first use."""
        if self._redis is None:
            from unibos.adapters.redisbus import redis_client

            self._redis = redis_client(self._url)
        return self._redis

    def name(self, queue: str) -> str:
        """The name of a queue in Redis."""
        return f"{self._prefix}{queue}"

    def hand(self, queue: str, job_id: str, attempt: int, timeout: int) -> None:
        """Put an id into a queue; raises Unavailable when Redis does not take it."""
        from redis.exceptions import RedisError
        from rq import Queue

        try:
            Queue(self.name(queue), connection=self.connection(), serializer="rq.serializers.JSONSerializer").enqueue_call(
                TRAMPOLINE, args=(job_id, attempt), job_id=f"{job_id}-{attempt}", timeout=timeout, result_ttl=0, failure_ttl=3600)
        except RedisError as error:
            raise Unavailable(T("The queue (Redis) does not answer: %(why)s.", why=str(error))) from error

    def ping(self) -> None:
        """Raise Unavailable with the reason when Redis does not answer."""
        from redis.exceptions import RedisError

        try:
            self.connection().ping()
        except RedisError as error:
            raise Unavailable(T("The queue (Redis) does not answer: %(why)s.", why=str(error))) from error

    def depth(self, queue: str) -> int:
        """How many ids wait in a queue."""
        return int(self.connection().llen(f"rq:queue:{self.name(queue)}"))
