"""Logging in: what a password hash costs by its parameters, and logins and verified requests a second on PostgreSQL with row-level security and without.

The hash is measured alone, one at a time, with the memory that a process gains by it. The web process is our own gunicorn on a hub's database;
both databases lie on one server, whose policies are taken off one of them, and the runs take turns.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import stand
from bench.tenants import TABLES
from tests.stack import ADA, free_port, wait_for

# (KiB of memory, passes, lanes): OWASP's equal choices, and RFC 9106's second recommendation.
CHOICES = ((19456, 2, 1), (47104, 1, 1), (12288, 3, 1), (9216, 4, 1), (32768, 2, 1), (65536, 3, 4))
TIMES, SECONDS, ROUNDS, CLIENTS = 9, 1.0, 25, 4


def hash_once(memory: int, passes: int, lanes: int) -> None:
    """In a process of its own: print the median of the milliseconds of a hash, and the KiB that the process grew by."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes)
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(TIMES):
        began = time.perf_counter()
        hasher.hash("four unrelated words")
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps({"ms": stand.middle(times), "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before}))


class Hub:
    """Our web process of a hub on a database, claimed by Ada; `protected` or with its policies taken off."""

    def __init__(self, folder: Path, urls: tuple[str, str], redis: str, *, protected: bool):
        self.port, self.data = free_port(), folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}
        self.env = {**kept, "UNIBOS_DATA_DIR": str(folder), "UNIBOS_PORT": str(self.port), "UNIBOS_DATABASE_URL": urls[1],
                    "UNIBOS_DATABASE_OWNER_URL": urls[0], "UNIBOS_REDIS_URL": redis, "UNIBOS_LOG_LEVEL": "error"}
        self.device = ""
        subprocess.run([sys.executable, "-c", "from unibos.profiles.programs import unibos_hub; import sys; sys.argv = ['unibos-hub', 'migrate']; unibos_hub()"],
                       env=self.env, check=True, stdout=subprocess.DEVNULL)
        if not protected:
            from unibos.adapters.database import Database
            from unibos.kernel.tenants import unprotect

            owner = Database(urls[0], Path("none"))
            for table in TABLES:
                unprotect(owner.peewee, table)
            owner.release()
            owner.peewee.close_all()
        self.process = subprocess.Popen([sys.executable, "-m", "unibos.profiles.serve", "hub"], env=self.env)
        wait_for(self._answers, 30)
        code = wait_for(lambda: self._code(), 10)
        self.token = self.post("/api/v1/claim/", {"code": code, **ADA})["token"]
        self.login()

    def _code(self) -> str:
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/claim/").close()
        path = self.data / "hub" / "claim-code"
        return path.read_text().strip() if path.exists() else ""

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                return True
        except OSError:
            return False

    def post(self, path: str, body: Any) -> Any:
        """Send JSON; raises for anything but 2xx."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json",
                                         **({"Cookie": self.device} if self.device else {})})
        with urllib.request.urlopen(request, timeout=30) as answer:
            # A known device has tries of its own: what is measured is the login, not how strangers are slowed.
            self.device = (answer.headers.get("Set-Cookie") or self.device).split(";")[0]
            return json.loads(answer.read() or b"{}")

    def logins(self) -> float:
        """Logins a second of some clients at once: a password hash, a session, tokens."""
        return _rate(self.login)

    def login(self) -> None:
        """One login, by a device that is known from the first one on."""
        self.post("/api/v1/auth/login/", {"email": ADA["email"], "password": ADA["password"]})

    def requests(self) -> float:
        """Verified requests a second over kept connections: a token, its session, the person's organisation, and the answer."""
        process = stand.program("load", str(self.port), "/api/v1/organisation/", str(CLIENTS), str(SECONDS), "0", f"Authorization: Bearer {self.token}")
        return len(json.loads(process.communicate(timeout=SECONDS + 60)[0])["times"]) / SECONDS

    def stop(self) -> None:
        """End the web process."""
        self.process.terminate()
        self.process.wait(20)


def _rate(once: Callable[[], Any]) -> float:
    done, until = [], time.monotonic() + SECONDS

    def client() -> None:
        while time.monotonic() < until:
            once()
            done.append(1)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done) / SECONDS


def measure() -> None:
    """The hash by its parameters, then the web process with policies and without, in turns."""
    from unibos.adapters.redis_server import find_redis, ping, redis_command, redis_url

    from tests.postgres import Postgres

    facts, rows = stand.machine(), []
    for memory, passes, lanes in CHOICES:
        found = json.loads(stand.program("logins", str(memory), str(passes), str(lanes)).communicate(timeout=120)[0])
        rows.append(stand.row(f"argon2id, {memory // 1024} MiB, {passes} passes, {lanes} lanes", found["ms"], "ms", note=f"the process grew by "
                              f"{found['kib'] / 1024:.0f} MiB" + ("; in use" if (memory, passes, lanes) == CHOICES[0] else "")))
    server = Postgres()
    server.start()
    runs: dict[str, dict[str, list[float]]] = {what: {"with": [], "without": []} for what in ("logins", "requests")}
    hubs: dict[str, Hub] = {}
    with stand.folder() as folder:
        socket = folder / "redis.sock"
        redis = subprocess.Popen(redis_command(find_redis() or "redis-server", folder / "redis", socket), stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: ping(redis_url(socket, 0)))
            for name in ("with", "without"):
                (folder / name).mkdir()
                hubs[name] = Hub(folder / name, server.create_owned(), redis_url(socket, len(hubs)), protected=name == "with")
            for turn in range(ROUNDS):
                for name, hub in list(hubs.items())[:: 1 if turn % 2 else -1]:
                    runs["logins"][name].append(hub.logins())
                    runs["requests"][name].append(hub.requests())
        finally:
            for hub in hubs.values():
                hub.stop()
            redis.terminate()
            redis.wait(10)
            server.stop()
    for what, words in (("logins", f"logins by {CLIENTS} clients"), ("requests", f"verified requests by {CLIENTS} clients")):
        tenant, plain = stand.middle(runs[what]["with"]), stand.middle(runs[what]["without"])
        rows.append(stand.row(f"{words}, with row-level security", tenant, "/s", note=f"without: {plain:.1f} /s, medians of {ROUNDS} turns of {SECONDS:g} s"))
        ratio = stand.middle(a / b for a, b in zip(runs[what]["with"], runs[what]["without"], strict=True) if b)
        rows.append(stand.row(f"{words}: with / without", ratio, "x", must=">= 0.7", ok=ratio >= 0.7, note="median of the ratios of neighbouring turns"))
    stand.write("logins", rows, facts, runs=runs)


if __name__ == "__main__":
    hash_once(*map(int, sys.argv[1:4]))
