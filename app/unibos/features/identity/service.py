"""The verbs of identity: people, logins, sessions, tokens, throttling."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.identity import passwords
from unibos.features.identity.events import Events
from unibos.features.identity.factors import Factors
from unibos.features.identity.for_nodes import ForNodes
from unibos.features.identity.keys import Keyring
from unibos.features.identity.linking import LinkedAccounts
from unibos.features.identity.models import Session, Throttle, User
from unibos.features.identity.tokens import Signer
from unibos.kernel.actors import NOBODY, Actor
from unibos.kernel.errors import Conflict, Invalid, NotFound, Throttled, Unauthenticated
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,185}")
SEEN_EVERY = dt.timedelta(seconds=60)


def digest(secret: str) -> str:
    """How secrets of sessions are kept: they are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Identity:
    """People and their sessions on this device."""

    def __init__(self, kit: Kit):
        self._kit = kit
        self.events = Events(kit)
        self.factors = Factors(kit, self)

    @cached_property
    def signer(self) -> Signer:
        """The signer of this device's tokens; made when first asked for, since agent and workers never do."""
        return Signer(self._kit.secret("jwt", 32), f"unibos:{self._kit.role}:{self._kit.secret('device', 16).hex()}")

    # People.

    def create(self, email: str, password: str, name: str, kind: str = "", then: Callable[[User], None] = lambda _user: None) -> User:
        """A new person; raises Invalid for a bad e-mail, name or password, Conflict for a known e-mail. `then` is called in the
        same transaction: what it raises leaves nobody behind."""
        email, name = email.strip().lower(), name.strip()
        if not EMAIL.fullmatch(email):
            raise Invalid(T("This is not an e-mail address."), fields={"email": T("Write it as name@example.org.")})
        if not 1 <= len(name) <= 120:
            raise Invalid(T("Say how you want to be called."), fields={"name": T("1 to 120 characters.")})
        passwords.check(password, email, name)
        hashed = self._kit.heavy(passwords.make, password)
        with self._kit.db.transaction():
            if User.select().where(User.email == email).exists():
                raise Conflict(T("There is an account with this e-mail address already."))
            user = User.create(id=self._kit.random.uuid(), email=email, name=name, password_hash=hashed,
                               kind=kind or ("hub" if self._kit.role == "hub" else "local"), created_at=self._kit.now())
            then(user)
        return user

    def user(self, user_id: str) -> User:
        """One person; raises NotFound."""
        found = User.get_or_none(User.id == user_id)
        if found is None:
            raise NotFound()
        return found

    def choose(self, user_id: str, *, language: str | None = None, theme: str | None = None) -> None:
        """Keep how a person wants the panel."""
        wanted = {k: v for k, v in (("language", language), ("theme", theme)) if v is not None}
        if wanted:
            with self._kit.db.transaction():
                User.update(**wanted).where(User.id == user_id).execute()

    def set_password(self, user_id: str, password: str, *, but: str = "", address: str = "") -> None:
        """Give a person another password: their other sessions end (all but the one with the id `but`), nodes forget the old one at their next contact,
        and the person is told. Raises NotFound, Invalid for a bad password, Conflict for an account whose password is its hub's."""
        user = self.user(user_id)
        if user.kind == "hub" and self._kit.role != "hub":
            raise Conflict(T("The password of this account is the hub's: change it there."))
        passwords.check(password, user.email, user.name)
        hashed, now = self._kit.heavy(passwords.make, password), self._kit.now()
        with self._kit.db.transaction():
            User.update(password_hash=hashed, credential_version=User.credential_version + 1).where(User.id == user_id).execute()
            Session.update(revoked_at=now).where(Session.user_id == user_id, Session.id != but, Session.revoked_at.is_null()).execute()
        self.events.note(user_id, "password-changed", T("Your password was changed. Other sessions have ended."), address=address)

    def prove_password(self, user: User, password: str, address: str) -> None:
        """Raise Unauthenticated or Throttled unless the password is this person's."""
        self.check_password(user.email, password, address)

    def own_ids(self, user_id: str) -> tuple[str, ...]:
        """The ids by which records belong to this person."""
        return (user_id,)

    def why(self, _actor: Actor) -> Text | None:
        """Why an actor has fewer rights here than they are used to, or a session that is marked; None where there is nothing to say."""
        return None

    def owners(self, actor: Actor) -> tuple[str, ...] | None:
        """Whose records an actor is shown: None for all of the organisation, or the ids that are their own."""
        return self.own_ids(actor.id) if actor.own_only else None

    # Logging in.

    def throttle(self, key: str, limit: int = 5, window: float = 60.0) -> None:
        """Count a try under `key`; raises Throttled over `limit` tries in `window` seconds."""
        now = self._kit.now()
        with self._kit.db.transaction():
            # The database counts, each step in one statement: of many tries at once no two are taken for the same one.
            Throttle.insert(key=key, count=0, since=now).on_conflict(conflict_target=[Throttle.key], action="IGNORE").execute()
            over = (Throttle.since > now) | (Throttle.since <= now - dt.timedelta(seconds=window))
            Throttle.update(count=0, since=now).where(Throttle.key == key, over).execute()
            if Throttle.update(count=Throttle.count + 1).where(Throttle.key == key, Throttle.count < limit).execute():
                return
            row = Throttle.get_or_none(Throttle.key == key)
        left = window - (now - row.since).total_seconds() if row else 0.0
        raise Throttled(T("Too many tries. Wait %(seconds)s seconds.", seconds=int(left) + 1), retry_after=left)

    def forgive(self, *keys: str) -> None:
        """Forget the tries under `keys` after one that was right."""
        with self._kit.db.transaction():
            Throttle.delete().where(Throttle.key.in_(keys)).execute()

    def check_password(self, email: str, password: str, address: str) -> User:
        """The person of e-mail and password, which may not be enough (`log_in`). Raises Unauthenticated, alike for an unknown e-mail, or Throttled."""
        email = email.strip().lower()
        keys = (f"login:{email[:100]}", f"login@{address}")
        for key in keys:
            self.throttle(key)
        user = User.get_or_none(User.email == email)
        stored = user.password_hash if user is not None and user.disabled_at is None else ""
        if not self._kit.heavy(passwords.matches, stored, password):
            raise Unauthenticated(T("E-mail or password is wrong."))
        self.forgive(*keys)
        return user

    def log_in(self, email: str, password: str, address: str) -> User:
        """The person whom the password alone lets in. Raises as `check_password`, or FactorNeeded with a challenge for `factors.answer`."""
        user = self.check_password(email, password, address)
        if self.factors.on(user.id):
            raise self.factors.challenge(user)
        return user

    def second_step(self, challenge: str, code: str, address: str) -> User:
        """The person whose login a code completes. Raises as `factors.answer`."""
        return self.factors.answer(challenge, code, address)

    def open_session(self, user: User, kind: str, address: str, agent: str) -> tuple[Session, str]:
        """A new session; returns it with its secret (the cookie or refresh token), which is kept nowhere."""
        now, secret = self._kit.now(), self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            session = Session.create(id=self._kit.random.uuid(), user_id=user.id, kind=kind, secret_hash=digest(secret),
                                     address=address[:64], agent=agent[:200], created_at=now, seen_at=now, expires_at=self._until(now),
                                     offline=user.offline_session)
        return session, secret

    def _until(self, now: dt.datetime) -> dt.datetime:
        return now + dt.timedelta(seconds=self._kit.settings["UNIBOS_REFRESH_SECONDS"])

    def tokens(self, user: User, address: str, agent: str) -> dict[str, Any]:
        """Open a session for a program: {token, refresh_token, expires_in, user} (decision 15)."""
        session, secret = self.open_session(user, "token", address, agent)
        return self._answer(user, session, secret)

    def _answer(self, user: User, session: Session, secret: str) -> dict[str, Any]:
        seconds, now = self._kit.settings["UNIBOS_ACCESS_SECONDS"], int(self._kit.now().timestamp())
        claims = {"sub": user.id, "email": user.email, "name": user.name, "iat": now, "exp": now + seconds,
                  "jti": self._kit.random.uuid(), "sid": session.id, "kind": "person", **self.claims(user.id)}
        return {"token": self.signer.sign(claims), "refresh_token": secret, "expires_in": seconds,
                "user": {"id": user.id, "email": user.email, "name": user.name, "kind": user.kind}}

    def claims(self, user_id: str) -> dict[str, Any]:
        """What higher features say of a person: organisation, role, permissions."""
        said: dict[str, Any] = {}
        for claim in self._kit.gather("claims"):
            said.update(claim(user_id))
        return said

    def refresh(self, secret: str) -> dict[str, Any]:
        """New tokens for a refresh token, which is used up by it. One used twice ends its session: somebody stole it."""
        hashed, now = digest(secret), self._kit.now()
        fresh = self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            changed = (Session.update(secret_hash=digest(fresh), previous_hash=hashed, seen_at=now, expires_at=self._until(now))
                       .where(Session.secret_hash == hashed, Session.kind == "token", Session.revoked_at.is_null(),
                              Session.expires_at > now).execute())
            stolen = None if changed else Session.get_or_none(Session.previous_hash == hashed, Session.revoked_at.is_null())
            if stolen is not None:
                Session.update(revoked_at=now).where(Session.id == stolen.id).execute()
        if stolen is not None:
            self.events.note(stolen.user_id, "token-reused", T("A refresh token of yours was used twice, so somebody else may have had it. "
                                                               "That session was ended: log in again there, and change your password if it was not you."))
        if not changed:
            raise Unauthenticated(T("This refresh token cannot be used (any more). Log in again."))
        session = Session.get(Session.secret_hash == digest(fresh))
        return self._answer(self.user(session.user_id), session, fresh)

    def issue_node_token(self, node_id: str, org_id: str, seconds: int) -> str:
        """A short-lived token for a node that has proven its key."""
        now = int(self._kit.now().timestamp())
        return self.signer.sign({"sub": node_id, "kind": "node", "org": {"id": org_id}, "iat": now, "exp": now + seconds,
                                 "jti": self._kit.random.uuid()})

    # Who is asking.

    def by_token(self, token: str) -> Actor:
        """The actor of an access token; raises Unauthenticated."""
        claims = self.signer.verify(token, self._kit.now().timestamp())
        org = claims.get("org") or {}
        if claims.get("kind") == "node":
            return Actor("node", claims["sub"], str(org.get("id", "")), via="bearer")
        return self._of_session(self._with_user(Session.id == claims.get("sid", "")), "bearer")

    def by_cookie(self, secret: str) -> Actor:
        """The actor of a browser's session cookie, or nobody."""
        session = self._with_user((Session.secret_hash == digest(secret)) & (Session.kind == "browser"))
        try:
            return self._of_session(session, "cookie")
        except Unauthenticated:
            return NOBODY

    @staticmethod
    def _with_user(where: Any) -> Session | None:
        """The session with its person as `person` (None: gone or disabled), in one query, because every request asks for it."""
        return (Session.select(Session.id, Session.expires_at, Session.seen_at, Session.revoked_at, Session.offline,
                               User.id, User.name, User.language, User.theme)
                .join(User, peewee.JOIN.LEFT_OUTER, on=(User.id == Session.user_id) & User.disabled_at.is_null(), attr="person")
                .where(where).first())

    def _of_session(self, session: Session | None, via: str) -> Actor:
        now = self._kit.now()
        if session is None or session.revoked_at is not None or session.expires_at <= now:
            raise Unauthenticated(T("This session has ended. Log in again."))
        if now - session.seen_at > SEEN_EVERY:
            with self._kit.db.transaction():
                Session.update(seen_at=now, expires_at=self._until(now)).where(Session.id == session.id).execute()
        user = getattr(session, "person", None)
        if user is None:
            raise Unauthenticated()
        org = self.claims(user.id).get("org") or {}
        return Actor("person", user.id, org.get("id", ""), org.get("role", ""), user.name, via, session.id, user.language, user.theme,
                     offline=session.offline)

    def sessions(self, user_id: str) -> list[Session]:
        """The open sessions of a person, the newest first."""
        return list(Session.select().where(Session.user_id == user_id, Session.revoked_at.is_null(),
                                           Session.expires_at > self._kit.now()).order_by(Session.seen_at.desc()))

    def close_session(self, session_id: str, user_id: str) -> None:
        """End one session of a person; raises NotFound for another's."""
        with self._kit.db.transaction():
            ended = (Session.update(revoked_at=self._kit.now())
                     .where(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_null()).execute())
        if not ended:
            raise NotFound()


class HubIdentity(Identity):
    """People of a hub: its keys turn, and its nodes ask it about people."""

    def __init__(self, kit: Kit):
        super().__init__(kit)
        self.for_nodes, self.linked = ForNodes(kit, self), LinkedAccounts(kit, self)

    @cached_property
    def signer(self) -> Keyring:  # type: ignore[override]
        """The signer of this hub's tokens, with the ring of its keys."""
        return Keyring(self._kit)


def build(kit: Kit, _services: Mapping[str, Any]) -> HubIdentity:
    """The service on a hub; a node's is in `node_service.py`."""
    return HubIdentity(kit)
