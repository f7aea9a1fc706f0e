"""The stories of vm-tests over real machines: systemd with the units of the rendered hosts, in namespaces on a LAN of their own.

The same files run under NixOS' test driver in virtual machines (`vm-tests/features`).
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.machines import Machine, Machines

PROJECT = Path(__file__).parent.parent.parent
STORIES, RENDERED = PROJECT / "vm-tests" / "stories", PROJECT / "tests" / "rendered"


def tell(name: str, *cast: object) -> None:
    """Run the story `name` as the test driver does: put behind person.py, with the machines as arguments."""
    told: dict[str, object] = {"__name__": f"story_{name}"}
    for part in ("person", name):
        file = STORIES / f"{part}.py"
        exec(compile(file.read_text(), str(file), "exec"), told)  # noqa: S102 - a file of this repository
    told["story"](*cast)


def scan() -> bytes:
    """A picture with a Turkish word and a year, as a scanner would give it."""
    picture = Image.new("L", (1400, 300), 255)
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 72)
    ImageDraw.Draw(picture).text((60, 90), "FATURALARIMIZDAN 2026", font=font, fill=0)
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A machine with programs and no service: a person's phone or laptop."""
    folder = tmp_path / "client"
    (folder / "units").mkdir(parents=True)
    (folder / "host.json").write_text(json.dumps({"hostName": "", "users": {}, "groups": [], "etc": {}, "firewall": {}, "tmpfiles": [], "store": {}}))
    return folder


def last_words(*machines: Machine) -> str:
    """What the units of the machines said last, for a story that fails."""
    return "\n".join(f"== {m.name}\n" + m.execute("systemctl --failed --no-legend; journalctl -o cat -n 60 --no-pager")[1] for m in machines if m.running)


@pytest.fixture
def cast(machines: Machines, client: Path):
    """Makes the machines of a story by their roles, tells it, and says what they said when it fails."""

    def perform(story: str, *extra: object, **hosts: str) -> None:
        members = [machines(name, RENDERED / host if host else client, files={} if host else {"root/scan.png": scan()}) for name, host in hosts.items()]
        try:
            tell(story, *members, *extra)
        except AssertionError:
            print(last_words(*members))
            raise

    return perform


@pytest.mark.slow
def test_a_box_is_claimed_once_and_stays_claimed(cast):
    cast("claim", node="image-pi-4", phone="")


def test_a_sensor_reports_over_tls(cast):
    cast("devices", node="image-pi-4", sensor="")


@pytest.mark.slow
def test_hub_and_node_share_a_box(cast):
    cast("colocation", box="image-pi-5-cluster", phone="")


@pytest.mark.slow
def test_a_scan_is_read_and_found(cast):
    cast("documents", "/root/scan.png", node="image-pi-4", phone="")


@pytest.mark.slow
def test_three_nodes_find_each_other_by_name(cast):
    cast("p2p_discovery", one="image-pi-4", two="image-pi-4", three="image-pi-zero-2w")


@pytest.mark.slow
def test_a_node_joins_a_hub_of_its_lan(cast):
    cast("join", hub="image-server", node="image-pi-4", phone="")
