"""What kind of file its first bytes say it is; names and declared types are never trusted."""

from __future__ import annotations

_SIGNS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"),
          (b"%PDF-", "application/pdf"))


def sniff(head: bytes) -> str | None:
    """The media type of a PNG, JPEG, TIFF or PDF by its first kilobyte, or None. A PDF may begin a little later."""
    for sign, media_type in _SIGNS:
        if head.startswith(sign):
            return media_type
    return "application/pdf" if b"%PDF-" in head[:1024] else None
