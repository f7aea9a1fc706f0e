"""The dispatcher's loop: woken by the bus, with a sweep now and then for what nobody woke it for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.kernel.errors import UnibosError

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

SWEEP = 5.0


def loops(kit: Kit, services: Mapping[str, Any]) -> list[tuple[str, Callable[[Callable[[], bool]], None]]]:
    """The loops of this feature."""

    def dispatcher(stop: Callable[[], bool]) -> None:
        swept = kit.clock.monotonic()
        for woken in kit.bus.listen(["dispatch"], timeout=1.0):
            if stop():
                return
            try:
                if kit.clock.monotonic() - swept > SWEEP:
                    swept = kit.clock.monotonic()
                    kit.jobs.sweep()
                    woken = ("dispatch", {})
                if woken is not None:
                    kit.jobs.dispatch()
            except UnibosError as error:
                kit.log.warning("dispatcher: %s", error.text)

    def doer(stop: Callable[[], bool]) -> None:
        """Do the agent's own jobs, one after another: what has to leave the device, such as mail."""
        for handed in kit.bus.listen(["agent-jobs"], timeout=1.0):
            if stop():
                return
            if handed is not None:
                kit.jobs.run(str(handed[1]["job"]), int(handed[1]["attempt"]), "agent", services)
                kit.db.release()

    return [("dispatcher", dispatcher), ("doer", doer)]


def cleanup(kit: Kit, services: Mapping[str, Any]) -> str:
    """Put the tidy-up job, which is the device's own: it belongs to its first organisation."""
    with kit.db.tenant(services["orgs"].home_id()):
        kit.jobs.put("core.cleanup", {})
    return "put core.cleanup"
