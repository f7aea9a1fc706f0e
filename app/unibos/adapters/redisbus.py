"""The port Bus over Redis: pub/sub for events, lists for questions and answers. Nothing is kept for who is not listening."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from unibos.adapters.redis_client import redis_client
from unibos.kernel.errors import Unavailable, UnibosError, every
from unibos.kernel.words import T, Text

_ANSWER_KEPT = 10_000  # ms: how long an answer waits for an asker that is slow to fetch it
_log = logging.getLogger(__name__)


class RedisBus:
    """Events and questions of one role. `url` names server and database, `prefix` (for example "unibos:node") parts the roles.

    Thread-safe, and works in greenlets of a process that gevent has patched. Connections are made when first needed.
    """

    def __init__(self, url: str, prefix: str):
        self._url, self._prefix = url, prefix
        self._quick = redis_client(url)
        self._patient = redis_client(url, blocking=True)

    def publish(self, channel: str, message: Mapping[str, Any]) -> None:
        """Send `message` (JSON) to whoever listens now. Raises Unavailable."""
        with _unavailable():
            self._quick.publish(self._name("event", channel), json.dumps(message))

    def listen(self, channels: Iterable[str], timeout: float) -> Iterator[tuple[str, dict[str, Any]] | None]:
        """See the port. Subscribed from the first item asked for; over a lost server it goes on yielding None and comes back."""
        from redis.exceptions import RedisError

        names = {self._name("event", channel): channel for channel in channels}
        delay = 0.1
        while True:
            reader = self._patient.pubsub(ignore_subscribe_messages=True)
            try:
                reader.subscribe(*names)
                while True:
                    for item in _until(reader, timeout):
                        yield None if item is None else (names[item["channel"].decode()], json.loads(item["data"]))
                    delay = 0.1
            except (RedisError, OSError) as error:
                _log.warning("listening to Redis was interrupted: %s", error)
            finally:
                reader.close()
            time.sleep(min(delay, timeout))
            delay = min(delay * 2, 5.0)
            yield None

    def ask(self, service: str, question: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """See the port. An error of our own tree that the answerer raised is raised again here, with its sentence."""
        mark = secrets.token_hex(16)
        asked, answered = self._name("question", mark), self._name("answer", mark)
        line = self._name("ask", service)
        milliseconds = max(1, int(timeout * 1000))
        with _unavailable():
            # The question itself expires; who takes its mark off the line too late finds nothing and does nothing.
            self._quick.pipeline().set(asked, json.dumps(question), px=milliseconds).rpush(line, mark).pexpire(
                line, milliseconds + 60_000).execute()
            found = self._patient.blpop([answered], max(0.01, timeout))
            if found is None:
                self._quick.pipeline().delete(asked).lrem(line, 1, mark).execute()
        if found is None:
            raise Unavailable(T("%(service)s did not answer within %(seconds)s s.", service=service, seconds=timeout))
        return unpack(json.loads(found[1]))

    def serve(self, service: str, answer: Callable[[dict[str, Any]], Mapping[str, Any]], stop: Callable[[], bool]) -> None:
        """See the port. Looks at `stop` at least once a second, also while the server is away."""
        from redis.exceptions import RedisError

        delay = 0.1
        while not stop():
            try:
                found = self._patient.blpop([self._name("ask", service)], 1)
                if found:
                    self._answer(found[1].decode(), answer)
                delay = 0.1
            except (RedisError, OSError) as error:
                _log.warning("serving %s over Redis was interrupted: %s", service, error)
                time.sleep(delay)
                delay = min(delay * 2, 1.0)

    def close(self) -> None:
        """Close all connections. Call it when no `listen`, `ask` or `serve` runs any more."""
        self._quick.close()
        self._patient.close()

    def _answer(self, mark: str, answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        asked, answered = self._name("question", mark), self._name("answer", mark)
        question = self._quick.pipeline().get(asked).delete(asked).execute()[0]
        if question is not None:
            body = pack(answer, json.loads(question))
            self._quick.pipeline().rpush(answered, json.dumps(body)).pexpire(answered, _ANSWER_KEPT).execute()

    def _name(self, kind: str, name: str) -> str:
        return f"{self._prefix}:{kind}:{name}"


def pack(answer: Callable[[dict[str, Any]], Mapping[str, Any]], question: dict[str, Any]) -> dict[str, Any]:
    """Answer the question: {"answer": ...}, or {"error": code, "message", "params"} when `answer` raised."""
    try:
        return {"answer": dict(answer(question))}
    except UnibosError as error:
        text = error.text if isinstance(error.text, Text) else Text(str(error.text).replace("%", "%%"))
        return {"error": error.code, "message": text.message, "params": {k: _plain(v) for k, v in text.params.items()}}
    except Exception:  # noqa: BLE001 - a bug in one answer must not end the serving
        _log.exception("a question could not be answered")
        return {"error": UnibosError.code, "message": UnibosError.title.message, "params": {}}


def unpack(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that `pack` made, or its error raised."""
    if "error" in body:
        kinds = {kind.code: kind for kind in every()}
        raise kinds.get(body["error"], UnibosError)(Text(body["message"], body["params"]))
    return dict(body["answer"])


def _plain(value: object) -> object:
    return value if isinstance(value, (int, float)) else str(value)


def _until(reader: Any, timeout: float) -> Iterator[dict[str, Any] | None]:
    """The next message, or None once `timeout` seconds have passed; (un)subscribe confirmations count as neither."""
    deadline = time.monotonic() + timeout
    while True:
        item = reader.get_message(timeout=max(0.0, deadline - time.monotonic()))
        if item is not None:
            yield item
            return
        if time.monotonic() >= deadline:
            yield None
            return


@contextlib.contextmanager
def _unavailable() -> Iterator[None]:
    """Turns the errors of redis-py into ours."""
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(T("Redis does not answer.")) from error
