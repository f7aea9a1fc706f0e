"""Nothing leaves unless the owner opted in; the kill switch stops everything; every answer is logged."""

import itertools

import pytest
from unibos.features.export.decide import decide
from unibos.kernel.errors import Blocked, Invalid
from unibos.kernel.feature import Export
from unibos.kernel.kit import ClosedGate
from unibos.kernel.words import T

DECLARED = {"m": (Export("open", T("x"), "allow", T("Harmless.")), Export("data", T("x")), Export("secret", T("x"), "never"))}


@pytest.mark.parametrize(("kind", "destination", "kill", "rule"),
                         list(itertools.product(["open", "data", "secret", "undeclared"], ["hub", "peer", "internet", "moon"], ["", "on"], ["", "allow", "deny"])))
def test_every_case_of_the_decision(kind, destination, kill, rule):
    rules = {**({"kill": kill} if kill else {}), **({f"m.{kind}>{destination}": rule} if rule else {})}
    verdict = decide(DECLARED, rules, "m", kind, destination)
    expected = (kind in ("open", "data") and destination != "moon" and kill != "on"
                and (rule == "allow" or (rule == "" and kind == "open")))
    assert verdict.allowed is expected and str(verdict.why)


def test_a_kit_starts_closed():
    assert not ClosedGate().check("any", "thing", "hub").allowed


def test_the_owner_decides_and_it_is_logged(node):
    export = node.services["export"]
    assert node.kit.gate is export
    assert not export.check("registry", "heartbeat", "hub", records=1, size=10).allowed
    export.set("registry", "heartbeat", "hub", "allow", "ada")
    assert export.check("registry", "heartbeat", "hub", records=1, size=10).allowed
    assert not export.check("registry", "heartbeat", "internet").allowed
    export.kill(True)
    assert not export.check("registry", "heartbeat", "hub").allowed
    export.kill(False)
    for _ in range(3):
        assert export.check("registry", "heartbeat", "hub", records=1, size=10).allowed
    newest = export.log()
    assert [(r.allowed, r.destination) for r in newest][-1] == (False, "hub") and len(newest) == 4
    allowed = next(r for r in newest if r.allowed)
    assert (allowed.records, allowed.size) == (4, 40)


def test_what_nobody_declared_or_never_leaves_cannot_be_allowed(node):
    export = node.services["export"]
    for wrong in (("registry", "nothing", "hub"), ("nobody", "x", "hub"), ("registry", "heartbeat", "moon"), ("documents", "sensitive", "hub")):
        with pytest.raises(Invalid):
            export.set(*wrong, "allow")


def test_the_way_out_asks_the_gate_before_it_opens_a_connection(node):
    from unibos.adapters.http import GatedHttp

    http = GatedHttp(lambda: node.kit.gate)
    with pytest.raises(Blocked):
        http.call("POST", "http://127.0.0.1:9/", module="registry", data_type="heartbeat", destination="hub", json={})
