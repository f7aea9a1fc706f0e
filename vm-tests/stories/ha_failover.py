"""The pair keeps what it acknowledged: the primary crashes, the standby takes over, and the old primary comes back as standby.

The database is asked through the router of the hub that is up, as the hub's own processes ask it.
"""

DATABASE = "psql -qtA 'host=127.0.0.1 port=5000 user=postgres dbname=postgres sslmode=require connect_timeout=2' -c "


def sql(machine, words, timeout=120):
    return machine.wait_until_succeeds("PGPASSWORD=only-of-this-test " + DATABASE + shlex.quote(words), timeout=timeout)


def wait_for_role(machine, role, timeout=120):
    """Wait until Patroni on `machine` says that it is `primary` or `replica`."""
    machine.wait_until_succeeds("curl -sf --cacert /var/lib/unibos-pair/ca.pem https://localhost:8008/" + role, timeout=timeout)


def story(rocksteady, bebop, witness, client):
    # Two new hubs at once would race for being the first primary.
    for machine in (witness, rocksteady, client):
        machine.start()
    wait_for_role(rocksteady, "primary", 300)
    bebop.start()
    wait_for_role(bebop, "replica", 300)
    sql(rocksteady, "create table kept (n int primary key)")
    for number in range(20):
        sql(rocksteady, "insert into kept values (" + str(number) + ")")

    rocksteady.crash()
    wait_for_role(bebop, "primary", 60)
    assert sql(bebop, "select count(*) from kept").strip() == "20"
    sql(bebop, "insert into kept values (20)")

    rocksteady.start()
    wait_for_role(rocksteady, "replica", 300)
    assert sql(rocksteady, "select count(*) from kept").strip() == "21"
