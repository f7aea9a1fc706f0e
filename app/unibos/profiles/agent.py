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
    from unibos.adapters.system import notify
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
    ended: set[str] = set()
    threads = [threading.Thread(target=_forever, args=(kit, name, loop, stopping, ended), name=name, daemon=True) for name, loop in loops]
    for thread in threads:
        thread.start()
    kit.log.info("agent runs %d loops", len(threads))
    notify("READY=1")
    _watch(kit, threads, ended, stopping)
    notify("STOPPING=1")
    for thread in threads:
        thread.join(timeout=5)
    if kit.broker is not None:
        kit.broker.stop()


def _watch(kit: Any, threads: list[threading.Thread], ended: set[str], stopping: threading.Event) -> None:
    """Wait for the end; meanwhile tell the service manager, twice in the time that it gives, that this process is well, as long as it is."""
    from unibos.adapters.system import notify, watchdog_seconds

    seconds = watchdog_seconds()
    if seconds is None:
        stopping.wait()
        return
    while True:
        if why := _ill(kit, threads, ended):
            kit.log.error("the watchdog is not fed: %s", why)
        elif not stopping.is_set():
            notify("WATCHDOG=1")
        if stopping.wait(seconds / 2):
            return


def _ill(kit: Any, threads: list[threading.Thread], ended: set[str]) -> str:
    """Why this process should be started anew; empty when it should not. A question that hangs says it by not coming back."""
    from unibos.kernel.errors import Unavailable

    dead = [thread.name for thread in threads if not thread.is_alive() and thread.name not in ended]
    if dead:
        return f"dead loops: {', '.join(dead)}"
    try:
        kit.db.ping()
    except Unavailable as error:
        return str(error)
    finally:
        kit.db.release()
    return ""


def _forever(kit: Any, name: str, loop: Callable[[Callable[[], bool]], None], stopping: threading.Event, ended: set[str]) -> None:
    pause = 0.5
    while not stopping.is_set():
        try:
            loop(stopping.is_set)
            ended.add(name)  # it has nothing (more) to do, which is no death: without a broker there is no ingest
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
