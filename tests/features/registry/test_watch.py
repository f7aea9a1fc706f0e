"""Silence is told once and recovery too, trust and maintenance over all orders of events, and the hub's verbs on both databases."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unibos.features.registry.decide import clock, in_maintenance, state
from unibos.features.registry.models import Alert, Application, Node, Pulse, RevocationMark
from unibos.features.registry.trust import LEVELS, POWERS, may, may_set
from unibos.kernel.errors import Conflict, Forbidden, NotTrusted
from unibos.wire import proof

from tests.features.registry.test_registry import ABOUT, b64, enrol, registry  # noqa: F401


@pytest.fixture
def fleet(registry):  # noqa: F811
    """A hub with one node that has reported; `told` gathers what open pages were told."""
    hub = registry
    hub.token = lambda: hub.registry.make_token(hub.org, "ada")[0]
    hub.node = enrol(hub, hub.token())
    hub.fleet, hub.told = hub.registry.fleet, []
    tell = hub.kit.bus.publish
    hub.kit.bus.publish = lambda channel, message: hub.told.append(message.get("topic") or message.get("type")) or tell(channel, message)
    hub.report = lambda: hub.registry.heartbeat(hub.node.id, {"cpu": 5.0}, ABOUT)
    hub.report()
    hub.told.clear()
    return hub


def alerts(hub):
    return [(a.name, a.since, a.ended_at) for a in hub.fleet.alerts(hub.org)]


def test_a_node_that_falls_silent_is_told_once_and_its_return_too(fleet):
    since = fleet.clock.now()
    wait = fleet.fleet.watch()
    assert 299 < wait <= 301 and fleet.told == []
    fleet.clock.advance(wait)
    fleet.fleet.watch()
    assert fleet.told == ["nodes", f"node:{fleet.node.id}", "alerts"] and alerts(fleet) == [("pi-001", since, None)]
    for _ in range(3):
        fleet.clock.advance(3600)
        assert fleet.fleet.watch() > 299
    assert len(fleet.told) == 3 and len(alerts(fleet)) == 1
    fleet.told.clear()
    fleet.report()
    assert "alerts" in fleet.told and alerts(fleet) == [("pi-001", since, fleet.clock.now())]
    fleet.clock.advance(301)
    fleet.fleet.watch()
    assert len(alerts(fleet)) == 2 and alerts(fleet)[0][2] is None


def test_the_watch_sleeps_until_the_first_that_can_become_silent(fleet):
    fleet.clock.advance(100)
    assert 199 < fleet.fleet.watch() <= 201
    fleet.report()
    assert 299 < fleet.fleet.watch() <= 301


@pytest.mark.parametrize("quiet", ["goodbye", "maintenance", "revoked", "blocked"])
def test_who_is_expected_to_be_quiet_raises_no_alarm(fleet, quiet):
    if quiet == "goodbye":
        fleet.registry.goodbye(fleet.node.id, "update")
    elif quiet == "maintenance":
        fleet.fleet.maintenance(fleet.node.id, fleet.org, "ada", on=True)
    elif quiet == "revoked":
        fleet.fleet.revoke(fleet.node.id, fleet.org, "ada")
    else:
        fleet.fleet.trust(fleet.node.id, fleet.org, "ada", "admin", 0)
    fleet.clock.advance(10_000)
    fleet.fleet.watch()
    assert alerts(fleet) == []


def test_a_maintenance_that_ends_by_itself_wakes_the_watch_and_the_alarm(fleet):
    until = fleet.clock.now() + dt.timedelta(seconds=600)
    fleet.fleet.maintenance(fleet.node.id, fleet.org, "ada", on=True, why="disk", until=until)
    assert fleet.fleet.watch() <= 301
    fleet.clock.advance(599)
    assert fleet.fleet.watch() < 2 and alerts(fleet) == []
    fleet.clock.advance(2)
    fleet.fleet.watch()
    assert not Node.get_by_id(fleet.node.id).maintenance and len(alerts(fleet)) == 1
    fleet.fleet.maintenance(fleet.node.id, fleet.org, "ada", on=True)
    assert alerts(fleet)[0][2] is not None, "who works on it knows"


def test_revocation_on_both_databases(fleet):
    fleet.fleet.revoke(fleet.node.id, fleet.org, "ada", "stolen")
    assert "revoked" in fleet.told and RevocationMark.get().sequence == 1
    with pytest.raises(NotTrusted):
        fleet.registry.speaks(fleet.node.id)
    token = fleet.token()
    with pytest.raises(NotTrusted):
        enrol(fleet, token)
    with pytest.raises(Conflict):
        fleet.fleet.revoke(fleet.node.id, fleet.org, "ada")
    with pytest.raises(Forbidden, match="Only the owner"):
        fleet.fleet.unrevoke(fleet.node.id, fleet.org, "ada", "admin")
    fleet.fleet.unrevoke(fleet.node.id, fleet.org, "ada", "owner")
    assert fleet.fleet.revocations(fleet.org)["sequence"] == 2 and enrol(fleet, token).id == fleet.node.id
    history = [str(row["text"]) for row in fleet.fleet.history(fleet.node.id)]
    assert history == ["Trust given back", "Trust taken away: stolen"]


def test_joining_by_approval_on_both_databases(fleet):
    def ask(organisation):
        key = b64(proof.public_key(b"\5" * 32))
        nonce = fleet.registry.challenge(key)
        return fleet.registry.applications.apply(organisation=organisation, public_key=key, challenge=nonce, about=ABOUT, address="192.0.2.7",
                                                 signature=b64(proof.sign(b"\5" * 32, "apply", nonce, organisation)))

    assert ask("nobody") == ask("") == {"state": "pending", "node_id": "", "org_id": ""}
    assert ask(fleet.services["orgs"].home().slug)["state"] == "pending" and Application.select().count() == 1
    (row,) = fleet.registry.applications.waiting(fleet.org)
    with pytest.raises(Forbidden):
        fleet.registry.applications.approve(row["id"], fleet.org, "ada", "admin", 5)
    node = fleet.registry.applications.approve(row["id"], fleet.org, "ada", "owner", 5)
    assert ask("") == {"state": "approved", "node_id": node.id, "org_id": fleet.org} and node.trust == 5
    assert [str(row["text"]) for row in fleet.fleet.history(node.id)] == ["Let in as owner"]


def test_two_agents_on_one_database_tell_it_once(fleet):
    fleet.clock.advance(301)
    node, now = Node.get_by_id(fleet.node.id), fleet.clock.now()
    since = Pulse.get_by_id(node.id).heartbeat_at
    fleet.fleet._silent(node, since, now)
    fleet.fleet._silent(node, since, now)
    assert Alert.select().count() == 1
    fleet.report()
    fleet.fleet._silent(node, since, now)
    assert Alert.select().where(Alert.ended_at.is_null()).count() == 0, "a report that came meanwhile makes it void"


def test_many_at_once_ask_and_revoke_without_a_fault(fleet):
    """On PostgreSQL truly at once; SQLite lets one write after another."""
    import threading

    key, wrong = b64(proof.public_key(b"\5" * 32)), []
    signed = [(nonce, b64(proof.sign(b"\5" * 32, "apply", nonce, ""))) for nonce in (fleet.registry.challenge(key) for _ in range(6))]
    nodes = [enrol(fleet, fleet.token(), bytes([n]) * 32).id for n in range(10, 14)]

    def work(call):
        try:
            with fleet.db.tenant(fleet.org):
                call()
        except Exception as error:
            wrong.append(error)
        finally:
            fleet.db.release()

    calls = [lambda pair=pair: fleet.registry.applications.apply(organisation="", public_key=key, challenge=pair[0], signature=pair[1], about=ABOUT,
                                                                 address="192.0.2.7") for pair in signed]
    calls += [lambda node=node: fleet.fleet.revoke(node, fleet.org, "ada") for node in nodes]
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and Application.select().count() == 1 and fleet.fleet.sequence(fleet.org) == 4


# Pure.

NOW = dt.datetime(2026, 12, 1, 12, 0, tzinfo=dt.UTC)
EVENTS = ("heartbeat", "goodbye", "callback fails", "callback answers", "maintenance", "maintenance for 10 minutes", "resume", "revoke", "unrevoke", "wait", "wait long")


@given(st.lists(st.sampled_from(EVENTS), max_size=25))
def test_the_state_after_any_order_of_events(events):
    """The rules of spec section 5, said a second time as what happened last."""
    at, facts = NOW, {"heartbeat_at": None, "goodbye_at": None, "callback_fails": 0, "maintenance": False, "until": None, "revoked": False}
    for event in events:
        at += dt.timedelta(seconds=1)
        if event == "heartbeat" and not facts["revoked"]:
            facts.update(heartbeat_at=at, goodbye_at=None)
        elif event == "goodbye" and facts["heartbeat_at"] and not facts["revoked"]:
            facts["goodbye_at"] = at
        elif event.startswith("callback"):
            facts["callback_fails"] = facts["callback_fails"] + 1 if "fails" in event else 0
        elif event.startswith("maintenance"):
            facts.update(maintenance=True, until=at + dt.timedelta(minutes=10) if "10" in event else None)
        elif event == "resume":
            facts.update(maintenance=False, until=None)
        elif event in ("revoke", "unrevoke"):
            facts["revoked"] = event == "revoke"
        elif event.startswith("wait"):
            at += dt.timedelta(seconds=700 if "long" in event else 200)
    found = state(at, goodbye="update", callback_why="refused", silent_after=300, **facts)
    beat = facts["heartbeat_at"]
    quiet = beat is None or facts["goodbye_at"] is not None or (at - beat).total_seconds() > 300
    resting = facts["maintenance"] and (facts["until"] is None or at < facts["until"])
    expected = ("offline" if facts["revoked"] else "maintenance" if resting else "offline" if quiet
                else "unreachable" if facts["callback_fails"] >= 3 else "online")
    assert found.status == expected and str(found.why)
    assert (found.level == "good") == (expected == "online")


def test_each_level_may_what_the_table_says():
    table = {0: "", 1: "report", 2: "report callback", 3: "report callback tokens work", 4: "report callback tokens work peers relay",
             5: "report callback tokens work peers relay own"}
    for level, power in itertools.product(LEVELS, POWERS):
        verdict = may(level, power)
        assert verdict.allowed == (power in table[level].split()) and str(verdict.why)
        assert not may(level, power, revoked=True).allowed
        assert may(level, power, maintenance=True).allowed == (verdict.allowed and power not in ("work", "callback"))
    for wrong in (-1, 6):
        with pytest.raises(ValueError):
            may(wrong, "report")


def test_only_the_owner_gives_and_takes_the_highest_level():
    for role, old, new in itertools.product(("owner", "admin", "member", "viewer", "guest", ""), LEVELS, LEVELS):
        wanted = role == "owner" or (role == "admin" and (old == new or 5 not in (old, new)))
        assert may_set(role, old, new).allowed == wanted, (role, old, new)
    assert not may_set("owner", 3, 6).allowed


def test_clock_and_maintenance_at_their_edges():
    assert [clock(x) is None for x in (None, 0, 60, -60, 60.1, -60.1)] == [True] * 4 + [False] * 2
    until = NOW + dt.timedelta(seconds=1)
    assert in_maintenance(NOW, True, None) and in_maintenance(NOW, True, until)
    assert not in_maintenance(until, True, until) and not in_maintenance(NOW, False, until)
