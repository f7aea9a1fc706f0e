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
from unibos.kernel import authorities
from unibos.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from unibos.kernel.words import T
from unibos.wire import pin, proof

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


def b64(data: bytes) -> str:
    """Base64 as the API carries bytes."""
    return base64.b64encode(data).decode()


def tidy(url: str) -> str:
    """A hub's address as it is kept: https when no scheme is given, no path. Raises Invalid."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
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

    def _post(self, url: str, path: str, data_type: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, *,
              authority: str = "", module: str = "registry") -> dict[str, Any]:
        self._online()
        status, answer = self._kit.http.call("POST", url + path, module=module, data_type=data_type, destination="hub", json=body,
                                             headers=headers, authority=self._file(authority))
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
        answer = self._post(url, "/api/v1/nodes/challenge/", "enrol", {"public_key": b64(self.public_key())}, authority=authority)
        return str(answer.get("challenge", ""))

    def _pinned(self, url: str, wanted: str) -> str:
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
            return token, self._pinned(url, wanted)
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
            answer = self._post(url, "/api/v1/nodes/enrol/", "enrol", {
                "token": token, "public_key": b64(self.public_key()), "challenge": challenge, "signature": b64(signature), **about}, authority=authority)
            with self._kit.db.transaction():
                hub = Hub.create(url=url, node_id=answer["node_id"], org_id=answer["org_id"], priority=Hub.select().count() + 1,
                                 joined_at=self._kit.now(), answered_at=self._kit.now(), authority=authority)
                self._kit.changed("hubs", "link")
        finally:
            self._forget(found)
        return hub

    def call(self, hub: Hub, path: str, data_type: str, body: Mapping[str, Any], *, module: str = "registry") -> dict[str, Any]:
        """Post as this node data that `module` declares; proves the key again when the session has run out. Notes whether the hub answers."""
        try:
            try:
                answer = self._said(hub, path, data_type, body, module)
            except NotFound:
                self._tokens.pop(hub.url, None)
                answer = self._said(hub, path, data_type, body, module)
        except Exception as error:
            # Whether a hub is there is told by the heartbeats; that it does not know another kind of question (an older hub) is no silence.
            if module == "registry" or isinstance(error, Unavailable):
                self._noted(hub, str(getattr(error, "text", error)))
            raise
        self._noted(hub, "")
        return answer

    def _said(self, hub: Hub, path: str, data_type: str, body: Mapping[str, Any], module: str) -> dict[str, Any]:
        return self._post(hub.url, path, data_type, body, {"Authorization": f"Bearer {self._token(hub)}"}, authority=hub.authority, module=module)

    def _noted(self, hub: Hub, failure: str) -> None:
        now, was = self._kit.now(), bool(hub.failure)
        with self._kit.db.transaction():
            fresh = {"failed_at": now if not was else hub.failed_at} if failure else {"answered_at": now, "failed_at": None}
            Hub.update(failure=failure[:300], **fresh).where(Hub.url == hub.url).execute()
            if was != bool(failure):
                self._kit.changed("hubs", "link", "status")

    def _token(self, hub: Hub) -> str:
        token, until = self._tokens.get(hub.url, ("", 0.0))
        if not token or self._kit.clock.monotonic() > until:
            challenge = self.challenge(hub.url, hub.authority)
            signature = proof.sign(self.seed, "session", challenge, hub.node_id)
            answer = self._post(hub.url, "/api/v1/nodes/session/", "enrol",
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
            return {"hub": {"state": "info", "text": say(T("no hub")), "href": "/settings/#hub"}}
        host = urlsplit(hub.url).netloc
        if hub.failure:
            return {"hub": {"state": "warn", "text": say(T("hub %(host)s silent", host=host)), "href": "/settings/#hub"}}
        return {"hub": {"state": "good", "text": say(T("hub %(host)s", host=host)), "href": "/settings/#hub"}}

    return report


def build(kit: Kit, _services: Mapping[str, Any]) -> Link:
    """The service."""
    return Link(kit)
