"""Files that are whole or not there: written beside their place, synced, and moved into it, so that a power cut leaves the old or the new."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

Owner = tuple[int, int]


@contextlib.contextmanager
def folder(path: Path, mode: int = 0o755, owner: Owner | None = None) -> Iterator[int]:
    """A descriptor of the directory `path`, made with its parents when it is absent. Raises OSError."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=mode)
            path.chmod(mode)  # whatever the umask left out
            if owner is not None:
                os.chown(path, *owner)
        sync(path.parent)
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield held
    finally:
        os.close(held)


@contextlib.contextmanager
def folder_in(parent: int, name: str, mode: int, owner: Owner) -> Iterator[int]:
    """A descriptor of `name` in the directory `parent`, which somebody else may own: a link is not followed, mode and owner are set on what was opened."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
    held = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        _give(held, owner)
        os.fchmod(held, mode)
        os.fsync(parent)
        yield held
    finally:
        os.close(held)


def put(held: int, name: str, data: bytes, mode: int, owner: Owner | None = None) -> None:
    """Make `name` in the directory `held` a file with `data`, `mode` and `owner` (uid, gid; -1 leaves one as it is). Links are replaced, never followed."""
    fresh = f".{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=held)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=held)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(data)
            out.flush()
            with contextlib.suppress(PermissionError):  # FAT has no modes
                os.fchmod(out.fileno(), mode)
            if owner is not None:
                _give(out.fileno(), owner)
            os.fsync(out.fileno())
        os.rename(fresh, name, src_dir_fd=held, dst_dir_fd=held)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=held)
        raise
    os.fsync(held)


def _give(held: int, owner: Owner) -> None:
    """Change the owner where it is another one: a process without privileges may not even ask."""
    now = os.fstat(held)
    if owner[0] not in (-1, now.st_uid) or owner[1] not in (-1, now.st_gid):
        os.fchown(held, *owner)


def write(path: Path, data: bytes, mode: int = 0o600, owner: Owner | None = None) -> None:
    """Make `path` a file with `data`. Its directory is made when it is absent. Raises OSError, and then nothing is changed."""
    with folder(path.parent) as held:
        put(held, path.name, data, mode, owner)


def sync(path: Path) -> None:
    """Make the names in the directory `path` survive a power cut."""
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)
