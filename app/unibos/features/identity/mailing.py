"""Mail to people: written here, kept as a job with its content sealed, sent by the agent, which alone may reach a mail server.

What a person is sent may open their account, so no row, log or page ever shows it: the job's payload is sealed by a key of this device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unibos.features.identity.models import User
from unibos.features.identity.safety_models import Account
from unibos.kernel.errors import Invalid, UnibosError
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit

BOUND = b"unibos mail"


class Mailer:
    """Puts mail for the agent to send. `services` is the process's own, complete once everything is built."""

    def __init__(self, kit: Kit, services: Mapping[str, Any]):
        self._kit, self._services = kit, services

    def ready(self) -> bool:
        """Whether this device can send mail at all."""
        return self._kit.mail is not None

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._kit.secret("mail", 32))

    def seal(self, value: Mapping[str, Any]) -> str:
        """A JSON object as nobody but this device's processes can read it."""
        nonce = self._kit.random.bytes(12)
        return (nonce + self._cipher().encrypt(nonce, json.dumps(value).encode(), BOUND)).hex()

    def unseal(self, sealed: str) -> dict[str, Any]:
        """What `seal` sealed; raises Invalid where another device did, or somebody changed it."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = bytes.fromhex(sealed)
            return json.loads(self._cipher().decrypt(raw[:12], raw[12:], BOUND))
        except (InvalidTag, ValueError) as error:
            raise Invalid(T("This mail was sealed by another key than this device's.")) from error

    def put(self, job: str, content: Mapping[str, Any]) -> None:
        """Put a job of this feature with sealed content; it is the device's own, and so belongs to its first organisation."""
        org_id = self._services["orgs"].home_id() if "orgs" in self._services else ""
        sealed = self.seal(content)
        with self._kit.db.tenant(org_id):
            self._kit.jobs.put(job, {"sealed": sealed}, org_id=org_id)

    def language(self, user: User) -> str:
        """The language that a person is written to."""
        return user.language or self._kit.settings["UNIBOS_LANGUAGE"]

    def write(self, to: str, language: str, subject: Text, *paragraphs: Text | str) -> None:
        """Put one mail; texts are said in `language` here, strings stand as they are."""
        from unibos.panel.i18n import catalogue

        speak = catalogue(language).gettext
        lines = [p.render(speak) if isinstance(p, Text) else p for p in paragraphs if p]
        self.put("identity.mail", {"to": to, "subject": subject.render(speak), "text": "\n\n".join(lines) + "\n"})

    def tell(self, user_id: str, subject: Text, text: Text, address: str = "") -> None:
        """Mail a person what happened, if their address is proven and they want it. Never raises for who cannot be told."""
        if not self.ready():
            return
        user, account = User.get_or_none(User.id == user_id), Account.get_or_none(Account.user_id == user_id)
        if user is None or account is None or account.verified_email != user.email or not account.mail_events:
            return
        host = str(self._kit.machine().get("hostname", ""))
        where = T("From the address %(address)s.", address=address) if address else ""
        try:
            self.write(user.email, self.language(user), subject, text, where, T("This is the box %(host)s. Open its panel yourself to look: this mail has no "
                                                                                "link on purpose.", host=host))
        except UnibosError as error:
            self._kit.log.warning("%s was not mailed: %s", user_id, error.text)
