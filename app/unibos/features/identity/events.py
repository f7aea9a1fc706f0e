"""Security events: what happened to a person's account, told to that person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit
    from unibos.kernel.words import Text


class Events:
    """The one place where a feature says that something happened to an account."""

    def __init__(self, kit: Kit):
        self._kit = kit

    def note(self, user_id: str, kind: str, text: Text, *, address: str = "") -> None:
        """Keep that `kind` (a word such as `token-reused`) happened to a person, with the sentence for them. Never raises for who cannot be told."""
        self._kit.log.warning("security event %s of %s from %s: %s", kind, user_id, address or "here", text)
