"""What belongs to another organisation answers as what does not exist: same status, headers, body and number of queries, by every address."""

import difflib
import logging
import re
import threading

import pytest
from unibos.features.identity.safety_models import Passkey
from unibos.kernel import compose
from unibos.kernel.actors import Actor

from tests.conftest import PASSWORD, close
from tests.society import Caller, apply, settle

ABSENT = "00000000-0000-4000-8000-000000000000"
OPERATORS = r"/users/<user_id>/|/people/<user_id>/(disable|enable)/"
# Inputs that pass the door of their route, so that what follows is about the object alone.
BODIES = {
    "POST /nodes/<node_id>/": {"act": "maintenance", "why": "disk"},
    "POST /api/v1/nodes/<node_id>/maintenance/": {"on": True, "why": "disk"},
    "POST /api/v1/nodes/<node_id>/trust/": {"trust": 2},
    "POST /api/v1/nodes/<node_id>/revoke/": {"why": "stolen"},
    "DELETE /api/v1/auth/passkeys/<passkey_id>/": {"password": PASSWORD},
    "PATCH /api/v1/organisation/members/<user_id>/": {"role": "viewer"},
    "POST /people/<user_id>/role/": {"role": "viewer"},
    "POST /people/<user_id>/offer/": {"password": PASSWORD},
    "POST /nodes/applications/<application_id>/": {"act": "refuse"},
    "PATCH /api/v1/auth/passkeys/<passkey_id>/": {"name": "Mine"},
}


@pytest.fixture(scope="module")
def hub(postgres_server, tmp_path_factory):
    built = settle("hub", tmp_path_factory.mktemp("foreign"), postgres_server.create_owned()[1])
    built.node_id = built.admit()
    with built.db.tenant(built.alpha):
        job = built.kit.jobs.put("core.health_check", {})
    session, _secret = built.services["identity"].open_session(built.people["member"], "token", "", "")
    passkey = Passkey.create(id=built.kit.random.uuid(), user_id=built.people["member"].id, rp_id="box.local", credential_hash="x", credential_id="x",
                             public_key="", name="Theirs", created_at=built.clock.now())
    who = Actor("person", built.people["owner"].id, built.alpha, "owner")
    with built.db.tenant(built.alpha):
        invitation, _secret = built.services["orgs"].invitations.make(built.alpha, who, "viewer")
        application = apply(built, built.alpha, "pi-009")
    built.foreign = {"node_id": built.node_id, "job_id": job.id, "session_id": session.id, "user_id": built.people["member"].id,
                     "invitation_id": invitation.id, "application_id": application, "passkey_id": passkey.id}
    yield built
    close(built)


class Counter(logging.Handler):
    """Counts the statements of this thread that reach the database."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.seen, self._thread = [], threading.get_ident()

    def emit(self, record):
        if record.thread != self._thread:
            return
        self.seen.append(record.msg[0] if isinstance(record.msg, tuple) else str(record.msg))


def asked(caller, route, ids):
    """(status, headers, body, statements) of a request in which every id is replaced by its name."""
    path = re.sub("<([a-z_]+)>", lambda found: ids[found[1]], route.path)
    given = BODIES.get(route.name, {})
    options = {} if route.method == "GET" else {"json": given} if route.kind == "api" else {"data": given}
    counter, log = Counter(), logging.getLogger("peewee")
    level = log.level
    log.addHandler(counter), log.setLevel(logging.DEBUG)
    try:
        answer = caller.send(route.method, path, **options)
    finally:
        log.removeHandler(counter), log.setLevel(level)
    body = answer.text.replace(answer.headers["X-Request-Id"], "REQUEST")
    for value in ids.values():
        body = body.replace(value, "ID")
    headers = sorted((k, v) for k, v in answer.headers if k not in ("X-Request-Id", "Content-Length"))
    # What a session and its form carry differs with every request.
    body = re.sub(r'name="_csrf" value="[0-9a-f]+"|data-csrf="[0-9a-f]+"|data-at="\d+"', "", body)
    return answer.status_code, headers, body, len(counter.seen)


def routes(built):
    return [r for _f, r in compose.routes(built.features) if "<" in r.path and r.access not in ("open", "node") and r.method != "WS"]


def test_every_address_with_an_id_is_tried(hub):
    named = {name for route in routes(hub) for name in re.findall("<([a-z_]+)>", route.path)}
    assert named <= set(hub.foreign), "say which object of Alpha these name"
    assert len(routes(hub)) > 5


def test_foreign_is_absent(hub):
    caller, different = Caller(hub, "other"), []
    absent = dict.fromkeys(hub.foreign, ABSENT)
    for route in routes(hub):
        asked(caller, route, absent), asked(caller, route, hub.foreign)  # what is read once and kept for a moment is kept now
    for route in routes(hub):
        nothing, foreign = asked(caller, route, absent), asked(caller, route, hub.foreign)
        if nothing != foreign:  # what is kept for a moment may have run out between the two; what is told apart is told apart again
            nothing, foreign = asked(caller, route, absent), asked(caller, route, hub.foreign)
        # What concerns the whole device is closed to the people of other organisations, whatever they ask for.
        assert nothing[0] == (403 if route.device or re.search(OPERATORS, route.path) else 404), (route.name, nothing[0], nothing[2][:300])
        different += [f"{route.name}: {what}: " + "\n".join(difflib.unified_diff(str(a).splitlines(), str(b).splitlines(), "absent", "foreign", n=0, lineterm=""))
                      for what, a, b in zip(("status", "headers", "body", "statements"), nothing, foreign, strict=True) if a != b]
    assert not different, "\n".join(different)


def test_its_own_people_find_it(hub):
    """The other side of the same test: the ids are right."""
    for route in routes(hub):
        if route.method == "GET":
            ids = hub.foreign
            assert asked(Caller(hub, "owner"), route, ids)[0] == 200, route.name
