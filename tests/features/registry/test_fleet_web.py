"""The registry through the hub's API: joining by approval, trust, maintenance, revocation, metrics, and what strangers are told."""

import base64
import datetime as dt
import itertools

import pytest
from unibos.features.orgs.models import Member, Organisation
from unibos.features.registry.models import Application, Node
from unibos.kernel.records import Change
from unibos.kernel.sockets import _open
from unibos.wire.fingerprint import fingerprint

from tests.conftest import claim
from tests.features.registry.machines_of_test import Machine


@pytest.fixture
def web(hub_web):
    hub_web.ada = {"Authorization": f"Bearer {claim(hub_web)}"}
    hub_web.org = hub_web.services["orgs"].home_id()
    hub_web.registry = hub_web.services["registry"]
    hub_web.get = lambda path, head=None: hub_web.client.get(f"/api/v1/{path}", headers=head or hub_web.ada)
    hub_web.post = lambda path, body=None, head=None: hub_web.client.post(f"/api/v1/{path}", json=body or {}, headers=head or hub_web.ada)
    return hub_web


def person(web, role, email=None):
    """The header of somebody with that role in the home organisation."""
    user = web.services["identity"].create(email or f"{role}@example.org", "four unrelated words", role)
    with web.db.transaction():
        Member.create(id=user.id, organisation_id=web.org, user_id=user.id, role=role, joined_at=web.clock.now())
    return {"Authorization": f"Bearer {web.services['identity'].tokens(user, '', '')['token']}"}


def joined(web, number=1, hostname="pi-001", **about):
    """A machine that is in and has a session."""
    machine = Machine(web.client, number, hostname, **about)
    assert machine.enrol(web.post("nodes/tokens/").json["token"]).status_code == 201
    assert machine.log_in().status_code == 200
    assert machine.report().status_code == 200
    return machine


def test_a_node_without_a_token_asks_waits_and_is_let_in(web):
    machine = Machine(web.client, 1)
    first = machine.apply()
    assert first.status_code == 200 and first.json["state"] == "pending" and first.json["node_id"] == first.json["org_id"] == ""
    (row,) = web.get("nodes/applications/").json["items"]
    assert row["hostname"] == "pi-001" and row["address"] == "127.0.0.1" and row["fingerprint"] == fingerprint(base64.b64decode(machine.key))
    assert web.get("nodes/").json["items"] == [] and machine.apply().json["state"] == "pending"
    assert Application.select().count() == 1
    made = web.post(f"nodes/applications/{row['id']}/approve/", {"trust": 4})
    assert made.status_code == 201 and made.json["trust"] == 4 and made.json["fingerprint"] == row["fingerprint"]
    answer = machine.apply().json
    assert answer["state"] == "approved" and answer["node_id"] == made.json["id"] and answer["org_id"] == web.org
    machine.node_id = answer["node_id"]
    assert machine.log_in().status_code == 200 and machine.report().json["trust"] == 4
    assert web.get("nodes/applications/").json["items"] == []
    for act in ("approve", "refuse"):
        assert web.post(f"nodes/applications/{row['id']}/{act}/").status_code == 409


def test_a_refused_node_is_told_and_may_ask_again_a_week_later(web):
    machine = Machine(web.client, 1)
    machine.apply()
    (row,) = web.get("nodes/applications/").json["items"]
    assert web.post(f"nodes/applications/{row['id']}/refuse/").status_code == 204
    assert machine.apply().json["state"] == "refused" and web.get("nodes/applications/").json["items"] == []
    web.clock.advance(7 * 86400 + 1)
    web.ada = {"Authorization": f"Bearer {web.services['identity'].tokens(web.services['identity'].user(Member.get().user_id), '', '')['token']}"}
    assert machine.apply().json["state"] == "pending" and len(web.get("nodes/applications/", web.ada).json["items"]) == 1


def test_who_waits_is_forgotten_after_a_week(web):
    Machine(web.client, 1).apply()
    web.clock.advance(7 * 86400 + 1)
    assert web.registry.applications.waiting(web.org) == []
    Machine(web.client, 2, "pi-002").apply()
    assert [row.about["hostname"] for row in Application.select()] == ["pi-002"]


def test_what_a_stranger_is_answered_does_not_tell_which_organisations_there_are(web, monkeypatch):
    known = Machine(web.client, 1).apply(web.services["orgs"].home().slug)
    asked = []
    monkeypatch.setattr(type(web.db.peewee), "execute_sql", counted(type(web.db.peewee).execute_sql, asked))
    answers, counts = [], []
    for slug in (web.services["orgs"].home().slug, "nobody-at-all"):
        machine = Machine(web.client, 1 if slug != "nobody-at-all" else 2)
        signed = machine.signed("apply", slug)
        asked.clear()
        answers.append(web.client.post("/api/v1/nodes/apply/", json={**machine.about, "public_key": machine.key, "organisation": slug, **signed}))
        counts.append(len([sql for sql in asked if "throttle" not in sql]))
    assert answers[0].json == answers[1].json == known.json and answers[0].status_code == answers[1].status_code
    assert {k: v for k, v in answers[0].headers if k != "X-Request-Id"} == {k: v for k, v in answers[1].headers if k != "X-Request-Id"}
    assert abs(counts[0] - counts[1]) <= 1, counts  # one statement keeps that the known one asked again
    assert Application.select().count() == 1


def counted(call, asked):
    def execute_sql(self, sql, *args, **more):
        asked.append(sql)
        return call(self, sql, *args, **more)

    return execute_sql


def test_only_so_many_may_wait(web, monkeypatch):
    from unibos.features.registry import joining

    monkeypatch.setattr(joining, "PER_ORGANISATION", 4)
    states = [Machine(web.client, n, f"pi-{n}").apply().json["state"] for n in range(1, 9)]
    assert states == ["pending"] * 8 and len(web.get("nodes/applications/").json["items"]) == 4
    monkeypatch.setattr(joining, "PER_ORGANISATION", 50)
    for n in range(1, 9):
        Machine(web.client, n, f"pi-{n}").apply()
    assert len(web.get("nodes/applications/").json["items"]) == joining.PER_ADDRESS


def test_a_key_that_was_not_proven_asks_nothing(web):
    machine = Machine(web.client, 1)
    other = web.client.post("/api/v1/nodes/apply/", json={**machine.about, "public_key": machine.key, "organisation": "other", **machine.signed("apply", "")})
    assert other.status_code == 403
    for fault in ({"challenge": "0" * 48}, {"signature": "A" * 86 + "=="}, {"public_key": Machine(web.client, 2).key}):
        assert machine.apply(**fault).status_code == 403
    assert Application.select().count() == 0


@pytest.mark.parametrize("fault", [
    {"hostname": "a\0b"}, {"hostname": ""}, {"platform": "x\0"}, {"version": "\x1b[2J"}, {"modules": ["a\0"]}, {"modules": ["x"] * 65}, {"url": "http://a\0"},
    {"capabilities": {"ram_gb": 10 ** 400}}, {"capabilities": {"cpu_cores": -1}}, {"capabilities": {"gpu": "yes please"}}, {"capabilities": []},
    {"type": "toaster"}, {"metrics": {"queue": 10 ** 400}}, {"metrics": {"cpu": "NaN"}}, {"metrics": {"lag": 1e300}}, {"at": -1}, {"at": 10 ** 400},
    {"revocations": 10 ** 400}, {"authority": "x" * 5000}, {"platform": "\ud800"}])
def test_what_a_node_may_not_say_is_refused_and_changes_nothing(web, fault):
    machine = joined(web)
    before = Change.select().count()
    answer = machine.report(**fault)
    assert answer.status_code == 400 and answer.mimetype == "application/problem+json", answer.text
    assert Change.select().count() == before


def test_every_level_of_trust_and_who_may_give_it(web):
    machine = joined(web)
    admin = person(web, "admin")
    path = f"nodes/{machine.node_id}/trust/"
    for level in (1, 2, 3, 4):
        assert web.post(path, {"trust": level}, admin).json["trust"] == level
    assert web.post(path, {"trust": 5}, admin).status_code == 403 and web.post(path, {"trust": 5}).json["trust_name"] == "owner"
    assert web.post(path, {"trust": 4}, admin).status_code == 403 and web.post(path, {"trust": 4}).status_code == 200
    for wrong in (6, -1, 10 ** 30, "x", None):
        assert web.post(path, {"trust": wrong}).status_code == 400
    for role in ("member", "viewer"):
        assert web.post(path, {"trust": 1}, person(web, role)).status_code == 403
    last = Change.select().where(Change.record_id == machine.node_id).order_by(Change.seq.desc()).first()
    assert last.fields == {"trust": 4} and last.actor_id == Member.get(Member.role == "owner").user_id


def test_peers_are_shown_from_verified_on(web):
    machine, other = joined(web), joined(web, 2, "pi-002")
    assert web.client.get("/api/v1/nodes/peers/", headers=machine.head).status_code == 403
    web.post(f"nodes/{machine.node_id}/trust/", {"trust": 4})
    (peer,) = web.client.get("/api/v1/nodes/peers/", headers=machine.head).json["items"]
    assert peer["id"] == other.node_id and peer["public_key"] == other.key


def test_a_blocked_node_is_refused_at_once(web):
    machine = joined(web)
    web.post(f"nodes/{machine.node_id}/trust/", {"trust": 0})
    answer = machine.report()
    assert answer.status_code == 403 and answer.json["type"] == "urn:unibos:problem:node-not-trusted" and answer.json["since"] == ""
    assert web.get(f"nodes/{machine.node_id}/").json["status"] == "offline"
    web.post(f"nodes/{machine.node_id}/trust/", {"trust": 2})
    assert machine.report().status_code == 200


def test_a_revoked_node_is_refused_with_every_route_and_no_token_brings_it_back(web):
    machine = joined(web)
    gone = web.post(f"nodes/{machine.node_id}/revoke/", {"why": "stolen"})
    assert gone.status_code == 200 and gone.json["revoked_why"] == "stolen" and gone.json["revoked_at"]
    for method, path, body in (("POST", "heartbeat/", {**machine.about, "metrics": {}}), ("POST", "goodbye/", {}), ("GET", "revocations/", None),
                               ("GET", "peers/", None)):
        answer = web.client.open(f"/api/v1/nodes/{path}", method=method, json=body, headers=machine.head)
        assert answer.status_code == 403 and answer.json["type"] == "urn:unibos:problem:node-not-trusted" and answer.json["since"], path
    assert machine.log_in().status_code == 403
    token = web.post("nodes/tokens/").json["token"]
    assert machine.enrol(token).status_code == 403 and machine.apply().status_code == 403
    assert Machine(web.client, 9, "pi-009").enrol(token).status_code == 201  # the token was not used up by it
    assert web.post(f"nodes/{machine.node_id}/revoke/").status_code == 409 and web.post(f"nodes/{machine.node_id}/trust/", {"trust": 4}).status_code == 409
    assert web.post(f"nodes/{machine.node_id}/unrevoke/", {}, person(web, "admin")).status_code == 403
    assert web.post(f"nodes/{machine.node_id}/unrevoke/").json["revoked_at"] is None and machine.report().status_code == 200


def test_a_key_has_one_spelling(web):
    machine = joined(web)
    web.post(f"nodes/{machine.node_id}/revoke/")
    other = machine.key[:-2] + chr(ord(machine.key[-2]) + 1) + "="
    assert base64.b64decode(other) == base64.b64decode(machine.key)
    assert web.client.post("/api/v1/nodes/challenge/", json={"public_key": other}).status_code == 400
    assert machine.apply(public_key=other).status_code == 400 and machine.enrol("T", public_key=other).status_code == 400


def test_nobody_without_the_key_learns_that_a_node_is_known_or_revoked(web):
    machine, stranger = joined(web), Machine(web.client, 3)
    web.post(f"nodes/{machine.node_id}/revoke/")
    answers = []
    for node_id in (machine.node_id, "0" * 36):
        stranger.node_id = node_id
        answers.append(stranger.log_in())
    assert answers[0].status_code == answers[1].status_code == 404 and answers[0].json["detail"] == answers[1].json["detail"]


def test_the_list_of_revoked_nodes_comes_with_the_report_of_who_has_an_older_one(web):
    machine, other = joined(web), joined(web, 2, "pi-002")
    assert machine.report(revocations=0).json["revocations"] is None and machine.report().json["revocations"] is None
    web.post(f"nodes/{other.node_id}/revoke/")
    carried = machine.report(revocations=0).json["revocations"]
    assert carried["sequence"] == 1 and [n["key"] for n in carried["nodes"]] == [other.key]
    assert machine.report(revocations=1).json["revocations"] is None
    assert web.client.get("/api/v1/nodes/revocations/", headers=machine.head).json == carried
    web.post(f"nodes/{other.node_id}/unrevoke/")
    assert machine.report(revocations=1).json["revocations"] | {"signature": ""} == {
        "org_id": web.org, "sequence": 2, "nodes": [], "signature": "", "signer": carried["signer"]}


def test_a_maintenance_has_a_reason_an_end_and_its_effects(web):
    machine = joined(web)
    path, now = f"nodes/{machine.node_id}/maintenance/", web.clock.now()
    answer = web.post(path, {"on": True, "why": "new disk", "hours": 2}).json
    assert answer["status"] == "maintenance" and answer["maintenance"]["why"] == "new disk" and answer["maintenance"]["until"] == (
        now + dt.timedelta(hours=2)).isoformat()
    assert "new disk" in answer["why"] and web.registry.to_call() == [] and machine.report().json["maintenance"] is True
    assert not web.registry.allowed(machine.node_id, "work").allowed and web.registry.allowed(machine.node_id, "tokens").allowed
    for wrong in ({"on": True, "until": now.isoformat()}, {"on": True, "until": (now + dt.timedelta(days=91)).isoformat()}, {"on": True, "until": "soon"},
                  {"on": True, "until": "2026-12-02T00:00:00"}, {"on": True, "hours": 0}, {"on": True, "hours": 1e9}, {"why": "a\0"}, {}):
        assert web.post(path, wrong).status_code == 400, wrong
    web.clock.advance(7201)
    assert web.get(f"nodes/{machine.node_id}/").json["status"] != "maintenance" and web.registry.allowed(machine.node_id, "work").allowed
    web.registry.fleet.watch()
    assert not Node.get_by_id(machine.node_id).maintenance
    web.post(path, {"on": True})
    assert web.post(path, {"on": False}).json["maintenance"] is None


def test_a_wrong_clock_is_shown_with_what_to_do(web):
    machine = joined(web)
    for offset, words in ((59, ""), (-61, "61 s behind"), (4000, "4000 s ahead"), (None, "")):
        machine.report(at=None if offset is None else web.kit.now_ms() + offset * 1000)
        shown = web.get(f"nodes/{machine.node_id}/").json
        assert shown["clock_offset"] == offset and words in shown["clock_why"] and bool(shown["clock_why"]) == bool(words)


def test_capabilities_are_kept_bounded_and_looked_for(web):
    joined(web, 1, "pi-001", type="edge", capabilities={"gpio": True, "lora": False, "warp": 9, "ram_gb": 0.5})
    joined(web, 2, "gpu-001", type="desktop", capabilities={"gpu": True, "storage_gb": 2000, "cpu_cores": 16})
    names = lambda query: [n["hostname"] for n in web.get(f"nodes/?{query}").json["items"]]
    assert "warp" not in web.get("nodes/").json["items"][1]["capabilities"]
    assert names("capability=gpu") == ["gpu-001"] and names("capability=lora") == [] and names("capability=gpio&status=online") == ["pi-001"]
    assert names("type=edge") == ["pi-001"] and names("status=offline") == [] and names("trust=3") == ["gpu-001", "pi-001"] and names("kind=worker") == []
    for wrong in ("capability=warp", "status=asleep", "type=x", "trust=9", "trust=" + "9" * 400):
        assert web.get(f"nodes/?{wrong}").status_code == 400


def test_a_worker_of_its_own_joins_by_a_token_for_workers(web):
    worker = Machine(web.client, 4, "gpu-001", queues=["ocr", "media"])
    assert worker.enrol(web.post("nodes/tokens/", {"kind": "worker"}).json["token"]).status_code == 201
    (shown,) = web.get("nodes/?kind=worker").json["items"]
    assert shown["kind"] == "worker" and shown["queues"] == ["ocr", "media"]
    web.services["jobs"].hello("box-hub-default", "default", 77, {})
    items = web.get("workers/").json["items"]
    assert [(w["name"], w["kind"], w["queue"], w["alive"]) for w in items] == [("box-hub-default", "process", "default", True), ("gpu-001", "machine", "ocr, media", False)]
    worker.log_in()
    worker.report(queues=["ocr"])
    assert [(w["queue"], w["alive"]) for w in web.get("workers/").json["items"]][1] == ("ocr", True)
    page = web.client.get("/nodes/", headers=web.ada).text
    assert "Workers with a machine of their own" in page and "box-hub-default" in page


def test_a_full_organisation_takes_no_more_nodes_and_says_why(web):
    joined(web)
    Organisation.update(max_nodes=1).execute()
    token = web.post("nodes/tokens/").json["token"]
    answer = Machine(web.client, 2, "pi-002").enrol(token)
    assert answer.status_code == 422 and "limit of nodes" in answer.json["detail"]
    Machine(web.client, 3, "pi-003").apply()
    (row,) = web.get("nodes/applications/").json["items"]
    assert web.post(f"nodes/applications/{row['id']}/approve/").status_code == 422
    assert len(web.get("nodes/applications/").json["items"]) == 1


def test_metrics_are_few_points_with_gaps_as_gaps(web):
    machine, now = joined(web), web.kit.now_ms()
    web.kit.series.append([(f"node:{machine.node_id}:cpu", now - s * 1000, 5.0, None) for s in range(10, 3600, 5) if not 600 < s < 1200])
    for span in ("1h", "24h", "7d", "30d"):
        answer = web.get(f"nodes/{machine.node_id}/metrics/?span={span}").json
        found = {series["name"]: series for series in answer["series"]}
        assert set(found) == {"cpu", "memory", "disk", "temperature", "queue", "lag"} and found["cpu"]["unit"] == "%"
        assert 0 < len(found["cpu"]["points"]) <= 360 and found["lag"]["points"] == []
    hour = [p[0] for p in web.get(f"nodes/{machine.node_id}/metrics/").json["series"][0]["points"]]
    assert max(b - a for a, b in itertools.pairwise(hour)) >= 590_000
    assert web.get(f"nodes/{machine.node_id}/metrics/?span=2y").status_code == 400


def test_the_list_asks_for_all_its_lines_at_once(web):
    machines = [joined(web, n, f"pi-{n}") for n in range(1, 6)]
    web.clock.advance(60)
    assert all(machine.report().status_code == 200 for machine in machines)
    calls = []
    many = web.kit.series.many
    web.kit.series.many = lambda keys, *more: calls.append(list(keys)) or many(keys, *more)
    page = web.client.get("/nodes/", headers=web.ada)
    assert page.status_code == 200 and len(calls) == 1 and len(calls[0]) == 10 and page.text.count('class="spark"') >= 5


def test_pages_say_and_do_it_all(web):
    machine = joined(web)
    Machine(web.client, 2, "pi-002").apply()
    head = {"headers": web.ada}
    page = web.client.get("/nodes/", **head).text
    assert "pi-002 asks to join" in page and "No node fits" in web.client.get("/nodes/?status=offline", **head).text
    csrf = page.split('name="_csrf" value="')[1].split('"')[0]

    def send(path, **values):
        return web.client.post(path, data={**values, "_csrf": csrf}, **head)

    (row,) = web.registry.applications.waiting(web.org)
    assert send(f"/nodes/applications/{row['id']}/", act="approve", compared="1").status_code == 303
    assert Node.get(Node.hostname == "pi-002").trust == 4
    here = f"/nodes/{machine.node_id}/"
    for values, words in (({"act": "trust", "trust": "2"}, "Trust: known"), ({"act": "maintenance", "why": "new disk", "hours": "4"}, "Maintenance began: new disk"),
                          ({"act": "resume"}, "Maintenance ended"), ({"act": "revoke", "why": "stolen"}, "Trust taken away: stolen"),
                          ({"act": "unrevoke"}, "Trust given back")):
        assert send(here, **values).status_code == 303
        assert words in web.client.get(here, **head).text
    Machine(web.client, 3, "pi-003").apply()
    (row,) = web.registry.applications.waiting(web.org)
    assert send(f"/nodes/applications/{row['id']}/", act="refuse").status_code == 303


def test_another_organisations_node_is_as_absent_as_none(web, monkeypatch):
    """Same status, headers, body and number of queries, through every route that names a node or an application."""
    with web.db.transaction():
        foreign = web.kit.records.create(Node, org_id="another", hostname="theirs", public_key="k").id
        Application.create(id="a-foreign-one", org_id="another", public_key="k", created_at=web.clock.now(), seen_at=web.clock.now(),
                           expires_at=web.clock.now() + dt.timedelta(days=1))
    web.get("nodes/")
    asked = []
    monkeypatch.setattr(type(web.db.peewee), "execute_sql", counted(type(web.db.peewee).execute_sql, asked))
    body = {"trust": {"trust": 2}, "maintenance": {"on": True}}
    routes = [("GET", "nodes/{}/"), ("GET", "nodes/{}/metrics/"), *(("POST", f"nodes/{{}}/{act}/") for act in ("trust", "maintenance", "revoke", "unrevoke"))]
    routes += [("POST", f"nodes/applications/{{}}/{act}/") for act in ("approve", "refuse")]
    for method, path in routes:
        seen = []
        for identity in (foreign, "00000000-0000-4000-8000-000000000000") if "applications" not in path else ("a-foreign-one", "a-absent-onee"):
            asked.clear()
            answer = web.client.open(f"/api/v1/{path.format(identity)}", method=method, json=body.get(path.split("/")[2], {}), headers=web.ada)
            seen.append((answer.status_code, {k: v for k, v in answer.headers if k != "X-Request-Id"}, {**answer.json, "request_id": ""}, len(asked)))
        assert seen[0] == seen[1] and seen[0][0] == 404, (path, seen)
    asked.clear()
    pages = [web.client.get(f"/nodes/{i}/", headers=web.ada) for i in (foreign, "00000000-0000-4000-8000-000000000000")]
    assert pages[0].status_code == pages[1].status_code == 404


@pytest.mark.parametrize("odd", ["a%00b", "x" * 400, "%F0%9F%92%A9", "..", "'; DROP TABLE node; --"])
def test_an_id_that_is_none_is_absent(web, odd):
    for path in (f"nodes/{odd}/", f"nodes/{odd}/metrics/"):
        assert web.get(path).status_code == 404
    assert web.post(f"nodes/applications/{odd}/refuse/").status_code == 404


def test_a_key_that_another_organisation_has_joins_like_any(web):
    machine = Machine(web.client, 1)
    with web.db.transaction():
        web.kit.records.create(Node, org_id="another", hostname="theirs", public_key=machine.key)
    answer = machine.enrol(web.post("nodes/tokens/").json["token"])
    assert answer.status_code == 201 and answer.json["org_id"] == web.org
    assert Node.select().where(Node.public_key == machine.key).count() == 2
    again = machine.enrol(web.post("nodes/tokens/").json["token"])
    assert again.json["node_id"] == answer.json["node_id"]


def test_hubs_say_that_they_are_there(web):
    assert web.get("hubs/").json["items"] == []
    web.registry.fleet.beat()
    (hub,) = web.get("hubs/").json["items"]
    assert hub["status"] == "online" and hub["own"] is True and hub["role"] == "primary" and hub["name"] == "box"
    web.clock.advance(61)
    assert web.get("hubs/").json["items"][0]["status"] == "offline"
    assert "last seen" in web.client.get("/nodes/", headers=web.ada).text


def test_the_first_page_shows_who_is_silent_and_who_came_back(web):
    machine = joined(web)
    web.clock.advance(301)
    web.registry.fleet.watch()
    shown = lambda: web.client.get("/?_block=cards", headers=web.ada).text
    assert "has reported last" in shown() and "has not reported since" in web.client.get("/nodes/", headers=web.ada).text
    (alert,) = web.get("alerts/").json["items"]
    assert alert["node_id"] == machine.node_id and alert["ended_at"] is None
    machine.report()
    assert "was silent from" in shown() and web.get("alerts/").json["items"][0]["ended_at"]
    assert "has not reported since" not in web.client.get("/nodes/", headers=web.ada).text


def test_the_row_of_a_node_is_read_once_for_each_of_its_requests(web, monkeypatch):
    machine, asked = joined(web), []
    monkeypatch.setattr(type(web.db.peewee), "execute_sql", counted(type(web.db.peewee).execute_sql, asked))
    assert machine.report().status_code == 200
    assert len([sql for sql in asked if sql.startswith("SELECT") and 'FROM "node"' in sql]) == 1, asked


class Wire:
    """A WebSocket's server end that notes how it was closed."""

    def __init__(self):
        self.closed = None

    def close(self, code, reason):
        self.closed = self.closed or (code, reason)


def test_open_connections_of_a_revoked_node_are_closed(web):
    from unibos.features.registry.guard import guard
    from unibos.kernel.actors import Actor
    from unibos.kernel.sockets import Connection

    machine, other = joined(web), joined(web, 2, "pi-002")
    check = guard(web.kit, web.services)
    route = type("Route", (), {"kind": "socket"})()
    wires = {}
    with web.app.test_request_context():
        for node in (machine, other):
            actor = Actor("node", node.node_id, web.org, via="bearer")
            check(route, actor)
            wires[node] = Wire()
            Connection(wires[node], actor)
    import time

    until = time.monotonic() + 5
    while not any("nodes" in channels for channels, _inbox in web.kit.bus._listeners) and time.monotonic() < until:
        time.sleep(0.005)
    web.post(f"nodes/{machine.node_id}/revoke/")
    while wires[machine].closed is None and time.monotonic() < until:
        time.sleep(0.005)
    assert wires[machine].closed == (4403, "not trusted any more") and wires[other].closed is None
    for connection in list(_open):
        connection.close()
