"""Settings: each is a name, a type, a default and a sentence. Read once, at start; unknown or malformed ones stop the start.

Sources, the later wins: default, default of the role, TOML file, environment. In a process of role R a setting
`UNIBOS_X` may also be given as `UNIBOS_R_X` (two roles under one supervisor), and every secret as `…_FILE`, a path to
its content. TOML keys are the lower-case names (decision 11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unibos.kernel.errors import SettingError
from unibos.kernel.words import T, Text

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("hub", "node", "worker", "witness", "development")


def _integer(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool):
            raise ValueError
        number = int(str(value))
        if not low <= number <= high:
            raise ValueError
        return number

    return parse


def _path(value: object) -> Path:
    from pathlib import Path

    return Path(_text(value)).expanduser()


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    return words[str(value).strip().lower()]


def _listing(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(str(item).strip() for item in items if str(item).strip())


def _text(value: object) -> str:
    if isinstance(value, dict | list | bool):
        raise ValueError
    return str(value)


@dataclass(frozen=True)
class Setting:
    """One setting. `kind` is text, path, port, integer, seconds, boolean, list, url, or choice:a|b|c."""

    name: str
    kind: str
    default: object
    sentence: Text
    secret: bool = False
    by_role: Mapping[str, object] = field(default_factory=dict)

    def parse(self, value: object, name: str = "") -> object:
        """Turn what was written (under `name`, if it is another) into the value; raises SettingError that names it and what it takes."""
        try:
            if self.kind.startswith("choice:"):
                choices = self.kind.removeprefix("choice:").split("|")
                if str(value) not in choices:
                    raise ValueError
                return str(value)
            parsed = _PARSERS[self.kind](value)
            if self.kind == "url" and parsed and "://" not in str(parsed):
                raise ValueError
            return parsed
        except (ValueError, KeyError):
            shown = "…" if self.secret else str(value)[:80]
            raise SettingError(T("%(name)s is %(value)s, but it takes %(takes)s.", name=name or self.name, value=repr(shown),
                                 takes=_TAKES.get(self.kind, self.kind.removeprefix("choice:").replace("|", ", ")))) from None

    def default_for(self, role: str) -> object:
        """The default in a process of `role`."""
        return self.by_role.get(role, self.default)


_PARSERS: dict[str, Callable[[object], object]] = {
    "text": _text, "url": _text, "path": _path, "port": _integer(0, 65535),
    "integer": _integer(0, 2**31), "seconds": _integer(1, 366 * 86400), "boolean": _boolean, "list": _listing,
}
_TAKES = {"port": "a port number (0 to 65535)", "integer": "a whole number", "seconds": "a number of seconds",
          "boolean": "yes or no", "url": "an address with a scheme, such as redis://host", "path": "a path",
          "list": "a comma-separated list", "text": "text"}


KERNEL_SETTINGS = (
    Setting("UNIBOS_DEPLOYMENT_TYPE", "choice:" + "|".join(ROLES), "development", T("What this machine is.")),
    Setting("UNIBOS_DATA_DIR", "path", ".unibos", T("Where all data lies; one folder per role below it.")),
    Setting("UNIBOS_CONFIG", "path", "", T("A TOML file with settings; the environment wins over it.")),
    Setting("UNIBOS_HOST", "text", "127.0.0.1", T("The address that the web server listens on.")),
    Setting("UNIBOS_PORT", "port", 8000, T("The port of panel and API."), by_role={"hub": 8000, "node": 8001}),
    Setting("UNIBOS_PUBLIC_URL", "url", "", T("The address under which others reach this device; empty: made from host and port.")),
    Setting("UNIBOS_ALLOWED_HOSTS", "list", "", T("Further host names that the panel answers to, besides the device's own.")),
    Setting("UNIBOS_TLS_PROXY", "boolean", False, T("HTTPS ends in a proxy in front: cookies are secure and its headers are believed.")),
    Setting("UNIBOS_CA_CERTIFICATE", "path", "", T("The CA certificate that this device shows to others; empty: it has none of its own.")),
    Setting("UNIBOS_DATABASE_URL", "url", "", T("PostgreSQL address; empty: SQLite in the data directory."), secret=True),
    Setting("UNIBOS_DATABASE_OWNER_URL", "url", "", T("PostgreSQL address of the role that owns the tables, for migrations."), secret=True),
    Setting("UNIBOS_MIGRATION", "choice:all|schema|data", "all", T("What a migration does: the tables, which belong to a database role of their own; "
                                                                   "keys and first rows; or both.")),
    Setting("UNIBOS_DATABASE_CONNECTIONS", "integer", 20, T("At most how many connections to PostgreSQL one process opens.")),
    Setting("UNIBOS_REDIS_URL", "url", "", T("Redis address; empty: the embedded server of the data directory."), secret=True),
    Setting("UNIBOS_SMTP_URL", "url", "", T("The mail server: smtps://name:password@host for TLS, smtp:// for STARTTLS; empty: this device sends no mail."),
            secret=True),
    Setting("UNIBOS_SMTP_CA", "path", "", T("The CA certificate that vouches for the mail server, and no other; empty: public ones.")),
    Setting("UNIBOS_MAIL_FROM", "text", "", T("The address that mail comes from; empty: unibos@ and the host name.")),
    Setting("UNIBOS_LOG_LEVEL", "choice:debug|info|warning|error", "info", T("How much is logged.")),
    Setting("UNIBOS_LANGUAGE", "choice:en|tr", "en", T("The language of people who have not chosen one.")),
    Setting("UNIBOS_WEB_WORKERS", "integer", 1, T("Web processes; one is right below four cores.")),
    Setting("UNIBOS_NO_INSTALL", "boolean", False, T("Never install system packages, only say what is missing.")),
    Setting("HUB_ROLE", "choice:primary|standby|regional", "primary", T("What this hub is among the hubs.")),
    Setting("HUB_REGION", "text", "eu", T("The region of this hub.")),
    Setting("HA_PEER", "text", "", T("The other hub of the pair.")),
    Setting("WORKER_TYPE", "choice:core|ocr|media|sync|finance|analytics", "core", T("What a dedicated worker is made for.")),
    Setting("WORKER_QUEUES", "list", "", T("The queues this worker serves; empty: all that it can.")),
    Setting("GPU_ENABLED", "boolean", False, T("This worker may use a GPU.")),
)

# Names of UNIBOS_… variables that are not settings of a process: they steer tests and the Makefile.
RESERVED = frozenset({"UNIBOS_NIX_EVAL", "UNIBOS_TEST_POSTGRES_URL", "UNIBOS_TEST_REDIS_URL", "UNIBOS_TEST_MQTT_URL"})


@dataclass(frozen=True)
class Effective:
    """One effective value with where it came from."""

    setting: Setting
    value: object
    source: str

    def shown(self) -> str:
        """The value for people: secrets masked, an empty one as empty."""
        if self.setting.secret and self.value:
            return "••••••"
        return ", ".join(map(str, self.value)) if isinstance(self.value, tuple) else str(self.value)


class Settings:
    """The effective settings of one process; reading an undeclared name is a programming error."""

    def __init__(self, role: str, values: Mapping[str, Effective]):
        self.role = role
        self._values = dict(values)

    def __getitem__(self, name: str):
        return self._values[name].value

    def effective(self) -> list[Effective]:
        """All of them, in the order of declaration."""
        return list(self._values.values())

    def where(self, name: str) -> str:
        """Where the value came from: default, the TOML file, or the environment."""
        return self._values[name].source


def names_of(setting: Setting, role: str) -> list[str]:
    """The names by which `setting` may be given to a process of `role`, the strongest first."""
    names = [setting.name]
    if setting.name.startswith("UNIBOS_") and role in ("hub", "node"):
        names.insert(0, f"UNIBOS_{role.upper()}_{setting.name.removeprefix('UNIBOS_')}")
    return names


def known_names(settings: Iterable[Setting]) -> set[str]:
    """Every spelling of every setting, for telling the unknown ones."""
    known = set()
    for setting in settings:
        for role in ("hub", "node"):
            for name in names_of(setting, role):
                known.add(name)
                if setting.secret:
                    known.add(name + "_FILE")
    return known


def _refuse_unknown(name: str, known: set[str], source: str) -> None:
    import difflib

    near = difflib.get_close_matches(name, known, 1, 0.6)
    if near:
        raise SettingError(T("There is no setting %(name)s (in %(source)s). Did you mean %(near)s?", name=name, source=source, near=near[0]))
    raise SettingError(T("There is no setting %(name)s (in %(source)s).", name=name, source=source))


def _read_secret(path: str, name: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(T("%(name)s names a file that cannot be read: %(why)s.", name=name,
                             why=getattr(error, "strerror", None) or str(error))) from error


def read_toml(path: Path) -> dict[str, object]:
    """The keys of a TOML settings file, upper-cased; raises SettingError that names the file and the fault."""
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(T("The settings file %(path)s cannot be read: %(why)s.", path=str(path), why=str(error))) from error
    return {key.upper(): value for key, value in content.items()}


def load(settings: Iterable[Setting], role: str, environment: Mapping[str, str]) -> Settings:
    """Find the effective value of each of `settings` for a process of `role`.

    Raises SettingError for an unknown `UNIBOS_…` variable, an unknown TOML key or a malformed value.
    """
    settings = tuple(settings)
    known = known_names(settings)
    for name in environment:
        if name.startswith("UNIBOS_") and name not in known and name not in RESERVED:
            _refuse_unknown(name, known, "environment")
    config = environment.get("UNIBOS_CONFIG", "")
    written = read_toml(_path(config)) if config else {}
    for name in written:
        if name not in known:
            _refuse_unknown(name, known, config)
    values = {}
    for setting in settings:
        value, source, spelled = setting.default_for(role), "default", setting.name
        for name in reversed(names_of(setting, role)):
            for place, label in ((written, config), (environment, "environment")):
                if place.get(name, "") != "":
                    value, source, spelled = place[name], f"{label}: {name}", name
                elif setting.secret and place.get(name + "_FILE"):
                    value, source, spelled = _read_secret(str(place[name + "_FILE"]), name + "_FILE"), f"{label}: {name}_FILE", name + "_FILE"
        if setting.kind == "path" and value == "":
            values[setting.name] = Effective(setting, "", source)
        else:
            values[setting.name] = Effective(setting, setting.parse(value, spelled), source)
    return Settings(role, values)
