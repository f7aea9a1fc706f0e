"""Two organisations on one gunicorn with one connection to PostgreSQL: a thousand requests at random, and nobody reads a word of the other."""

from __future__ import annotations

import http.client
import random
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from unibos.kernel import compose

from tests.conftest import close
from tests.postgres import Postgres
from tests.society import furnish, settle
from tests.stack import BIN, free_port, wait_for

REQUESTS, AT_ONCE = 1000, 8
ABSENT = "00000000-0000-4000-8000-000000000000"
pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path):
    """A hub's web process with one connection, and what is known of its two organisations."""
    owner, app = Postgres.shared().create_owned()
    (tmp_path / "hub").mkdir()
    built = settle("hub", tmp_path / "hub", app)
    built.things = {"alpha": furnish(built, built.alpha, "alphamark"), "beta": furnish(built, built.beta, "betamark")}
    redis_port, port = free_port(), free_port()
    redis = subprocess.Popen([shutil.which("valkey-server") or shutil.which("redis-server"), "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "",
                              "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    settings = {"UNIBOS_DATA_DIR": str(tmp_path / "data"), "UNIBOS_HUB_PORT": str(port), "UNIBOS_DATABASE_URL": app, "UNIBOS_DATABASE_OWNER_URL": owner,
                "UNIBOS_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "UNIBOS_DATABASE_CONNECTIONS": "1", "PATH": "/usr/bin:/bin", "UNIBOS_LOG_LEVEL": "error"}
    subprocess.run([BIN / "unibos-hub", "migrate"], env=settings, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    programs = [subprocess.Popen([sys.executable, "-m", f"unibos.profiles.{name}", "hub"], env={**settings, **more}, cwd=tmp_path)
                for name, more in (("serve", {}), ("agent", {"UNIBOS_DATABASE_CONNECTIONS": "8"}))]
    built.port = port
    try:
        wait_for(lambda: answered(port), 30, "the hub's web process does not answer")
        yield built
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)
        redis.terminate()
        redis.wait(10)
        close(built)


def answered(port):
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except OSError:
        return False


def ask(port, method, path, headers=None, body=None):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        line.request(method, path, body, headers or {})
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        line.close()


def read(text, word):
    """What a page says round a word, or at its end."""
    plain = re.sub(r"<[^>]+>|\s+", " ", text)
    return plain[max(0, plain.find(word) - 100):][:300] if word in plain else plain[:900]


def test_a_thousand_requests_of_two_organisations(hub):
    identity, chance = hub.services["identity"], random.Random(11)
    who = {}
    for name, person in (("alpha", hub.people["owner"]), ("beta", hub.people["other"])):
        cookie = {"Cookie": f"unibos-hub={identity.open_session(person, 'browser', '', '')[1]}"}
        form = ask(hub.port, "GET", "/settings/", cookie)
        who[name] = {**cookie, "X-CSRF-Token": re.search(r'name="_csrf" value="([0-9a-f]+)"', form[2])[1], "Content-Type": "application/json"}
    hub.db.release()
    # Who runs the hub lists its organisations and looks after its accounts: that is not tried here.
    ways = [r for _f, r in compose.routes(hub.features) if r.method != "WS" and r.access not in ("open", "node") and "/logout" not in r.path
            and "/close" not in r.path and not re.search("/users/|able/$|/v1/organisations/$", r.path) and not (r.method != "GET" and "<" not in r.path)]
    assert len(ways) > 15
    ids = {name: [*hub.things["alpha"].get(name, []), *hub.things["beta"].get(name, []), ABSENT] for name in {**hub.things["alpha"], **hub.things["beta"]}}
    seen, lock, told = {"alpha": 0, "beta": 0}, threading.Lock(), []

    def one(turn):
        name, route = turn
        other = "betamark" if name == "alpha" else "alphamark"
        path = re.sub("<(?:int:)?([a-z_]+)>", lambda found: chance.choice(ids.get(found[1], [ABSENT])), route.path)
        status, _headers, text = ask(hub.port, route.method, path, who[name], "{}" if route.method != "GET" else None)
        with lock:
            seen[name] += f"{name}mark" in text
            if status >= 500 or other in text:
                told.append(f"{route.method} {path} as {name}: {status} {read(text, other)}")

    turns = [(chance.choice(("alpha", "beta")), chance.choice(ways)) for _ in range(REQUESTS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, turns))
    assert not told, "\n".join(told[:20])
    assert min(seen.values()) > 50, f"it was looked at too little of their own: {seen}"
