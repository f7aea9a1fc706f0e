"""The Store port in memory; a file is written out only when its path is asked for."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unibos.adapters.files import CHUNK, absent, checked_org, quota_reached, too_large


class MemoryStore:
    """Same answers and errors as `FileStore`; `quota(org_id)` likewise."""

    def __init__(self, quota: Callable[[str], int | None] = lambda org_id: None):
        self._quota = quota
        self._kept: dict[str, dict[str, bytes]] = {}
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def put(self, stream: Any, *, org_id: str, limit: int) -> tuple[str, int]:
        kept = self._kept.setdefault(checked_org(org_id), {})
        content = b""
        while chunk := stream.read(CHUNK):
            content += chunk
            if len(content) > limit:
                raise too_large(limit)
        digest, quota = hashlib.sha256(content).hexdigest(), self._quota(org_id)
        if digest not in kept and quota is not None and self.used(org_id) + len(content) > quota:
            raise quota_reached(quota, self.used(org_id))
        kept[digest] = content
        return digest, len(content)

    def path(self, digest: str, *, org_id: str) -> Path:
        if not self.has(digest, org_id=org_id):
            raise absent()
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="memory-store-")
        path = Path(self._directory.name) / f"{org_id}-{digest}"
        path.write_bytes(self._kept[org_id][digest])
        return path

    def has(self, digest: str, *, org_id: str) -> bool:
        return digest in self._kept.get(checked_org(org_id), {})

    def delete(self, digest: str, *, org_id: str) -> None:
        self._kept.get(checked_org(org_id), {}).pop(digest, None)

    def used(self, org_id: str) -> int:
        return sum(map(len, self._kept.get(checked_org(org_id), {}).values()))

    def close(self) -> None:
        """Remove what `path` wrote out."""
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
