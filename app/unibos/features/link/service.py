"""The verbs of link: join a hub, and call it as this node. Every call names what leaves and passes the gate."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unibos.features.link.models import Hub
from unibos.features.link.wishes import Wishes
from unibos.kernel import authorities
from unibos.kernel.errors import Conflict, Invalid, NotFound, NotTrusted, Unavailable
from unibos.kernel.words import T
from unibos.wire import pin, proof, revocations

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


def b64(data: bytes) -> str:
    """Base64 as the API carries bytes."""
    return base64.b64encode(data).decode()


def tidy(url: str) -> str:
    """A hub's address as it is kept: https when no scheme is given, no path. Raises Invalid."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.username and (parts.port or True)
    except ValueError:  # brackets or a port that are none
        good = False
    if not good:
        raise Invalid(T("%(url)s is no address of a hub. Write it as https://hub.example.org.", url=url[:100]))
    return f"{parts.scheme}://{parts.netloc}"


def here(url: str) -> bool:
    """Whether an address leads to this very machine, so that nobody can be in between."""
    name = urlsplit(url).hostname or ""
    try:
        number = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return number.is_loopback or number.is_unspecified


def _name(authority: str) -> str:
    """SHA-256 of a certificate (PEM), hexadecimal: the name of its file."""
    return hashlib.sha256(pin.der(authority)).hexdigest()


class Link:
    """This node's hubs."""

    def __init__(self, kit: Kit):
        self._kit, self._tokens = kit, dict[str, tuple[str, float]]()
        self.wishes = Wishes(kit, self)

    @property
    def seed(self) -> bytes:
        """The node's own key; it never leaves the device."""
        return self._kit.secret("node-key", 32)

    def public_key(self) -> bytes:
        """The public half."""
        return proof.public_key(self.seed)

    def hubs(self) -> list[Hub]:
        """The hubs, the one to write to first."""
        return list(Hub.select().order_by(Hub.priority, Hub.joined_at))

    def hub(self) -> Hub | None:
        """The hub that is written to, or None while the node stands alone."""
        return Hub.select().order_by(Hub.priority, Hub.joined_at).first()

    def _online(self) -> None:
        if self._kit.settings["UNIBOS_OFFLINE_MODE"] == "forced":
            raise Unavailable(T("This node is set to stay offline (UNIBOS_OFFLINE_MODE)."))

    def post(self, url: str, path: str, data_type: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, *,
             authority: str = "", module: str = "registry") -> dict[str, Any]:
        """Post to a hub; `authority` as in `challenge`. Raises NotTrusted, NotFound, Conflict, Invalid or Unavailable by its answer, Blocked."""
        self._online()
        status, answer = self._kit.http.call("POST", url + path, module=module, data_type=data_type, destination="hub", json=body,
                                             headers=headers, authority=self._file(authority))
        if status == 403 and str(answer.get("type", "")).endswith(f":{NotTrusted.code}"):
            raise NotTrusted(answer.get("detail") or T("The hub refused: %(status)s.", status=status), since=str(answer.get("since", ""))[:40])
        if status == 401 or status == 404:
            raise NotFound(answer.get("detail") or T("The hub does not know this node."))
        if status == 409:
            raise Conflict(answer.get("detail") or T("The hub refused: %(status)s.", status=status))
        if status >= 500:
            raise Unavailable(answer.get("detail") or T("The hub answers with error %(status)s.", status=status))
        if status >= 400:
            raise Invalid(answer.get("detail") or T("The hub refused: %(status)s.", status=status))
        return answer

    def _file(self, authority: str) -> Path | None:
        """The file that holds `authority` (PEM), or None for the public CAs."""
        return authorities.kept(self._kit.data_dir, _name(authority), authority) if authority else None

    def _forget(self, authority: str) -> None:
        """Remove the file of an authority that no hub of this node needs."""
        if authority and not Hub.select().where(Hub.authority == authority).exists():
            authorities.place(self._kit.data_dir, _name(authority)).unlink(missing_ok=True)

    def challenge(self, url: str, authority: str = "") -> str:
        """A challenge of the hub for this node's key. `authority` (PEM) vouches for the hub; empty: public CAs."""
        answer = self.post(url, "/api/v1/nodes/challenge/", "enrol", {"public_key": b64(self.public_key())}, authority=authority)
        return str(answer.get("challenge", ""))

    def pinned(self, url: str, wanted: str) -> str:
        """The PEM of the authority that the hub names, if it has the pin `wanted`. Raises Invalid when it has another, or none."""
        self._online()
        status, answer = self._kit.http.peek(url + "/api/v1/authority/", module="registry", destination="hub")
        if status >= 500:
            raise Unavailable(T("The hub answers with error %(status)s.", status=status))
        try:
            found = pin.der(str(answer.get("ca", "")))
        except ValueError:
            raise Invalid(T("%(url)s names no authority, but the token asks for one. Is this the hub that made the token? Nothing was changed.",
                            url=url)) from None
        if not pin.matches(found, wanted):
            raise Invalid(T("%(url)s names another authority than the token does: this is another hub, or somebody stands in between. "
                            "Nothing was changed.", url=url))
        return pin.pem(found)  # what was compared, and nothing that may have come with it

    def _read(self, url: str, text: str) -> tuple[str, str]:
        """The token, and the authority (PEM) that its pin leads to; empty without a pin, or where the hub is this machine without TLS."""
        try:
            token, wanted = pin.split(text)
        except ValueError:
            raise Invalid(T("The token was not copied whole: after the dot it has 26 letters and digits.")) from None
        if not wanted:
            return token, ""
        if url.startswith("https://"):
            return token, self.pinned(url, wanted)
        if not here(url):
            raise Invalid(T("This token lets the node check the hub, which takes an address that begins with https://."))
        return token, ""

    def _greet(self, url: str, authority: str) -> tuple[str, str]:
        """A challenge of the hub, and the authority that vouched for it: `authority`, or none where only public CAs do."""
        try:
            return self.challenge(url, authority), authority
        except Unavailable:
            if not authority:
                raise
            try:
                return self.challenge(url), ""
            except Unavailable:
                pass  # the first reason is the one that helps
            raise

    def join(self, url: str, token: str, about: Mapping[str, Any]) -> Hub:
        """Enrol at a hub with a one-time token (TOKEN or TOKEN.PIN, docs/spec/pin.md), by this node's own key.

        With a pin the hub's own authority is fetched, compared and, if it vouches for the hub, the only one trusted there from then on.
        Raises Conflict when it has joined already, Invalid for a wrong or damaged token; then nothing is changed.
        """
        url = tidy(url)
        if Hub.get_or_none(Hub.url == url) is not None:
            raise Conflict(T("This node has joined %(url)s already.", url=url))
        token, found = self._read(url, token)
        try:
            challenge, authority = self._greet(url, found)
            signature = proof.sign(self.seed, "enrol", challenge, token)
            answer = self.post(url, "/api/v1/nodes/enrol/", "enrol", {
                "token": token, "public_key": b64(self.public_key()), "challenge": challenge, "signature": b64(signature), **about}, authority=authority)
            with self._kit.db.transaction():
                self.wishes.taken(url)
                hub = self.keep(url, authority, answer)
        finally:
            self._forget(found)
        return hub

    def keep(self, url: str, authority: str, answer: Mapping[str, Any]) -> Hub:
        """Keep a hub that let this node in. Call it in a transaction."""
        now = self._kit.now()
        self._kit.changed("hubs", "link")
        return Hub.create(url=url, node_id=answer["node_id"], org_id=answer["org_id"], priority=Hub.select().count() + 1, joined_at=now,
                          answered_at=now, authority=authority, signer=str(answer.get("signer", ""))[:64])

    def call(self, hub: Hub, path: str, data_type: str, body: Mapping[str, Any], *, module: str = "registry") -> dict[str, Any]:
        """Post as this node data that `module` declares; proves the key again when the session has run out. Notes whether the hub answers."""
        try:
            try:
                answer = self._said(hub, path, data_type, body, module)
            except NotFound:
                self._tokens.pop(hub.url, None)
                answer = self._said(hub, path, data_type, body, module)
        except Exception as error:
            since = str(error.extra.get("since") or "?") if isinstance(error, NotTrusted) else None
            if since is not None:
                self._tokens.pop(hub.url, None)
            # Whether a hub is there is told by the heartbeats; that it does not know another kind of question (an older hub) is no silence.
            if module == "registry" or since is not None or isinstance(error, Unavailable):
                self._noted(hub, str(getattr(error, "text", error)), since)
            raise
        self._noted(hub, "", "")
        return answer

    def _said(self, hub: Hub, path: str, data_type: str, body: Mapping[str, Any], module: str) -> dict[str, Any]:
        return self.post(hub.url, path, data_type, body, {"Authorization": f"Bearer {self._token(hub)}"}, authority=hub.authority, module=module)

    def _noted(self, hub: Hub, failure: str, since: str | None) -> None:
        """`since`: since when the hub does not trust this node, "" when it does, None when it did not say."""
        now, was = self._kit.now(), bool(hub.failure)
        with self._kit.db.transaction():
            fresh: dict[str, Any] = {"failed_at": now if not was else hub.failed_at} if failure else {"answered_at": now, "failed_at": None}
            if since is not None:
                fresh["refused_since"] = since
            Hub.update(failure=failure[:300], **fresh).where(Hub.url == hub.url).execute()
            if was != bool(failure):
                self._kit.changed("hubs", "link", "status")

    # What a hub says of trust.

    def heard(self, hub: Hub, answer: Mapping[str, Any]) -> None:
        """Keep what a hub's answer to a report says: how far it trusts this node, and the newest list of revoked nodes. A list that is not
        signed as it should be, or is older than the one that is known, is refused and logged."""
        fields: dict[str, Any] = {"trust": answer.get("trust") if isinstance(answer.get("trust"), int) else None,
                                  "maintenance": answer.get("maintenance") is True}
        carried = answer.get("revocations")
        if isinstance(carried, Mapping):
            try:
                # The hub itself says its key here, over the connection that its certificate vouches for; lists from elsewhere are checked with it.
                self._read_list(hub, carried, str(carried.get("signer", "")))
                fields |= {"revocations": dict(carried), "signer": str(carried.get("signer", ""))[:64]}
            except ValueError as error:
                self._kit.log.warning("the list of revoked nodes of %s is refused: %s", hub.url, error)
        different = {name: value for name, value in fields.items() if getattr(hub, name) != value}
        if different:
            with self._kit.db.transaction():
                Hub.update(**different).where(Hub.url == hub.url).execute()
                self._kit.changed("hubs")

    def carried(self, hub: Hub, carried: Mapping[str, Any]) -> revocations.Revoked:
        """A newer list of a hub that came by another way (a peer): kept when the hub's own known key signed it. Raises ValueError."""
        found = self._read_list(hub, carried, hub.signer)
        with self._kit.db.transaction():
            Hub.update(revocations=dict(carried)).where(Hub.url == hub.url).execute()
        return found

    @staticmethod
    def seen(hub: Hub) -> int:
        """The sequence number of the newest list of a hub; -1: none yet."""
        number = hub.revocations.get("sequence", -1)
        return number if isinstance(number, int) else -1

    def _read_list(self, hub: Hub, carried: Mapping[str, Any], signer: str) -> revocations.Revoked:
        return revocations.read(base64.b64decode(signer, validate=True), carried, org_id=hub.org_id, seen=self.seen(hub))

    def revoked(self, public_key: bytes) -> bool:
        """Whether a hub of this node has taken its trust from the node with this key."""
        wanted = b64(public_key)
        return any(node.get("key") == wanted for hub in self.hubs() for node in hub.revocations.get("nodes", ()))

    def _token(self, hub: Hub) -> str:
        token, until = self._tokens.get(hub.url, ("", 0.0))
        if not token or self._kit.clock.monotonic() > until:
            challenge = self.challenge(hub.url, hub.authority)
            signature = proof.sign(self.seed, "session", challenge, hub.node_id)
            answer = self.post(hub.url, "/api/v1/nodes/session/", "enrol",
                                {"node_id": hub.node_id, "challenge": challenge, "signature": b64(signature)}, authority=hub.authority)
            token = answer["token"]
            self._tokens[hub.url] = (token, self._kit.clock.monotonic() + float(answer["expires_in"]) * 0.8)
        return token


def status(kit: Kit, services: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """The hub in the status line."""
    link = services["link"]

    def report() -> dict[str, Any]:
        from unibos.panel.shell import say

        hub = link.hub()
        if hub is None:
            return {"hub": {"state": "info", "text": say(T("no hub")), "href": "/hub/"}}
        host = urlsplit(hub.url).netloc
        if hub.refused_since:
            return {"hub": {"state": "bad", "text": say(T("hub %(host)s does not trust this node", host=host)), "href": "/hub/"}}
        if hub.failure:
            return {"hub": {"state": "warn", "text": say(T("hub %(host)s silent", host=host)), "href": "/hub/"}}
        return {"hub": {"state": "good", "text": say(T("hub %(host)s", host=host)), "href": "/hub/"}}

    return report


def build(kit: Kit, _services: Mapping[str, Any]) -> Link:
    """The service."""
    return Link(kit)
