"""A local account and an account of a hub that are one person's (docs/spec/tokens.md): the node's half, and the hub's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity.hub_models import AccountLink, LinkedAccount
from unibos.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from unibos.kernel.words import T
from unibos.wire import tokens

if TYPE_CHECKING:
    from unibos.features.identity.node_service import NodeIdentity
    from unibos.features.identity.service import Identity
    from unibos.kernel.kit import Kit

CHOICES = ("separate", "merge", "primary", "import")
OLDER = ("none", "all", "since")
MOST_ACCOUNTS = 50


class Linking:
    """The node's half: one link for each local account."""

    def __init__(self, kit: Kit, identity: NodeIdentity):
        self._kit, self._identity = kit, identity

    def ids(self, user_id: str) -> tuple[str, ...]:
        """The ids by which records belong to one person here: the one given first, then those of linked accounts."""
        rows = AccountLink.select().where((AccountLink.local_id == user_id) | (AccountLink.hub_id == user_id))
        found = [user_id]
        for row in rows:
            found += [other for other in (row.local_id, row.hub_id) if other not in found]
        return tuple(found)

    def of(self, user_id: str) -> AccountLink | None:
        """The link of a local account."""
        return AccountLink.get_or_none(AccountLink.local_id == user_id)

    def begin(self, user_id: str, email: str, password: str, address: str) -> dict[str, Any]:
        """First step: prove the hub's account. Raises FactorNeeded where the hub wants a second step, Unauthenticated, Throttled, Unavailable,
        Conflict for what is linked and confirmed, Forbidden for an account that is no local one."""
        self._local(user_id)
        # Counted as logins are, so that this is no faster way to try passwords.
        for key in (f"login:{email.strip().lower()[:100]}", f"login@{address}"):
            self._identity.throttle(key)
        said = self._identity.ask_hub("link", {"email": email.strip().lower(), "password": password, "address": address})
        if said["state"] == "factor":
            raise self._identity.pass_on(said, password)
        found = self._finish(user_id, said, second=False)
        self._identity.forgive(f"login:{email.strip().lower()[:100]}", f"login@{address}")
        return found

    def second(self, user_id: str, challenge: str, code: str, address: str) -> dict[str, Any]:
        """The hub's second step of `begin`. Raises as it does."""
        self._local(user_id)
        waiting = self._identity.waiting(challenge)
        if waiting is None:
            raise Conflict(T("This login took too long or was tried too often. Begin again with your password."))
        self._identity.throttle(f"factor@{address}")
        said = self._identity.ask_hub("second", {"challenge": challenge, "code": code, "address": address}, waiting.hub_url)
        return self._finish(user_id, said, second=True)

    def _finish(self, user_id: str, said: Mapping[str, Any], *, second: bool) -> dict[str, Any]:
        """Keep the link, pending, here and on the hub."""
        if said["state"] == "away":
            raise Unavailable(T("No hub answers now. Linking takes one: try again when it does."))
        person = self._identity.taken(said, "", second=second)
        local = self._identity.user(user_id)
        told = self._identity.ask_hub("link-verify", {"token": said["token"], "local_id": user_id, "email": local.email}, str(said["url"]))
        if told["state"] != "linked":
            raise Unavailable(T("No hub answers now. Linking takes one: try again when it does."))
        with self._kit.db.transaction():
            AccountLink.delete().where(AccountLink.local_id == user_id).execute()
            AccountLink.create(local_id=user_id, hub_id=person.id, issuer=str(said["issuer"])[:200], state="pending", linked_at=self._kit.now())
        self._identity.events.note(user_id, "linked", T("Your account on this node was linked with %(email)s on the hub.", email=str(said["person"]["email"])))
        return self.shown(user_id, told)

    def _local(self, user_id: str) -> None:
        if self._identity.user(user_id).kind != "local":
            raise Forbidden(T("Only a local account of this node can be linked with one of a hub."))
        found = self.of(user_id)
        if found is not None and found.state == "confirmed":
            raise Conflict(T("Your account is linked and confirmed already."))

    def choose(self, user_id: str, *, choice: str, older: str, since: dt.datetime | None, confirm: bool) -> dict[str, Any]:
        """Second and third step: what of the older data goes to the hub, how accounts of other nodes are seen, and, `confirm`, that it stays so.
        Raises NotFound without a link, Conflict for a confirmed one, Invalid, Unavailable."""
        found = self.of(user_id)
        if found is None:
            raise NotFound(T("Your account is not linked."))
        if choice not in CHOICES or older not in OLDER or (older == "since") != (since is not None):
            raise Invalid(T("Choose what older data goes to the hub: none, all, or from a day on."))
        if found.state == "confirmed":
            raise Conflict(T("Your account is linked and confirmed already."))
        told = self._tell(found, "confirm" if confirm else "choose", choice)
        with self._kit.db.transaction():
            AccountLink.update(older=older, since=since, state="confirmed" if confirm else "pending",
                               confirmed_at=self._kit.now() if confirm else None).where(AccountLink.local_id == user_id).execute()
        return self.shown(user_id, told)

    def undo(self, user_id: str) -> None:
        """Take a link back that was not confirmed. Raises NotFound, Conflict, Unavailable."""
        found = self.of(user_id)
        if found is None:
            raise NotFound(T("Your account is not linked."))
        if found.state == "confirmed":
            raise Conflict(T("A confirmed link stays: records may have been given out under both accounts."))
        self._tell(found, "undo", "separate")
        with self._kit.db.transaction():
            AccountLink.delete().where(AccountLink.local_id == user_id).execute()
        self._identity.events.note(user_id, "unlinked", T("The link of your account with the hub was taken back."))

    def _tell(self, link: AccountLink, act: str, choice: str) -> dict[str, Any]:
        told = self._identity.ask_hub("link-status", {"local_id": link.local_id, "user_id": link.hub_id, "act": act, "choice": choice})
        if told["state"] == "away":
            raise Unavailable(T("No hub answers now. Linking takes one: try again when it does."))
        return told

    def shown(self, user_id: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The link as API and page show it; `accounts` are the person's accounts on other nodes, where the hub has just told them."""
        link = self.of(user_id)
        if link is None:
            return {"state": "none", "hub_id": "", "older": "none", "since": None, "choice": "separate", "ids": list(self.ids(user_id)), "accounts": []}
        return {"state": link.state, "hub_id": link.hub_id, "older": link.older, "since": link.since.isoformat() if link.since else None,
                "choice": str((told or {}).get("choice") or "separate"), "ids": list(self.ids(user_id)), "accounts": list((told or {}).get("accounts") or [])}


class LinkedAccounts:
    """The hub's half: the local accounts of nodes that people have linked with theirs."""

    def __init__(self, kit: Kit, identity: Identity):
        self._kit, self._identity = kit, identity

    def verify(self, node_id: str, org_id: str, token: str, local_id: str, email: str) -> dict[str, Any]:
        """Link a node's local account with the person whose token for that node this is. The same once more changes nothing. Raises Forbidden for
        a token that is not one, Conflict for an account that is linked with somebody else."""
        self._identity.for_nodes.known(node_id, org_id)
        signer = self._identity.signer
        try:
            claims = tokens.signed(token, tokens.NODE, tokens.keys_of(signer.jwks()))
            tokens.check(claims, signer.name, tokens.node_audience(node_id), self._kit.now().timestamp())
        except tokens.Refused as error:
            raise Forbidden(T("This token cannot be used.")) from error
        mine = (LinkedAccount.org_id == org_id) & (LinkedAccount.node_id == node_id) & (LinkedAccount.local_id == local_id)
        with self._kit.db.transaction():
            known = LinkedAccount.get_or_none(mine)
            if known is not None and known.user_id != claims["sub"]:
                raise Conflict(T("This account of the node is linked with another account."))
            if known is None:
                LinkedAccount.insert(id=self._kit.random.uuid(), org_id=org_id, user_id=claims["sub"], node_id=node_id, local_id=local_id, email=email,
                                     state="pending", linked_at=self._kit.now()).on_conflict(action="IGNORE").execute()
        self._identity.events.note(claims["sub"], "linked", T("Your account was linked with the account %(email)s of a node.", email=email))
        return self._told(mine, org_id)

    def status(self, node_id: str, org_id: str, local_id: str, user_id: str, act: str, choice: str) -> dict[str, Any]:
        """Look at a link, choose (`choose`), confirm or undo it. Raises NotFound without one, Conflict for what is confirmed already."""
        self._identity.for_nodes.known(node_id, org_id)
        mine = ((LinkedAccount.org_id == org_id) & (LinkedAccount.node_id == node_id) & (LinkedAccount.local_id == local_id)
                & (LinkedAccount.user_id == user_id))
        open_ = mine & (LinkedAccount.state == "pending")
        with self._kit.db.transaction():
            found = LinkedAccount.get_or_none(mine)
            if found is None:
                if act == "undo":
                    return {"state": "none", "choice": "separate", "accounts": []}
                raise NotFound(T("Your account is not linked."))
            if act != "look" and found.state == "confirmed" and not (act == "confirm" and found.choice == choice):
                raise Conflict(T("Your account is linked and confirmed already."))
            if act == "undo":
                LinkedAccount.delete().where(open_).execute()
                return {"state": "none", "choice": "separate", "accounts": []}
            if act in ("choose", "confirm"):
                self._choose(found, choice)
            if act == "confirm":
                LinkedAccount.update(state="confirmed", confirmed_at=self._kit.now()).where(open_).execute()
        return self._told(mine, org_id)

    @staticmethod
    def _choose(found: LinkedAccount, choice: str) -> None:
        """Keep the choice; there is one primary account of a person in an organisation. Raises Conflict where another was confirmed as it."""
        of_person = (LinkedAccount.org_id == found.org_id) & (LinkedAccount.user_id == found.user_id) & (LinkedAccount.id != found.id)
        if choice == "primary":
            if LinkedAccount.select().where(of_person, LinkedAccount.choice == "primary", LinkedAccount.state == "confirmed").exists():
                raise Conflict(T("Another node's account was confirmed as the primary one."))
            LinkedAccount.update(choice="import").where(of_person, LinkedAccount.choice == "primary").execute()
        LinkedAccount.update(choice=choice).where(LinkedAccount.id == found.id, LinkedAccount.state == "pending").execute()

    def _told(self, mine: Any, org_id: str) -> dict[str, Any]:
        found = LinkedAccount.get(mine)
        others = LinkedAccount.select().where(LinkedAccount.org_id == org_id, LinkedAccount.user_id == found.user_id,
                                              LinkedAccount.id != found.id).order_by(LinkedAccount.linked_at).limit(MOST_ACCOUNTS)
        return {"state": "linked", "choice": found.choice,
                "accounts": [{"node_id": o.node_id, "email": o.email, "choice": o.choice, "state": o.state} for o in others]}

    def ids(self, user_id: str, org_id: str) -> tuple[str, ...]:
        """The ids under which a person's records may stand on this hub: their own, and of linked accounts that are not to stay separate."""
        rows = LinkedAccount.select(LinkedAccount.local_id).where(LinkedAccount.org_id == org_id, LinkedAccount.user_id == user_id,
                                                                  LinkedAccount.choice != "separate").order_by(LinkedAccount.linked_at)
        return (user_id, *(row.local_id for row in rows))
