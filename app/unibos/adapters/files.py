"""Files by content: what is kept is whole, on the disk, counted against a quota, and found by its SHA-256 (decision 24).

Layout below the root: `<organisation>/<2 hex>/<2 hex>/<64 hex>`, `<organisation>/used` (see `_Account`) and `tmp/`.
A file appears under its name by one atomic rename after it and before its directory is fsynced; a process killed at
any point leaves at most a file in `tmp/`, which the next store swept at opening tells by its free lock.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unibos.kernel.errors import Invalid, LimitReached, NotFound, StorageFull, TooLarge
from unibos.kernel.words import T

CHUNK = 256 << 10
RESERVE = 64 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ORG = re.compile(r"(?!tmp$)[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
FULL = {errno.ENOSPC, errno.EDQUOT}


def disk_full() -> StorageFull:
    """The error for a disk (or its reserve) that is used up."""
    return StorageFull(T("The disk of this device is full, so nothing was kept. Delete what is no longer needed or add a larger disk."))


def quota_reached(quota: int, used: int) -> LimitReached:
    """The error for an organisation that would keep more than `quota` bytes."""
    text = T("The file was not kept: the limit of storage of this organisation is reached, %(used)s of %(allowed)s MB are used. "
             "Delete files, or ask whoever runs this device to raise it.", used=used // 1_000_000, allowed=quota // 1_000_000)
    return LimitReached(text, limit="storage", used=used, allowed=quota)


def too_large(limit: int) -> TooLarge:
    """The error for a stream of more than `limit` bytes."""
    return TooLarge(T("The file is larger than the %(bytes)s bytes taken here.", bytes=limit))


def checked_org(org_id: str) -> str:
    """`org_id` if it may name a directory, else Invalid."""
    if not _ORG.fullmatch(org_id):
        raise Invalid(T("The organisation's id cannot be used."))
    return org_id


def absent() -> NotFound:
    """The error for content that is not kept."""
    return NotFound(T("The file is not kept here any more."))


class FileStore:
    """The Store port on a directory.

    `root` is made when absent. `quota(org_id)` gives the most bytes an organisation may keep (None: no bound);
    `used(org_id)` may replace the store's own count. `reserve` bytes of the file system stay free for the database.
    Safe from several threads and processes.
    """

    def __init__(self, root: Path, quota: Callable[[str], int | None] = lambda org_id: None,
                 used: Callable[[str], int] | None = None, *, reserve: int = RESERVE):
        self.root, self._quota, self._used, self._reserve = Path(root), quota, used, reserve
        self._tmp = self.root / "tmp"
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def put(self, stream: Any, *, org_id: str, limit: int) -> tuple[str, int]:
        """Keep `stream.read(n)` until it gives b""; returns (sha256 hex, size). Raises TooLarge, LimitReached, StorageFull, Invalid.

        Content that the organisation already keeps costs nothing. Whatever is raised, by the stream too, nothing is left.
        """
        checked_org(org_id)
        try:
            with self._temporary() as (fd, temporary):
                digest, size = self._copy(stream, fd, limit)
                quota = self._quota(org_id)  # asked before the lock: the answer may come from a database, and another may run meanwhile
                with self._account(org_id) as account:
                    target = self._place(org_id, digest)
                    if target.exists():
                        return digest, size
                    used = self._used(org_id) if self._used else account.size
                    if quota is not None and used + size > quota:
                        raise quota_reached(quota, used)
                    os.fsync(fd)
                    self._make(target.parent)
                    account.begin()
                    os.rename(temporary, target)
                    _sync(target.parent)
                    account.end(size)
                return digest, size
        except OSError as error:
            if error.errno in FULL:
                raise disk_full() from error
            raise

    def path(self, digest: str, *, org_id: str) -> Path:
        """The file with that content, to be read only; raises NotFound."""
        place = self._place(org_id, digest)
        if not place.is_file():
            raise absent()
        return place

    def has(self, digest: str, *, org_id: str) -> bool:
        """Whether the organisation keeps that content."""
        return self._place(org_id, digest).is_file()

    def delete(self, digest: str, *, org_id: str) -> None:
        """Forget the content; readers that have it open go on reading."""
        place = self._place(org_id, digest)
        if not place.is_file():
            return
        with self._account(org_id) as account, suppress(FileNotFoundError):
            size = place.stat().st_size
            account.begin()
            place.unlink()
            _sync(place.parent)
            account.end(-size)

    def used(self, org_id: str) -> int:
        """Bytes that the organisation keeps."""
        if not (self.root / checked_org(org_id)).is_dir():
            return 0
        with self._account(org_id) as account:
            return account.size

    def _place(self, org_id: str, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise absent()
        return self.root / checked_org(org_id) / digest[:2] / digest[2:4] / digest

    def _copy(self, stream: Any, fd: int, limit: int) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        while True:
            chunk = stream.read(CHUNK)
            if not chunk:
                return digest.hexdigest(), size
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            room = os.statvfs(self._tmp)
            if room.f_bavail * room.f_frsize < self._reserve + len(chunk):
                raise disk_full()
            digest.update(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(fd, rest):]

    def _make(self, directory: Path) -> None:
        """Make `directory` so that it survives a power cut: every new entry is fsynced in its parent."""
        if directory.is_dir():
            return
        self._make(directory.parent)
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        _sync(directory.parent)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[int, Path]]:
        """A new locked file; the lock tells `_sweep` of any process that somebody still writes it."""
        while True:
            path = self._tmp / secrets.token_hex(16)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            _lock(fd)
            if os.fstat(fd).st_nlink:  # else a sweep took it between creation and lock
                break
            os.close(fd)
        try:
            yield fd, path
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
            os.close(fd)

    def _sweep(self) -> None:
        for path in self._tmp.iterdir():
            with suppress(FileNotFoundError):
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    if _lock(fd, wait=False):
                        path.unlink()
                finally:
                    os.close(fd)

    @contextmanager
    def _account(self, org_id: str) -> Iterator[_Account]:
        directory = self.root / org_id
        self._make(directory)
        fd = os.open(directory / "used", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(fd)
            yield _Account(fd, directory)
        finally:
            os.close(fd)


class _Account:
    """The byte count of one organisation, kept in a locked file as "<boot id> <bytes>".

    The file is empty while a change is under way. Who finds it empty (a process was killed) or of another boot (the
    power was cut, and nobody knows which writes came through) counts anew.
    """

    def __init__(self, fd: int, directory: Path):
        self._fd = fd
        self._boot = _boot_id()
        boot, _, size = os.pread(fd, 100, 0).decode("ascii", "replace").partition(" ")
        if boot == self._boot and size.isdecimal():
            self.size = int(size)
        else:
            self.size = sum(path.stat().st_size for path in directory.glob("??/??/*"))
            self.end(0)

    def begin(self) -> None:
        os.ftruncate(self._fd, 0)

    def end(self, change: int) -> None:
        self.size += change
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{self._boot} {self.size}".encode(), 0)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "-"


def _lock(fd: int, *, wait: bool = True) -> bool:
    import fcntl  # absent on Windows, where nothing is kept

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
