"""The Reader port in memory: it reads what it was taught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unibos.kernel.errors import Invalid
from unibos.kernel.words import T


class MemoryReader:
    """Knows documents by their content: `teach(content, pages)` first. What it was not taught it calls damaged."""

    def __init__(self) -> None:
        self._known: dict[bytes, Sequence[str]] = {}

    def teach(self, content: bytes, pages: Sequence[str]) -> None:
        """From now on the file with these bytes has these pages."""
        self._known[content] = pages

    def pages(self, path: Path, media_type: str) -> int:
        return len(self._pages(path))

    def text(self, path: Path, media_type: str, page: int, languages: str = "tur+eng") -> str:
        pages = self._pages(path)
        if not 1 <= page <= len(pages):
            raise Invalid(T("The document has no such page."))
        return pages[page - 1]

    def render(self, path: Path, media_type: str, page: int, width: int) -> bytes:
        """No picture, but bytes that differ by page."""
        return b"RIFF\0\0\0\0WEBP" + self.text(path, media_type, page).encode()

    def _pages(self, path: Path) -> Sequence[str]:
        try:
            return self._known[Path(path).read_bytes()]
        except KeyError:
            raise Invalid(T("The document is damaged and cannot be read.")) from None
