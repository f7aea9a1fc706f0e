"""Small rendered hosts for tests of the machines."""

from __future__ import annotations

import json
from pathlib import Path

PYTHON = "/nix/store/unibos/bin/python"
ONESHOT = "Type=oneshot\nRemainAfterExit=yes\n"
HELLO = (ONESHOT + "DynamicUser=yes\nProtectHome=yes\nProtectSystem=strict\nPrivateTmp=yes\nStateDirectory=hello\n"
         f"ExecStart={PYTHON} -c \"import os, ssl, flask, unibos; open('/var/lib/hello/said', 'w').write(f'{{unibos.__file__}} {{os.getuid()}}')\"\n")


def render(folder: Path, units: dict[str, str], **described: object) -> Path:
    """A rendered host; a unit whose section says nothing of wanting is started by nobody."""
    (folder / "units").mkdir(parents=True)
    for name, section in units.items():
        install = "\n[Install]\nWantedBy=multi-user.target\n" if name in ("hello", "tidy") else ""
        (folder / "units" / f"{name}.service").write_text(f"[Unit]\nDescription={name}\n\n[Service]\n{section}{install}")
    (folder / "host.json").write_text(json.dumps(described))
    return folder
