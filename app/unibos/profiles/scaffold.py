"""`unibos-dev new` and `unibos-dev migration`: the skeleton of a feature, and migrations written from its models."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from unibos.kernel.errors import Conflict, Invalid, NotFound
from unibos.kernel.words import T

_FILES = {
    "__init__.py": '"""Owns {name}. Refuses what is not its own; see docs/add-a-feature.md."""\n',
    "feature.py": '"""What {name} declares."""\n\nfrom unibos.kernel.feature import Feature\nfrom unibos.kernel.words import T\n\n'
                  'FEATURE = Feature(\n    name="{name}",\n    title=T("{title}"),\n    package=__name__.rpartition(".")[0],\n'
                  '    service="service:build",\n    routes=("api:ROUTES",),\n)\n',
    "service.py": '"""The verbs of {name}."""\n\nfrom __future__ import annotations\n\nfrom collections.abc import Mapping\n'
                  'from typing import TYPE_CHECKING, Any\n\nif TYPE_CHECKING:\n    from unibos.kernel.kit import Kit\n\n\n'
                  'class {title}:\n    """{title} of this device."""\n\n    def __init__(self, kit: Kit):\n        self._kit = kit\n\n\n'
                  'def build(kit: Kit, _services: Mapping[str, Any]) -> {title}:\n    """The service."""\n    return {title}(kit)\n',
    "api.py": '"""JSON v1 of {name}."""\n\nfrom __future__ import annotations\n\nfrom unibos.kernel.web import Call, Routes\n\nROUTES = Routes()\n\n\n'
              '@ROUTES.get("/api/v1/{name}/", access="viewer")\ndef listing(call: Call) -> dict:\n    """What there is."""\n'
              '    return {{"items": []}}\n',
}
_TEST = '''"""The feature {name}."""

from unibos.features.{name}.feature import FEATURE


def test_the_feature_is_named_as_its_folder():
    assert FEATURE.name == "{name}" and FEATURE.package == "unibos.features.{name}"
'''


@click.command()
@click.argument("kind", type=click.Choice(["feature", "product"]))
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path("."), help="The checkout.")
def new(kind: str, name: str, into: Path) -> None:
    """Make the skeleton of a feature or product, and say what is left to do.

    Example: unibos-dev new feature calendar
    """
    if not name.isidentifier() or not name.islower():
        raise Invalid(T("A feature's name is one lower-case word."))
    floor = f"{kind}s"
    folder = into / "app" / "unibos" / floor / name
    if folder.exists():
        raise Conflict(T("There is a %(name)s already.", name=name))
    if not folder.parent.is_dir():
        raise NotFound(T("%(path)s is no checkout of UNIBOS.", path=str(into)))
    folder.mkdir()
    for file, content in _FILES.items():
        (folder / file).write_text(content.format(name=name, title=name.capitalize()), encoding="utf-8")
    tests = into / "tests" / floor / name
    tests.mkdir(parents=True, exist_ok=True)
    (tests / f"test_{name}.py").write_text(_TEST.format(name=name).replace("unibos.features", f"unibos.{floor}"), encoding="utf-8")
    click.echo(f"made {folder} and {tests}\nnow: list it in app/unibos/profiles/lists.py, put it on its floor in pyproject.toml, "
               "and follow docs/add-a-feature.md")


@click.command()
@click.argument("feature")
@click.argument("name", default="change")
def migration(feature: str, name: str) -> None:
    """Write a migration for what FEATURE's models (or the kernel's) changed. Read it before you keep it.

    Example: unibos-dev migration devices add_area
    """
    import importlib.resources

    import peewee
    from playhouse.migrations import Runner, template
    from playhouse.schema_diff import SchemaDiff, diff_models

    from unibos.kernel import jobs, records
    from unibos.kernel.tables import proxy
    from unibos.profiles.lists import EVERY

    found = {f.name: f for f in EVERY if f.migrations}
    if feature == "kernel":
        models, package = [*records.KERNEL_TABLES, *jobs.KERNEL_TABLES], "unibos.kernel"
    elif feature in found:
        models, package = list(found[feature].load(found[feature].models)), found[feature].package
    else:
        raise NotFound(T("There is no feature %(name)s with tables.", name=feature))
    directory = Path(str(importlib.resources.files(package) / "migrations"))
    directory.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        database = peewee.SqliteDatabase(str(Path(scratch) / "schema.sqlite"))
        proxy.initialize(database)
        runner = Runner(database, str(directory), table_name=f"migrated_{feature}")
        runner.up()
        changed = diff_models(database, models) if runner.migrations() else SchemaDiff(models, [], [], [], [])
        if not changed:
            click.echo("the tables are as the models say")
            return
        click.echo(runner.create(name if runner.migrations() else "initial", body=template(changed)))
        database.close()


