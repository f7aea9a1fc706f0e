"""Recovery on the console: for who lost their second factor. Opens the database itself (decision 34), so it works while nothing runs;
whoever may read the role's data directory may do this."""

from __future__ import annotations

import click


def recover(role: str, email: str) -> bool:
    """Remove the second factor of the person with this e-mail and end their sessions; whether there was one. Raises NotFound without
    such a person, StartError where the role has no data here or data of an older version, Unavailable."""
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
        return services["identity"].factors.recover(email)
    except (peewee.OperationalError, peewee.ProgrammingError) as error:
        raise StartError(T("This data is of an older version, or cannot be written: %(why)s. Run migrate first.", why=str(error).split("\n")[0])) from error
    finally:
        kit.db.release()


def _command(role: str) -> click.Command:
    @click.command("recover", help=f"Remove the second step of the person with EMAIL on this {role}, and end their sessions. The password stays.")
    @click.argument("email")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def command(email: str, yes: bool) -> None:
        if not yes:
            click.confirm(f"Remove the second step of {email} and end all their sessions?", abort=True)
        had = recover(role, email)
        click.echo(f"{email}: the second step is removed, the password is enough now." if had else f"{email} had no second step. Their sessions have ended.")

    return command


recover_hub, recover_node = _command("hub"), _command("node")
