"""The node's side: join a hub, report to it, say goodbye, and prove who this is when called back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos import __version__
from unibos.kernel import authorities
from unibos.kernel.errors import Unavailable, UnibosError
from unibos.kernel.jobs import Job
from unibos.kernel.words import T, Text
from unibos.wire import pin, proof
from unibos.wire.fingerprint import fingerprint

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


# A hub is asked four things, each for at most five seconds.
JOIN_SECONDS = 25.0


class Membership:
    """A node in its hub's registry."""

    def __init__(self, kit: Kit, link: Any, export: Any):
        self._kit, self._link, self._export = kit, link, export

    def about(self) -> dict[str, Any]:
        """What this node says of itself."""
        machine, settings = self._kit.machine(), self._kit.settings
        plain = f"http://{settings['UNIBOS_HOST']}:{settings['UNIBOS_PORT']}"
        url = settings["UNIBOS_PUBLIC_URL"] or (f"https://{machine['hostname']}.local" if settings["UNIBOS_TLS_PROXY"] else plain)
        kind = settings["UNIBOS_MACHINE_TYPE"]
        if kind == "auto":
            kind = "edge" if machine["capabilities"].get("ram_gb", 1) < 0.75 else "standard"
        return {"hostname": machine["hostname"], "type": kind, "platform": machine["capabilities"].get("platform", ""),
                "url": url, "version": __version__, "capabilities": machine["capabilities"], "modules": sorted(self._kit.exports),
                **self._authority()}

    def _authority(self) -> dict[str, str]:
        """The CA by which the hub knows this node's certificate when it calls back, where there is one."""
        try:
            own = authorities.own(self._kit.settings)
        except Unavailable as error:
            self._kit.log.warning("%s", error.text)  # the hub may say that it cannot call back; the report itself must not fail
            return {}
        return {"authority": pin.pem(own)} if own else {}

    def join(self, url: str, token: str, actor_id: str = "") -> dict[str, Any]:
        """Join a hub with TOKEN or TOKEN.PIN. Joining is the owner's word that this node may enrol and report there, so it is allowed by it.

        `trust` in the answer says who vouches for the hub.
        """
        self._allow(actor_id)
        hub = self._link.join(url, token, self.about())
        self.report()
        return self._joined(hub, token)

    def _allow(self, actor_id: str) -> None:
        # What identity asks of the hub, that its people can log in here, comes with it.
        for module, data_type in (("registry", "enrol"), ("registry", "heartbeat"), ("identity", "login"), ("identity", "people"), ("identity", "link")):
            self._export.set(module, data_type, "hub", "allow", actor_id)

    @staticmethod
    def _joined(hub: Any, token: str) -> dict[str, Any]:
        return {"state": "joined", "hub": hub.url, "node_id": hub.node_id, "org_id": hub.org_id, "trust": _trust(hub, token)}

    def apply(self, url: str, organisation: str = "", pin_: str = "", actor_id: str = "") -> dict[str, Any]:
        """Ask a hub to be let in without a token; it is asked again until somebody there has decided. Allowed as `join` is, and answers alike,
        with `state` joined or pending. `pin_` is that of the hub's own authority, which its nodes page shows."""
        self._allow(actor_id)
        hub = self._link.wishes.ask(url, organisation, pin_, self.about())
        if hub is not None:
            self.report()
            return self._joined(hub, "")
        return {"state": "pending", "hub": url, "node_id": "", "org_id": "",
                "trust": T("Somebody has to let this node in on the hub. Compare there the fingerprint that is shown here.")}

    def ask_again(self) -> None:
        """Ask those hubs that have not decided and are due; report to those that have let this node in."""
        if self._link.wishes.again(self.about()):
            self.report()

    def ask_to_join(self, url: str, token: str, actor_id: str, organisation: str = "", pin_: str = "") -> dict[str, Any]:
        """Let the agent join, or ask where there is no token: the web process, which strangers reach, has no way out of the machine.
        Raises what `join` and `apply` raise."""
        question = {"do": "join" if token else "apply", "url": url, "token": token, "actor_id": actor_id, "organisation": organisation, "pin": pin_}
        answer = self._kit.bus.ask("registry", question, JOIN_SECONDS)
        return {**answer, "trust": Text(answer["trust"])}

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """What the agent does for the web process."""
        if question.get("do") == "join":
            done = self.join(question["url"], question["token"], question["actor_id"])
        elif question.get("do") == "apply":
            done = self.apply(question["url"], question["organisation"], question["pin"], question["actor_id"])
        else:
            raise UnibosError(T("The agent does not know this question."))
        return {**done, "trust": done["trust"].message}

    def fingerprint(self) -> str:
        """The fingerprint of this node's key, to be compared with the one that a hub shows."""
        return fingerprint(self._link.public_key())

    def revoked(self, node_key: bytes) -> bool:
        """Whether a hub of this node has taken its trust from the node with this public key: nothing of that node is believed any more."""
        return self._link.revoked(node_key)

    def take_provisioned(self) -> str | None:
        """Join as the file `enrol.json` says ({url, token}), then remove it; it is how images and `make run` hand a node over."""
        path = self._kit.data_dir / "enrol.json"
        if not path.exists():
            return None
        wanted = json.loads(path.read_text(encoding="utf-8"))
        if all(hub.url != wanted["url"] for hub in self._link.hubs()):
            self.join(wanted["url"], wanted["token"], "provisioning")
        path.unlink()
        return f"joined {wanted['url']}"

    def report(self) -> str:
        """One heartbeat to every hub; a silent hub is noted, never an error. Returns a sentence."""
        metrics = {k: v for k, v in self._kit.machine()["metrics"].items() if k in ("cpu", "memory", "disk", "temperature", "uptime")}
        metrics["queue"] = Job.select().where(Job.state.in_(("waiting", "handed"))).count()
        said = []
        for hub in self._link.hubs():
            try:
                answer = self._link.call(hub, "/api/v1/nodes/heartbeat/", "heartbeat", {
                    **self.about(), "metrics": metrics, "at": self._kit.now_ms(), "revocations": self._link.seen(hub)})
                self._link.heard(hub, answer)
                said.append(f"{hub.url}: reported")
            except UnibosError as error:
                said.append(f"{hub.url}: {error.text}")
        return "; ".join(said) or "no hub"

    def goodbye(self, reason: str) -> None:
        """Tell every hub that this node goes; nobody waits long for the answer."""
        for hub in self._link.hubs():
            try:
                self._link.call(hub, "/api/v1/nodes/goodbye/", "heartbeat", {"reason": reason})
            except UnibosError as error:
                self._kit.log.info("goodbye to %s: %s", hub.url, error.text)

    def identify(self, challenge: str) -> dict[str, str]:
        """Prove this node's key over a caller's challenge."""
        from unibos.features.link.service import b64

        return {"public_key": b64(self._link.public_key()), "signature": b64(proof.sign(self._link.seed, "identify", challenge))}


def _trust(hub: Any, token: str) -> Text:
    if hub.authority:
        return T("Only the authority that the token names vouches for this hub from now on.")
    if hub.url.startswith("http://"):
        return T("Nobody vouches for this hub: its address has no HTTPS.")
    if "." in token:
        return T("Public authorities vouch for this hub; the one that the token names does not, and is not kept.")
    return T("Public authorities vouch for this hub.")


def build(kit: Kit, services: Mapping[str, Any]) -> Membership:
    """The service."""
    return Membership(kit, services["link"], services["export"])


NOT_JOINED = T("This node stands alone. Join a hub to see it from elsewhere.")
