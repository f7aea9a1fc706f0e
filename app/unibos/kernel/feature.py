"""What a part of UNIBOS declares about itself: one frozen value, read by `compose`. Nothing here imports the part.

Code is named by strings `file:attribute`, relative to the feature's package, and loaded only by the process that
runs that side, so that a command line does not pay for a web server.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from unibos.kernel.settings import Setting
from unibos.kernel.words import Text


@dataclass(frozen=True)
class Command:
    """A command of one of the five programs; `code` is `file:attribute` of a click command, loaded when called."""

    program: str
    name: str
    help: Text
    code: str


@dataclass(frozen=True)
class JobType:
    """A kind of work to do later. `idempotent`: running it twice is as good as once (else it is never repeated by itself)."""

    name: str
    queue: str
    code: str
    title: Text
    timeout: int = 600
    attempts: int = 3
    idempotent: bool = True
    locality: str = "any"


@dataclass(frozen=True)
class Export:
    """A kind of data that may leave the device. `default` is deny, allow (with the reason in `why`) or never."""

    data_type: str
    sentence: Text
    default: str = "deny"
    why: Text | None = None


@dataclass(frozen=True)
class Keep:
    """A table or folder that a backup carries."""

    name: str
    kind: str = "table"


@dataclass(frozen=True)
class Nav:
    """An entry of the panel's navigation: `key` follows g, `order` sorts, who may not pass `access` does not see it."""

    id: str
    href: str
    label: Text
    key: str
    glyph: str
    order: int
    access: str = "viewer"


@dataclass(frozen=True)
class Every:
    """Periodic work of the agent: `code` is called with (kit, services) each `seconds`; returns a sentence or None."""

    name: str
    seconds: float
    code: str


@dataclass(frozen=True)
class Feature:
    """One part. The order in a profile is the order of dependence; `needs` are the names that must stand before it.

    `switch`: an organisation may go without it; `access` are functions (feature, actor) that give the error why it is closed, or None.
    `counts` is a function that says how many nodes an organisation has.
    For identity, which stands below them: `home` gives the id of the device's own organisation, `reaches` are checks (node id, organisation id) that
    raise NotFound for what is no trusted node of that organisation.
    """

    name: str
    title: Text
    package: str
    needs: tuple[str, ...] = ()
    service: str = ""
    models: str = ""
    migrations: bool = False
    routes: tuple[str, ...] = ()
    loops: str = ""
    commands: tuple[Command, ...] = ()
    settings: tuple[Setting, ...] = ()
    jobs: tuple[JobType, ...] = ()
    every: tuple[Every, ...] = ()
    exports: tuple[Export, ...] = ()
    keeps: tuple[Keep, ...] = ()
    replicates: dict[str, str] = field(default_factory=dict)
    nav: tuple[Nav, ...] = ()
    cards: tuple[str, ...] = ()
    status: str | tuple[str, ...] = ""
    search: str = ""
    health: str = ""
    counts: str = ""
    authenticate: str = ""
    guards: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    home: str = ""
    reaches: tuple[str, ...] = ()
    switch: bool = False

    def load(self, code: str) -> Any:
        """The object that `file:attribute` names in this feature's package."""
        module, _, attribute = code.partition(":")
        return getattr(importlib.import_module(f"{self.package}.{module}"), attribute)
