"""Composition: a tuple of features and a kit become services, routes, commands, loops, tasks and migrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unibos.kernel.feature import Command, Feature, JobType, Nav
from unibos.kernel.settings import KERNEL_SETTINGS, Setting

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit
    from unibos.kernel.web import Route

Features = Sequence[Feature]


def check_order(features: Features) -> None:
    """Raise ValueError when a feature stands before one that it needs, or a name comes twice."""
    seen: set[str] = set()
    for feature in features:
        missing = [need for need in feature.needs if need not in seen]
        if missing or feature.name in seen:
            raise ValueError(f"{feature.name}: {'needs ' + ', '.join(missing) if missing else 'is there twice'}")
        seen.add(feature.name)


def settings(features: Features) -> tuple[Setting, ...]:
    """All settings that a profile of these features takes."""
    found = {s.name: s for s in KERNEL_SETTINGS}
    for feature in features:
        found.update({s.name: s for s in feature.settings})
    return tuple(found.values())


def job_types(features: Features) -> dict[str, JobType]:
    """All kinds of jobs by name."""
    return {job.name: job for feature in features for job in feature.jobs}


def services(features: Features, kit: Kit) -> dict[str, Any]:
    """Build every service in order, after the kernel's own (records, jobs) are put into the kit."""
    from unibos.kernel.jobs import Jobs
    from unibos.kernel.records import Records

    check_order(features)
    owners = {job.name: (feature, job) for feature in features for job in feature.jobs}

    def load_task(name: str):
        feature, job = owners[name]
        return feature.load(job.code)

    kit.records = Records(kit.db, kit.clock, kit.random, kit.secret("origin", 8).hex())
    kit.jobs = Jobs(kit, job_types(features), load_task)
    kit.exports = {feature.name: feature.exports for feature in features if feature.exports}
    kit.modules = {feature.name: feature.title for feature in features if feature.switch}
    built: dict[str, Any] = {}
    for feature in features:
        if feature.service:
            built[feature.name] = feature.load(feature.service)(kit, built)
    kit.gather = _gatherer(features, kit, built)
    return built


def _gatherer(features: Features, kit: Kit, built: Mapping[str, Any]) -> Callable[[str], list[Callable[..., Any]]]:
    """Declared functions are factories of (kit, services); each is loaded and bound once, when first asked for."""
    found: dict[str, list[Callable[..., Any]]] = {}

    def gather(kind: str) -> list[Callable[..., Any]]:
        if kind not in found:
            found[kind] = []
            for feature in features:
                codes = getattr(feature, kind)
                calls = [feature.load(c)(kit, built) for c in ((codes,) if isinstance(codes, str) else codes) if c]
                found[kind] += [_where_open(kit, feature.name, call) for call in calls] if feature.switch and kind in ("cards", "search") else calls
        return found[kind]

    return gather


def _where_open(kit: Kit, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A card or search of a part that an organisation may go without: nothing for the people of one that does. Its last argument is the actor."""
    def guarded(*args: Any) -> Any:
        return call(*args) if all(closed(name, args[-1]) is None for closed in kit.gather("access")) else None

    return guarded


def routes(features: Features) -> list[tuple[Feature, Route]]:
    """Every route with the feature that it belongs to."""
    return [(feature, route) for feature in features for code in feature.routes for route in feature.load(code)]


def commands(features: Features, program: str) -> dict[str, tuple[Feature, Command]]:
    """The commands of one program."""
    return {c.name: (feature, c) for feature in features for c in feature.commands if c.program == program}


def navigation(features: Features) -> list[Nav]:
    """The panel's navigation, in order."""
    return sorted((nav for feature in features for nav in feature.nav), key=lambda nav: nav.order)


def loops(features: Features, kit: Kit, built: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(name, loop) for the agent: a loop is called with `stop: () -> bool` in a thread of its own."""
    return [(f"{feature.name}.{name}", loop) for feature in features if feature.loops
            for name, loop in feature.load(feature.loops)(kit, built)]


def models(features: Features) -> list[type]:
    """Every table, the kernel's first."""
    from unibos.kernel import jobs, records

    found: list[type] = [*records.KERNEL_TABLES, *jobs.KERNEL_TABLES]
    for feature in features:
        if feature.models:
            found.extend(feature.load(feature.models))
    return found


def migrate(features: Features, database: Any) -> list[str]:
    """Apply what is pending, the kernel first, each feature with a history table of its own; returns the names."""
    import importlib.resources

    from playhouse.migrations import Runner

    applied = []
    for name, package in [("kernel", "unibos.kernel"), *((f.name, f.package) for f in features if f.migrations)]:
        directory = importlib.resources.files(package) / "migrations"
        runner = Runner(database, str(directory), table_name=f"migrated_{name}")
        applied += [f"{name}/{done}" for done in runner.up()]
    return applied
