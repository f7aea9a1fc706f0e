"""The verbs of identity: people, logins, sessions, tokens, throttling."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import peewee

from unibos.features.identity import passwords, sessions
from unibos.features.identity.bell import Fan
from unibos.features.identity.devices import Devices
from unibos.features.identity.events import Events
from unibos.features.identity.factors import Factors
from unibos.features.identity.for_nodes import ForNodes
from unibos.features.identity.keys import Keyring
from unibos.features.identity.linking import LinkedAccounts
from unibos.features.identity.mailing import Mailer
from unibos.features.identity.models import Session, User
from unibos.features.identity.passkeys import Passkeys
from unibos.features.identity.people import People, alive
from unibos.features.identity.resets import Resets
from unibos.features.identity.throttle import ALL_TRIES, CEILING, TRIES, WINDOW, Throttles
from unibos.features.identity.tokens import Signer
from unibos.kernel.actors import NOBODY, Actor
from unibos.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,185}")
SEEN_EVERY = dt.timedelta(seconds=60)
ENDED_KEPT = dt.timedelta(days=30)


def digest(secret: str) -> str:
    """How secrets of sessions are kept: they are random, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Identity:
    """People and their sessions on this device."""

    def __init__(self, kit: Kit, services: Mapping[str, Any]):
        self._kit, self._throttles = kit, Throttles(kit)
        self.mailer, self.fan = Mailer(kit, services), Fan(kit)
        self.events = Events(kit, self.mailer)
        self.passkeys, self.devices, self.resets = Passkeys(kit, self), Devices(kit, self), Resets(kit, self)
        self.factors = Factors(kit, self)
        self.people = People(kit, self)

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
            try:
                user = User.create(id=self._kit.random.uuid(), email=email, name=name, password_hash=hashed,
                                   kind=kind or ("hub" if self._kit.role == "hub" else "local"), created_at=self._kit.now())
            except peewee.IntegrityError as error:  # two at once
                raise Conflict(T("There is an account with this e-mail address already.")) from error
            then(user)
        return user

    def user(self, user_id: str) -> User:
        """One person; raises NotFound."""
        found = User.get_or_none(User.id == user_id)
        if found is None:
            raise NotFound()
        return found

    def by_email(self, email: str) -> User:
        """The person with this e-mail; raises NotFound."""
        found = User.get_or_none(User.email == email.strip().lower())
        if found is None:
            raise NotFound(T("There is no account with the e-mail address %(email)s.", email=email))
        return found

    def choose(self, user_id: str, *, language: str | None = None, theme: str | None = None) -> None:
        """Keep how a person wants the panel."""
        wanted = {k: v for k, v in (("language", language), ("theme", theme)) if v is not None}
        if wanted:
            with self._kit.db.transaction():
                User.update(**wanted).where(User.id == user_id).execute()

    def set_password(self, user_id: str, password: str, *, but: str = "", address: str = "", then: Callable[[], None] = lambda: None) -> None:
        """Give a person another password: all sessions but `but` end, nodes forget the old one at their next contact, and the person is told. `then`
        is called in the same transaction. Raises NotFound, Invalid for a bad password, Conflict for an account whose password is its hub's."""
        user = self.user(user_id)
        if self.unconfirmed(user):
            raise Conflict(T("The password of this account is the hub's: change it there."))
        passwords.check(password, user.email, user.name)
        hashed = self._kit.heavy(passwords.make, password)
        with self._kit.db.transaction():
            then()
            User.update(password_hash=hashed, credential_version=User.credential_version + 1).where(User.id == user_id).execute()
            self.end_sessions(user_id, but=but, why="password")
            self.events.note(user_id, "password-changed", T("The password of your account was changed."), address=address)

    def unconfirmed(self, user: User) -> bool:
        """Whether it is another device that says whether this person's account holds: on a node, the account of a hub."""
        return False

    def prove_password(self, user: User, password: str, address: str) -> None:
        """Raise Unauthenticated or Throttled unless the password is this person's."""
        self.check_password(user.email, password, address, own=user.id)

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

    def throttle(self, key: str, limit: int = TRIES, window: float = WINDOW, ceiling: float = 0.0) -> None:
        """Count a try under `key`; raises Throttled over `limit` tries in `window` seconds, which grow up to `ceiling` (0: they do not)."""
        self._throttles.count(key, limit, window, ceiling)

    def forgive(self, *keys: str) -> None:
        """Forget the tries under `keys` after one that was right."""
        self._throttles.forgive(*keys)

    def check_password(self, email: str, password: str, address: str, device: str = "", *, own: str = "") -> User:
        """The person of e-mail and password, which may not be enough (`log_in`). Raises Unauthenticated, alike for an unknown e-mail, or Throttled.

        `device`: the secret of the browser's device cookie. A device that this person is known by has tries of its own.
        `own`: the id of who asks, logged in, about themselves; nobody else's tries are counted with theirs.
        """
        email = email.strip().lower()
        user = User.get_or_none(User.email == email)
        known, keys = self._login_keys(user, email, address, device, own)
        for key in keys:
            self.throttle(key, ceiling=CEILING)
        stranger = not known and not own
        if stranger:
            self.throttle("login*", ALL_TRIES)
        stored = user.password_hash if user is not None and user.disabled_at is None else ""
        if not self._kit.heavy(passwords.matches, stored, password):
            raise Unauthenticated(T("E-mail or password is wrong."))
        self.forgive(*keys)
        if stranger:
            self._throttles.back("login*")
        if passwords.stale(stored):
            fresh = self._kit.heavy(passwords.make, password)
            with self._kit.db.transaction():
                User.update(password_hash=fresh).where(User.id == user.id, User.password_hash == stored).execute()
        return user

    def _login_keys(self, user: User | None, email: str, address: str, device: str, own: str = "") -> tuple[str, tuple[str, ...]]:
        """The known device, if it is one, and the keys under which tries count."""
        known = self.devices.known(user.id if user is not None else "-", device)
        return known, (f"login-own:{own}",) if own else (f"login-device:{known}",) if known else (f"login:{email[:100]}", f"login@{address}")

    def log_in(self, email: str, password: str, address: str, device: str = "", rp_id: str = "") -> User:
        """The person whom the password alone lets in. Raises as `check_password`, or FactorNeeded with a challenge for `factors.answer`."""
        user = self.check_password(email, password, address, device)
        if self.factors.on(user.id):
            raise self.factors.challenge(user, rp_id)
        return user

    def second_step(self, challenge: str, code: str, address: str, device: str = "") -> User:
        """The person whose login a code completes. Raises as `factors.answer`."""
        return self.factors.answer(challenge, code, address, device)

    def open_session(self, user: User, kind: str, address: str, agent: str) -> tuple[Session, str]:
        """A new session; returns it with its secret (the cookie or refresh token), which is kept nowhere."""
        now, secret = self._kit.now(), self._kit.random.bytes(32).hex()
        org_id = (self.claims(user.id).get("org") or {}).get("id", "")
        with self._kit.db.transaction():
            session = Session.create(id=self._kit.random.uuid(), user_id=user.id, kind=kind, secret_hash=digest(secret), chosen_org=org_id,
                                     address=address[:64], agent=agent[:200], created_at=now, seen_at=now,
                                     expires_at=user.expires_at or sessions.until(self._kit, now, now), offline=user.offline_session)
        return session, secret

    def welcome(self, call: Any, user: User) -> None:
        """What goes with a login that another feature finishes in this request: the browser is known from now on (identity/arrival.py)."""
        from unibos.features.identity.arrival import welcome

        welcome(call, user)

    def tokens(self, user: User, address: str, agent: str) -> dict[str, Any]:
        """Open a session for a program: {token, refresh_token, expires_in, user} (decision 15)."""
        session, secret = self.open_session(user, "token", address, agent)
        return self._answer(user, session, secret)

    def _answer(self, user: User, session: Session, secret: str) -> dict[str, Any]:
        seconds, now = self._kit.settings["UNIBOS_ACCESS_SECONDS"], int(self._kit.now().timestamp())
        seconds = min(seconds, int((user.expires_at - self._kit.now()).total_seconds())) if user.expires_at else seconds
        claims = {"sub": user.id, "email": user.email, "name": user.name, "iat": now, "exp": now + seconds,
                  "jti": self._kit.random.uuid(), "sid": session.id, "kind": "person", **self.claims(user.id, session.chosen_org)}
        return {"token": self.signer.sign(claims), "refresh_token": secret, "expires_in": seconds,
                "user": {"id": user.id, "email": user.email, "name": user.name, "kind": user.kind}}

    def claims(self, user_id: str, org_id: str = "") -> dict[str, Any]:
        """What higher features say of a person in that organisation (their first, if none is named): organisation, role, permissions."""
        said: dict[str, Any] = {}
        for claim in self._kit.gather("claims"):
            said.update(claim(user_id, org_id))
        return said

    def refresh(self, secret: str) -> dict[str, Any]:
        """New tokens for a refresh token, which is used up by it. One used twice ends its session: somebody stole it."""
        hashed, now = digest(secret), self._kit.now()
        fresh = self._kit.random.bytes(32).hex()
        with self._kit.db.transaction():
            began = Session.select(Session.created_at).where(Session.secret_hash == hashed).scalar() or now
            changed = (Session.update(secret_hash=digest(fresh), previous_hash=hashed, seen_at=now, expires_at=sessions.until(self._kit, now, began))
                       .where(Session.secret_hash == hashed, Session.kind == "token", Session.revoked_at.is_null(),
                              Session.expires_at > now).execute())
            stolen = None if changed else Session.get_or_none(Session.previous_hash == hashed, Session.revoked_at.is_null())
            if stolen is not None:
                sessions.end(self._kit, Session.id == stolen.id, "reused")
        if stolen is not None:
            self.events.note(stolen.user_id, "token-reused", T("A refresh token of yours was used twice, so somebody else may have had it. "
                                                               "That session was ended: log in again there, and change your password if it was not you."))
        if not changed:
            raise Unauthenticated(T("This refresh token cannot be used (any more). Log in again."))
        session = Session.get(Session.secret_hash == digest(fresh))
        user = self.user(session.user_id)
        if not self.people.alive(user):
            raise Unauthenticated(T("This account has ended."))
        return self._answer(user, session, fresh)

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
        return self._of_session(self._with_user(Session.id == claims.get("sid", "")), "bearer", str(org.get("id", "")))

    def by_cookie(self, secret: str) -> Actor:
        """The actor of a browser's session cookie, or nobody."""
        session = self._with_user((Session.secret_hash == digest(secret)) & (Session.kind == "browser"))
        try:
            return self._of_session(session, "cookie")
        except Unauthenticated:
            return NOBODY

    def _with_user(self, where: Any) -> Session | None:
        """The session with its person as `person` (None: gone, disabled or expired), in one query, because every request asks for it."""
        return (Session.select(Session.id, Session.created_at, Session.expires_at, Session.seen_at, Session.revoked_at, Session.chosen_org, Session.offline,
                               User.id, User.name, User.language, User.theme, User.expires_at)
                .join(User, peewee.JOIN.LEFT_OUTER, on=(User.id == Session.user_id) & alive(self._kit.now()), attr="person")
                .where(where).first())

    def _of_session(self, session: Session | None, via: str, org_id: str = "") -> Actor:
        now = self._kit.now()
        if session is None or session.revoked_at is not None or session.expires_at <= now:
            raise Unauthenticated(T("This session has ended. Log in again."))
        user = getattr(session, "person", None)
        if user is None:
            raise Unauthenticated()
        if now - session.seen_at > SEEN_EVERY:
            with self._kit.db.transaction():
                ends = user.expires_at or sessions.until(self._kit, now, session.created_at)
                Session.update(seen_at=now, expires_at=ends).where(Session.id == session.id).execute()
        org = self.claims(user.id, org_id or session.chosen_org).get("org") or {}
        return Actor("person", user.id, org.get("id", ""), org.get("role", ""), user.name, via, session.id, user.language, user.theme,
                     offline=session.offline)

    def sessions(self, user_id: str) -> list[Session]:
        """The open sessions of a person, the newest first."""
        return list(Session.select().where(Session.user_id == user_id, Session.revoked_at.is_null(),
                                           Session.expires_at > self._kit.now()).order_by(Session.seen_at.desc()))

    def close_session(self, session_id: str, user_id: str, why: str = "logout") -> None:
        """End one session of a person; raises NotFound for another's."""
        if not sessions.end(self._kit, (Session.id == session_id) & (Session.user_id == user_id), why):
            raise NotFound()

    def close_sessions(self, session_ids: list[str], why: str) -> None:
        """End these sessions, whosever they are."""
        sessions.end(self._kit, Session.id.in_(session_ids), why)

    def end_sessions(self, user_id: str, *, but: str = "", why: str = "other") -> int:
        """End all sessions of a person but `but`, at once and also where they have pages open; returns how many. `why` is a word of sessions.WHY."""
        return len(sessions.end(self._kit, (Session.user_id == user_id) & (Session.id != but), why))

    def alive(self, session_ids: list[str]) -> set[str]:
        """Which of these sessions still count. Open sockets are held to it."""
        return sessions.alive(self._kit, session_ids)

    def why_ended(self, secret: str) -> Text | None:
        """Why the session of a browser's cookie has ended, or None for one that has not, or that nobody knows."""
        found = Session.get_or_none(Session.secret_hash == digest(secret), Session.kind == "browser") if secret else None
        if found is None or (found.revoked_at is None and found.expires_at > self._kit.now()):
            return None
        return sessions.WHY.get(found.ended_by, sessions.ENDED)

    def tidy(self) -> str:
        """Forget what is past: sessions that ended 30 days ago, old events, secrets, challenges and counters. Called now and then by the agent."""
        before = self._kit.now() - ENDED_KEPT
        with self._kit.db.transaction():
            gone = Session.delete().where((Session.expires_at < before) | (Session.revoked_at < before)).execute()
        return f"forgot {gone + self.events.tidy() + self.resets.tidy() + self.passkeys.tidy() + self._throttles.tidy()}"


class HubIdentity(Identity):
    """People of a hub: its keys turn, and its nodes ask it about people."""

    def __init__(self, kit: Kit, services: Mapping[str, Any]):
        super().__init__(kit, services)
        self.for_nodes, self.linked = ForNodes(kit, self), LinkedAccounts(kit, self)

    @cached_property
    def signer(self) -> Keyring:  # type: ignore[override]
        """The signer of this hub's tokens, with the ring of its keys."""
        return Keyring(self._kit)


def build(kit: Kit, services: Mapping[str, Any]) -> HubIdentity:
    """The service on a hub; a node's is in `node_service.py`."""
    return HubIdentity(kit, services)
