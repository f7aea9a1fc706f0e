"""The package `unibos` as NixOS has it, /nix/store/unibos: the tests' own interpreter and libraries, readable by everybody."""

from __future__ import annotations

import atexit
import compileall
import functools
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

from tests.machine_names import folder

ROOT = Path(__file__).parent.parent
STORE = "/nix/store/unibos"


class Environment(NamedTuple):
    """What is mounted at /nix/store/unibos: `folder`, in it `site` of the tests below `folder/site`, and the interpreter `python`."""

    folder: Path
    site: Path
    python: Path


@functools.cache
def environment() -> Environment:
    """Made once per session and removed at its end. Our package is copied, because the installed one only points at the checkout."""
    place = folder("python")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (place / "bin").mkdir()
    (place / "lib" / version / "site-packages").mkdir(parents=True)
    (place / "pyvenv.cfg").write_text(f"home = {STORE}/python/bin\ninclude-system-site-packages = false\nversion = {sys.version.split()[0]}\n")
    base = Path(sys.base_prefix).resolve()
    if base == Path("/usr"):
        (place / "python").symlink_to("/usr")
    else:
        (place / "python").mkdir()
    _link_library(place, base)
    for name in ("python", "python3", version):
        (place / "bin" / name).symlink_to(f"../python/bin/{version}")
    for script in Path(sys.prefix, "bin").iterdir():
        _copy_script(script, place / "bin" / script.name)
    site = Path(sysconfig.get_paths()["purelib"])
    _copy_package(place / "site", site)
    return Environment(place, site, base)


def libraries() -> str:
    """The folder of the interpreter's shared library, for ld.so.conf(5): Python knows it at its real place only. Empty without one."""
    return f"{STORE}/lib/shared" if (environment().folder / "lib/shared").exists() else ""


def _link_library(place: Path, base: Path) -> None:
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and base != Path("/usr"):
        name = sysconfig.get_config_var("INSTSONAME")
        (place / "lib/shared").mkdir()
        (place / "lib/shared" / name).symlink_to(f"../../python/lib/{name}")


def _copy_script(script: Path, target: Path) -> None:
    """A console script with its first line in the store; programs that are no Python are left out."""
    if script.is_symlink() or not script.is_file():
        return
    head, _, body = script.read_bytes().partition(b"\n")
    if head.startswith(f"#!{sys.prefix}/bin/python".encode()):
        target.write_bytes(f"#!{STORE}/bin/python\n".encode() + body)
        target.chmod(0o755)


def _copy_package(target: Path, site: Path) -> None:
    shutil.copytree(ROOT / "app" / "unibos", target / "unibos", ignore=shutil.ignore_patterns("__pycache__"))
    for pointer in site.glob("__editable__*unibos*.pth"):
        (target / pointer.name).touch()  # lies over the one that points at the checkout
    compileall.compile_dir(target / "unibos", quiet=2, stripdir=str(target))
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
