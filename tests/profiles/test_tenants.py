"""Row-level security of a hub on PostgreSQL: every table is protected or excused, and no query shows or takes another organisation's rows."""

import random
import re
import threading
from pathlib import Path

import peewee
import pytest
from playhouse.migrations import Runner
from unibos.adapters.database import Database
from unibos.features.identity.models import User
from unibos.features.orgs.models import HOME, ORG_OF_PERSON, Member, Organisation
from unibos.features.registry.models import ORG_OF_TOKEN, Alert, Application, EnrolToken, Node, Pulse, RevocationMark
from unibos.kernel import compose
from unibos.kernel.jobs import WITH_JOBS, Job
from unibos.kernel.records import Change
from unibos.kernel.tenants import FINDING, SETTING, Finder, protect
from unibos.profiles.lists import HUB

from tests.conftest import build, close

# Tables without a tenant, and why. `docs/security.md` says the same to people; the test below keeps both alike.
EXCEPTIONS = {
    "user": "a person belongs to no organisation; their memberships do", "session": "asked for before it is known who asks",
    "factor": "a person's, asked for while they log in", "recovery_code": "a person's, asked for while they log in",
    "login_challenge": "a login that has no session yet", "throttle": "counts tries by e-mail and address", "challenge": "nonces of nodes that nobody knows yet", "worker": "processes of the hub itself", "hub_site": "the hubs themselves",
    "account": "a person's, as they are", "passkey": "a person's, asked for while they log in", "spent": "challenges of passkeys, before it is known whose",
    "one_time": "codes for who cannot log in", "security_event": "a person's, whatever organisation they are in", "known_device": "a person's, asked for while they log in",
    "signing_key": "the hub's own keys, sealed", "hub_keys": "a node's: empty on a hub", "hub_person": "a node's: empty on a hub",
    "local_grant": "a node's: empty on a hub", "hub_login": "a node's: empty on a hub", "clock_seen": "a node's: empty on a hub",
    "account_link": "a node's: empty on a hub", "export_rule": "the hub's own rules", "export_log": "the hub's own log", "clock_mark": "the hub's clock",
    "series_key": "by the id of a node that was found in its organisation", "series_raw": "by series_key", "series_five": "by series_key",
    "series_hour": "by series_key",
}
TABLES = (Node, Pulse, EnrolToken, Job, Change, Organisation, Application, Alert, RevocationMark)
A, B = "org-a", "org-b"


@pytest.fixture
def urls(postgres_server):
    return postgres_server.create_owned()


@pytest.fixture
def hub(tmp_path, urls):
    built = build("hub", tmp_path, urls[1])
    yield built
    close(built)


def fill(hub, org_id, count=3):
    """Rows of an organisation in every protected table of a hub."""
    now = hub.clock.now()
    with hub.db.tenant(org_id), hub.db.transaction():
        hub.kit.records.create(Organisation, id=org_id, org_id=org_id, name=org_id, slug=org_id)
        RevocationMark.create(org_id=org_id, sequence=1)
        Member.create(id=f"m-{org_id}", organisation_id=org_id, user_id=f"u-{org_id}", role="owner", joined_at=now)
        for n in range(count):
            node = hub.kit.records.create(Node, org_id=org_id, hostname=f"{org_id}-{n}", public_key=f"{org_id}-{n}")
            Pulse.create(node_id=node.id, org_id=org_id, heartbeat_at=now)
            EnrolToken.create(hash=f"{org_id}-{n}", org_id=org_id, created_by="ada", created_at=now, expires_at=now)
            Application.create(id=f"{org_id}-{n}", org_id=org_id, public_key=f"{org_id}-{n}", created_at=now, seen_at=now, expires_at=now)
            Alert.create(id=f"{org_id}-{n}", org_id=org_id, node_id=node.id, name="pi", since=now, told_at=now)
            hub.kit.jobs.put("core.health_check", {"of": org_id})


def unprotected(database):
    """Tables without forced row-level security, or without restrictive policies on the tenant for every command."""
    rows = database.execute_sql("""
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
               coalesce(string_agg(p.polcmd::text, '' ORDER BY p.polcmd) FILTER (WHERE NOT p.polpermissive AND '0' = ANY (p.polroles::text[])
                        AND coalesce(pg_get_expr(p.polqual, p.polrelid), '') || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
                            LIKE %s), '')
        FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND left(c.relname, 9) <> 'migrated_'
        GROUP BY c.oid, c.relname""", (f"%{SETTING}%",)).fetchall()
    return {name for name, forced, commands in rows if not forced or commands not in ("*", "adrw")}


def let_go(database):
    database.release()
    database.peewee.close_all()


def with_series(urls):
    """All tables of a hub, those of the readings included."""
    from unibos.adapters.series import open_series

    series = open_series(urls[0])
    series.migrate()
    series.close()


def test_every_table_of_a_hub_is_protected_or_excused(hub, urls, tmp_path):
    with_series(urls)
    assert unprotected(hub.db.peewee) == set(EXCEPTIONS)
    owner = Database(urls[0], tmp_path / "none")
    owner.peewee.execute_sql("CREATE TABLE planted (id int, org_id text)")
    assert unprotected(hub.db.peewee) - set(EXCEPTIONS) == {"planted"}
    protect(owner.peewee, "planted")
    assert unprotected(hub.db.peewee) == set(EXCEPTIONS)
    owner.peewee.execute_sql("ALTER TABLE planted NO FORCE ROW LEVEL SECURITY")
    assert unprotected(hub.db.peewee) - set(EXCEPTIONS) == {"planted"}
    let_go(owner)


def test_what_is_excused_is_told_to_people():
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    told = text.partition("Tables of a hub without a tenant:")[2].partition("## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", told)) == set(EXCEPTIONS)
    asked = text.partition("What is asked before the tenant is known:")[2].partition("Tables of a hub")[0]
    assert {finder.name for finder in finders()} <= set(re.findall(r"`([a-z_]+)`", asked))


def finders():
    """Every finder that the features of a hub use."""
    import importlib

    modules = ("unibos.kernel.jobs", "unibos.features.orgs.models", "unibos.features.registry.models")
    return [value for name in modules for value in vars(importlib.import_module(name)).values() if isinstance(value, Finder)]


def test_the_finders_in_use_are_those_of_the_migrations(hub):
    made = hub.db.peewee.execute_sql("SELECT proname, prosrc FROM pg_proc WHERE left(proname, 12) = 'unibos_find_'").fetchall()
    assert {name for name, _source in made} == {finder.function for finder in finders()}
    for finder in finders():
        assert finder.sql.format(value="$1") in dict(made)[finder.function]


def test_what_is_excused_names_no_organisation(hub):
    columns = hub.db.peewee.execute_sql("SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' "
                                        "AND column_name IN ('org_id', 'organisation_id')").fetchall()
    assert not {name for (name,) in columns} & set(EXCEPTIONS)


def test_the_programs_own_nothing_and_pass_by_nothing(hub):
    run = hub.db.peewee.execute_sql
    assert run("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    assert run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user").fetchone() == (0,)
    assert not hub.db.bypasses()
    for sql in ("TRUNCATE job", "ALTER TABLE job DISABLE ROW LEVEL SECURITY", "DROP POLICY unibos_tenant ON job", "CREATE TABLE public.x (id int)",
                "SELECT * FROM migrated_kernel"):
        with pytest.raises(peewee.ProgrammingError, match="must be owner|permission denied"):
            run(sql)


def test_a_role_that_no_policy_holds_for_is_told(postgres_server, tmp_path):
    root = Database(postgres_server.create_database(), tmp_path / "none")
    assert root.bypasses()
    let_go(root)


def test_without_a_tenant_no_row_is_shown_or_taken(hub):
    fill(hub, A)
    for model in (*TABLES, Member):
        assert model.select().count() == 0, model
        with hub.db.transaction():
            assert model.select().count() == 0, model
        assert hub.db.peewee.execute_sql(f"DELETE FROM {model._meta.table_name}").rowcount == 0
    with pytest.raises(peewee.ProgrammingError, match="row-level security"):
        hub.kit.jobs.put("core.health_check", {}, org_id=A)
    assert hub.db.tenants(WITH_JOBS) == [A]


@pytest.mark.parametrize("role", ["owner", "app"])
def test_two_organisations_on_one_connection_see_themselves_only(hub, urls, tmp_path, role):
    """Also as the role that owns the tables, which is what a hub with one role is."""
    fill(hub, A), fill(hub, B)
    hub.db.release()
    pool = Database(urls[role == "app"], tmp_path / "none", connections=1).bind()
    hub.kit.db = hub.services["registry"]._kit.db = pool
    chance, own = random.Random(7), {"org_id": None}
    for turn in range(300):
        own["org_id"] = chance.choice((A, B, ""))
        with pool.tenant(own["org_id"]):
            look(pool, chance, hub, own["org_id"])
        if turn % 3 == 0:
            pool.release()
    assert pool.peewee.execute_sql(f"SELECT coalesce(current_setting('{SETTING}', true), '')").fetchone() == ("",)
    let_go(pool)
    hub.db.bind()


def look(pool, chance, hub, org_id):
    """One random question, through the service or around it, in a transaction or not; what comes back is all one's own."""
    model, wanted = chance.choice(TABLES), {org_id} - {""}
    other = B if org_id == A else A
    asked = chance.randrange(6)
    if asked == 0:
        assert {row.org_id for row in model.select()} == wanted
    elif asked == 1:
        with pool.transaction():
            assert {row[0] for row in pool.peewee.execute_sql(f"SELECT org_id FROM {model._meta.table_name}").fetchall()} == wanted
    elif asked == 2:
        assert pool.peewee.execute_sql("SELECT count(*) FROM node n JOIN pulse p ON p.node_id = n.id WHERE n.org_id IN (SELECT org_id FROM job) "
                                       "OR true").fetchone()[0] == (3 if org_id else 0)
    elif asked == 3:
        assert hub.services["registry"].nodes(other) == [] and len(hub.services["registry"].nodes(org_id)) == (3 if org_id else 0)
    elif asked == 4:
        table = model._meta.table_name
        assert pool.peewee.execute_sql(f"UPDATE {table} SET org_id = org_id WHERE org_id = %s", (other,)).rowcount == 0
        assert pool.peewee.execute_sql(f"DELETE FROM {table} WHERE org_id = %s", (other,)).rowcount == 0
    else:
        with pytest.raises(ZeroDivisionError), pool.transaction():
            assert {row.org_id for row in model.select()} == wanted
            raise ZeroDivisionError


def test_rows_of_another_organisation_are_neither_written_nor_given_away(hub):
    fill(hub, A), fill(hub, B)
    with hub.db.tenant(A):
        for write in (lambda: hub.kit.jobs.put("core.health_check", {}, org_id=B), lambda: Job.update(org_id=B).execute(),
                      lambda: Member.update(organisation_id=B).execute(), lambda: Node.update(org_id=B).execute(),
                      lambda: Pulse.create(node_id="x", org_id=B), lambda: Change.update(org_id=B).execute(), lambda: Pulse.update(org_id="").execute(),
                      lambda: hub.kit.records.create(Node, org_id=B, hostname="x", public_key="x")):
            with pytest.raises(peewee.ProgrammingError, match="row-level security"):
                write()
        assert (Job.select().count(), Node.select().count(), Change.select().count()) == (3, 3, 4)
    with hub.db.tenant(B):
        assert (Job.select().count(), Node.select().count(), Change.select().count()) == (3, 3, 4)


def test_a_tenant_within_a_transaction_ends_where_it_began(hub):
    fill(hub, A), fill(hub, B)
    with hub.db.tenant(A), hub.db.transaction():
        with hub.db.tenant(B):
            assert {row.org_id for row in Node.select()} == {B}
        assert {row.org_id for row in Node.select()} == {A}
        with pytest.raises(ZeroDivisionError), hub.db.tenant(B):
            raise ZeroDivisionError
        assert {row.org_id for row in Node.select()} == {A}
    with pytest.raises(peewee.IntegrityError), hub.db.tenant(A), hub.db.transaction(), hub.db.tenant(B):
        Organisation.create(id=B, org_id=B, name="", slug="again", created_at=hub.clock.now())
    assert hub.db.org() == "" and Node.select().count() == 0
    with pytest.raises(ValueError), hub.db.tenant("a'); DROP TABLE job; --"):
        pass


def test_threads_do_not_share_a_tenant(hub):
    fill(hub, A)
    seen = []

    def other():
        seen.append(Node.select().count())
        hub.db.release()

    with hub.db.tenant(A):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert seen == [0] and Node.select().count() == 3


def test_many_threads_on_few_connections_mix_nothing(hub, urls, tmp_path):
    fill(hub, A), fill(hub, B)
    hub.db.release()
    pool, wrong, turns = Database(urls[1], tmp_path / "none", connections=6).bind(), [], []

    def work(seed):
        chance = random.Random(seed)
        for _ in range(25):
            org_id = chance.choice((A, B, ""))
            with pool.tenant(org_id):
                seen = {row.org_id for row in chance.choice(TABLES).select()}
                with pool.transaction():
                    seen |= {row.org_id for row in chance.choice(TABLES).select()}
            if seen != {org_id} - {""}:
                wrong.append((org_id, seen))
            turns.append(org_id)
            pool.release()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(turns) == 150 and wrong == []
    let_go(pool)
    hub.db.bind()


def test_finders_give_ids_only_and_their_setting_opens_nothing(hub):
    fill(hub, A), fill(hub, B)
    assert hub.db.find(ORG_OF_TOKEN, f"{B}-1") == B and hub.db.find(ORG_OF_PERSON, f"u-{A}") == A and hub.db.find(ORG_OF_TOKEN, "nobody") == ""
    with hub.db.tenant(A), hub.db.transaction():
        assert hub.db.find(ORG_OF_TOKEN, f"{B}-1") == B
        assert {row.org_id for row in Node.select()} == {A}  # the finder has closed again what it opened for itself
    with hub.db.transaction():
        hub.db.peewee.execute_sql(f"SELECT set_config('{FINDING}', 'on', true)")
        assert Node.select().count() == 0 and Organisation.select().count() == 0
    rows = hub.db.peewee.execute_sql("SELECT proname, prosecdef, proretset, prorettype::regtype::text, has_function_privilege('public', oid, 'execute') "
                                     "FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchall()
    assert len(rows) > 8 and all(row[1:] == (True, True, "text", False) for row in rows)


def test_jobs_of_all_organisations_are_handed_done_and_swept_as_their_own(hub):
    fill(hub, A), fill(hub, B)
    with hub.db.tenant(B):
        hub.kit.jobs.put("core.health_check", {}, priority=1)
    seen = []
    hub.kit.jobs._load = lambda _name: lambda task, payload: seen.append((hub.db.org(), task.job.org_id, Job.select().count())) or {}
    assert hub.kit.jobs.dispatch() == "handed 7" and hub.db.org() == ""
    handed = list(hub.kit.queue.handed)
    for _queue, job_id, attempt in handed:
        assert hub.kit.jobs.run(job_id, attempt, "w", {}) == "done"
    assert sorted(seen) == [(A, A, 3)] * 3 + [(B, B, 4)] * 4 and seen[0][0] == B
    hub.clock.advance(8 * 86400)
    assert hub.kit.jobs.sweep() == "took back 0, forgot 7" and hub.db.tenants(WITH_JOBS) == []


def test_a_hub_with_rows_is_protected_and_back_without_losing_one(tmp_path, urls):
    """From the tables as they were before, as the one role that owns them; down again, and up again."""
    owner = Database(urls[0], tmp_path / "none").bind()
    features = [("kernel", "unibos.kernel"), *((f.name, f.package) for f in HUB if f.migrations)]
    runners = {name: runner_of(owner, name, package) for name, package in features}
    for name, last in before(runners):
        runners[name].up(last)
    run = owner.peewee.execute_sql
    run("INSERT INTO organisation (id, org_id, owner_id, stamp, origin, created_at, extra, name, slug, type, plan, enabled_modules, custom_domain) "
        "VALUES ('h', '', '', '', '', 1, '{}', 'Home', 'home', 'individual', 'self_hosted', '[]', '')")
    run("INSERT INTO member VALUES ('m', 'h', 'u', 'owner', 1)")
    run("INSERT INTO node (id, org_id, owner_id, stamp, origin, created_at, extra, hostname, type, platform, url, public_key, version, modules, "
        "capabilities, trust, maintenance, authority) VALUES ('n', 'h', '', '', '', 1, '{}', 'pi', 'standard', '', '', 'k', '', '[]', '{}', 3, false, '')")
    run("INSERT INTO pulse (node_id, metrics, callback_fails, goodbye, callback_why) VALUES ('n', '{}', 0, '', '')")
    for job_id, org_id in (("j1", "h"), ("j2", "")):
        run("INSERT INTO job (id, type, queue, org_id, actor_id, subject, payload, priority, state, attempt, attempts, due, worker, cancel, correlation, "
            "created_at) VALUES (%s, 'core.cleanup', 'default', %s, '', '', '{}', 5, 'waiting', 0, 3, 1, '', false, '', 1)", (job_id, org_id))
    for _ in range(2):
        compose.migrate(HUB, owner.peewee)
        assert [model.select().count() for model in (Organisation, Member, Node, Pulse, Job)] == [0] * 5
        assert owner.find(HOME) == "h" and owner.tenants(WITH_JOBS) == ["h"]
        with owner.tenant("h"):
            assert [model.select().count() for model in (Organisation, Member, Node, Pulse, Job)] == [1, 1, 1, 1, 2]
        for runner in reversed(runners.values()):
            if tenants := next((m.name for m in runner.status() if "tenants" in m.name), ""):
                runner.down(tenants)
        # What was protected from its beginning stays so.
        assert run("SELECT count(*) FROM pg_policy WHERE polrelid <> 'linked_account'::regclass").fetchone() == (0,)
        assert run("SELECT count(*) FROM pg_proc WHERE left(proname, 7) = 'unibos_'").fetchone() == (0,)
        assert [run(f"SELECT count(*) FROM {table}").fetchone() for table in ("organisation", "member", "node", "pulse", "job")] == [(1,)] * 4 + [(2,)]
    let_go(owner)


def runner_of(owner, name, package):
    import importlib.resources

    return Runner(owner.peewee, str(importlib.resources.files(package) / "migrations"), table_name=f"migrated_{name}")


def before(runners):
    """(feature, its last migration before tenants)."""
    found = []
    for name, runner in runners.items():
        names = [m.name for m in runner.status() if m.path is not None]
        found.append((name, names[next((i for i, n in enumerate(names) if "tenants" in n), len(names)) - 1]))
    return found


def test_people_are_found_without_a_tenant(hub):
    """Logging in comes before the tenant is known: who it is tells which one."""
    user = hub.services["identity"].create("ada@example.org", "four unrelated words", "Ada")
    fill(hub, A)
    with hub.db.tenant(A):
        Member.create(id="m", organisation_id=A, user_id=user.id, role="member", joined_at=hub.clock.now())
    assert User.select().count() == 1 and hub.db.org() == ""
    assert hub.services["identity"].claims(user.id)["org"]["id"] == A


def test_the_panel_and_the_api_work_for_who_asks(tmp_path, urls):
    """Two organisations take turns on one connection; each meets its own rows, by the API, on pages and in what goes wrong."""
    from unibos.kernel.web import build_app
    from unibos.panel.shell import Shell

    hub = build("hub", tmp_path, urls[1])
    small = Database(urls[1], tmp_path / "none", connections=1).bind()
    hub.kit.db.release()
    hub.kit.db.peewee.close_all()
    hub.kit.db = hub.kit.records._db = hub.db = small
    authenticate = next(f.load(f.authenticate)(hub.kit, hub.services) for f in hub.features if f.authenticate)
    app = build_app(compose.routes(hub.features), hub.kit, hub.services, hostname="box", authenticate=authenticate, guards=hub.kit.gather("guards"),
                    shell=Shell(hub.features, compose.navigation(hub.features)))
    people, nodes = {}, {}
    for org_id in (A, B):
        fill(hub, org_id)
        user = hub.services["identity"].create(f"{org_id}@example.org", "four unrelated words", org_id)
        with hub.db.tenant(org_id):
            Member.create(id=user.id, organisation_id=org_id, user_id=user.id, role="admin", joined_at=hub.clock.now())
            Organisation.update(claimed_at=hub.clock.now()).execute()
            nodes[org_id] = [node.id for node in Node.select()]
            Job.update(state="failed", ended_at=hub.clock.now()).where(Job.id == Job.select(Job.id).limit(1)).execute()
        people[org_id] = {"Authorization": "Bearer " + hub.services["identity"].tokens(user, "", "")["token"]}
    hub.db.release()
    client = app.test_client()
    for turn in range(6):
        own, other = (A, B) if turn % 2 else (B, A)
        get = lambda path, of=people[own]: client.get(path, headers=of)
        assert {item["hostname"] for item in get("/api/v1/nodes/").json["items"]} == {f"{own}-{n}" for n in range(3)}
        assert len(get("/api/v1/jobs/").json["items"]) == 3 and get("/api/v1/organisation/").json["name"] == own
        assert get(f"/api/v1/nodes/{nodes[own][0]}/").status_code == 200 and get(f"/api/v1/nodes/{nodes[other][0]}/").status_code == 404
        page = get("/nodes/").text
        assert f"{own}-1" in page and f"{other}-1" not in page
        assert get(f"/nodes/{nodes[other][0]}/").status_code == 404 and client.get("/api/v1/nodes/").status_code == 401
        assert get("/api/v1/organisation/").json["id"] == own and hub.db.org() == ""
        made = client.post("/api/v1/nodes/tokens/", json={"hours": 1}, headers=people[own])
        assert made.status_code == 201
    let_go(small)
    close(hub)
