"""One contract for the fake broker and for mosquitto with the real client: sessions, acknowledgements, accounts and their rights."""

from __future__ import annotations

import threading

import pytest
from unibos.adapters.memory.broker import covers
from unibos.kernel.errors import Forbidden, Invalid, TooLarge, Unavailable
from unibos.kernel.ports import Account, Message

from tests.brokers import LAMP, Agents, FakeRig, RealRig, eventually, installed


@pytest.fixture(params=[pytest.param(FakeRig, id="fake"), pytest.param(RealRig, id="mosquitto", marks=installed)])
def rig(request, tmp_path):
    it = request.param(tmp_path)
    yield it
    it.close()


@pytest.fixture
def agent(rig, agents):
    return agents(rig.broker()).up()


@pytest.fixture
def agents():
    made = Agents()
    yield made
    made.stop()


# --- messages


def test_messages_in_and_commands_out(rig, agent):
    agent.broker.subscribe(["tele/#"])
    agent.broker.put_account(LAMP, "pw")
    lamp = rig.device("lamp", "pw")
    assert lamp.subscribe("cmnd/lamp/#")
    lamp.publish("tele/lamp/state", b"on")
    lamp.publish("tele/lamp/state", b"off", qos=0)
    agent.waits_for(b"on", b"off")
    assert [(m.topic, m.qos, m.retain) for m in agent.heard] == [("tele/lamp/state", 1, False), ("tele/lamp/state", 1, False)]
    agent.broker.publish("cmnd/lamp/power", b"ON")
    agent.broker.publish("cmnd/lamp/power", b"OFF", qos=0)
    eventually(lambda: len(lamp.received) == 2)
    assert lamp.received == [("cmnd/lamp/power", b"ON", False), ("cmnd/lamp/power", b"OFF", False)]


def test_subscribe_replaces_the_whole_set(rig, agent):
    agent.broker.subscribe(["a/+", "b"])
    agent.broker.publish("a/1", b"1")
    agent.broker.publish("b", b"2")
    agent.waits_for(b"1", b"2")
    agent.broker.subscribe(["b", "c/#"])
    agent.broker.publish("a/1", b"no")
    agent.broker.publish("c/d/e", b"3")
    agent.broker.publish("b", b"4")
    agent.waits_for(b"1", b"2", b"3", b"4")


def test_retained_messages_are_told_as_such(rig, agent):
    agent.broker.publish("r/1", b"old", retain=True)
    agent.broker.publish("r/2", b"gone", retain=True)
    agent.broker.publish("r/2", b"", retain=True)
    agent.broker.subscribe(["r/#"])
    agent.waits_for(b"old")
    agent.broker.publish("r/1", b"new", retain=True)
    agent.waits_for(b"old", b"new")
    assert [m.retain for m in agent.heard] == [True, False]


def test_a_session_that_goes_on_gets_nothing_retained_again(rig, agents):
    first = agents(rig.broker("one")).up()
    first.broker.subscribe(["r/#"])
    first.broker.publish("r/1", b"kept", retain=True)
    first.waits_for(b"kept")
    rig.saved()
    first.broker.stop()
    second = agents(rig.broker("one")).up()
    second.broker.subscribe(["r/#", "s/#"])
    second.broker.publish("s/1", b"live")
    second.waits_for(b"live")


def test_callbacks_may_publish_and_may_fail(rig, agents):
    def keep(message: Message) -> bool:
        if message.payload == b"ping":
            here.broker.publish("out", b"pong")
        if message.payload == b"bad":
            raise ValueError("a bug in a feature")
        return True

    here = agents(rig.broker(), keep=keep).up()
    here.broker.subscribe(["in", "out"])
    here.broker.publish("in", b"bad")
    here.broker.publish("in", b"ping")
    here.waits_for(b"bad", b"ping", b"pong")


def test_what_was_not_acknowledged_comes_again(rig, agents):
    first = agents(rig.broker(), keep=lambda m: m.payload in (b"2", b"4")).up()
    first.broker.subscribe(["t"])
    for n in b"12345":
        first.broker.publish("t", bytes([n]), qos=n // 3 % 2)  # some at QoS 0, as most devices send: no matter
    first.waits_for(b"1", b"2", b"3", b"4", b"5")
    first.broker.stop()
    second = agents(rig.broker()).up()
    second.waits_for(b"1", b"3", b"5")
    first.broker.acknowledge(first.heard)  # of a connection that is gone: says nothing about this one
    second.broker.stop()
    third = agents(rig.broker()).up()
    third.broker.publish("t", b"6")
    third.waits_for(b"6")


def test_many_may_wait_for_one_acknowledgement(rig, agents):
    here = agents(rig.broker(), keep=lambda m: False).up()
    here.broker.subscribe(["t"])
    count = 600
    for n in range(count):
        here.broker.publish("t", b"%d" % n)
    eventually(lambda: len(here.heard) == count)
    here.broker.acknowledge(here.heard)
    here.broker.publish("t", b"last")
    eventually(lambda: len(here.heard) == count + 1)
    here.broker.stop()
    agents(rig.broker()).up().waits_for(b"last")


def test_what_came_while_away_arrives_later_in_order(rig, agents):
    away = agents(rig.broker()).up()
    away.broker.subscribe(["t", "u"])
    away.broker.stop()
    assert not away.broker.connected()
    other = agents(rig.broker("other")).up()
    count = 1500  # more than one window, and more than mosquitto's own limit of 1000
    for n in range(count):
        other.broker.publish("t", b"%d" % n, qos=1 if n % 2 else 0)
    back = agents(rig.broker()).up()
    back.broker.subscribe(["t", "u"])
    eventually(lambda: len(back.heard) == count)
    assert back.payloads() == [b"%d" % n for n in range(count)]


def test_a_subscription_that_is_no_longer_wanted_is_not_heard_after_a_restart(rig, agents):
    before = agents(rig.broker()).up()
    before.broker.subscribe(["old", "t"])
    before.broker.stop()
    after = agents(rig.broker())
    after.broker.subscribe(["t"])
    after.up()
    after.broker.publish("old", b"no")
    after.broker.publish("t", b"yes")
    after.waits_for(b"yes")


def test_a_dead_broker_is_waited_for(rig, agent):
    agent.broker.subscribe(["tele/#"])
    agent.broker.put_account(LAMP, "pw")
    lamp = rig.device("lamp", "pw")
    rig.saved()
    rig.kill()
    eventually(lambda: not agent.broker.connected())
    eventually(lambda: not lamp.connected)
    for call in (lambda: agent.broker.publish("t", b""), lambda: agent.broker.put_account(LAMP, None), agent.broker.accounts,
                 lambda: agent.broker.remove_account("lamp")):
        with pytest.raises(Unavailable):
            call()
    agent.broker.subscribe(["tele/#", "more"])
    rig.back()
    agent.up()
    assert agent.broker.accounts() == ["lamp"]
    rig.device("lamp", "pw").publish("tele/lamp/x", b"again")
    agent.broker.publish("more", b"more")
    agent.waits_for(b"again", b"more")
    ups = [up for up, _ in agent.states]
    assert ups[0] is True
    assert ups[-1] is True
    assert False in ups
    assert all(why for _, why in agent.states)


def test_what_waited_in_a_broker_that_was_killed_still_comes(rig, agents):
    here = agents(rig.broker(), keep=lambda m: False).up()
    here.broker.subscribe(["t"])
    here.broker.publish("t", b"1")
    here.waits_for(b"1")
    rig.saved()
    rig.kill()
    eventually(lambda: not here.broker.connected())
    rig.back()
    here.waits_for(b"1", b"1")
    here.broker.acknowledge(here.heard[:1])  # as it came over the old connection: void, its number may mean another one by now
    here.broker.stop()
    again = agents(rig.broker()).up()
    again.waits_for(b"1")


def test_starts_before_the_broker(rig, agents):
    rig.kill()
    here = agents(rig.broker())
    here.broker.subscribe(["t"])
    eventually(lambda: here.states)
    assert here.states[0][0] is False
    assert not here.broker.connected()
    rig.back()
    here.up()
    here.broker.publish("t", b"1")
    here.waits_for(b"1")


def test_a_wrong_password_of_the_agent_is_said_and_tried_again(rig, agents):
    here = agents(rig.broker(password="wrong"))
    eventually(lambda: here.states)
    up, why = here.states[0]
    assert not up
    assert "refuses unibos-agent" in why
    assert not here.broker.connected()


def test_of_two_with_the_same_name_the_older_loses(rig, agents):
    first = agents(rig.broker()).up()
    agents(rig.broker())
    eventually(lambda: (False, "connection lost: closed by the broker") in first.states)


def test_refuses_what_cannot_be_published(rig, agent):
    agent.broker.publish("t", b"x" * 65536)
    with pytest.raises(TooLarge):
        agent.broker.publish("t", b"x" * 65537)
    for topic in ("a/#", "a/+/b", ""):
        with pytest.raises(Invalid):
            agent.broker.publish(topic, b"")
    assert agent.broker.connected()


# --- accounts


def test_nobody_comes_in_without_an_account(rig, agent):
    agent.broker.put_account(LAMP, "pw")
    for name, password in (("lamp", "wrong"), ("lamp", ""), ("nobody", "pw"), ("", "")):
        with pytest.raises(Forbidden):
            rig.device(name, password)
    assert rig.device("lamp", "pw").connected


def test_a_device_is_heard_only_where_it_may_speak(rig, agent):
    agent.broker.subscribe(["#"])
    agent.broker.put_account(Account("lamp", ("tele/lamp/#", "homeassistant/+/lamp/config"), ()), "pw")
    takeover = b'{"commands":[{"command":"createClient","username":"evil","password":"pw"}]}'
    for topic in ("tele/other/x", "homeassistant/sensor/other/config", "homeassistant/a/b/lamp/config", "cmnd/lamp/x", "t",
                  "$CONTROL/dynamic-security/v1"):
        for qos, retain in ((0, True), (1, False)):
            lamp = rig.device("lamp", "pw")
            lamp.publish(topic, takeover, qos=qos, retain=retain)
            eventually(lambda lamp=lamp: not lamp.connected)  # allowed by MQTT 3.1.1, section 3.3.5, and what mosquitto 2.0 does
    lamp = rig.device("lamp", "pw")
    lamp.publish("tele/lamp/x", b"1")
    lamp.publish("homeassistant/sensor/lamp/config", b"2")
    agent.waits_for(b"1", b"2")
    assert agent.broker.accounts() == ["lamp"]


def test_a_device_reads_only_what_it_may(rig, agent):
    agent.broker.put_account(LAMP, "pw")
    agent.broker.put_account(Account("spy", ("x",), ("cmnd/spy/+",)), "pw")
    spy, lamp = rig.device("spy", "pw"), rig.device("lamp", "pw")
    for pattern in ("#", "cmnd/#", "cmnd/+/+", "cmnd/lamp/power", "+/spy/x", "cmnd/spy/#", "$SYS/#", "$CONTROL/#", "x"):
        assert not spy.subscribe(pattern), pattern
    assert spy.subscribe("cmnd/spy/+")
    assert lamp.subscribe("cmnd/lamp/+")
    agent.broker.publish("cmnd/lamp/power", b"private")
    agent.broker.publish("cmnd/spy/power", b"own")
    eventually(lambda: lamp.received and spy.received)
    assert spy.received == [("cmnd/spy/power", b"own", False)]


def test_new_rights_hold_at_once_and_the_password_stays(rig, agent):
    agent.broker.subscribe(["#"])
    agent.broker.put_account(LAMP, "pw")
    agent.broker.put_account(Account("lamp", ("new/#",), ("news/#",)), None)
    lamp = rig.device("lamp", "pw")
    assert not lamp.subscribe("cmnd/lamp/x")
    assert lamp.subscribe("news/#")
    lamp.publish("new/x", b"yes")
    lamp.publish("tele/lamp/x", b"no longer")
    rig.device("lamp", "pw").publish("new/y", b"yes")
    agent.waits_for(b"yes", b"yes")
    assert agent.broker.accounts() == ["lamp"]


def test_rights_that_are_taken_away_stop_a_device_that_is_connected(rig, agent):
    agent.broker.put_account(LAMP, "pw")
    lamp = rig.device("lamp", "pw")
    assert lamp.subscribe("cmnd/lamp/#")
    agent.broker.put_account(Account("lamp", ("tele/lamp/#",), ()), None)
    agent.broker.publish("cmnd/lamp/x", b"secret")
    agent.broker.put_account(Account("eye", (), ("cmnd/#",)), "pw")
    eye = rig.device("eye", "pw")
    assert eye.subscribe("cmnd/#")
    agent.broker.publish("cmnd/lamp/x", b"secret")
    eventually(lambda: eye.received)
    assert lamp.received == []


def test_the_same_rights_again_cut_nobody(rig, agent):
    agent.broker.subscribe(["tele/#"])
    agent.broker.put_account(LAMP, "pw")
    lamp = rig.device("lamp", "pw")
    agent.broker.put_account(LAMP, None)
    lamp.publish("tele/lamp/x", b"still here")
    agent.waits_for(b"still here")
    assert lamp.connected


def test_a_new_password_replaces_the_old(rig, agent):
    agent.broker.put_account(LAMP, "old")
    agent.broker.put_account(LAMP, "new")
    with pytest.raises(Forbidden):
        rig.device("lamp", "old")
    assert rig.device("lamp", "new").connected


def test_an_account_without_a_password_lets_nobody_in_until_it_has_one(rig, agent):
    agent.broker.put_account(LAMP, None)
    for word in ("", "None", "pw"):
        with pytest.raises(Forbidden):
            rig.device("lamp", word)
    agent.broker.put_account(LAMP, "pw")
    assert rig.device("lamp", "pw").connected


def test_a_removed_account_is_cut_off(rig, agent):
    agent.broker.put_account(LAMP, "pw")
    agent.broker.put_account(Account("pump", ("p",), ()), "pw")
    lamp = rig.device("lamp", "pw")
    agent.broker.remove_account("lamp")
    eventually(lambda: not lamp.connected)
    with pytest.raises(Forbidden):
        rig.device("lamp", "pw")
    agent.broker.remove_account("lamp")
    agent.broker.remove_account("never was")
    assert agent.broker.accounts() == ["pump"]
    agent.broker.put_account(LAMP, "again")
    assert rig.device("lamp", "again").connected


def test_the_agents_own_account_is_out_of_reach(rig, agent):
    for name in ("unibos-agent", ""):
        with pytest.raises(Invalid):
            agent.broker.put_account(Account(name, ("#",), ("#",)), "mine")
    with pytest.raises(Invalid):
        agent.broker.remove_account("unibos-agent")
    assert agent.broker.accounts() == []


def test_many_accounts_from_many_threads(rig, agent):
    names = [f"d{n:03}" for n in range(230)]  # more than one page

    def put(some: list[str]) -> None:
        for name in some:
            agent.broker.put_account(Account(name, (f"t/{name}/#",), (f"c/{name}/#",)), "pw")

    threads = [threading.Thread(target=put, args=(names[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert agent.broker.accounts() == names


@pytest.mark.parametrize(("pattern", "topic", "good"), [
    ("#", "a/b", True), ("a/#", "a", True), ("a/#", "a/b/c", True), ("a/+", "a/b", True), ("a/+", "a", False), ("+/b", "a/b", True),
    ("a", "a/b", False), ("#", "$SYS/x", False), ("+/x", "$SYS/x", False), ("$SYS/#", "$SYS/x", True), ("a/+", "a/#", False),
    ("a/#", "a/+/b", True), ("a/b", "a/+", False), ("+", "#", False), ("a/#", "#", False), ("a/+/c", "a/+/c", True), ("a/", "a", False),
])
def test_covers(pattern, topic, good):
    assert covers(pattern, topic) is good
