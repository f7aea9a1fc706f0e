"""People of hubs on a node: who they are by their hub's word, how old that word is, and who of them gets in while no hub answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity import passwords
from unibos.features.identity.hub_models import ClockSeen, HubKeys, HubPerson, LocalGrant
from unibos.features.identity.models import Session, User
from unibos.features.identity.standing import GRANTS, KEYS, Standing, passed, standing
from unibos.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from unibos.kernel.words import T
from unibos.wire import contact, tokens

if TYPE_CHECKING:
    from unibos.features.identity.service import Identity
    from unibos.kernel.actors import Actor
    from unibos.kernel.kit import Kit

KNOWN_SECONDS = 2.0
MARK_EVERY = dt.timedelta(seconds=30)


def wrong() -> Unauthenticated:
    """The one answer for everything that is not let in, whoever it was."""
    return Unauthenticated(T("E-mail or password is wrong."))


class HubPeople:
    """The people of hubs whom this node knows."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity
        self._known: dict[str, tuple[float, HubPerson | None, str]] = {}
        self._seen: dict[str, tuple[str, dict[str, Any]]] = {}

    # The clock, by the latest that it has ever shown.

    def seen(self) -> dt.datetime | None:
        """The latest time that this node's clock has shown, or None before it was noted."""
        row = ClockSeen.get_or_none(ClockSeen.id == 1)
        return row.at if row else None

    def mark(self) -> None:
        """Note the time, if it is later than what was noted."""
        now = self._kit.now()
        with self._kit.db.transaction():
            if not ClockSeen.update(at=now).where(ClockSeen.id == 1, ClockSeen.at < now - MARK_EVERY).execute() and self.seen() is None:
                ClockSeen.insert(id=1, at=now).on_conflict(action="IGNORE").execute()

    def _latest(self) -> dt.datetime:
        """When a hub's word counts from: a clock that went back, or was never set, must not make it look years old at once."""
        now = self._kit.now()
        return max(now, self.seen() or now)

    def contacted(self) -> None:
        """A hub has answered: from here on time is counted anew, also where the clock was ahead before."""
        now = self._kit.now()
        if not ClockSeen.update(at=now).where(ClockSeen.id == 1).execute():
            ClockSeen.insert(id=1, at=now).on_conflict(action="IGNORE").execute()

    # Keys of hubs.

    def keep_keys(self, node_id: str, issuer: str, jwks: Mapping[str, Any], hub_ids: set[str]) -> None:
        """Keep the published keys of a hub where this node is `node_id`. Raises Forbidden when another hub (of `hub_ids`) is known by that name."""
        row = HubKeys.get_or_none(HubKeys.issuer == issuer)
        if row is not None and row.node_id != node_id and row.node_id in hub_ids:
            raise Forbidden(T("Two hubs sign by the same name. The one that this node joined first is believed."))
        fields = {"node_id": node_id, "jwks": {"keys": list(jwks["keys"])}, "fetched_at": self._latest()}
        if not HubKeys.update(**fields).where(HubKeys.issuer == issuer).execute():
            HubKeys.create(issuer=issuer, **fields)
        self._seen.clear()

    def verify(self, token: str, issuer: str = "") -> dict[str, Any]:
        """The claims of a token that a known hub made for this node. Raises Unauthenticated.

        With `issuer` it has come from that hub itself just now: then this node's clock, which may be wrong, is not asked.
        """
        now, seen = self._kit.now(), self.seen()
        try:
            kid = tokens.header(token)["kid"]
            for row in HubKeys.select():
                keys = tokens.keys_of(row.jwks)
                if kid in keys and (not issuer or row.issuer == issuer) and passed(now, seen, row.fetched_at) < KEYS:
                    claims = tokens.signed(token, tokens.NODE, keys)
                    tokens.check(claims, row.issuer, tokens.node_audience(row.node_id), claims.get("iat", 0) if issuer else max(now, seen or now).timestamp())
                    return claims
        except tokens.Refused as error:
            if error.why == "expired":
                raise Unauthenticated(T("This token has expired. Log in again.")) from error
            raise Unauthenticated(T("This token cannot be used.")) from error
        raise Unauthenticated(T("This token is not one of this device's."))

    # Who they are.

    def person(self, user_id: str) -> HubPerson | None:
        """A person of a hub, by id."""
        return HubPerson.get_or_none(HubPerson.id == user_id) if user_id.isprintable() else None

    def keep(self, issuer: str, told: contact.Person, *, verifier: str = "", said_at: dt.datetime | None = None) -> User:
        """Keep what a hub says of a person, or said at `said_at`. Call it in a transaction. Raises Forbidden for an id that is another's."""
        now, known = self._latest(), self.person(told.id)
        user = User.get_or_none(User.id == told.id)
        if (known is not None and known.issuer != issuer) or (user is not None and known is None):
            raise Forbidden(T("This account's number belongs to another account on this node."))
        fields = {"issuer": issuer, "email": told.email.lower(), "version": told.version, "role": told.role, "factor": told.factor,
                  "org": dict(told.org), "permissions": dict(told.permissions), "fingerprint": contact.fingerprint(told),
                  "confirmed_at": min(now, said_at or now), "revoked_at": None, **({"verifier": verifier} if verifier else {})}
        if known is None:
            HubPerson.create(id=told.id, **{"verifier": "", **fields})
        else:
            HubPerson.update(**fields).where(HubPerson.id == told.id).execute()
        self._known.pop(told.id, None)
        return self._row(told, user)

    def _row(self, told: contact.Person, user: User | None) -> User:
        """The person's row among this node's people. An e-mail that a local account has stays that account's; who is meant is known by the id."""
        email = told.email.lower()
        taken = User.select().where(User.email == email, User.id != told.id).exists()
        fields = {"email": f"{told.id}@hub.invalid" if taken else email, "name": told.name[:120]}
        if user is None:
            return User.create(id=told.id, password_hash="", kind="hub", created_at=self._kit.now(), **fields)
        User.update(**fields).where(User.id == told.id).execute()
        return self._identity.user(told.id)

    def end(self, user_id: str, *, revoked: bool) -> None:
        """Forget how the person proves who they are, and end their sessions here. Call it in a transaction."""
        HubPerson.update(verifier="", **({"revoked_at": self._kit.now()} if revoked else {})).where(HubPerson.id == user_id).execute()
        self._identity.end_sessions(user_id, why="disabled" if revoked else "password")
        self._known.pop(user_id, None)

    def confirm(self, user_id: str) -> None:
        """The hub has said that all this holds: sessions that began without it are good ones from here on. Call it in a transaction."""
        HubPerson.update(confirmed_at=self._kit.now()).where(HubPerson.id == user_id).execute()
        Session.update(offline=False).where(Session.user_id == user_id, Session.offline == True).execute()  # noqa: E712 - a column
        self._known.pop(user_id, None)

    # What they may.

    def grant(self, user_id: str) -> str:
        """The role that the owner of this node granted, or nothing."""
        row = LocalGrant.get_or_none(LocalGrant.person_id == user_id)
        return row.role if row else ""

    def set_grant(self, user_id: str, role: str, actor_id: str) -> None:
        """Grant a person a role for when the hub's word is too old; an empty one takes it back. Raises NotFound, Invalid."""
        person = self.person(user_id)
        if person is None:
            raise NotFound(T("This node knows no person of a hub with this number."))
        if role and role not in GRANTS:
            raise Invalid(T("This role cannot be granted."), fields={"role": T("One of: %(roles)s.", roles=", ".join(GRANTS))})
        with self._kit.db.transaction():
            LocalGrant.delete().where(LocalGrant.person_id == user_id).execute()
            if role:
                LocalGrant.create(person_id=user_id, role=role, granted_by=actor_id[:36], granted_at=self._kit.now())
            self._kit.changed("people")
        self._known.pop(user_id, None)
        self._kit.log.warning("local grant of %s: %s", user_id, role or "none")

    def _recent(self, user_id: str) -> tuple[HubPerson | None, str]:
        """The person and their grant, at most two seconds old, since every request asks."""
        now, (until, person, grant) = self._kit.clock.monotonic(), self._known.get(user_id, (0.0, None, ""))
        if not now < until <= now + KNOWN_SECONDS:
            if len(self._known) > 1000:
                self._known.clear()
            person, grant = self.person(user_id), self.grant(user_id)
            self._known[user_id] = (now + KNOWN_SECONDS, person, grant)
        return person, grant

    def standing(self, user_id: str) -> Standing | None:
        """What a person may here now and why; None for who is of no hub."""
        person, grant = self._recent(user_id)
        if person is None:
            return None
        return standing(self._kit.now(), trusted=self._kit.clock.trusted(), seen=self.seen(), confirmed=person.confirmed_at, role=person.role,
                        grant=grant, revoked=person.revoked_at is not None)

    def claims_of(self, user_id: str) -> dict[str, Any]:
        """What a hub says of a person, as far as it still holds. Raises Unauthenticated with the reason for who may not be here any more."""
        found = self.standing(user_id)
        if found is None:
            return {}
        if not found.allowed:
            raise Unauthenticated(found.why)
        person, _grant = self._recent(user_id)
        homes = self._kit.gather("home")
        org_id = homes[0]() if homes else ""
        return {"org": {"id": org_id, "name": person.org.get("name", ""), "type": person.org.get("type", ""), "role": found.role},
                "permissions": person.permissions if found.state == "fresh" else {}}

    def all(self) -> list[dict[str, Any]]:
        """The people of hubs with standing and grant, by name, for the owner's page."""
        names = dict(User.select(User.id, User.name).where(User.kind == "hub").tuples())
        rows = HubPerson.select().order_by(HubPerson.email)
        return [{"id": p.id, "email": p.email, "name": names.get(p.id, ""), "hub_role": p.role, "grant": self.grant(p.id), "confirmed_at": p.confirmed_at,
                 "standing": self.standing(p.id), "offline": bool(p.verifier)} for p in rows]

    # Getting in.

    def offline(self, email: str, password: str) -> User:
        """The person whom the cached verifier lets in while no hub answers; their session is marked. Takes as long for who is not known.

        Raises Unauthenticated: alike for an unknown e-mail and a wrong password, and with the reason once the password was right.
        """
        self.mark()
        rows = list(HubPerson.select().where(HubPerson.email == email.strip().lower(), HubPerson.verifier != "", HubPerson.revoked_at.is_null()).limit(2))
        person = rows[0] if len(rows) == 1 else None  # two hubs with the same e-mail: nobody can say who is meant
        if not self._kit.heavy(passwords.matches, person.verifier if person else "", password) or person is None:
            raise wrong()
        found = self.standing(person.id)
        if found is None or not found.allowed:
            raise Unauthenticated(found.why if found else None)
        user = User.get_or_none((User.id == person.id) & User.disabled_at.is_null())
        if user is None:
            raise wrong()
        user.offline_session = True
        if person.factor and not self._identity.factors.on(user.id):
            raise Unauthenticated(T("Your account has a second step on the hub, and no hub answers to check it. Set up a second step on this node, too, "
                                    "while a hub answers: then you can log in here without one."))
        return user

    def actor_of(self, token: str, make: Callable[..., Actor]) -> Actor:
        """Who shows a token that a hub made for this node. Somebody new is kept as the token says. Raises Unauthenticated."""
        claims = self.verify(token)
        try:
            told = contact.person({**claims, "id": claims["sub"], "version": claims.get("ver"), "factor": claims.get("fac"),
                                   "role": (claims.get("org") or {}).get("role")})
        except (ValueError, AttributeError) as error:
            raise Unauthenticated(T("This token cannot be used.")) from error
        person = self.person(told.id)
        if person is None:
            with self._kit.db.transaction():
                self.keep(claims["iss"], told, said_at=dt.datetime.fromtimestamp(claims["iat"], dt.UTC))
            person = self.person(told.id)
        if person.issuer != claims["iss"] or person.revoked_at is not None or person.version != told.version:
            raise Unauthenticated(T("This token cannot be used (any more). Log in again."))
        user = User.get_or_none((User.id == told.id) & User.disabled_at.is_null())
        if user is None:
            raise Unauthenticated()
        org = self._identity.claims(user.id).get("org") or {}
        return make("person", user.id, org.get("id", ""), org.get("role", ""), user.name, "bearer", "", user.language, user.theme)
