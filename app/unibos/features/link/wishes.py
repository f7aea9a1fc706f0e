"""Asking a hub to be let in without a token, until somebody there has decided."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.link.models import Hub, Wish
from unibos.kernel.errors import Conflict, Invalid, NotFound, UnibosError
from unibos.kernel.words import T
from unibos.wire import pin, proof

if TYPE_CHECKING:
    from unibos.features.link.service import Link
    from unibos.kernel.kit import Kit

MOST = 5
LONGEST = 300.0


class Wishes:
    """Hubs that this node has asked and that have not let it in (yet)."""

    def __init__(self, kit: Kit, link: Link):
        self._kit, self._link = kit, link

    def all(self) -> list[Wish]:
        """What is waited for, the oldest first."""
        return list(Wish.select().order_by(Wish.asked_at))

    def ask(self, url: str, organisation: str, wanted: str, about: Mapping[str, Any]) -> Hub | None:
        """Ask a hub; returns it where it lets this node in at once, else None, and it is asked again until it has decided.

        `wanted` is the pin of the hub's own authority, empty for public ones. Raises Conflict for a hub that was joined already or asked,
        Invalid, Unavailable when it does not answer now; then nothing is kept.
        """
        from unibos.features.link.service import here, tidy

        url = tidy(url)
        if Hub.get_or_none(Hub.url == url) is not None:
            raise Conflict(T("This node has joined %(url)s already.", url=url))
        if Wish.select().where(Wish.url != url).count() >= MOST:
            raise Conflict(T("This node asks %(most)s hubs already. Take one back first.", most=MOST))
        authority = ""
        if wanted and url.startswith("https://"):
            try:
                _token, wanted = pin.split(f"A.{wanted}")
            except ValueError:
                raise Invalid(T("The pin was not copied whole: it has 26 letters and digits.")) from None
            authority = self._link.pinned(url, wanted)
        elif not url.startswith("https://") and not here(url):
            raise Invalid(T("A hub that is asked without a token has an address that begins with https://."))
        answer = self._ask(url, organisation, authority, about)
        if answer["state"] == "approved":
            return self._in(url, authority, answer)
        now = self._kit.now()
        with self._kit.db.transaction():
            Wish.delete().where(Wish.url == url).execute()
            Wish.create(url=url, organisation=organisation, authority=authority, state=answer["state"], asked_at=now,
                        due_at=now + dt.timedelta(seconds=float(answer.get("poll_in") or 15)))
            self._kit.changed("hubs")
        return None

    def _ask(self, url: str, organisation: str, authority: str, about: Mapping[str, Any]) -> dict[str, Any]:
        from unibos.features.link.service import b64

        challenge = self._link.challenge(url, authority)
        signature = proof.sign(self._link.seed, "apply", challenge, organisation)
        answer = self._link.post(url, "/api/v1/nodes/apply/", "enrol", {
            "organisation": organisation, "public_key": b64(self._link.public_key()), "challenge": challenge, "signature": b64(signature), **about},
            authority=authority)
        if answer.get("state") not in ("pending", "approved", "refused"):
            raise Invalid(T("%(url)s does not understand this: is it a hub of this version?", url=url))
        return answer

    def _in(self, url: str, authority: str, answer: Mapping[str, Any]) -> Hub:
        with self._kit.db.transaction():
            Wish.delete().where(Wish.url == url).execute()
            return self._link.keep(url, authority, answer)

    def again(self, about: Mapping[str, Any]) -> list[Hub]:
        """Ask those that are due; returns the hubs that let this node in. One that does not answer is asked later and later, each five minutes at most."""
        now, joined = self._kit.now(), []
        for wish in Wish.select().where(Wish.state == "pending", Wish.due_at <= now):
            try:
                answer = self._ask(wish.url, wish.organisation, wish.authority, about)
            except UnibosError as error:
                self._later(wish, now, min(LONGEST, 15.0 * 2 ** min(wish.tries, 10)), tries=wish.tries + 1, why=str(error.text)[:300])
                continue
            if answer["state"] == "approved":
                joined.append(self._in(wish.url, wish.authority, answer))
                continue
            # Who decides is a person: the first minutes are quick, then it becomes calm.
            waited = (now - wish.asked_at).total_seconds()
            self._later(wish, now, min(LONGEST, max(float(answer.get("poll_in") or 15), waited / 20)), tries=0, why="", state=answer["state"])
        return joined

    def _later(self, wish: Wish, now: dt.datetime, seconds: float, **fields: Any) -> None:
        changed = any(getattr(wish, name) != value for name, value in fields.items() if name != "tries")
        with self._kit.db.transaction():
            Wish.update(due_at=now + dt.timedelta(seconds=seconds), **fields).where(Wish.url == wish.url).execute()
            if changed:
                self._kit.changed("hubs")

    @staticmethod
    def taken(url: str) -> None:
        """This hub was joined by another way. Call it in a transaction."""
        Wish.delete().where(Wish.url == url).execute()

    def drop(self, url: str) -> None:
        """Do not ask this hub any more. Raises NotFound."""
        with self._kit.db.transaction():
            if not Wish.delete().where(Wish.url == url).execute():
                raise NotFound(T("This node asks no hub at that address."))
            self._kit.changed("hubs")
