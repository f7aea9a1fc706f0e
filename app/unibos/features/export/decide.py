"""The decision, pure: from what is declared and what the owner chose to a verdict with its sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unibos.kernel.feature import Export
from unibos.kernel.ports import Verdict
from unibos.kernel.words import T

DESTINATIONS = ("hub", "peer", "internet")


def decide(declared: Mapping[str, Sequence[Export]], rules: Mapping[str, str], module: str, data_type: str,
           destination: str) -> Verdict:
    """Whether `data_type` of `module` may go to `destination`. What is not declared never leaves."""
    if destination not in DESTINATIONS:
        return Verdict(False, T("%(destination)s is no destination that export control knows.", destination=destination))
    kind = next((e for e in declared.get(module, ()) if e.data_type == data_type), None)
    if kind is None:
        return Verdict(False, T("%(module)s declares no data named %(type)s.", module=module, type=data_type))
    if kind.default == "never":
        return Verdict(False, T("Data of this kind never leaves the device."))
    if rules.get("kill") == "on":
        return Verdict(False, T("The kill switch is on: nothing leaves this device."))
    chosen = rules.get(f"{module}.{data_type}>{destination}")
    if chosen == "allow":
        return Verdict(True, T("The owner allowed it."))
    if chosen == "deny":
        return Verdict(False, T("The owner denied it."))
    if kind.default == "allow":
        return Verdict(True, kind.why or T("It is allowed unless the owner denies it."))
    return Verdict(False, T("Nobody allowed %(module)s %(type)s to leave for %(destination)s.", module=module, type=data_type,
                            destination=destination))
