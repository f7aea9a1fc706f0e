"""The documents are true: the reference is what the code declares, links lead somewhere, and nothing names a workplace."""

import re
from pathlib import Path

import pytest
from unibos.profiles.contract import contract, reference

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_reference_is_what_the_code_declares():
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == reference(), "unibos-dev contract --markdown > docs/reference.md"


def test_every_setting_route_command_and_error_is_named():
    text, found = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8"), contract()
    for name in [*(s["name"] for s in found["settings"]), *(r["path"] for r in found["routes"]), *(c["name"] for c in found["commands"]),
                 *(e["code"] for e in found["errors"])]:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_settings_named_in_the_documents_exist():
    known = {s["name"] for s in contract()["settings"]}
    known |= {n.replace("UNIBOS_", f"UNIBOS_{r}_") for n in known for r in ("HUB", "NODE")}
    known |= {"UNIBOS_X", "UNIBOS_HUB_X", "UNIBOS_NODE_X", "UNIBOS_NIX_EVAL"}
    for path in DOCUMENTS:
        for name in re.findall(r"\bUNIBOS_[A-Z_]+\b", path.read_text(encoding="utf-8")):
            assert name.rstrip("_") in known or name.endswith("_FILE"), f"{path.name}: {name}"
