"""Start the web process of a role: check its settings, then become gunicorn."""

from __future__ import annotations

import os
import sys


def main(role: str) -> None:
    """Replace this process by gunicorn for `role`; raises SettingError or StartError before anything listens."""
    from unibos.profiles.build import control_socket, read_settings
    from unibos.profiles.web import ROLE_VARIABLE

    settings = read_settings(role)
    host, port = settings["UNIBOS_HOST"], settings["UNIBOS_PORT"]
    bound = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    os.environ[ROLE_VARIABLE] = role
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "python:unibos.profiles.web", "--bind", bound, "--bind",
                              f"unix:{control_socket(settings)}", "--workers", str(settings["UNIBOS_WEB_WORKERS"]), "unibos.profiles.web:app()"])


if __name__ == "__main__":
    from unibos.profiles.programs import guarded

    guarded("unibos-web", lambda: main(sys.argv[1]))
