"""The ingest: messages in, readings and discoveries out, in batches that are committed before they are acknowledged.

One thread owns it. `take` is called with a batch in the order of arrival; it returns after the commit, so that whoever
calls it may acknowledge. Nothing that a device sends raises out of it: what cannot be used is counted and shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from unibos.features.devices import homeassistant, tasmota
from unibos.features.devices.entities import Discovered, Entity, available, filter_covers, read_availability, read_state, topics
from unibos.features.devices.models import Credential, Device, DeviceEntity, Refusal, Sign, Tasmota
from unibos.features.devices.pack import pack, unpack
from unibos.features.devices.rights import Rights, owner_of
from unibos.features.devices.service import series_key
from unibos.features.devices.values import Payload, clean
from unibos.kernel.errors import Invalid
from unibos.kernel.jobs import said
from unibos.kernel.ports import Message
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

MOST_PAYLOAD = 64 * 1024
REDRAW = 2000
MOST_REFUSALS = 500
DISCOVERY = ("homeassistant/+/+/config", "homeassistant/+/+/+/config", "tasmota/discovery/+/+")


class Heard(NamedTuple):
    """A message with when it came (ms since 1970)."""

    at: int
    message: Message


class _Route(NamedTuple):
    entity_id: str
    device_id: str
    key: str
    entity: Entity
    availability: bool


class Ingest:
    """Routes by exact topic, built from the table and rebuilt when a discovery changes it."""

    def __init__(self, kit: Kit):
        self._kit = kit
        self._routes: dict[str, list[_Route]] = {}
        self._rights: list[Rights] = []
        self._said: dict[str, dict[Any, bool]] = {}
        self._signs: dict[str, bool] = {}
        self._newest: dict[str, tuple[float | None, str | None]] = {}
        self._drawn: dict[str, int] = {}
        self._questions: list[tuple[str, bytes]] = []
        self._refused: dict[tuple[str, str], tuple[str, Text | str, int]] = {}
        self.counters = {"readings": 0, "refused": 0, "unrouted": 0, "discoveries": 0}
        self.load()

    def load(self) -> None:
        """Read credentials and entities again."""
        self._rights = [Rights(c.id, c.username, tuple(c.publish), tuple(c.subscribe)) for c in Credential.select()]
        routes: dict[str, list[_Route]] = {}
        rows = list(DeviceEntity.select().where(DeviceEntity.gone_at.is_null(), DeviceEntity.deleted_at.is_null()))
        for row in rows:
            entity = unpack(row.definition)
            read, _written = topics(entity)
            for topic in read:
                routes.setdefault(topic, []).append(
                    _Route(row.id, row.device_id, series_key(row.id), entity, any(a.topic == topic for a in entity.availability)))
        self._routes = routes
        self._signs = {s.entity_id: s.available for s in Sign.select()}
        keys = [series_key(row.id) for row in rows if series_key(row.id) not in self._newest]
        self._newest.update({k: (number, text) for k, (_at, number, text) in self._kit.series.latest(keys).items()})

    def take_questions(self) -> list[tuple[str, bytes]]:
        """(topic, payload) to publish once, so that devices that have just appeared tell their present state."""
        taken, self._questions = self._questions, []
        return taken

    def filters(self) -> list[str]:
        """What to subscribe to: where somebody may publish, and discovery where somebody may announce. Nothing else can come."""
        every = {f for rights in self._rights for f in rights.publish}
        return sorted(f for f in every if not any(_inside(f, other) for other in every))

    def take(self, batch: Sequence[Heard]) -> None:
        """Handle a batch: readings are committed together, discoveries in their place in the order."""
        rows: list[tuple[str, int, float | None, str | None]] = []
        live: dict[str, dict[str, Any]] = {}
        for heard in batch:
            topic = heard.message.topic
            routes = self._routes.get(topic)
            if routes is not None:
                self._read(heard, routes, rows, live)
            elif topic.startswith(("homeassistant/", "tasmota/discovery/")):
                if rows:
                    self._kit.series.append(rows)
                    rows = []
                self._discover(heard.message)
            else:
                self.counters["unrouted"] += 1
        if rows:
            self._kit.series.append(rows)
            self.counters["readings"] += len(rows)
        if self._refused:
            self._write_refusals()
        if live:
            self._kit.tell("live", {"type": "values", "values": list(live.values()), "org": self._kit.db.org()})
            self._redraw(batch[-1].at, {value["topic"].removeprefix("device:") for value in live.values()})

    def _redraw(self, at: int, device_ids: set[str]) -> None:
        """Have the plots of these devices drawn again, each at most every two seconds."""
        for device_id in device_ids:
            if at - self._drawn.get(device_id, 0) >= REDRAW:
                self._drawn[device_id] = at
                self._kit.changed(f"plot:{device_id}")

    # Readings.

    def _read(self, heard: Heard, routes: Sequence[_Route], rows: list, live: dict[str, dict[str, Any]]) -> None:
        message = heard.message
        if len(message.payload) > MOST_PAYLOAD:
            self._refuse(message.topic, T("The message is longer than %(most)s bytes.", most=MOST_PAYLOAD))
            return
        payload, understood = Payload(message.payload), False
        for route in routes:
            if route.availability:
                understood = True
                self._availability(route, message.topic, payload)
            reading = read_state(route.entity, payload, topic=message.topic)
            if reading.brightness is not None and not message.retain:
                rows.append((f"{route.key}:brightness", heard.at, reading.brightness, None))
            understood = understood or bool(reading)
            if reading.number is None and reading.text is None:
                continue
            if message.retain and self._newest.get(route.key) == (reading.number, reading.text):
                continue
            self._newest[route.key] = (reading.number, reading.text)
            rows.append((route.key, heard.at, reading.number, reading.text))
            live[route.key] = {"topic": f"device:{route.device_id}", "key": route.key, "number": reading.number, "text": reading.text, "at": heard.at}
        # A JSON object may well speak of other things than what is measured here; anything else was meant for these.
        if not understood and message.payload and not isinstance(payload.json, dict):
            self._refuse(message.topic, T("The message says nothing that can be used."))

    def _availability(self, route: _Route, topic: str, payload: Payload) -> None:
        said_before = self._said.setdefault(route.entity_id, {})
        latest = None
        for source in route.entity.availability:
            if source.topic == topic and (word := read_availability(source, payload)) is not None:
                said_before[source], latest = word, source
        if latest is None:
            return
        verdict = available(route.entity, said_before, latest)
        if verdict is None or self._signs.get(route.entity_id) == verdict:
            return
        self._signs[route.entity_id] = verdict
        with self._kit.db.transaction():
            Sign.delete().where(Sign.entity_id == route.entity_id).execute()
            Sign.create(entity_id=route.entity_id, available=verdict, since=self._kit.now())
            self._kit.changed("devices", f"device:{route.device_id}")

    # Discovery.

    def _discover(self, message: Message) -> None:
        try:
            found = self._parsed(message)
        except Invalid as error:
            self._refuse(message.topic, error.text)
            return
        if found is None:
            return
        ids = [e.object_id for e in found.entities] + list(found.removed)
        known = {r["object_id"]: r["credential_id"] for r in DeviceEntity.select(DeviceEntity.object_id, Device.credential_id)
                 .join(Device, on=(Device.id == DeviceEntity.device_id)).where(DeviceEntity.object_id.in_(ids)).dicts()} if ids else {}
        owner, found, refused = owner_of(message.topic, found, self._rights, known)
        for why in refused:
            self._refuse(message.topic, why)
        for component, why in found.unsupported:
            self._refuse(f"{message.topic} ({component})", why)
        if owner is None:
            return
        self.counters["discoveries"] += 1
        with self._kit.db.transaction():
            changed = self._keep(owner, message.topic, found)
            if changed:
                self._kit.changed("devices", *(f"device:{d}" for d in changed))
        if changed:
            self.load()
            self._ask_state(owner, message)

    def _parsed(self, message: Message) -> Discovered | None:
        if len(message.payload) > MOST_PAYLOAD:
            raise Invalid(T("The message is longer than %(most)s bytes.", most=MOST_PAYLOAD))
        if not message.topic.startswith("tasmota/"):
            return homeassistant.parse_config(message.topic, message.payload)
        place = tasmota.parse_topic(message.topic)
        if place is None:
            raise Invalid(T("This is no address of a discovery message."))
        mac, half = place
        if not message.payload:
            return tasmota.cleared(mac) if half == "config" else None
        (tasmota.parse_config(message.payload, mac) if half == "config" else tasmota.parse_sensors(message.payload))
        with self._kit.db.transaction():
            row = Tasmota.get_or_none(Tasmota.mac == mac) or Tasmota.create(mac=mac)
            setattr(row, half, message.payload)
            row.save()
        if row.config is None:
            return None
        sensors = tasmota.parse_sensors(bytes(row.sensors)) if row.sensors is not None else None
        return tasmota.to_discovered(tasmota.parse_config(bytes(row.config), mac), sensors)

    def _ask_state(self, owner: Rights, message: Message) -> None:
        """A Tasmota tells its sensors every five minutes only: ask it once, where it may read."""
        place = tasmota.parse_topic(message.topic)
        row = Tasmota.get_or_none(Tasmota.mac == place[0]) if place else None
        if row is not None and row.config is not None:
            self._questions += [q for q in tasmota.parse_config(bytes(row.config), place[0]).questions()
                                if any(filter_covers(f, q[0]) for f in owner.subscribe)]

    def _keep(self, owner: Rights, topic: str, found: Discovered) -> set[str]:
        """Write what was announced; returns the ids of devices that differ now. Runs in a transaction."""
        changed: set[str] = set()
        records, now = self._kit.records, self._kit.now()
        device = self._device(owner, found, changed) if found.entities else None
        here = {e.object_id for e in found.entities}
        if device is not None:
            rows = {r.object_id: r for r in DeviceEntity.select().where(DeviceEntity.device_id == device.id)}
            for entity in found.entities:
                fields = {"component": entity.component, "name": (entity.name or found.device.name or entity.object_id)[:160],
                          "definition": pack(entity), "config_topic": topic, "gone_at": None}
                row = rows.get(entity.object_id)
                if row is None:
                    records.create(DeviceEntity, org_id=device.org_id, device_id=device.id, object_id=entity.object_id, **fields)
                    changed.add(device.id)
                else:
                    stamp = row.stamp
                    if records.update(row, **fields).stamp != stamp:
                        changed.add(device.id)
        owned = Device.select(Device.id).where(Device.credential_id == owner.id)
        gone = DeviceEntity.select().where(DeviceEntity.device_id.in_(owned), DeviceEntity.gone_at.is_null(),
                                           (DeviceEntity.config_topic == topic) | (DeviceEntity.object_id.in_(list(found.removed) or [""])))
        for row in gone:
            if row.object_id not in here and (found.cleared or found.entities or row.object_id in found.removed):
                records.update(row, gone_at=now)
                changed.add(row.device_id)
        return changed

    def _device(self, owner: Rights, found: Discovered, changed: set[str]) -> Device:
        about = found.device
        identity = (about.identity or found.entities[0].unique_id)[:160]
        info = {k: v for k, v in asdict(about).items() if v}
        row = Device.get_or_none(Device.credential_id == owner.id, Device.identity == identity)
        name = (about.name or identity)[:160]
        if row is None:
            org = Credential.get_by_id(owner.id).org_id
            row = self._kit.records.create(Device, org_id=org, credential_id=owner.id, identity=identity, name=name, source=found.source, info=info)
            changed.add(row.id)
            return row
        stamp = row.stamp
        # A discovery of one entity may say less of the device than another did: what is known stays.
        merged = {**row.info, **info}
        name = about.name[:160] or row.name
        if self._kit.records.update(row, name=name, source=found.source, info=_plain(merged), deleted_at=None).stamp != stamp:
            changed.add(row.id)
        return row

    def _refuse(self, topic: str, why: Text | str) -> None:
        """Count a refusal by topic and reason."""
        self.counters["refused"] += 1
        shown = clean(topic, 200)
        _topic, _why, count = self._refused.get((shown, str(why)), (shown, why, 0))
        self._refused[shown, str(why)] = (shown, why, count + 1)

    def _write_refusals(self) -> None:
        """Keep the counts of a batch in one transaction; bounded in number, so that a flood of them fills nothing."""
        refused, self._refused = self._refused, {}
        now = self._kit.now()
        with self._kit.db.transaction():
            for topic, why, count in refused.values():
                key = hashlib.sha256(f"{topic}|{why}".encode()).hexdigest()[:32]
                if not Refusal.update(count=Refusal.count + count, at=now).where(Refusal.key == key).execute():
                    Refusal.create(key=key, topic=topic, reason=said(why), count=count, at=now)
            Refusal.delete().where(Refusal.key.not_in(Refusal.select(Refusal.key).order_by(Refusal.at.desc()).limit(MOST_REFUSALS))).execute()
            self._kit.changed("devices")


def _plain(info: Mapping[str, Any]) -> dict[str, Any]:
    """Tuples as lists, as JSON gives them back: so that the same news is not a change."""
    return {k: [list(x) if isinstance(x, tuple) else x for x in v] if isinstance(v, list | tuple) else v for k, v in info.items()}


def _inside(inner: str, outer: str) -> bool:
    return inner != outer and filter_covers(outer, inner)
