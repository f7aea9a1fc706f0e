"""The gate and its rules. Every answer is logged; repeated equal answers within a minute are one line with a count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.export.decide import DESTINATIONS, decide
from unibos.features.export.models import ExportLog, ExportRule
from unibos.kernel.errors import Invalid
from unibos.kernel.ports import Verdict
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

KEEP_LOG = dt.timedelta(days=90)


class ExportControl:
    """Port Gate, with the owner's rules behind it."""

    def __init__(self, kit: Kit):
        self._kit = kit

    def rules(self) -> dict[str, str]:
        """What the owner decided, by `module.type>destination`, and `kill`."""
        return dict(ExportRule.select(ExportRule.key, ExportRule.decision).tuples())

    def check(self, module: str, data_type: str, destination: str, *, records: int = 0, size: int = 0, actor: str = "") -> Verdict:
        """See kernel.ports.Gate."""
        verdict = decide(self._kit.exports, self.rules(), module, data_type, destination)
        now = self._kit.now()
        with self._kit.db.transaction():
            joined = (ExportLog.update(records=ExportLog.records + records, size=ExportLog.size + size)
                      .where(ExportLog.at > now - dt.timedelta(minutes=1), ExportLog.module == module, ExportLog.data_type == data_type,
                             ExportLog.destination == destination, ExportLog.allowed == verdict.allowed, ExportLog.actor == actor,
                             ExportLog.why == str(verdict.why)[:300])
                      .execute())
            if not joined:
                ExportLog.create(at=now, module=module, data_type=data_type, destination=destination, records=records, size=size,
                                 actor=actor, allowed=verdict.allowed, why=str(verdict.why)[:300])
        return verdict

    def set(self, module: str, data_type: str, destination: str, decision: str, actor_id: str = "") -> None:
        """Allow or deny one kind of data for one destination. Raises Invalid for what nobody declared or never leaves."""
        kind = next((e for e in self._kit.exports.get(module, ()) if e.data_type == data_type), None)
        if kind is None or destination not in DESTINATIONS or decision not in ("allow", "deny"):
            raise Invalid(T("There is no such data or destination: %(name)s.", name=f"{module}.{data_type} > {destination}"))
        if kind.default == "never" and decision == "allow":
            raise Invalid(T("Data of this kind never leaves the device."))
        self._put(f"{module}.{data_type}>{destination}", decision, actor_id)

    def kill(self, on: bool, actor_id: str = "") -> None:
        """The master switch: on stops everything at once."""
        self._put("kill", "on" if on else "off", actor_id)

    def _put(self, key: str, decision: str, actor_id: str) -> None:
        with self._kit.db.transaction():
            ExportRule.delete().where(ExportRule.key == key).execute()
            ExportRule.create(key=key, decision=decision, changed_at=self._kit.now(), actor_id=actor_id)
            self._kit.changed("export")

    def table(self) -> list[dict[str, Any]]:
        """Every declared kind of data with the verdict for each destination."""
        rules = self.rules()
        return [{"module": module, "data_type": e.data_type, "sentence": e.sentence, "never": e.default == "never",
                 "to": {d: decide(self._kit.exports, rules, module, e.data_type, d) for d in DESTINATIONS}}
                for module, kinds in self._kit.exports.items() for e in kinds]

    def log(self, most: int = 200) -> list[ExportLog]:
        """The newest answers."""
        return list(ExportLog.select().order_by(ExportLog.id.desc()).limit(most))


def build(kit: Kit, _services: Mapping[str, Any]) -> ExportControl:
    """The service; it becomes the kit's gate."""
    service = ExportControl(kit)
    kit.gate = service
    return service
