"""The commands for nodes, hubs and workers, over the API of a hub: what they print, as JSON too, and their exit codes."""

import json

import pytest
from click.testing import CliRunner
from unibos.features.registry import cli
from unibos.kernel.cli import Context

from tests.conftest import claim
from tests.features.registry.machines_of_test import Machine


@pytest.fixture
def hub(hub_web):
    head = {"Authorization": f"Bearer {claim(hub_web)}"}

    def call(method, path, body):
        answer = hub_web.client.open(path, method=method, headers=head, **({"json": body} if method == "POST" else {}))
        return answer.status_code, answer.json

    def run(command, *words):
        return CliRunner().invoke(command, list(words), obj=Context("hub", hub_web.kit.data_dir, call))

    hub_web.run = run
    hub_web.nodes = lambda *words: run(cli.nodes, *words)
    machine = hub_web.machine = Machine(hub_web.client, 1, capabilities={"gpu": True, "cpu_cores": 4})
    machine.enrol(hub_web.nodes("token").stdout.strip())
    machine.log_in()
    machine.report(at=hub_web.kit.now_ms() + 300_000)
    return hub_web


def test_lists_and_filters(hub):
    assert "pi-001" in hub.nodes().stdout and "online" in hub.nodes("--status", "online").stdout
    for none in (("--status", "offline"), ("--capability", "camera"), ("--type", "desktop")):
        assert "pi-001" not in hub.nodes(*none).stdout
    assert [n["hostname"] for n in json.loads(hub.nodes("--capability", "gpu", "--json").stdout)["items"]] == ["pi-001"]
    shown = hub.nodes("show", "pi-001").stdout
    assert "300 s ahead" in shown and "cpu_cores 4, gpu" in shown and "3 trusted" in shown
    assert json.loads(hub.nodes("show", hub.machine.node_id, "--json").stdout)["id"] == hub.machine.node_id


def test_a_name_that_is_none_or_two_is_told(hub):
    assert hub.nodes("show", "nobody").exit_code == 66 and "no node nobody" in hub.nodes("show", "nobody").output
    Machine(hub.client, 2).enrol(hub.nodes("token").stdout.strip())
    assert hub.nodes("revoke", "pi-001").exit_code == 66 and "give the id" in hub.nodes("revoke", "pi-001").output


def test_letting_in_and_refusing(hub):
    for number, name in ((3, "pi-003"), (4, "pi-004")):
        Machine(hub.client, number, name).apply()
    waiting = {w["hostname"]: w for w in json.loads(hub.nodes("waiting", "--json").stdout)["items"]}
    assert waiting["pi-003"]["fingerprint"] in hub.nodes("waiting").stdout
    assert "pi-003 is let in" in hub.nodes("approve", waiting["pi-003"]["id"], "--trust", "2").stdout
    assert hub.nodes("refuse", waiting["pi-004"]["id"]).stdout == "refused\n"
    again = hub.nodes("refuse", waiting["pi-004"]["id"])
    assert again.exit_code == 73 and "decided already" in again.output
    assert hub.nodes("approve", "nobody").exit_code == 66 and hub.nodes("approve", "x", "--trust", "0").exit_code == 2


def test_trust_maintenance_and_revocation(hub):
    assert "verified" in hub.nodes("trust", "pi-001", "4").stdout and hub.nodes("trust", "pi-001", "6").exit_code == 2
    began = hub.nodes("maintenance", "on", "pi-001", "--why", "new disk", "--hours", "4")
    assert "2026-12-01 16:00 UTC: new disk" in began.stdout
    assert "It reports and answers" in hub.nodes("maintenance", "off", "pi-001").stdout
    assert "change their passwords" in hub.nodes("revoke", "pi-001", "--why", "stolen").stdout
    assert hub.nodes("revoke", "pi-001").exit_code == 73 and "verified again" in hub.nodes("unrevoke", "pi-001").stdout


def test_the_fleet_says_by_its_exit_code_whether_all_is_well(hub, monkeypatch):
    ready = {"hub": True}
    monkeypatch.setattr(type(hub.services["home"]), "checks", lambda _home: [{"name": "database", "ok": ready["hub"], "required": True, "why": "x"}])
    well = hub.run(cli.fleet_status)
    assert well.exit_code == 0 and "1 online" in well.stdout
    hub.clock.advance(301)
    hub.services["registry"].fleet.watch()
    silent = hub.run(cli.fleet_status, "--json")
    assert silent.exit_code == 1 and json.loads(silent.stdout)["well"] is False and "pi-001 is silent" in hub.run(cli.fleet_status).stdout
    hub.machine.report()
    assert hub.run(cli.fleet_status).exit_code == 0
    ready["hub"] = False
    assert hub.run(cli.fleet_status).exit_code == 1


def test_hubs_and_workers(hub):
    hub.services["registry"].fleet.beat()
    assert hub.run(cli.hubs).exit_code == 0 and "primary" in hub.run(cli.hubs).stdout
    hub.services["jobs"].hello("box-hub-default", "default", 7, {})
    assert hub.run(cli.workers).exit_code == 0
    hub.clock.advance(61)
    assert hub.run(cli.hubs).exit_code == 1 and hub.run(cli.workers).exit_code == 1
    assert json.loads(hub.run(cli.workers, "--json").stdout)["items"][0]["alive"] is False


def test_every_command_has_an_example():
    for command in (*cli.nodes.commands.values(), cli.nodes, cli.hubs, cli.workers, cli.fleet_status, cli.join, cli.status):
        assert "unibos" in CliRunner().invoke(command, ["--help"]).stdout.partition("Example")[2], command.name
