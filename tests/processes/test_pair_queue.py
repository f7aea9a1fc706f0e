"""The queue of the hub pair: the units of primary, standby and witness as they are rendered; the primary dies, and Sentinel makes the other the master."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machines import Machines

pytestmark = pytest.mark.slow
RENDERED = Path(__file__).parent.parent / "rendered"
PASSWORD = "only-of-this-test"
ADDRESSES = {"rocksteady": "192.0.2.11", "bebop": "192.0.2.12", "witness": "192.0.2.13"}
KEPT = {f"var/lib/unibos-pair/{name}": PASSWORD for name in ("queue-password", "database-url", "queue-url")}


def ask(machine, words: str, port: int = 6379) -> str:
    """What the Valkey or Sentinel of a machine says."""
    return machine.succeed(f"REDISCLI_AUTH={PASSWORD} timeout 5 redis-cli -p {port} {words}")


@pytest.fixture
def pair(machines: Machines):
    lan = machines.lan("pair", "192.0.2")
    found = {name: machines(name, RENDERED / name, address, lan, files=KEPT) for name, address in ADDRESSES.items()}
    for machine in found.values():
        machine.start()
    for name in ("rocksteady", "bebop"):
        found[name].wait_for_unit("unibos-queue.service")
    for machine in found.values():
        machine.wait_for_unit("unibos-sentinel.service")
    return found


def test_sentinel_moves_the_queue_and_takes_the_old_master_back(pair):
    primary, standby, witness = pair.values()
    standby.wait_until_succeeds(f"REDISCLI_AUTH={PASSWORD} redis-cli info replication | grep -q master_link_status:up", timeout=60)
    assert ask(primary, "set said 1") == "OK\n"
    # It is copied a moment later: the queue promises no more, for the truth is in the database.
    standby.wait_until_succeeds(f"REDISCLI_AUTH={PASSWORD} redis-cli get said | grep -qx 1", timeout=30)
    # Nobody without the password, and the password is in no unit, argument or environment.
    assert "NOAUTH" in witness.succeed("redis-cli -h 192.0.2.11 get said 2>&1 || true")
    witness.succeed("redis-cli -p 26379 ping 2>&1 | grep -q NOAUTH")
    primary.fail("grep -rqs 'only-of-thi[s]-test' /etc/systemd/system /proc/[0-9]*/cmdline")
    witness.wait_until_succeeds(f"REDISCLI_AUTH={PASSWORD} redis-cli -p 26379 sentinel ckquorum unibos", timeout=120)

    # A Sentinel that finds itself held up by a busy machine distrusts its own clock for half a minute.
    primary.crash()
    standby.wait_until_succeeds(f"REDISCLI_AUTH={PASSWORD} redis-cli role | head -1 | grep -q master", timeout=180)
    assert ask(standby, "get said") == "1\n"
    assert ask(standby, "set said 2") == "OK\n"

    # Back with the file that it was seeded with, it becomes the replica: the seed is not written again.
    primary.start()
    primary.wait_until_succeeds(f"REDISCLI_AUTH={PASSWORD} redis-cli get said | grep -qx 2", timeout=180)
    assert ask(primary, "role").split("\n")[0] == "slave"


def test_every_file_of_the_pair_is_read_by_its_programs(pair, tmp_path: Path):
    """HAProxy takes the configuration of hub and witness as it is rendered; the certificate is made here."""
    for name in ("rocksteady", "witness"):
        machine = pair[name]
        machine.succeed("mkdir -p /run/credentials/unibos-router.service && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=x "
                        "-keyout /root/key.pem -out /run/credentials/unibos-router.service/ca.pem && cd /run/credentials/unibos-router.service && cat /root/key.pem ca.pem >client.pem")
        said = machine.succeed("/nix/store/haproxy/bin/haproxy -c -f /etc/unibos/haproxy.cfg 2>&1")
        assert "alert" not in said.lower(), said
