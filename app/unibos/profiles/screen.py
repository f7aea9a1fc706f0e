"""What the attached screen shows: where the box is, whose it is, and what to do. Pure but for `run`, `Look` and what they call."""

from __future__ import annotations

import os
import select
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unibos import __version__
from unibos.kernel.words import T, Text
from unibos.wire.provision import Fault

CLEAR = "\x1b[?25l\x1b[H\x1b[2J\x1b[3J"
MOST_FAULTS = 8
BORDER = 2
STARTING = 180.0  # seconds after which a box that never answered is no longer starting
TICK = 5.0


@dataclass(frozen=True)
class State:
    """All that the screen depends on. `codes` are (role, claim code) of what has no owner; `phase` is starting, up or down."""

    name: str
    addresses: tuple[str, ...] = ()
    fingerprint: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    roles: tuple[str, ...] = ("node",)
    phase: str = "up"
    faults: tuple[Fault, ...] = ()
    language: str = "en"
    version: str = __version__

    def host(self, role: str) -> str:
        """The host name of a role: of two on one machine the hub has a name of its own (decision 13)."""
        return f"{'hub-' if role == 'hub' and len(self.roles) > 1 else ''}{self.name}.local"


Say = Callable[[Text], str]


def lines(state: State) -> list[str]:
    """What the screen says, a paragraph a line, in the state's language."""
    from unibos.panel.i18n import catalogue

    translate = catalogue(state.language).gettext

    def say(text: Text) -> str:
        return text.render(translate)

    found = [f"UNIBOS {state.version} · {state.name}", "", *_faults(state.faults, say)]
    if state.phase != "up":
        found += [say(_PHASES[state.phase]), ""]
    if not state.addresses:
        return [*found, *map(say, _NO_NETWORK)]
    found += [f"https://{state.host(role)}" for role in state.roles]
    found += [f"https://[{a}]" if ":" in a else f"https://{a}" for a in state.addresses]
    if state.phase != "up":
        return found
    return [*found, "", *(_claim(state, say) if state.codes else [say(T("This box has an owner. Open it in a browser."))])]


_PHASES = {"starting": T("UNIBOS is starting."),
           "down": T("UNIBOS does not answer. It is started again by itself. If this stays, switch the box off and on.")}
_NO_NETWORK = (T("There is no network."),
               T("Plug in a network cable, or write the Wi-Fi network into the file unibos.toml on the small partition of the card."))


def _faults(faults: Sequence[Fault], say: Say) -> list[str]:
    from unibos.adapters.provision_words import fault_text

    if not faults:
        return []
    found = [say(T("The file unibos.toml cannot be used, and nothing was changed. Correct it on another computer:"))]
    found += [f"- {say(fault_text(fault))}" for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        more = T("Faults not shown here: %(count)s", count=len(faults) - MOST_FAULTS)
        found.append(f"- {say(more)}")
    return [*found, ""]


def _claim(state: State, say: Say) -> list[str]:
    found = [say(T("This box has no owner yet. Open the address in a browser on the same network and type the code:"))]
    found += [code if len(state.roles) == 1 else f"{state.host(role)}  {code}" for role, code in state.codes]
    if state.fingerprint:
        half = (len(state.fingerprint) + 1) // 2
        found += ["", say(T("The browser warns once. The certificate that it shows must have this SHA-256 fingerprint:")),
                  _groups(state.fingerprint[:half]), _groups(state.fingerprint[half:])]
    return found


def _groups(half: str) -> str:
    """Half a fingerprint in groups of four digits, which the eye can keep."""
    digits = half.replace(":", "")
    return " ".join(digits[i:i + 4] for i in range(0, len(digits), 4))


def link(state: State) -> str:
    """What the QR code says; empty when there is nothing to claim. Code and fingerprint stand in the fragment, which no browser sends."""
    if state.phase != "up" or not state.addresses or not state.codes or not state.fingerprint:
        return ""
    role, code = state.codes[0]
    return f"https://{state.host(role)}/#claim={code}&sha256={state.fingerprint.replace(':', '')}"


def qr(content: str) -> list[str]:
    """A QR code (ISO/IEC 18004) in half blocks, light on a dark screen: two modules a character, one above the other."""
    import segno

    matrix = segno.make(content, error="l", micro=False, boost_error=False).matrix
    side = len(matrix) + 2 * BORDER
    light = [[True] * side for _ in range(side + side % 2)]
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            light[y + BORDER][x + BORDER] = not dark
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    return ["".join(blocks[pair] for pair in zip(light[y], light[y + 1], strict=True)) for y in range(0, len(light), 2)]


def render(state: State, columns: int, rows: int) -> str:
    """The whole screen, at most `rows` lines of `columns` characters; the QR code beside or below the words, where it fits."""
    width = max(20, columns - 1)  # a full line would make some terminals begin another
    content = link(state)
    if content:
        code = qr(content)
        beside = _wrapped(state, width - len(code[0]) - 3) if width - len(code[0]) - 3 >= 44 else []
        if beside and len(beside) <= rows - 1 and len(code) <= rows - 1:
            padded = beside + [""] * (len(code) - len(beside))
            room = width - len(code[0]) - 3
            return _text([f"{left:<{room}}   {right}".rstrip(" ") for left, right in zip(padded, code + [""] * (len(padded) - len(code)), strict=True)], rows)
        below = _wrapped(state, width)
        if len(below) + 1 + len(code) <= rows - 1 and len(code[0]) <= width:
            return _text([*below, "", *code], rows)
    return _text(_wrapped(state, width), rows)


def _wrapped(state: State, width: int) -> list[str]:
    found: list[str] = []
    for line in lines(state):
        found += textwrap.wrap(_plain(line), width, break_on_hyphens=False) or [""]
    return found


def _plain(line: str) -> str:
    """Without what a terminal would obey, whatever the words were made of."""
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def _text(found: list[str], rows: int) -> str:
    return "\n".join(found[:max(1, rows - 1)]) + "\n"


class Look:
    """Finds the state: asks the web processes over their unix sockets and reads what lies in the data directory."""

    def __init__(self, environment: dict[str, str], root: Path, leaf: Path):
        self._environment, self._root, self._leaf = environment, root, leaf
        self._began, self._answered = time.monotonic(), False

    def __call__(self) -> State:
        """The state now. Raises SettingError, and StartError when the data directory may not be read."""
        from unibos.adapters import appliance, system
        from unibos.profiles.build import folder, read_settings

        settings = {role: read_settings(role, self._environment) for role in ("node", "hub")}
        roles = tuple(role for role, read in settings.items() if os.access(folder(read), os.X_OK))
        codes = tuple((role, code) for role in roles if (code := _read(folder(settings[role]) / "claim-code")))
        up = bool(roles) and all(_answers(settings[role]) for role in roles)
        self._answered = self._answered or up
        young = not self._answered and time.monotonic() - self._began < STARTING
        language = appliance.choices(self._root).get("language", "") or settings["node"]["UNIBOS_LANGUAGE"]
        # An address of the link alone cannot be typed into a browser: it needs the name of the interface.
        reachable = tuple(a for a in system.addresses() if not a.startswith("fe80:"))
        return State(system.hostname(), reachable, self._fingerprint(), codes, roles or ("node",), "up" if up else "starting" if young else "down",
                     appliance.noted(self._root), language)

    def _fingerprint(self) -> str:
        from unibos.adapters.certificates import fingerprint

        try:
            return fingerprint((self._leaf / "leaf.pem").read_bytes())
        except (OSError, ValueError):
            return ""


def _read(path: Path) -> str:
    from unibos.kernel.errors import StartError

    try:
        return path.read_text(encoding="ascii").strip()[:64]
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    except OSError as error:
        raise StartError(T("The file %(path)s cannot be read: %(why)s.", path=str(path), why=error.strerror or str(error))) from error


def _answers(settings: Any) -> bool:
    from unibos.adapters.console import request
    from unibos.kernel.errors import UnibosError
    from unibos.profiles.build import control_socket

    try:
        return request(control_socket(settings, make=False), "GET", "/healthz")[0] == 200
    except (UnibosError, OSError, ValueError):
        return False


def run(look: Callable[[], State], write: Callable[[str], None], size: Callable[[], tuple[int, int]], wait: Callable[[], bool]) -> None:
    """Draw, and draw again when something changed, as long as `wait()` says so."""
    shown = None
    while True:
        text = render(look(), *size())
        if text != shown:
            write(CLEAR + text)
            shown = text
        if not wait():
            return


def waiter() -> Callable[[], bool]:
    """A `wait` for `run`: until a link or an address changes, at most TICK seconds; the claim code and the servers are looked at then."""
    from unibos.adapters.system import network_changes, settle

    watch = network_changes()

    def wait() -> bool:
        if watch is None:
            time.sleep(TICK)
        elif select.select([watch], [], [], TICK)[0]:
            time.sleep(0.2)  # changes come in flocks: a link, its address, the next one
            settle(watch)
        return True

    return wait
