"""Mail: SMTP with TLS that is always verified (RFC 5321, RFC 8314), or files in a folder, for development.

Line breaks and other control characters never get into a header: what has some is refused, and the email package refuses them once more.
"""

from __future__ import annotations

import email.policy
import email.utils
import re
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from unibos.kernel.errors import Blocked, Invalid, SettingError, Unavailable
from unibos.kernel.ports import Gate, Letter
from unibos.kernel.words import T

PATIENCE = 8.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# One address, no display name, no comment, no quoting: enough for people, and nothing that SMTP or a header could misread.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
MOST_TEXT = 20_000


def message(letter: Letter, sender: str, mark: str) -> EmailMessage:
    """The letter as RFC 5322 has it; `mark` makes its Message-ID. Raises Invalid for an address or subject that cannot be one."""
    if not ADDRESS.fullmatch(letter.to) or len(letter.to) > 254:
        raise Invalid(T("Mail cannot be sent to this address."))
    if CONTROL.search(letter.subject) or len(letter.subject) > 200 or len(letter.text) > MOST_TEXT or re.search(r"[\x00\ud800-\udfff]", letter.text):
        raise Invalid(T("This mail cannot be written."))
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Subject"] = sender, letter.to, letter.subject
    made["Date"] = email.utils.localtime()
    made["Message-ID"] = f"<{mark}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice is to answer it
    made.set_content(letter.text)
    return made


def sender_of(wanted: str, host: str) -> str:
    """The address that mail comes from; raises SettingError for one that is none."""
    found = wanted or f"unibos@{host or 'localhost'}"
    if not ADDRESS.fullmatch(found):
        raise SettingError(T("UNIBOS_MAIL_FROM is no e-mail address such as unibos@example.org."))
    return found


class SmtpMail:
    """Port Mail over SMTP. `smtps://` is TLS from the first byte, `smtp://` STARTTLS before anything else is said; only a server on this very
    machine is spoken to without. `gate` is looked up at each letter. Raises SettingError for an address of another kind."""

    def __init__(self, url: str, sender: str, gate: Callable[[], Gate], mark: Callable[[], str], authority: Path | None = None):
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "", parts.port or {"smtps": 465, "smtp": 587}[parts.scheme]
        except (KeyError, ValueError):
            raise SettingError(T("UNIBOS_SMTP_URL has to be smtps://name:password@host:465 or smtp://name:password@host:587.")) from None
        if not self._host:
            raise SettingError(T("UNIBOS_SMTP_URL has to be smtps://name:password@host:465 or smtp://name:password@host:587."))
        self._scheme, self._user, self._password = parts.scheme, unquote(parts.username or ""), unquote(parts.password or "")
        self._sender, self._gate, self._mark, self._authority = sender, gate, mark, authority

    def send(self, letter: Letter, *, module: str) -> None:
        """See kernel.ports.Mail."""
        import smtplib

        written = message(letter, self._sender, self._mark())
        verdict = self._gate().check(module, "mail", "internet", records=1, size=len(letter.text))
        if not verdict.allowed:
            raise Blocked(verdict.why)
        try:
            with self._connect() as server:
                server.send_message(written, self._sender, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _refused(code) from None  # the original holds what the server said, with the address in it
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise Unavailable(T("The mail server does not answer as it should: %(why)s.", why=_reason(error))) from None

    def _connect(self) -> Any:
        import smtplib

        context = ssl.create_default_context(cafile=str(self._authority) if self._authority else None)
        if self._scheme == "smtps":
            server: Any = smtplib.SMTP_SSL(self._host, self._port, timeout=PATIENCE, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=PATIENCE)
        try:
            server.ehlo_or_helo_if_needed()
            if self._scheme == "smtp" and (server.has_extn("starttls") or self._host not in LOOPBACK):
                server.starttls(context=context)  # raises when the server has none: a stripped offer must not send the password in the clear
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _refused(code: int) -> Invalid | Unavailable:
    """What a status of SMTP means (RFC 5321 section 4.2.1): 5xx for good, except a wrong login, which the owner can put right."""
    if 500 <= code < 600 and code not in (530, 534, 535, 538):
        return Invalid(T("The mail server refused this mail for good (%(code)s).", code=code))
    return Unavailable(T("The mail server refused this mail for now (%(code)s).", code=code))


def _reason(error: Exception) -> str:
    """In words without anything secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return type(error).__name__


class FolderMail:
    """Port Mail for development: each letter is a file .eml (RFC 5322) in a folder, its newest name last. Nothing leaves, so no gate is asked."""

    def __init__(self, folder: Path, sender: str, mark: Callable[[], str]):
        self._folder, self._sender, self._mark = folder, sender, mark

    def send(self, letter: Letter, *, module: str) -> None:
        """See kernel.ports.Mail."""
        from unibos.adapters.atomic import write

        mark = self._mark()
        number = len(list(self._folder.glob("*.eml"))) if self._folder.is_dir() else 0
        try:
            write(self._folder / f"{number:05}-{mark[:8]}.eml", message(letter, self._sender, mark).as_bytes())
        except OSError as error:
            raise Unavailable(T("The mail could not be written: %(why)s.", why=error.strerror or str(error))) from error
