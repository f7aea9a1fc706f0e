"""Accounts as organisations see them: guests with an end, names by id, disabling, and which organisation a session is meant for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.identity.models import MODELS, Session, User
from unibos.kernel.errors import Invalid, NotFound
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit


def alive(now: dt.datetime) -> peewee.Expression:
    """The condition that an account is neither disabled nor past its end."""
    return User.disabled_at.is_null() & (User.expires_at.is_null() | (User.expires_at > now))


class People:
    """Accounts of this device, for the feature that knows who belongs where."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    def alive(self, user: User) -> bool:
        """Whether the account is neither disabled nor past its end."""
        return user.disabled_at is None and (user.expires_at is None or user.expires_at > self._kit.now())

    def guest(self, name: str, until: dt.datetime, then: Callable[[User], None] = lambda _user: None) -> User:
        """A new account without e-mail and password that ends at `until`; `then` is called in the same transaction. Raises Invalid for the name."""
        name = name.strip()
        if not 1 <= len(name) <= 120:
            raise Invalid(T("Say how you want to be called."), fields={"name": T("1 to 120 characters.")})
        user_id = self._kit.random.uuid()
        with self._kit.db.transaction():
            # The column is unique and asks for an address: this one can belong to nobody (RFC 2606), and no password fits the empty hash.
            user = User.create(id=user_id, email=f"{user_id}@guest.invalid", name=name, password_hash="", kind="guest",
                               created_at=self._kit.now(), expires_at=until)
            then(user)
        return user

    def find(self, email: str) -> User | None:
        """The person with that e-mail, or None."""
        return User.get_or_none(User.email == email.strip().lower())

    def named(self, ids: Iterable[str]) -> dict[str, User]:
        """The people with these ids."""
        wanted = list(ids)
        return {user.id: user for user in User.select().where(User.id.in_(wanted))} if wanted else {}

    def disable(self, user_id: str) -> None:
        """End the person's sessions and let them in no more; their records stay. Raises NotFound."""
        self._identity.user(user_id)
        now = self._kit.now()
        with self._kit.db.transaction():
            User.update(disabled_at=now).where(User.id == user_id, User.disabled_at.is_null()).execute()
            self._identity.end_sessions(user_id, why="disabled")
        self._kit.tell("live", {"type": "left", "actor": user_id})

    def enable(self, user_id: str) -> None:
        """Let a disabled person in again. Raises NotFound."""
        self._identity.user(user_id)
        with self._kit.db.transaction():
            User.update(disabled_at=None).where(User.id == user_id).execute()

    def erase(self, user_id: str) -> None:
        """Forget who a person was: e-mail, name, password, second step, passkeys, sessions, devices and what happened to the account. The id stays,
        since records name it. Raises NotFound."""
        self.disable(user_id)
        with self._kit.db.transaction():
            User.update(email=f"{user_id}@erased.invalid", name="–", password_hash="", language="", theme="").where(User.id == user_id).execute()
            for table in MODELS:
                if table is not User and "user_id" in table._meta.fields:
                    table.delete().where(table.user_id == user_id).execute()

    # Which organisation a session is meant for.

    def choose(self, session_id: str, user_id: str, org_id: str) -> None:
        """Mean that organisation from now on in this session; who asks has made sure that the person belongs to it. Raises NotFound."""
        with self._kit.db.transaction():
            chosen = (Session.update(chosen_org=org_id).where(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_null()).execute())
        if not chosen:
            raise NotFound()

    def token(self, session_id: str, user_id: str) -> dict[str, Any]:
        """{token, expires_in} of a session for the organisation that it means now; its refresh token stays as it is. Raises NotFound."""
        session = Session.get_or_none(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_null())
        if session is None:
            raise NotFound()
        answer = self._identity._answer(self._identity.user(user_id), session, "")
        return {"token": answer["token"], "expires_in": answer["expires_in"]}
