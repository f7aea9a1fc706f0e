"""Mail that is kept in a list, held to the same contract test as the real one (tests/adapters/test_mail.py)."""

from __future__ import annotations

from collections.abc import Callable

from unibos.adapters.mail import message
from unibos.kernel.errors import Blocked, Unavailable
from unibos.kernel.ports import Gate, Letter


class MemoryMail:
    """Port Mail; `sent` holds the letters, `down` is a server that does not answer."""

    def __init__(self, gate: Callable[[], Gate] | None = None):
        self._gate, self.sent, self.down = gate, list[Letter](), False

    def send(self, letter: Letter, *, module: str) -> None:
        """See kernel.ports.Mail."""
        message(letter, "unibos@box.example", "mark")
        if self._gate is not None and not (verdict := self._gate().check(module, "mail", "internet", records=1, size=len(letter.text))).allowed:
            raise Blocked(verdict.why)
        if self.down:
            raise Unavailable()
        self.sent.append(letter)
