"""Known devices: browsers in which a person has logged in before, recognised by a random cookie and by nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from unibos.features.identity.agents import device_name
from unibos.features.identity.models import User
from unibos.features.identity.safety_models import KnownDevice
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit

MOST = 20


def _key(user_id: str, secret: str) -> str:
    """How a device is kept: bound to its person, so that one cookie is not told to be two people's."""
    return hashlib.sha256(f"unibos device\0{user_id}\0{secret}".encode()).hexdigest()


class Devices:
    """The devices of people on this box."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    def known(self, user_id: str, secret: str) -> str:
        """The key under which this device of the person is kept; empty for an unknown one."""
        if not secret or not user_id:
            return ""
        key = _key(user_id, secret)
        return key if KnownDevice.select().where(KnownDevice.id == key).exists() else ""

    def arrive(self, user: User, secret: str, address: str, agent: str) -> str:
        """Note that a person has logged in from a device, and tell them of a new one; returns the secret that it keeps from now on."""
        now, key = self._kit.now(), self.known(user.id, secret)
        if key:
            before = KnownDevice.get_by_id(key)
            with self._kit.db.transaction():
                KnownDevice.update(seen_at=now, address=address[:64], agent=agent[:200]).where(KnownDevice.id == key).execute()
                if before.address != address[:64]:
                    self._identity.events.note(user.id, "new-login", T("You logged in with %(device)s from another address than before.",
                                                                       device=device_name(agent)), address=address)
            return secret
        secret = secret if 32 <= len(secret) <= 64 else self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            others = KnownDevice.select().where(KnownDevice.user_id == user.id).order_by(KnownDevice.seen_at.desc())
            known = [row.id for row in others]
            KnownDevice.delete().where(KnownDevice.id.in_(known[MOST - 1:])).execute()
            KnownDevice.insert(id=_key(user.id, secret), user_id=user.id, agent=agent[:200], address=address[:64], created_at=now,
                               seen_at=now).on_conflict(conflict_target=[KnownDevice.id], action="IGNORE").execute()
            if known:  # the very first one is where the account was made
                self._identity.events.note(user.id, "new-device", T("Somebody logged in as you with %(device)s, which was not used before. If it was not "
                                                                    "you, end that session and change your password.", device=device_name(agent)),
                                           address=address)
        return secret

    def forget(self, user_id: str) -> None:
        """No device of this person is known any more."""
        with self._kit.db.transaction():
            KnownDevice.delete().where(KnownDevice.user_id == user_id).execute()
