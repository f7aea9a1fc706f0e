"""The five programs. Importing this costs click and the features' declarations, nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from unibos.kernel.cli import Context, LazyGroup, run, version_option

_OWN: dict[str, dict[str, tuple[str, str]]] = {
    "unibos-dev": {
        "run": ("Run hub, node, workers, Redis and broker in the foreground.", "unibos.profiles.dev:run_command"),
        "doctor": ("Say what this machine has and what is missing.", "unibos.profiles.dev:doctor"),
        "new": ("Make the skeleton of a feature.", "unibos.profiles.scaffold:new"),
        "migration": ("Write a migration for what a feature's models changed.", "unibos.profiles.scaffold:migration"),
        "settings": ("Print every setting.", "unibos.profiles.contract:settings_command"),
        "contract": ("Print the machine-readable contract.", "unibos.profiles.contract:contract_command"),
        "features": ("Print the features of each profile.", "unibos.profiles.contract:features_command"),
        "migrate": ("Bring a role's data up to this version.", "unibos.profiles.dev:migrate_command"),
    },
    "unibos": {"serve": ("Run the web process or the agent of this node.", "unibos.profiles.dev:serve_node"),
               "migrate": ("Bring this node's data up to this version.", "unibos.profiles.dev:migrate_node"),
               "recover": ("Help who lost app and recovery codes, or forgot their password.", "unibos.profiles.recover:recover_node")},
    "unibos-hub": {"serve": ("Run the web process or the agent of this hub.", "unibos.profiles.dev:serve_hub"),
                   "migrate": ("Bring this hub's data up to this version.", "unibos.profiles.dev:migrate_hub"),
                   "recover": ("Help who lost app and recovery codes, or forgot their password.", "unibos.profiles.recover:recover_hub")},
    "unibos-worker": {"start": ("Serve queues.", "unibos.profiles.dev:worker_start"),
                      "status": ("List the workers.", "unibos.profiles.dev:worker_status"),
                      "tasks": ("List the kinds of jobs with their queues.", "unibos.profiles.dev:worker_tasks")},
    "unibos-manager": {},
}
TITLES = {"unibos-dev": "Tools for developers of UNIBOS.", "unibos": "The command line of a node.",
           "unibos-hub": "The command line of a hub.", "unibos-worker": "Run and look at workers.",
           "unibos-manager": "Look after a fleet."}
_ROLE = {"unibos-hub": "hub", "unibos-manager": "hub"}


def _load(code: str) -> click.Command:
    import importlib

    module, _, attribute = code.partition(":")
    return getattr(importlib.import_module(module), attribute)


def table_of(program: str) -> dict[str, tuple[str, Callable[[], click.Command]]]:
    """The commands of a program: name -> (help, loader)."""
    from unibos.kernel import compose
    from unibos.profiles.lists import BY_ROLE

    found: dict[str, tuple[str, Callable[[], click.Command]]] = {}
    for features in BY_ROLE.values():
        for name, (feature, command) in compose.commands(features, program).items():
            found[name] = (str(command.help), lambda f=feature, c=command: f.load(c.code))
    found.update({name: (text, lambda code=code: _load(code)) for name, (text, code) in _OWN[program].items()})
    return found


def _caller(role: str) -> Callable[..., tuple[int, Any]]:
    def call(method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        from unibos.adapters.console import request
        from unibos.profiles.build import control_socket, read_settings

        return request(control_socket(read_settings(role), make=False), method, path, body, headers=headers)

    return call


class LazyContext(Context):
    """A context whose settings are read when a command first asks for them."""

    def __init__(self, role: str):
        self.role, self._call = role, _caller(role)

    @property
    def data_dir(self):  # type: ignore[override]
        """The role's data directory."""
        from unibos.profiles.build import folder, read_settings

        return folder(read_settings(self.role))


def _program(name: str) -> click.Group:
    group = LazyGroup(name, help=TITLES[name], table=table_of(name), context_settings={"help_option_names": ["-h", "--help"]})
    group = version_option(name)(group)
    original = group.invoke

    def invoke(ctx: click.Context) -> Any:
        ctx.obj = LazyContext(_ROLE.get(name, "node"))
        return original(ctx)

    group.invoke = invoke  # type: ignore[method-assign]
    return group


def guarded(name: str, work: Callable[[], Any]) -> None:
    """Run a process; errors of ours end it with one line and their exit number."""
    from unibos.kernel.errors import UnibosError

    try:
        work()
    except UnibosError as error:
        print(f"{name}: {error.text}", file=sys.stderr)
        sys.exit(error.exit)
    except KeyboardInterrupt:
        sys.exit(130)


def unibos() -> None:
    """Entry point."""
    run(_program("unibos"))


def unibos_hub() -> None:
    """Entry point."""
    run(_program("unibos-hub"))


def unibos_worker() -> None:
    """Entry point."""
    run(_program("unibos-worker"))


def unibos_manager() -> None:
    """Entry point."""
    run(_program("unibos-manager"))


def unibos_dev() -> None:
    """Entry point."""
    run(_program("unibos-dev"))


