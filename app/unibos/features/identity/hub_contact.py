"""The agent's half on a node: it alone has a way out, so it asks hubs for logins and, with each contact, whether what is kept still holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity.hub_models import HubKeys, HubPerson
from unibos.kernel.errors import Blocked, NotFound, NotTrusted, Unavailable, UnibosError
from unibos.kernel.words import T
from unibos.wire import contact

if TYPE_CHECKING:
    from unibos.features.identity.node_service import NodeIdentity
    from unibos.kernel.kit import Kit

# For so long nobody is made to wait again for a hub that did not answer, unless it has answered a heartbeat since.
SILENT_SECONDS = 10.0


class Contact:
    """Talks to this node's hubs about people."""

    def __init__(self, kit: Kit, identity: NodeIdentity, link: Any):
        self._kit, self._identity, self._link = kit, identity, link
        self._silent: dict[str, float] = {}

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What the web process asks for: `login`, `second`, or a call about linking. Answers {state, …, url, node_id}; `away` when no hub answers."""
        does = {"login": ("/api/v1/auth/node-login/", "login"), "second": ("/api/v1/auth/node-login/factor/", "login"),
                "link": ("/api/v1/auth/link/init/", "link"), "link-verify": ("/api/v1/auth/link/verify/", "link"),
                "link-status": ("/api/v1/auth/link/status/", "link")}.get(str(question.get("do")))
        if does is None:
            raise UnibosError(T("The agent does not know this question."))
        return self._ask(*does, dict(question["body"]), str(question.get("url", "")))

    def _ask(self, path: str, data_type: str, body: Mapping[str, Any], only: str) -> dict[str, Any]:
        """The first hub that answers, in their order; `only` names one. A hub that refuses is asked no further than the others allow."""
        refused: dict[str, Any] | None = None
        hubs = self._link.hubs()
        for hub in hubs:
            if (only and hub.url != only) or self._is_silent(hub):
                continue
            try:
                said = self._link.call(hub, path, data_type, body, module="identity")
            except Unavailable:
                self._silent[hub.url] = self._kit.clock.monotonic()
                continue
            except (NotFound, Blocked, NotTrusted) as error:  # it does not speak with this node, or the owner of this one does not want it
                self._kit.log.warning("%s: %s", hub.url, error.text)
                continue
            found = {**said, "url": hub.url, "node_id": hub.node_id, "hub_ids": [h.node_id for h in hubs]}
            if said.get("state") != "refused" or said.get("why") != "credentials":
                return found
            refused = refused or found
        return refused or {"state": "away"}

    def _is_silent(self, hub: Any) -> bool:
        since = self._silent.get(hub.url)
        return since is not None and bool(hub.failure) and 0 <= self._kit.clock.monotonic() - since < SILENT_SECONDS

    # Contact.

    def report(self) -> str:
        """Ask every hub what of its people still holds, and do as it says; a silent hub is noted, never an error. Returns a sentence."""
        people, said = self._identity.hub_people, []
        people.mark()
        hubs = self._link.hubs()
        for hub in hubs:
            rows = self._of(hub)
            known = [{"id": p.id, "version": p.version, "fingerprint": p.fingerprint} for p in rows]
            try:
                answer = contact.answer(self._link.call(hub, "/api/v1/auth/permissions/sync/", "people", {"people": known}, module="identity"))
                said.append(f"{hub.url}: {self._apply(hub, answer, {row.id: row for row in rows}, {h.node_id for h in hubs})}")
            except NotTrusted as error:
                self._let_go(rows)
                said.append(f"{hub.url}: {error}")
            except (UnibosError, ValueError) as error:
                said.append(f"{hub.url}: {error}")
        return "; ".join(said) or "no hub"

    def _let_go(self, rows: list[HubPerson]) -> None:
        """A hub that took this node's trust away vouches for nobody here any more: what was kept to let its people in is ended."""
        with self._kit.db.transaction():
            for row in rows:
                self._identity.hub_people.end(row.id, revoked=True)
            if rows:
                self._kit.changed("people")

    @staticmethod
    def _of(hub: Any) -> list[HubPerson]:
        """The people of a hub; those that it confirmed longest ago first, so that everybody is asked for in turn where there are many."""
        issuers = [row.issuer for row in HubKeys.select().where(HubKeys.node_id == hub.node_id)]
        return list(HubPerson.select().where(HubPerson.issuer.in_(issuers), HubPerson.revoked_at.is_null())
                    .order_by(HubPerson.confirmed_at).limit(contact.MOST))

    def _apply(self, hub: Any, answer: contact.Answer, asked: Mapping[str, HubPerson], hub_ids: set[str]) -> str:
        """Keep what the hub said, whole or not at all."""
        people, counts = self._identity.hub_people, dict.fromkeys(contact.STATES, 0)
        with self._kit.db.transaction():
            people.contacted()
            people.keep_keys(hub.node_id, answer.issuer, answer.keys, hub_ids)
            for user_id, state, told in answer.people:
                row = asked.get(user_id)
                if row is None or row.issuer != answer.issuer:
                    continue  # not what was asked for
                counts[state] += 1
                if state in ("revoked", "credential"):
                    people.end(user_id, revoked=state == "revoked")
                if told is not None:
                    people.keep(answer.issuer, told)
                elif state == "unchanged":
                    people.confirm(user_id)
            if counts["revoked"] + counts["credential"] + counts["permissions"]:
                self._kit.changed("people")
        for state in ("revoked", "credential"):
            if counts[state]:
                self._kit.log.warning("%s: %s of %d people: their sessions here have ended", hub.url, state, counts[state])
        return ", ".join(f"{n} {state}" for state, n in counts.items() if n) or "nobody to ask for"


def loops(kit: Kit, services: Mapping[str, Any]) -> list[tuple[str, Callable[[Callable[[], bool]], None]]]:
    """Logins that the web process passes on, and contact."""
    identity = services["identity"]
    talk = Contact(kit, identity, services["link"])

    def contacts(stop: Callable[[], bool]) -> None:
        due = 0.0
        for told in kit.bus.listen(["contact"], timeout=0.5):
            if stop():
                return
            if told is not None or kit.clock.monotonic() >= due:
                kit.log.debug("contact: %s", talk.report())
                due = kit.clock.monotonic() + kit.settings["UNIBOS_CONTACT_SECONDS"]

    return [("contacts", contacts), ("logins", lambda stop: kit.bus.serve("identity", talk.answer, stop))]


def turn_keys(_kit: Kit, services: Mapping[str, Any]) -> str:
    """The periodic step of a hub's signing keys."""
    return services["identity"].signer.turn()
