"""The ports: what the kernel and the features ask of the outside. `adapters/` has a real one and a fake of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from unibos.kernel.words import Text


@dataclass(frozen=True)
class Verdict:
    """The answer of a decision with the sentence why."""

    allowed: bool
    why: Text


class Gate(Protocol):
    """The one door outwards, asked before any byte leaves (spec section 8)."""

    def check(self, module: str, data_type: str, destination: str, *, records: int = 0, size: int = 0,
              actor: str = "") -> Verdict:
        """Decide and log whether `data_type` of `module` may go to `destination` (hub, peer or internet)."""


class Clock(Protocol):
    """The time of day; may be wrong on a device without a battery-backed clock."""

    def now(self) -> dt.datetime: ...
    def monotonic(self) -> float: ...
    def trusted(self) -> bool: ...


class Random(Protocol):
    """Unpredictable bytes."""

    def bytes(self, n: int) -> bytes: ...
    def uuid(self) -> str: ...


class Bus(Protocol):
    """Messages between the processes of one role; nothing is kept for who is not listening."""

    def publish(self, channel: str, message: Mapping[str, Any]) -> None: ...

    def listen(self, channels: Iterable[str], timeout: float) -> Iterator[tuple[str, dict[str, Any]] | None]:
        """Yield (channel, message) as they come and None after each `timeout` seconds of silence, for ever."""

    def ask(self, service: str, question: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Put a question to whoever serves `service`, return the answer; raises Unavailable after `timeout` s."""

    def serve(self, service: str, answer: Callable[[dict[str, Any]], Mapping[str, Any]], stop: Callable[[], bool]) -> None:
        """Answer the questions put to `service`, one after another, until `stop()`."""


class Queue(Protocol):
    """Hands job ids to workers. A wake-up only: the job table is the truth."""

    def hand(self, queue: str, job_id: str, attempt: int, timeout: int) -> None: ...
    def workers(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Message:
    """One MQTT message as the broker delivered it; `token` is what `acknowledge` takes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    token: object = None


@dataclass(frozen=True)
class Account:
    """A broker account: where it may publish and what it may read (MQTT topic filters)."""

    username: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


class Broker(Protocol):
    """The MQTT broker, seen by the agent: messages in, commands out, accounts kept."""

    def start(self, on_message: Callable[[Message], None], on_state: Callable[[bool, str], None]) -> None:
        """Connect and stay connected (persistent session). Callbacks come from the adapter's own thread;
        `on_state(connected, reason)` tells of every change. Never raises for an absent broker."""

    def subscribe(self, filters: Iterable[str]) -> None:
        """Make `filters` the whole set of subscriptions; repeated by itself after a reconnect."""

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these messages are kept (QoS 1 PUBACK)."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, timeout: float = 3.0) -> None:
        """Publish and wait for the broker's word; raises Unavailable."""

    def put_account(self, account: Account, password: str | None) -> None:
        """Create the account, or replace its rights (and its password, if given). Raises Unavailable."""

    def remove_account(self, username: str) -> None:
        """Delete the account and cut its connection; an unknown one is no error. Raises Unavailable."""

    def accounts(self) -> list[str]:
        """User names of all device accounts. Raises Unavailable."""

    def connected(self) -> bool: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Point:
    """A plotted bucket of a series: `at` is its start (ms since 1970), min/mean/max over `count` readings."""

    at: int
    low: float
    mean: float
    high: float
    count: int


class Series(Protocol):
    """Append-only readings by key, with retention and downsampling fit for an SD card (decision 22)."""

    def append(self, rows: Sequence[tuple[str, int, float | None, str | None]]) -> None:
        """Keep rows (key, ms since 1970, number or None, text or None) in one transaction."""

    def latest(self, keys: Iterable[str]) -> dict[str, tuple[int, float | None, str | None]]:
        """The newest reading of each key that has one."""

    def points(self, key: str, start: int, end: int, most: int) -> list[Point]:
        """At most `most` buckets of numbers in [start, end) ms; gaps are absent buckets."""

    def many(self, keys: Iterable[str], start: int, end: int, most: int) -> dict[str, list[Point]]:
        """`points` of several keys, in one query; a key without any is absent. For windows whose raw readings are still kept."""

    def rows(self, key: str, start: int, end: int, most: int) -> list[tuple[int, float | None, str | None]]:
        """The raw readings in [start, end) ms, oldest first, at most `most` (the newest ones)."""

    def roll(self, now: int) -> str:
        """Downsample and forget what the retention says, in bounded steps; returns a sentence of what was done."""


class Store(Protocol):
    """Content-addressed files, atomic and fsynced, with a quota per organisation (decision 24).

    Every verb names the organisation: the same bytes kept by two of them are two files, so that nobody learns
    what others keep.
    """

    def put(self, stream: Any, *, org_id: str, limit: int) -> tuple[str, int]:
        """Keep what `stream.read(n)` gives; returns (sha256 hex, size). Raises TooLarge over `limit` bytes, LimitReached over the quota, StorageFull."""

    def path(self, digest: str, *, org_id: str) -> Path:
        """The file to read (never to write); raises NotFound."""

    def has(self, digest: str, *, org_id: str) -> bool: ...

    def delete(self, digest: str, *, org_id: str) -> None:
        """Forget the content; an absent one is no error. Who deletes has made sure that nothing refers to it."""

    def used(self, org_id: str) -> int:
        """Bytes that the organisation keeps."""


class Reader(Protocol):
    """Reads text out of scanned pages and documents."""

    def pages(self, path: Path, media_type: str) -> int:
        """How many pages there are; raises Invalid with the reason when the file cannot be read."""

    def text(self, path: Path, media_type: str, page: int, languages: str) -> str:
        """The text of page `page` (from 1). Raises Invalid."""


class Http(Protocol):
    """The one way out for HTTP; every call names what leaves and is asked of the gate."""

    def call(self, method: str, url: str, *, module: str, data_type: str, destination: str,
             json: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None,
             timeout: float = 5.0, limit: int = 1 << 20, authority: Path | None = None) -> tuple[int, dict[str, Any]]:
        """Send JSON, return (status, JSON answer). Raises Blocked or Unavailable. Follows no redirect.

        The certificate and host name of an https server are always checked: by public CAs, or, where `authority` is the file of a CA
        certificate, by that one and no other. An absent or damaged file is Unavailable, never a reason for public CAs.
        """

    def peek(self, url: str, *, module: str, destination: str) -> tuple[int, dict[str, Any]]:
        """GET `url` from a server that nobody vouches for, to look at a certificate that is then compared with a pin.

        It can carry nothing: no body, no headers, no query, no user. It passes the gate as "enrol". The answer proves nothing by itself.
        Raises ValueError for a URL that carries more than scheme, host and path, Blocked, or Unavailable.
        """


@dataclass(frozen=True)
class Letter:
    """One mail: a person's address, one line of subject, and plain text."""

    to: str
    subject: str
    text: str


class Mail(Protocol):
    """The way out for mail. What is set up at all decides whether a Kit has one."""

    def send(self, letter: Letter, *, module: str) -> None:
        """Hand the letter to the mail server. Raises Blocked when export control stops it (data type "mail", to the internet), Invalid for an
        address or subject that cannot be one and for what the server refuses for good, Unavailable for what may work later."""
