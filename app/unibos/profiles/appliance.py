"""The programs of an appliance: `python -m unibos.profiles.appliance WORD`. Units of the machine call them; docs/spec/provision.md says what they read."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from unibos.kernel.errors import SettingError, StartError
from unibos.kernel.words import T, Text

MACHINE = Path("/")


def name(root: Path) -> None:
    """Choose the machine's name on its first start, and make the kernel use what etc/hostname says. As root, early."""
    from unibos.adapters import appliance

    chosen = appliance.choose_name(root)
    _use_name(chosen, root)
    print(chosen)


def _use_name(chosen: str, root: Path) -> None:
    from unibos.adapters import system

    if root == MACHINE:
        system.set_hostname(chosen)


def provision_read() -> None:
    """Read unibos.toml from standard input and write one line of JSON, a plan or faults. Without any rights."""
    from unibos.wire.provision import MAX_BYTES, result

    sys.stdout.write(result(sys.stdin.buffer.read(MAX_BYTES + 1)) + "\n")


def provision_apply(plan_json: Path, boot_file: Path, root: Path, owner: str) -> None:
    """Do what the checked JSON of `provision-read` asks for, report beside the file, and leave word for the screen. As root.

    Raises StartError when the machine cannot be changed; the file then stays, and the next start tries again.
    """
    from unibos.adapters import appliance
    from unibos.adapters.system import SystemClock
    from unibos.wire.provision import ProvisionError

    now = SystemClock().now()
    try:
        plan = _read_plan(plan_json)
    except ProvisionError as error:
        appliance.note(root, error.faults, now)
        _report(boot_file, _refusal(error.faults), _language(root), good=False)
        print("unibos.toml cannot be used:", error, file=sys.stderr)
        return
    try:
        done = appliance.apply(plan, root, _owner(owner) if plan.hub else (-1, -1))
        _report(boot_file, [T("The file unibos.toml was read and removed. This was done:"), *done] if done else
                [T("The file unibos.toml was read and removed. It asked for nothing.")], plan.language or _language(root), good=True)
        appliance.note(root, (), now)
    except OSError as error:
        raise StartError(T("What unibos.toml asks for could not be done: %(why)s.", why=error.strerror or str(error))) from error
    _forget(plan_json)
    if plan.hostname:
        _use_name(plan.hostname, root)


def _forget(plan_json: Path) -> None:
    """Remove the plan, which holds passwords. Where that is not allowed it ends with the machine: it lies in memory."""
    try:
        plan_json.unlink(missing_ok=True)
    except OSError as error:
        print(f"the plan could not be removed: {error.strerror}", file=sys.stderr)


def _read_plan(path: Path):
    from unibos.wire.provision import MAX_JSON, Fault, ProvisionError, read_result

    try:
        with path.open("rb") as file:
            return read_result(file.read(MAX_JSON + 1).decode("ascii"))
    except (OSError, UnicodeDecodeError):
        raise ProvisionError((Fault("unreadable"),)) from None


def _refusal(faults: Sequence) -> list[Text]:
    from unibos.adapters.provision_words import fault_text

    return [T("The file unibos.toml cannot be used, and nothing was changed:"), *map(fault_text, faults), T("Correct the file and start the box again.")]


def _report(boot_file: Path, said: Sequence[Text], language: str, *, good: bool) -> None:
    from unibos.adapters import appliance
    from unibos.panel.i18n import catalogue

    speak = catalogue(language).gettext
    try:
        appliance.retire(boot_file, [text.render(speak) for text in said], good=good)
    except OSError as error:
        if good:
            raise
        print(f"no report could be written: {error.strerror}", file=sys.stderr)  # a locked card must not hide the faults from the screen


def _language(root: Path) -> str:
    from unibos.adapters import appliance

    return appliance.choices(root).get("language", "") or os.environ.get("UNIBOS_LANGUAGE", "en")


def _owner(text: str) -> tuple[int, int]:
    """(uid, gid) of a user's name, or of UID:GID."""
    import pwd

    uid, _, gid = text.partition(":")
    if uid.isdigit() and gid.isdigit():
        return int(uid), int(gid)
    try:
        entry = pwd.getpwnam(text)
    except KeyError:
        raise StartError(T("There is no user %(name)s on this machine.", name=text)) from None
    return entry.pw_uid, entry.pw_gid


def certificate(ca: Path, leaf: Path, names: Sequence[str]) -> None:
    """Make or renew the certificates for this machine's name and addresses. `{host}` in a further name is the machine's own."""
    from unibos.adapters import certificates, system

    own = system.hostname()
    try:
        wanted = [f"{own}.local", own, *(name.replace("{host}", own) for name in names)]
        done = certificates.ensure(ca, leaf, wanted, system.addresses(), system.SystemClock().now(), system.BUILT)
    except OSError as error:
        raise StartError(T("The certificates cannot be written: %(why)s.", why=f"{error.strerror}: {error.filename}")) from error
    for text in done.why:
        print(text)


def screen(leaf: Path, root: Path) -> None:
    """Show on standard output, a terminal, where the box is and how it is claimed, until it is ended."""
    from unibos.profiles.screen import Look, run, waiter

    def size() -> tuple[int, int]:
        try:
            found = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return 80, 25
        return found.columns or 80, found.lines or 25

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    run(Look(dict(os.environ), root, leaf), write, size, waiter())


def broker() -> None:
    """Prepare the MQTT broker by the settings and become it."""
    from unibos.adapters.mosquitto import prepare
    from unibos.profiles.build import read_settings

    settings = read_settings("node")
    files = prepare(Path(settings["UNIBOS_DATA_DIR"]), settings["UNIBOS_MQTT_PORT"], lan=listeners(settings))
    os.execv(files.argv[0], files.argv)


def listeners(settings) -> list:
    """The listeners that devices reach over the LAN. Raises SettingError when there is no certificate for TLS."""
    from unibos.adapters.mosquitto import Lan

    found = []
    if port := settings["UNIBOS_MQTT_TLS_PORT"]:
        for setting in ("UNIBOS_MQTT_CERTIFICATE", "UNIBOS_MQTT_KEY"):
            if not settings[setting] or not Path(settings[setting]).is_file():
                raise SettingError(T("UNIBOS_MQTT_TLS_PORT is %(port)s, so %(name)s must name a file that is there.", port=port, name=setting))
        found.append(Lan(port=port, certificate=Path(settings["UNIBOS_MQTT_CERTIFICATE"]).absolute(), key=Path(settings["UNIBOS_MQTT_KEY"]).absolute()))
    if port := settings["UNIBOS_MQTT_PLAIN_PORT"]:
        found.append(Lan(port=port))
    taken = [settings["UNIBOS_MQTT_PORT"], *(lan.port for lan in found)]
    if len(set(taken)) < len(taken):
        raise SettingError(T("UNIBOS_MQTT_PORT, UNIBOS_MQTT_TLS_PORT and UNIBOS_MQTT_PLAIN_PORT must be different."))
    return found


def main(arguments: Sequence[str]) -> None:
    """Do one word."""
    parser = argparse.ArgumentParser(prog="python -m unibos.profiles.appliance", description=__doc__)
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")

    def word(title: str, work, *, root: bool = False) -> argparse.ArgumentParser:
        made = words.add_parser(title, help=(work.__doc__ or "").split("\n")[0])
        made.set_defaults(work=work)
        if root:
            made.add_argument("--root", type=Path, default=MACHINE, metavar="DIR", help="the machine's files lie below DIR (default /)")
        return made

    word("name", name, root=True)
    word("provision-read", provision_read)
    apply = word("provision-apply", provision_apply, root=True)
    apply.add_argument("plan_json", type=Path, metavar="PLAN_JSON", help="what provision-read wrote; removed when it is done")
    apply.add_argument("boot_file", type=Path, metavar="BOOT_FILE", help="unibos.toml on the boot partition")
    apply.add_argument("--owner", default="unibos", metavar="USER", help="the node's user, or UID:GID (default unibos)")
    made = word("certificate", certificate)
    made.add_argument("--ca", type=Path, required=True, metavar="DIR", help="the authority's directory, its owner's alone")
    made.add_argument("--leaf", type=Path, required=True, metavar="DIR", help="the directory that servers read")
    made.add_argument("--name", dest="names", action="append", default=[], metavar="NAME", help="a further host name (may be repeated)")
    word("screen", screen, root=True).add_argument("--leaf", type=Path, required=True, metavar="DIR", help="the directory with leaf.pem")
    word("broker", broker)
    chosen = vars(parser.parse_args(list(arguments)))
    del chosen["word"]
    chosen.pop("work")(**chosen)


if __name__ == "__main__":
    from unibos.profiles.programs import guarded

    guarded("unibos-appliance", lambda: main(sys.argv[1:]))
