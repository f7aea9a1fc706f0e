"""From settings to a Kit: the one place where adapters are chosen and put together."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from unibos.kernel import compose
from unibos.kernel.kit import Kit
from unibos.kernel.settings import Settings, load
from unibos.profiles.lists import BY_ROLE

DATABASE_NUMBER = {"hub": 0, "node": 1}
# The settings of an appliance: its programs find them without being told, also under sudo.
MACHINE_SETTINGS = Path("/etc/unibos/settings.toml")


def read_settings(role: str, environment: Mapping[str, str] | None = None) -> Settings:
    """The effective settings of a process of `role`; raises SettingError."""
    declared = {s.name: s for features in BY_ROLE.values() for s in compose.settings(features)}
    if environment is None:
        environment = os.environ
        if "UNIBOS_CONFIG" not in environment and MACHINE_SETTINGS.exists():
            environment = {**environment, "UNIBOS_CONFIG": str(MACHINE_SETTINGS)}
    return load(declared.values(), role, environment)


def folder(settings: Settings) -> Path:
    """The role's data directory (not made)."""
    return Path(settings["UNIBOS_DATA_DIR"]).absolute() / settings.role


def redis_address(settings: Settings) -> str:
    """The Redis address of this role: the one that was set, or the embedded server's socket, a database number per role."""
    if settings["UNIBOS_REDIS_URL"]:
        return settings["UNIBOS_REDIS_URL"]
    from unibos.adapters.redis_server import redis_url, socket_path

    base = Path(settings["UNIBOS_DATA_DIR"]).absolute()
    return redis_url(socket_path(base, "redis"), DATABASE_NUMBER.get(settings.role, 2))


def control_socket(settings: Settings, *, make: bool = True) -> Path:
    """Where the web process listens for the owner's console."""
    from unibos.adapters.redis_server import socket_path

    return socket_path(Path(settings["UNIBOS_DATA_DIR"]).absolute(), f"{settings.role}-control", make=make)


def start_logging(settings: Settings) -> logging.Logger:
    """Log to standard error, one line an event."""
    level = settings["UNIBOS_LOG_LEVEL"].upper()
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname).1s %(message)s", force=True)
    for noisy in ("rq", "gunicorn", "urllib3", "peewee"):
        logging.getLogger(noisy).setLevel("WARNING")
    return logging.getLogger("unibos")


class Machine:
    """Name, equipment and load of this machine; the load is measured at most every two seconds."""

    def __init__(self, data_dir: Path):
        self._folder, self._at, self._metrics, self._has = data_dir, 0.0, dict[str, Any](), dict[str, Any]()

    def __call__(self) -> dict[str, Any]:
        """{hostname, capabilities, metrics}."""
        from unibos.adapters import system

        if time.monotonic() - self._at > 2:
            self._at, self._metrics = time.monotonic(), system.metrics(self._folder)
        self._has = self._has or system.capabilities()
        return {"hostname": system.hostname(), "capabilities": self._has, "metrics": self._metrics}


def build_kit(settings: Settings) -> Kit:
    """The real Kit of a process; binds the database. Nothing is asked of any server yet."""
    if not settings["UNIBOS_DATABASE_URL"] and not settings["UNIBOS_DATABASE_OWNER_URL"]:
        # peewee loads PostgreSQL's drivers wherever it finds them; on SQLite that is megabytes in every process for nothing.
        for driver in ("psycopg2", "psycopg"):
            sys.modules.setdefault(driver, None)  # type: ignore[arg-type]
    from unibos.adapters.database import Database
    from unibos.adapters.files import FileStore
    from unibos.adapters.http import GatedHttp
    from unibos.adapters.queue import RqQueue
    from unibos.adapters.redisbus import RedisBus
    from unibos.adapters.series import open_series
    from unibos.adapters.system import KeyFiles, SystemClock, SystemRandom, data_directory
    from unibos.features.orgs.models import HOME

    role = settings.role
    data_dir = data_directory(Path(settings["UNIBOS_DATA_DIR"]), role)
    development = settings["UNIBOS_DEPLOYMENT_TYPE"] == "development"
    url, redis = settings["UNIBOS_DATABASE_URL"], redis_address(settings)
    # A node is one organisation's: whatever works on it, works for that one. On a hub nobody is shown anything before it is known who asks.
    db = Database(url, data_dir / "unibos.sqlite", alone=HOME if role == "node" else None,
                  connections=max(1, settings["UNIBOS_DATABASE_CONNECTIONS"])).bind()
    kit = Kit(role=role, settings=settings, data_dir=data_dir, clock=SystemClock(data_dir / "clock-offset" if development else None),
              random=SystemRandom(), db=db, secret=KeyFiles(data_dir / "keys"),
              bus=RedisBus(redis, f"unibos:{role}:"), queue=RqQueue(redis, f"{role}:"), files=FileStore(data_dir / "files", lambda org_id: kit.quota(org_id)),
              series=open_series(url or data_dir / "readings.sqlite"), log=start_logging(settings), machine=Machine(data_dir))
    kit.http = GatedHttp(lambda: kit.gate)
    kit.mail = build_mail(kit)
    return kit


def build_mail(kit: Kit) -> Any:
    """The mail server of UNIBOS_SMTP_URL; in development, without one, a folder; else None. Raises SettingError."""
    from unibos.adapters.mail import FolderMail, SmtpMail, sender_of
    from unibos.adapters.system import hostname

    settings = kit.settings
    host = urlsplit(str(settings["UNIBOS_PUBLIC_URL"])).hostname or hostname()

    def mark() -> str:
        return kit.random.bytes(16).hex()

    if settings["UNIBOS_SMTP_URL"]:
        return SmtpMail(settings["UNIBOS_SMTP_URL"], sender_of(settings["UNIBOS_MAIL_FROM"], host), lambda: kit.gate, mark, settings["UNIBOS_SMTP_CA"] or None)
    if settings["UNIBOS_DEPLOYMENT_TYPE"] == "development":
        return FolderMail(kit.data_dir / "mail", sender_of(settings["UNIBOS_MAIL_FROM"], ""), mark)
    return None


def build_broker(settings: Settings) -> Any:
    """The agent's connection to the broker: the one of UNIBOS_MQTT_URL, or the embedded one if it was prepared; else None."""
    from urllib.parse import unquote, urlsplit

    from unibos.adapters.mqtt import MqttBroker

    if settings["UNIBOS_MQTT_URL"]:
        url = urlsplit(settings["UNIBOS_MQTT_URL"])
        return MqttBroker(url.hostname or "localhost", url.port or 1883, unquote(url.username or ""), unquote(url.password or ""), "unibos-agent")
    from unibos.adapters.mosquitto import AGENT, AGENT_CLIENT

    password = Path(settings["UNIBOS_DATA_DIR"]).absolute() / "mosquitto" / "agent-password"
    if not password.exists():
        return None
    return MqttBroker("127.0.0.1", settings["UNIBOS_MQTT_PORT"], AGENT, lambda: password.read_text().strip(), AGENT_CLIENT)


def compose_all(role: str) -> tuple[Kit, dict[str, Any]]:
    """Kit and services of a process of `role`."""
    kit = build_kit(read_settings(role))
    return kit, compose.services(BY_ROLE[role], kit)
