"""The agent process: the loops of all features of a role, each in a thread, and the periodic work."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from unibos.kernel import compose


def main(role: str) -> None:
    """Run until SIGTERM; a loop that breaks is logged and started again."""
    from unibos.profiles.build import build_broker, compose_all
    from unibos.profiles.lists import BY_ROLE

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    features = BY_ROLE[role]
    kit, services = compose_all(role)
    if any(f.name == "devices" for f in features):
        kit.broker = build_broker(kit.settings)
    loops = [*compose.loops(features, kit, services), ("agent.answer", lambda stop: kit.bus.serve("agent", lambda _q: {"ok": True}, stop)),
             *((f"every.{e.name}", _periodic(kit, services, f, e)) for f in features for e in f.every)]
    threads = [threading.Thread(target=_forever, args=(kit, name, loop, stopping), name=name, daemon=True) for name, loop in loops]
    for thread in threads:
        thread.start()
    kit.log.info("agent runs %d loops", len(threads))
    stopping.wait()
    for thread in threads:
        thread.join(timeout=5)
    if kit.broker is not None:
        kit.broker.stop()


def _forever(kit: Any, name: str, loop: Callable[[Callable[[], bool]], None], stopping: threading.Event) -> None:
    pause = 0.5
    while not stopping.is_set():
        try:
            loop(stopping.is_set)
            return
        except Exception:  # noqa: BLE001 - whatever broke one loop must not stop the others
            kit.log.error("loop %s broke, again in %.0f s: %s", name, pause, traceback.format_exc())
            stopping.wait(pause)
            pause = min(60.0, pause * 2)
        finally:
            kit.db.release()


def _periodic(kit: Any, services: Any, feature: Any, every: Any) -> Callable[[Callable[[], bool]], None]:
    def loop(stop: Callable[[], bool]) -> None:
        work = feature.load(every.code)
        due = 0.0
        pause = threading.Event()
        while not stop():
            if kit.clock.monotonic() >= due:
                kit.log.debug("%s: %s", every.name, work(kit, services))
                due = kit.clock.monotonic() + every.seconds
            pause.wait(min(0.5, every.seconds))

    return loop


if __name__ == "__main__":
    from unibos.profiles.programs import guarded

    guarded("unibos-agent", lambda: main(sys.argv[1]))
