"""The verbs of devices: credentials, the list with state, history, commands."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.devices.entities import Entity, actions
from unibos.features.devices.models import Credential, Device, DeviceEntity, Refusal, Sign
from unibos.features.devices.pack import unpack, unpack_text
from unibos.features.devices.rights import PRESETS, rights_for, username_for
from unibos.kernel.errors import Conflict, Invalid, NotFound, UnibosError
from unibos.kernel.jobs import unsaid
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

ASK = 5.0


def series_key(entity_id: str) -> str:
    """The key under which an entity's readings lie."""
    return f"entity:{entity_id}"


class Devices:
    """Devices of this node, as the panel, the API and the command line see them. The agent does the talking."""

    def __init__(self, kit: Kit, orgs: Any):
        self._kit, self._orgs = kit, orgs

    # Credentials.

    def add(self, name: str, *, preset: str = "generic", allow: Sequence[str] = (), actor_id: str = "") -> dict[str, Any]:
        """Make a credential; the answer is the only place where its password is ever shown."""
        if preset not in PRESETS:
            raise Invalid(T("There is no kind %(kind)s; there are %(known)s.", kind=preset[:40], known=", ".join(PRESETS)))
        name = name.strip()[:120]
        username = username_for(name)
        publish, subscribe = rights_for(username, preset, allow)
        password = base64.b32encode(self._kit.random.bytes(15)).decode().lower()
        with self._kit.db.transaction():
            if Credential.select().where(Credential.username == username).exists():
                raise Conflict(T("There is a credential named %(name)s already.", name=username))
            row = Credential.create(id=self._kit.random.uuid(), org_id=self._orgs.home_id(), name=name, username=username, publish=list(publish),
                                    subscribe=list(subscribe), created_at=self._kit.now(), created_by=actor_id)
        try:
            answer = self._ask({"do": "account", "username": username, "publish": publish, "subscribe": subscribe, "password": password})
        except UnibosError:
            with self._kit.db.transaction():
                Credential.delete().where(Credential.id == row.id).execute()
            raise
        self._kit.changed("devices")
        return {"id": row.id, "name": name, "username": username, "password": password, **self._where(answer), "topic": username,
                "discovery": f"homeassistant/+/{username}/+/config", "publish": list(publish), "subscribe": list(subscribe)}

    def _where(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """{host, port, tls, ca} for a device: the embedded broker's listener on the LAN, TLS before plain, or where the agent itself connects.
        `ca` is the address of the authority's certificate, by which the device knows the broker; empty without TLS."""
        settings = self._kit.settings
        embedded = not settings["UNIBOS_MQTT_URL"]
        secure, plain = (settings["UNIBOS_MQTT_TLS_PORT"], settings["UNIBOS_MQTT_PLAIN_PORT"]) if embedded else (0, 0)
        own = f"{self._kit.machine()['hostname']}.local"
        host = settings["UNIBOS_MQTT_PUBLIC_HOST"] or (own if secure or plain else answer["host"])
        return {"host": host, "port": secure or plain or answer["port"], "tls": bool(secure), "ca": f"http://{own}/unibos-ca.pem" if secure else ""}

    def remove(self, username: str, actor_id: str = "") -> None:
        """Take a credential away: its connection is cut; its devices stay with their history, marked as gone."""
        row = Credential.get_or_none(Credential.username == username)
        if row is None:
            raise NotFound(T("There is no credential named %(name)s.", name=username[:60]))
        self._ask({"do": "forget", "username": username})
        with self._kit.db.transaction():
            now = self._kit.now()
            for device in Device.select().where(Device.credential_id == row.id, Device.deleted_at.is_null()):
                for entity in DeviceEntity.select().where(DeviceEntity.device_id == device.id, DeviceEntity.gone_at.is_null()):
                    self._kit.records.update(entity, gone_at=now, actor_id=actor_id)
            Credential.delete().where(Credential.id == row.id).execute()
            self._kit.changed("devices")
        self._ask({"do": "reload"})

    def credentials(self) -> list[Credential]:
        """The credentials, by name."""
        return list(Credential.select().order_by(Credential.name))

    def _ask(self, question: Mapping[str, Any], timeout: float = ASK) -> dict[str, Any]:
        return self._kit.bus.ask("devices", question, timeout)

    def broker(self) -> dict[str, Any]:
        """{connected, why} of the broker, as the agent sees it."""
        try:
            return self._ask({"do": "state"}, 1.5)
        except UnibosError:
            return {"connected": False, "why": "agent"}

    # Devices.

    def list(self) -> list[dict[str, Any]]:
        """All devices with their entities' state, in a fixed number of queries."""
        return self._with_entities(list(Device.select().where(Device.deleted_at.is_null()).order_by(Device.name)))

    def get(self, device_id: str) -> dict[str, Any]:
        """One device with its entities; raises NotFound."""
        row = Device.get_or_none(Device.id == device_id, Device.deleted_at.is_null())
        if row is None:
            raise NotFound(T("There is no device with this id."))
        return self._with_entities([row])[0]

    def _with_entities(self, rows: list[Device]) -> list[dict[str, Any]]:
        # Only what is shown, as plain tuples: this is asked for by every dashboard, and a model for each row costs as much as all the rest.
        of = DeviceEntity
        entities = list(of.select(of.device_id, of.id, of.name, of.component, of.object_id, of.gone_at, of.definition.coerce(False), Sign.available)
                        .join(Sign, peewee.JOIN.LEFT_OUTER, on=(Sign.entity_id == of.id))
                        .where(of.device_id.in_([r.id for r in rows])).order_by(of.component, of.name).tuples()) if rows else []
        latest = self._kit.series.latest([series_key(entity_id) for _device, entity_id, *_rest in entities])
        names = dict(Credential.select(Credential.id, Credential.name).tuples()) if rows else {}
        by_device: dict[str, list[dict[str, Any]]] = {}
        for device_id, *fields in entities:
            by_device.setdefault(device_id, []).append(self._entity(*fields, latest.get(series_key(fields[0]))))
        return [self._device(row, by_device.get(row.id, []), names.get(row.credential_id, "")) for row in rows]

    def _entity(self, entity_id: str, name: str, component: str, object_id: str, gone_at: Any, definition: str, sign: bool | None,
                newest: tuple[int, float | None, str | None] | None) -> dict[str, Any]:
        entity = unpack_text(definition)
        stale = bool(newest and entity.expire_after and self._kit.now_ms() - newest[0] > entity.expire_after * 1000)
        return {"id": entity_id, "name": name, "component": component, "unit": entity.unit, "device_class": entity.device_class,
                "number": newest[1] if newest else None, "text": newest[2] if newest else None, "at": newest[0] if newest else None,
                "available": sign, "gone": gone_at is not None, "stale": stale,
                "actions": list(actions(entity)), "minimum": entity.minimum, "maximum": entity.maximum, "step": entity.step,
                "object_id": object_id, "category": entity.category}

    def _device(self, row: Device, entities: list[dict[str, Any]], credential: str) -> dict[str, Any]:
        signs = [e["available"] for e in entities if e["available"] is not None and not e["gone"]]
        seen = max((e["at"] for e in entities if e["at"] is not None), default=None)
        if entities and all(e["gone"] for e in entities):
            status, level, why = "gone", "quiet", T("It withdrew its announcement; its history is kept.")
        elif signs and not any(signs):
            status, level, why = "offline", "bad", T("It said goodbye, or the broker lost it (last will).")
        elif signs and all(signs):
            status, level, why = "online", "good", T("It says that it is there.")
        elif signs:
            status, level, why = "partly", "warn", T("Some of its parts are away.")
        elif seen is not None:
            status, level, why = "reporting", "good", T("It reports; it does not say whether it is there.")
        else:
            status, level, why = "silent", "quiet", T("It announced itself and has not reported yet.")
        return {"id": row.id, "name": row.given_name or row.name, "source": row.source, "credential": credential, "info": row.info,
                "status": status, "level": level, "why": why, "seen": seen, "entities": entities, "created_at": row.created_at}

    def rename(self, device_id: str, name: str, actor_id: str = "") -> None:
        """Give a device a name of the owner's; an empty one brings its own back."""
        row = Device.get_or_none(Device.id == device_id, Device.deleted_at.is_null())
        if row is None:
            raise NotFound()
        with self._kit.db.transaction():
            self._kit.records.update(row, given_name=name.strip()[:160], actor_id=actor_id)
            self._kit.changed("devices", f"device:{device_id}")

    def entity(self, device_id: str, entity_id: str) -> tuple[DeviceEntity, Entity]:
        """One entity of a device, by id or by object id; raises NotFound."""
        row = DeviceEntity.get_or_none(DeviceEntity.device_id == device_id, (DeviceEntity.id == entity_id) | (DeviceEntity.object_id == entity_id))
        if row is None:
            raise NotFound(T("This device has no such entity."))
        return row, unpack(row.definition)

    def history(self, device_id: str, entity_id: str, start: int, end: int, most: int = 500) -> dict[str, Any]:
        """Readings of an entity in [start, end) ms: buckets of numbers, and the raw rows of texts."""
        row, entity = self.entity(device_id, entity_id)
        key = series_key(row.id)
        return {"entity": row.id, "name": row.name, "unit": entity.unit, "component": row.component,
                "points": self._kit.series.points(key, start, end, most),
                "rows": self._kit.series.rows(key, start, end, min(most, 500)) if entity.component != "sensor" or not entity.unit else []}

    def command(self, device_id: str, entity_id: str, action: str, value: Any = None) -> dict[str, Any]:
        """Make a device do something; answers when the broker has taken it. Raises Invalid naming what it can do."""
        row, entity = self.entity(device_id, entity_id)
        if row.gone_at is not None:
            raise Conflict(T("The device withdrew this; it cannot be commanded."))
        allowed = actions(entity)
        if action == "toggle" and "on" in allowed:
            newest = self._kit.series.latest([series_key(row.id)]).get(series_key(row.id))
            action = "off" if newest and newest[1] else "on"
        from unibos.features.devices.entities import encode_command

        topic, payload = encode_command(entity, action, value)
        self._ask({"do": "publish", "topic": topic, "payload": payload.decode(), "retain": entity.retain})
        return {"entity": row.id, "action": action, "sent": True}

    def refusals(self, most: int = 50) -> list[dict[str, Any]]:
        """What was refused lately, with how often and why."""
        return [{"topic": r.topic, "why": unsaid(r.reason), "count": r.count, "at": r.at}
                for r in Refusal.select().order_by(Refusal.at.desc()).limit(most)]


def health(_kit: Kit, services: Mapping[str, Any]) -> Callable[[], list[dict[str, Any]]]:
    """The broker; without one the node is ready all the same."""

    def check() -> list[dict[str, Any]]:
        state = services["devices"].broker()
        why = T("It answers.") if state["connected"] else BROKER_WHY.get(state["why"], T("It does not answer: %(why)s", why=state["why"]))
        return [{"name": "broker", "ok": state["connected"], "required": False, "why": why}]

    return check


BROKER_WHY = {"agent": T("The agent does not answer, so nobody listens to devices."),
              "none": T("No MQTT broker is installed: devices cannot report. Install mosquitto and start again.")}


def build(kit: Kit, services: Mapping[str, Any]) -> Devices:
    """The service."""
    return Devices(kit, services["orgs"])
