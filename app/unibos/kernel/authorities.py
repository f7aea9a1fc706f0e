"""Certificates of authorities: this device's own, which it shows to others, and those of others, kept as files to be trusted one by one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from unibos.kernel.errors import Unavailable
from unibos.kernel.words import T
from unibos.wire import pin

if TYPE_CHECKING:
    from unibos.kernel.settings import Settings


def own(settings: Settings) -> bytes | None:
    """The DER of UNIBOS_CA_CERTIFICATE, or None when it is not set. Raises Unavailable when what it names cannot be used."""
    path = settings["UNIBOS_CA_CERTIFICATE"]
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            return pin.der(file.read(pin.MAX_PEM + 1))
    except OSError as error:
        raise Unavailable(T("The certificate that UNIBOS_CA_CERTIFICATE names cannot be read: %(why)s.", why=error.strerror or str(error))) from error
    except ValueError as error:
        raise Unavailable(T("What UNIBOS_CA_CERTIFICATE names is not one certificate of an authority.")) from error


def place(data_dir: Path, name: str) -> Path:
    """Where `kept` keeps what it is told to keep as `name`."""
    return data_dir / "authorities" / f"{name}.pem"


def kept(data_dir: Path, name: str, pem: str) -> Path:
    """The file `authorities/NAME.pem` below `data_dir` with exactly `pem`; written (0600, whole or not at all) when it is absent or differs.

    The row that holds `pem` is the truth; the file is what a TLS library can read. Raises Unavailable when it cannot be written.
    """
    path, data = place(data_dir, name), pem.encode("ascii")
    try:
        try:
            if path.read_bytes() == data:
                return path
        except FileNotFoundError:
            pass
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(path, data)
    except OSError as error:
        raise Unavailable(T("The certificate of an authority cannot be kept: %(why)s.", why=error.strerror or str(error))) from error
    return path


def _write(path: Path, data: bytes) -> None:
    # Each process writes a file of its own: two that keep the same one at once both move a whole one into place.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    held = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)
