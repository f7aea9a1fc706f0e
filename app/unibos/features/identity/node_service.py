"""Identity on a node: local accounts first, then people of the hubs that the node has joined, also while none of those answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity import passwords
from unibos.features.identity.hub_models import HubLogin
from unibos.features.identity.hub_people import HubPeople, wrong
from unibos.features.identity.linking import Linking
from unibos.features.identity.models import Session, User
from unibos.features.identity.service import Identity, digest
from unibos.features.identity.throttle import CEILING
from unibos.kernel.actors import Actor
from unibos.kernel.errors import FactorNeeded, Throttled, Unauthenticated, Unavailable
from unibos.kernel.words import T, Text
from unibos.wire import contact, tokens

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

# Two hubs may be asked, each for at most five seconds.
ASK_SECONDS = 12.0


class NodeIdentity(Identity):
    """People of this node: its own, and those of its hubs."""

    def __init__(self, kit: Kit, services: Mapping[str, Any]):
        super().__init__(kit, services)
        self._link = services["link"]
        self.hub_people = HubPeople(kit, self)
        self.linking = Linking(kit, self)

    # Logging in.

    def log_in(self, email: str, password: str, address: str, device: str = "", rp_id: str = "") -> User:
        """A local account of that e-mail with its own password, or else a person of a hub. Raises as Identity.log_in, and with the reason where a
        person of a hub is not let in without it."""
        try:
            return super().log_in(email, password, address, device, rp_id)
        except FactorNeeded:
            raise
        except Unauthenticated:
            if self._link.hub() is None:
                raise
            user = self._of_hub(email.strip().lower(), password, address)
        self.forgive(*self._login_keys(user, email.strip().lower(), address, device)[1])
        return self._with_own_factor(user, rp_id)

    def unconfirmed(self, user: User) -> bool:
        """Whether the person's account is a hub's."""
        return user.kind == "hub"

    def _with_own_factor(self, user: User, rp_id: str) -> User:
        """The person, unless they have a second step on this node and the hub asked for none."""
        if self.factors.on(user.id) and not user.stepped:
            raise self.factors.challenge(user, rp_id)
        return user

    def _of_hub(self, email: str, password: str, address: str) -> User:
        said = self.ask_hub("login", {"email": email, "password": password, "address": address})
        if said["state"] == "away":
            return self.hub_people.offline(email, password)
        if said["state"] == "factor":
            self.forgive(f"login:{email[:100]}", f"login@{address}")
            raise self.pass_on(said, password)
        return self.taken(said, self._kit.heavy(passwords.make, password) if said["state"] == "in" else "")

    def ask_hub(self, what: str, body: Mapping[str, Any], url: str = "") -> dict[str, Any]:
        """Have the agent ask a hub; {state: away} when no hub, or no agent, answers. Nobody is asked where no hub was joined."""
        try:
            return self._kit.bus.ask("identity", {"do": what, "body": dict(body), "url": url}, ASK_SECONDS)
        except Unavailable as error:
            self._kit.log.warning("a login goes on without a hub: %s", error.text)
            return {"state": "away"}

    def pass_on(self, said: Mapping[str, Any], password: str) -> FactorNeeded:
        """The error that asks for the hub's second step. What the password proves here later is kept only if that step is taken."""
        now, challenge = self._kit.now(), str(said["challenge"])
        seconds = min(600, int(said.get("expires_in") or 300))
        verifier = self._kit.heavy(passwords.make, password)
        with self._kit.db.transaction():
            HubLogin.delete().where(HubLogin.expires_at <= now).execute()
            HubLogin.insert(secret_hash=digest(challenge), hub_url=str(said["url"]), verifier=verifier,
                            expires_at=now + dt.timedelta(seconds=seconds)).on_conflict(action="IGNORE").execute()
        return FactorNeeded(T("The password is right. Now give the code of your app, or a recovery code."), challenge=challenge, expires_in=seconds,
                            factors=[str(f) for f in said.get("factors") or ["totp", "recovery"]])

    def waiting(self, challenge: str) -> HubLogin | None:
        """The login at a hub that waits for its second step, if this is its challenge."""
        return HubLogin.get_or_none((HubLogin.secret_hash == digest(challenge)) & (HubLogin.expires_at > self._kit.now()))

    def second_step(self, challenge: str, code: str, address: str, device: str = "") -> User:
        """The person whose login this completes, on the hub that asked for the step, or here. Raises as `factors.answer`."""
        waiting = self.waiting(challenge)
        if waiting is None:
            return super().second_step(challenge, code, address, device)
        self.throttle(f"factor@{address}")
        said = self.ask_hub("second", {"challenge": challenge, "code": code, "address": address}, waiting.hub_url)
        if said["state"] == "away":
            raise Unavailable(T("The hub that asked for your second step does not answer now. Try again in a moment."))
        user = self.taken(said, waiting.verifier, second=True)
        with self._kit.db.transaction():
            HubLogin.delete().where(HubLogin.secret_hash == waiting.secret_hash).execute()
        user.stepped = True
        return user

    def taken(self, said: Mapping[str, Any], verifier: str, *, second: bool = False) -> User:
        """The person whom a hub let in, kept with what it says of them. The token must be the hub's, for this node and this person."""
        if said["state"] != "in":
            raise _refused(str(said.get("why")), float(said.get("retry_after") or 0.0), second)
        try:
            told = contact.person(said["person"])
            tokens.keys_of(said["keys"])
        except (KeyError, ValueError) as error:
            self._kit.log.error("a hub's answer to a login was damaged: %s", error)
            raise Unavailable(T("The hub's answer cannot be read.")) from error
        with self._kit.db.transaction():
            self.hub_people.keep_keys(str(said["node_id"]), str(said["issuer"])[:200], said["keys"], set(said["hub_ids"]))
            claims = self.hub_people.verify(str(said["token"]), str(said["issuer"]))
            if claims["sub"] != told.id:
                raise wrong()
            user = self.hub_people.keep(claims["iss"], told, verifier=verifier)
        if user.disabled_at is not None:  # this node's owner has shut them out, whatever the hub says
            raise wrong()
        return user

    def _answer(self, user: User, session: Session, secret: str) -> dict[str, Any]:
        person = self.hub_people.person(user.id)
        if person is not None:
            user.email = person.email  # the row may have another one, where a local account has this e-mail
        return super()._answer(user, session, secret)

    def prove_password(self, user: User, password: str, address: str) -> None:
        """Raise Unauthenticated or Throttled unless the password is the person's, for a hub's person by what was kept of it here."""
        person = self.hub_people.person(user.id)
        if person is None:
            super().prove_password(user, password, address)
            return
        key = f"login-own:{user.id}"
        self.throttle(key, ceiling=CEILING)
        if not self._kit.heavy(passwords.matches, person.verifier, password):
            raise wrong()
        self.forgive(key)

    # Who is asking.

    def by_token(self, token: str) -> Actor:
        """The actor of a token of this node's own, or of one that a joined hub made for this node; raises Unauthenticated."""
        try:
            foreign = tokens.header(token)["typ"] == tokens.NODE
        except tokens.Refused:
            foreign = False
        return self.hub_people.actor_of(token, Actor) if foreign else super().by_token(token)

    def why(self, actor: Actor) -> Text | None:
        """What the account page says of a person of a hub whose rights are not fresh, or whose session no hub has confirmed."""
        found = self.hub_people.standing(actor.id) if actor.kind == "person" else None
        return found.why if found is not None and (actor.offline or found.state != "fresh") else None

    def own_ids(self, user_id: str) -> tuple[str, ...]:
        """The ids by which records belong to this person: their own, and that of the account they have linked."""
        return self.linking.ids(user_id)


def _refused(why: str, retry_after: float, second: bool) -> Exception:
    if why == "throttled":
        return Throttled(T("Too many tries. Wait %(seconds)s seconds.", seconds=int(retry_after) + 1), retry_after=retry_after)
    if why == "ended":
        return Unauthenticated(T("This login took too long or was tried too often. Begin again with your password."), ended=True)
    if why == "not-here":
        return Unauthenticated(T("Your account on the hub may not use this node. Who looks after your organisation can change that."), ended=True)
    if second:
        return Unauthenticated(T("This code is wrong, or it was used already. Wait for the next one, or use a recovery code."))
    return wrong()


def claims(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, str], dict[str, Any]]:
    """What the hub says of its people on this node, which is one organisation's."""
    return lambda user_id, _org_id="": services["identity"].hub_people.claims_of(user_id)


def status(kit: Kit, services: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """The mark of a session that no hub has confirmed, or whose rights have shrunk, in the status line."""
    from unibos.kernel.web import actor
    from unibos.panel.shell import say

    def report() -> dict[str, Any]:
        who = actor()
        if services["identity"].why(who) is None:
            return {}
        word = T("offline session") if who.offline else T("reduced rights")
        return {"session": {"state": "warn", "text": say(word), "href": "/settings/hub-account/"}}

    return report


def build(kit: Kit, services: Mapping[str, Any]) -> NodeIdentity:
    """The service on a node."""
    return NodeIdentity(kit, services)
