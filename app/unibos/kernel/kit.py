"""The Kit: the one bag of impure things, built by a profile and passed in. Tests pass one with a hand-moved clock."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unibos.kernel.errors import Unavailable
from unibos.kernel.ports import Broker, Bus, Clock, Gate, Http, Mail, Queue, Random, Reader, Series, Store, Verdict
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.feature import Export
    from unibos.kernel.jobs import Jobs
    from unibos.kernel.records import Records
    from unibos.kernel.settings import Settings
    from unibos.kernel.tables import Db


class ClosedGate:
    """The gate that every Kit starts with: nothing leaves."""

    def check(self, module: str, data_type: str, destination: str, **_: object) -> Verdict:
        """Refuse."""
        return Verdict(False, T("Nothing may leave this device: export control is not part of it."))


@dataclass
class Kit:
    """What the features may use of the world.

    `secret(name, size)` gives a key kept 0600, made on first use; `gather(kind)` the functions that all features declare
    under `kind` (claims, guards, cards, search, health), bound to their services. `quota(org_id)` is the most bytes that an organisation
    may keep (None: no bound); `room(org_id, what, used)`, in the transaction that makes one more, raises LimitReached where `used()` fills
    the limit of `what` (users, nodes). The feature that owns organisations binds both.
    """

    role: str
    settings: Settings
    data_dir: Path
    clock: Clock
    random: Random
    db: Db
    secret: Callable[[str, int], bytes]
    bus: Bus
    queue: Queue
    files: Store
    series: Series
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("unibos"))
    gate: Gate = field(default_factory=ClosedGate)
    exports: dict[str, tuple[Export, ...]] = field(default_factory=dict)
    modules: dict[str, Text] = field(default_factory=dict)
    records: Records = None  # type: ignore[assignment] - set by compose, which knows the models
    jobs: Jobs = None  # type: ignore[assignment] - set by compose, which knows the job types
    http: Http = None  # type: ignore[assignment] - set by the profile; asks `gate`
    mail: Mail | None = None
    broker: Broker | None = None
    reader: Reader | None = None
    heavy: Callable[..., Any] = lambda call, *args: call(*args)
    machine: Callable[[], dict[str, Any]] = dict
    gather: Callable[[str], list[Callable[..., Any]]] = lambda _kind: []
    quota: Callable[[str], int | None] = lambda _org_id: None
    room: Callable[[str, str, Callable[[], int]], None] = lambda _org_id, _what, _used: None

    def now(self) -> dt.datetime:
        """The time now, in UTC, by the kit's clock."""
        return self.clock.now()

    def now_ms(self) -> int:
        """Milliseconds since 1970, by the kit's clock."""
        return int(self.clock.now().timestamp() * 1000)

    def changed(self, *topics: str, org_id: str = "") -> None:
        """Tell open pages of the tenant (or of `org_id`) that what `topics` name has changed, once the current transaction is committed."""
        org_id = org_id or self.db.org()
        for topic in topics:
            self.db.after_commit(lambda topic=topic: self.tell("live", {"type": "changed", "topic": topic, "org": org_id}))

    def tell(self, channel: str, message: Mapping[str, Any]) -> None:
        """Send an event on the bus, or log that nobody could be told: what it speaks of has been committed and must not seem to fail."""
        try:
            self.bus.publish(channel, message)
        except Unavailable as error:
            self.log.warning("%s was not told: %s", channel, error.text)
