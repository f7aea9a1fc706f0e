"""Loops of the registry: heartbeats (node), calls back (hub), and the samples of the machine's own load (both)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.registry.fleet import CHANNEL
from unibos.kernel import authorities
from unibos.kernel.errors import UnibosError
from unibos.wire import proof

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

Loop = Callable[[Callable[[], bool]], None]
ASK_SECONDS = 3.0  # how often it is looked whether a hub is due to be asked
SAMPLES = ("cpu", "memory", "disk", "temperature")


def sample(kit: Kit, _services: Mapping[str, Any]) -> str:
    """Measure this machine once."""
    metrics, at = kit.machine()["metrics"], kit.now_ms()
    kit.series.append([(f"self:{name}", at, float(metrics[name]), None) for name in SAMPLES if metrics.get(name) is not None])
    kit.changed("load")
    return f"cpu {metrics['cpu']:.0f} %"


def _each(kit: Kit, seconds: float, work: Callable[[], None], stop: Callable[[], bool]) -> None:
    """Call `work` now and then every `seconds`, waiting on the bus so that the end is noticed within a second."""
    due = 0.0
    for _ in kit.bus.listen(["heartbeat"], timeout=0.5):
        if stop():
            return
        if kit.clock.monotonic() >= due:
            work()
            due = kit.clock.monotonic() + seconds


def member_loops(kit: Kit, services: Mapping[str, Any]) -> list[tuple[str, Loop]]:
    """Heartbeats with a goodbye at the end, and joining when the web process asks for it."""
    registry = services["registry"]

    def report() -> None:
        try:
            registry.take_provisioned()
            kit.log.debug("heartbeat: %s", registry.report())
        except (UnibosError, ValueError, KeyError) as error:
            kit.log.warning("join: %s", error)

    def heartbeats(stop: Callable[[], bool]) -> None:
        first = (kit.data_dir / "enrol.json").exists()
        # A node that is being handed over tries again soon: its hub may still be starting.
        while first and not stop():
            _each(kit, 1.0, report, lambda: stop() or not (kit.data_dir / "enrol.json").exists())
            first = (kit.data_dir / "enrol.json").exists()
        _each(kit, kit.settings["UNIBOS_HEARTBEAT_SECONDS"], report, stop)
        registry.goodbye("shutdown")

    def ask() -> None:
        try:
            registry.ask_again()
        except UnibosError as error:
            kit.log.warning("asking to join: %s", error.text)

    return [("heartbeats", heartbeats), ("asking", lambda stop: _each(kit, ASK_SECONDS, ask, stop)),
            ("joins", lambda stop: kit.bus.serve("registry", registry.answer, stop))]


def call_back(kit: Kit, node: Any) -> str:
    """Ask a node to prove its key at the address it gave; returns why not, or nothing.

    The authority that the node named is trusted for this one question only: who answers is known by the node's key alone.
    """
    from base64 import b64decode

    challenge = kit.random.bytes(24).hex()
    try:
        authority = authorities.kept(kit.data_dir, f"node-{node.id}", node.authority) if node.authority else None
        status, answer = kit.http.call("GET", f"{node.url}/api/v1/node/identify/?challenge={challenge}", module="registry",
                                       data_type="callback", destination="peer", timeout=5.0, limit=4096, authority=authority)
        proven = status == 200 and answer.get("public_key") == node.public_key and proof.verify(
            b64decode(node.public_key), b64decode(str(answer.get("signature", ""))), "identify", challenge)
    except UnibosError as error:
        return str(error.text)
    except ValueError:
        proven = False
    return "" if proven else f"{node.url} is answered by somebody else (status {status})"


def beat(_kit: Kit, services: Mapping[str, Any]) -> str:
    """This hub says that it is there."""
    return services["registry"].fleet.beat()


def authority_loops(kit: Kit, services: Mapping[str, Any]) -> list[tuple[str, Loop]]:
    """Calls back to the nodes that report, and the watch for those that stop reporting."""
    registry = services["registry"]

    def watch(stop: Callable[[], bool]) -> None:
        # It sleeps until the next moment at which a node can become silent; a change by people wakes it.
        due = 0.0
        for woken in kit.bus.listen([CHANNEL], timeout=0.5):
            if stop():
                return
            if woken is not None or kit.clock.monotonic() >= due:
                due = kit.clock.monotonic() + registry.fleet.watch()

    def round_() -> None:
        for node in registry.to_call():
            failure = call_back(kit, node)
            with kit.db.tenant(node.org_id):
                registry.called_back(node.id, failure)

    return [("callbacks", lambda stop: _each(kit, kit.settings["UNIBOS_CALLBACK_SECONDS"], round_, stop)), ("watch", watch)]
