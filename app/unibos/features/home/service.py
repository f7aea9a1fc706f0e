"""Health as a whole: every part's checks, gathered; required ones decide whether the device is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos import __version__
from unibos.kernel.errors import UnibosError
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

LOW_DISK = 95.0
RECENT = 1.0


class Home:
    """The device as a whole."""

    def __init__(self, kit: Kit):
        self._kit = kit
        self._recent: dict[str, tuple[float, Any]] = {}

    def checks(self) -> list[dict[str, Any]]:
        """Each dependency: {name, ok, required, why}. A check that breaks is a check that failed."""
        found: list[dict[str, Any]] = []
        for check in self._kit.gather("health"):
            found += check()
        return found

    def ready(self) -> tuple[bool, list[dict[str, Any]]]:
        """Whether all required parts work, and all checks."""
        checks = self.checks()
        return all(c["ok"] for c in checks if c["required"]), checks

    def recent(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make()` gave, at most a second ago: for whole pages, so that many that load at once do not each ask for the same.
        What changes within that second is told to the page by its live connection."""
        now, (at, kept) = self._kit.clock.monotonic(), self._recent.get(key, (-1.0, None))
        if at < 0 or not 0 <= now - at < RECENT:
            if len(self._recent) > 100:
                self._recent.clear()
            kept = make()
            self._recent[key] = (now, kept)
        return kept

    def brief(self) -> dict[str, str]:
        """What /healthz says."""
        return {"status": "ok", "role": self._kit.role, "version": __version__}


def health(kit: Kit, _services: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """Database, queue, agent, disk and clock."""

    def one(name: str, required: bool, good: Any, probe: Callable[[], None]) -> dict[str, Any]:
        try:
            probe()
        except UnibosError as error:
            return {"name": name, "ok": False, "required": required, "why": error.text}
        return {"name": name, "ok": True, "required": required, "why": good}

    def disk() -> None:
        used = kit.machine()["metrics"]["disk"]
        if used > LOW_DISK:
            raise UnibosError(T("The disk is %(used)s %% full. Free some room, or uploads will be refused.", used=round(used)))

    def clock() -> None:
        if not kit.clock.trusted():
            raise UnibosError(T("The clock was never set: times are wrong until it has asked a time server or a hub."))

    def check() -> list[dict[str, Any]]:
        return [one("database", True, T("It answers."), kit.db.ping), one("queue", True, T("It answers."), kit.queue.ping),
                one("agent", True, T("It answers."), lambda: kit.bus.ask("agent", {"do": "ping"}, 2.0)),
                one("disk", False, T("There is room."), disk), one("clock", False, T("It is set."), clock)]

    return check


def status(kit: Kit, services: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """The number of alerts in the status line, from checks that cost no question to others."""
    from unibos.kernel.jobs import Job

    def report() -> dict[str, Any]:
        return {"alerts": Job.select().where(Job.state == "failed", Job.org_id.in_(("", kit.db.org()))).count()}

    return report


def build(kit: Kit, _services: Mapping[str, Any]) -> Home:
    """The service."""
    return Home(kit)
