"""Recovery on the console: for who lost their second factor or forgot their password. Opens the database itself (decision 34), so it works while nothing runs;
whoever may read the role's data directory may do this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def recover(role: str, email: str) -> bool:
    """Remove the second factor (app, passkeys, recovery codes) of the person with this e-mail and end their sessions; whether there was one.
    Raises NotFound without such a person, StartError where the role has no data here or data of an older version, Unavailable."""
    return _opened(role, lambda identity: identity.factors.recover(email))


def password_code(role: str, email: str) -> str:
    """A code that sets a new password for the person with this e-mail, once, within an hour. Raises as `recover`."""
    return _opened(role, lambda identity: identity.resets.make(identity.by_email(email).id, "console"))


def _opened(role: str, work: Callable[[Any], Any]) -> Any:
    import peewee

    from unibos.kernel.errors import StartError
    from unibos.kernel.words import T
    from unibos.profiles.build import compose_all, folder, read_settings

    settings = read_settings(role)
    if not settings["UNIBOS_DATABASE_URL"] and not (folder(settings) / "unibos.sqlite").exists():
        raise StartError(T("There is no data in %(path)s. Name the right place with UNIBOS_DATA_DIR.", path=str(folder(settings))))
    kit, services = compose_all(role)
    try:
        kit.db.ping()
        return work(services["identity"])
    except (peewee.OperationalError, peewee.ProgrammingError) as error:
        raise StartError(T("This data is of an older version, or cannot be written: %(why)s. Run migrate first.", why=str(error).split("\n")[0])) from error
    finally:
        kit.db.release()


def _command(role: str) -> click.Command:
    @click.command("recover", help=f"Remove the second step of the person with EMAIL on this {role}, passkeys included, and end their sessions. The "
                                   "password stays. With --password the second step stays, and a code for a new password is shown instead.")
    @click.argument("email")
    @click.option("--password", is_flag=True, help="Show a code that sets a new password, once, within an hour.")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def command(email: str, password: bool, yes: bool) -> None:
        if password:
            code = password_code(role, email)
            click.echo(f"{code}\nOpen /password/reset/ in the panel of this {role} and give this code there within an hour. It works once.")
            return
        if not yes:
            click.confirm(f"Remove the second step of {email} and end all their sessions?", abort=True)
        had = recover(role, email)
        click.echo(f"{email}: the second step is removed, the password is enough now." if had else f"{email} had no second step. Their sessions have ended.")

    return command


recover_hub, recover_node = _command("hub"), _command("node")
