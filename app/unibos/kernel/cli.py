"""The kernel of the command lines: lazy groups with a static help table, the client of the unix socket, exit codes.

Importing this costs click and nothing else; a command's own code is loaded when it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from unibos import __version__

if TYPE_CHECKING:
    from pathlib import Path

UNAVAILABLE = 69


def console(text: str) -> str:
    """A sentence for the terminal (English; the place where terminal languages would be chosen)."""
    return text


class Problem(click.ClickException):
    """An error of ours on the command line, with the exit number of its class."""

    def __init__(self, message: str, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code


class LazyGroup(click.Group):
    """A group whose commands are loaded when called; the help lists them from the table alone."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, Callable[[], click.Command]]] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._table = dict(table or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return self._table[name][1]() if name in self._table else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][0]) for name in sorted(self._table)])


class Context:
    """What a command gets: where the data lies, and the API of the running process over its unix socket."""

    headers: Mapping[str, str] = {}

    def __init__(self, role: str, data_dir: Path, call: Callable[..., tuple[int, Any]]):
        self.role, self.data_dir, self._call = role, data_dir, call

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API; raises Problem with the sentence of the answer."""
        status, answer = self._call(method, path, body, **({"headers": self.headers} if self.headers else {}))
        if status >= 400:
            detail = answer.get("detail", f"error {status}") if isinstance(answer, dict) else f"error {status}"
            raise Problem(detail, _EXIT.get(status, 1))
        return answer

    def get(self, path: str) -> Any:
        """GET."""
        return self.request("GET", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST."""
        return self.request("POST", path, body or {})


_EXIT = {400: 2, 401: 77, 403: 77, 404: 66, 409: 73, 413: 2, 422: 73, 429: 75, 503: 69, 507: 69}


def show(value: Any, as_json: bool, text: str | None = None) -> None:
    """Print a value as JSON, or as the text that people read."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2) if as_json or text is None else text)


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Rows as aligned columns."""
    cells = [list(head), *[["" if c is None else str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)


def run(program: click.Command) -> None:
    """Run a program; errors of ours end it with one line and the exit number of their class."""
    from unibos.kernel.errors import UnibosError

    try:
        ended = program(standalone_mode=False)
        if isinstance(ended, int) and ended:  # click hands the code of an Exit back instead of raising it
            sys.exit(ended)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except UnibosError as error:
        click.echo(f"{program.name}: {error.text}", err=True)
        sys.exit(error.exit)
    except BrokenPipeError:
        sys.exit(141)


def version_option(program: str) -> Callable[[Any], Any]:
    """`--version`."""
    return click.version_option(__version__, "--version", prog_name=program)
