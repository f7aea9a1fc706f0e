"""Three nodes on a LAN without a hub find each other by name, and one that has lost its power is found again when it is back."""


def finds(machine, name):
    machine.wait_until_succeeds("avahi-resolve -4 -n " + name + ".local | grep -q " + name + ".local", timeout=60)


def story(one, two, three):
    for machine in (one, two, three):
        machine.start()
    for machine in (one, two, three):
        ready(machine, 8001)
    for seeker in (one, two, three):
        for name in ("one", "two", "three"):
            finds(seeker, name)

    # Two that are left go on without the third, and it comes back to them.
    three.crash()
    finds(one, "two")
    three.start()
    ready(three, 8001)
    finds(one, "three")

    # A node that is cut off serves those beside it, and is found again afterwards.
    two.block()
    two.succeed("curl -sf http://127.0.0.1:8001/readyz")
    two.unblock()
    finds(two, "one")
