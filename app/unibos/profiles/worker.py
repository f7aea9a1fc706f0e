"""The worker process: one RQ worker on one queue, and the one function that RQ knows."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

_here: dict[str, Any] = {}


def run(job_id: str, attempt: int) -> str:
    """Do one job (the trampoline): RQ hands an id, the table has the rest."""
    kit, services, name = _here["kit"], _here["services"], _here["name"]
    _here["job"] = job_id
    try:
        return kit.jobs.run(job_id, attempt, name, services)
    finally:
        _here["job"] = ""
        kit.db.release()


BEAT = 5.0


def _beat(kit: Any, work: Any, name: str, stop: threading.Event) -> None:
    """Renew the lease of the running job every 5 s and say every 15 s that this worker is there; feed the service manager's watchdog.

    The watchdog is fed at each turn, also when the database refused: busy is no illness of this process, and being killed for it would
    cost the job that runs. What it catches is a process that stands still, or a question to the database that never comes back, since
    then there is no next turn. A turn takes up to the pause and two busy time-outs (3 × 5 s): give it 30 s or more.
    """
    from unibos.adapters.system import notify, watchdog_seconds

    pause, renewed, told = min(BEAT, (watchdog_seconds() or 60.0) / 3), kit.clock.monotonic(), kit.clock.monotonic()
    while not stop.wait(pause):
        now = kit.clock.monotonic()
        try:
            if now - renewed >= BEAT - 0.1:
                renewed = now
                if _here.get("job"):
                    kit.jobs.renew(_here["job"], name)
            if now - told >= 3 * BEAT - 0.1:
                told = now
                work.beat(name, _here.get("job", ""))
        except Exception as error:  # noqa: BLE001 - a busy database must not end the heartbeat
            kit.log.warning("heartbeat of %s: %s", name, error)
        finally:
            kit.db.release()
        notify("WATCHDOG=1")


def main(role: str, queue: str) -> None:
    """Serve one queue of `role` until SIGTERM; a job that runs then is finished first, for at most a few seconds."""
    from rq import SimpleWorker
    from rq.queue import Queue
    from rq.serializers import JSONSerializer

    from unibos.adapters.reader import SubprocessReader
    from unibos.adapters.system import notify
    from unibos.profiles.build import compose_all

    kit, services = compose_all(role)
    name = f"{os.uname().nodename}-{role}-{queue}"
    work = services["jobs"]
    kit.reader = SubprocessReader(kit.data_dir / "tmp")
    _here.update(kit=kit, services=services, name=name, job="")
    work.hello(name, queue, os.getpid(), kit.machine()["capabilities"])
    stop = threading.Event()
    threading.Thread(target=_beat, args=(kit, work, name, stop), daemon=True).start()
    kit.db.release()
    notify("READY=1")
    rq_queue = Queue(kit.queue.name(queue), connection=kit.queue.connection(), serializer=JSONSerializer)
    worker = SimpleWorker([rq_queue], connection=kit.queue.connection(), name=f"{name}-{os.getpid()}", serializer=JSONSerializer,
                          worker_ttl=45, job_monitoring_interval=15, maintenance_interval=600)
    worker.log.setLevel("WARNING")
    try:
        worker.work(logging_level="WARNING")
    finally:
        notify("STOPPING=1")
        stop.set()
        work.bye(name)


if __name__ == "__main__":
    # RQ imports the trampoline by its name; this process must be that module.
    import unibos.profiles.worker as itself
    from unibos.profiles.programs import guarded

    guarded("unibos-worker", lambda: itself.main(sys.argv[1], sys.argv[2]))
