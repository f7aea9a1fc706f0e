"""The installer of the stick on a real block device (a file behind a loop): what it makes, and that it touches nothing unless it was told twice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent.parent.parent / "images" / "install.sh"
# Stands in for the one program that needs a Nix store: says what it was given, and what it found mounted.
NIXOS_INSTALL = """#!/bin/sh
printf '%s\\n' "$@" > "$SAID"
findmnt -rno SOURCE,FSTYPE,LABEL "$2" >> "$SAID"
findmnt -rno SOURCE,FSTYPE,LABEL,OPTIONS "$2/boot" >> "$SAID"
touch "$2/installed"
"""


# Where this kernel cannot mount FAT, the boot partition is only looked at, and a folder in memory stands in for it.
MOUNT = """#!/bin/sh
if [ "$1" = -o ] && ! grep -qw vfat /proc/filesystems; then
  blkid -p -o value -s TYPE "$3" > "$SAID.boot"
  exec /usr/bin/mount -t tmpfs -o mode=0700 boot "$4"
fi
exec /usr/bin/mount "$@"
"""


@pytest.fixture
def disk(tmp_path: Path):
    """A disk of 3 GB that is not empty: an old file system is on it."""
    reason = "" if os.geteuid() == 0 else "block devices need root"
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(3 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "OLD", image], check=not reason)
    made = subprocess.run(["losetup", "--find", "--partscan", "--show", image], capture_output=True, text=True)
    reason = reason or made.stderr
    if reason and not os.environ.get("CI"):
        pytest.skip(reason)
    assert not reason, reason
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def install(tmp_path: Path):
    """Runs the script as the stick does, with answers typed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("nixos-install", NIXOS_INSTALL), ("mount", MOUNT)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(*typed: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # writeShellApplication puts these options first.
        words = "set -o errexit\nset -o nounset\nset -o pipefail\n" + SCRIPT.read_text()
        return subprocess.run(["bash", "-c", words], input="".join(f"{t}\n" for t in typed), capture_output=True, text=True, timeout=120,
                              env={"PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin", "SAID": str(tmp_path / "said"), "UNIBOS_SYSTEM": "/nix/store/the-system",
                                   "TMPDIR": str(tmp_path), **environment})

    return run


def label(device: str) -> str:
    """The label of a file system, read from the disk."""
    return subprocess.run(["blkid", "-p", "-o", "value", "-s", "LABEL", device], capture_output=True, text=True).stdout.strip()


def test_the_chosen_disk_gets_the_system(disk, install, tmp_path):
    done = install(disk, disk)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"EVERYTHING on {disk} will be lost" in done.stdout and "UNIBOS is on" in done.stdout
    said = (tmp_path / "said").read_text()
    assert "--system\n/nix/store/the-system\n" in said
    assert f"{disk}p2 ext4 UNIBOS\n" in said
    if (boot := tmp_path / "said.boot").exists():
        assert boot.read_text() == "vfat\n" and "boot tmpfs" in said
    else:
        assert f"{disk}p1 vfat ESP " in said and "fmask=0077" in said
    assert (label(f"{disk}p1"), label(f"{disk}p2")) == ("ESP", "UNIBOS")
    assert disk not in subprocess.run(["findmnt", "-rno", "SOURCE"], capture_output=True, text=True).stdout.lower().split()
    table = subprocess.run(["sgdisk", "--print", disk], capture_output=True, text=True, check=True).stdout
    assert "EF00  unibos-boot" in table and "8300  unibos" in table
    # Again, over what is there now.
    assert install(UNIBOS_DISK=disk, UNIBOS_YES=disk).returncode == 0


@pytest.mark.parametrize("typed", [("/dev/null/x",), ("",), ("{disk}", "yes"), ("{disk}", "")])
def test_anything_but_the_name_twice_changes_nothing(disk, install, typed):
    assert install(*(t.format(disk=disk) for t in typed)).returncode != 0
    assert label(disk) == "OLD"


def test_a_disk_in_use_is_refused(disk, install, tmp_path):
    place = tmp_path / "mounted"
    place.mkdir()
    subprocess.run(["mount", disk, place], check=True)
    try:
        done = install(UNIBOS_DISK=disk, UNIBOS_YES=disk)
        assert done.returncode == 73 and "in use" in done.stderr
    finally:
        subprocess.run(["umount", place], check=True)
    assert label(disk) == "OLD"
