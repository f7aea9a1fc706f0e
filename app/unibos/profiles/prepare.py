"""What `make run` does for each role before its processes start: migrate, and hand the node over to the hub, once."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(role: str) -> None:
    """Migrate `role`; the hub also makes an enrolment token for a node beside it that has never joined."""
    from unibos.profiles.build import compose_all, folder, read_settings
    from unibos.profiles.migrate import migrate

    for name in migrate(role):
        print(f"applied {role}: {name}")
    if role != "hub":
        return
    node = folder(read_settings("node"))
    asked = node / "enrolled-here"
    if asked.exists():
        return
    kit, services = compose_all("hub")
    home = services["orgs"].home_id()
    with kit.db.tenant(home):
        token, _until = services["registry"].make_token(home, "make run", hours=24 * 365)
    settings = read_settings("hub")
    node.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(node / "enrol.json.new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps({"url": f"http://{settings['UNIBOS_HOST']}:{settings['UNIBOS_PORT']}", "token": token}))
    fresh.replace(node / "enrol.json")
    asked.touch()
    kit.db.release()


if __name__ == "__main__":
    from unibos.profiles.programs import guarded

    guarded("unibos-dev", lambda: main(sys.argv[1]))
