"""Runs the processes of a development device side by side: in order, watched, with their output in one place, and stopped together.

On an appliance systemd does this. Unix only. Signals, exits and output wake one loop; only readiness, while starting, is polled.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from unibos.kernel.errors import StartError
from unibos.kernel.words import T

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_TRIES = 5  # deaths before the first readiness that say it will never come
_SETTLED = 10.0  # s of life after which the next restart is quick again
_LONGEST = 64 * 1024  # bytes of a line without an end
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")

# Waits for the supervisor's end of the pipe to close, however that ends, and takes the children (whole groups) with it.
_UNDERTAKER = """
import os, signal, sys, time
alive = set(map(int, sys.argv[1:]))
for line in sys.stdin:
    (alive.add if line[0] == '+' else alive.discard)(int(line[1:]))
def tell(number, send):
    for pid in list(alive):
        try: send(pid, number)
        except ProcessLookupError: alive.discard(pid)
        except PermissionError: pass
tell(signal.SIGTERM, os.kill)
end = time.monotonic() + 3
while alive and time.monotonic() < end:
    time.sleep(0.05)
    tell(0, os.killpg)
tell(signal.SIGKILL, os.killpg)
"""


@dataclass(frozen=True)
class Child:
    """A process to keep running. It starts once all it comes `after` are ready, and is ready when `ready()` says so (a function
    that may block for a second and is called from a thread; None: as soon as it runs). `env` is its whole environment (None: ours).
    An `optional` one may fail for good without stopping the others. `stop_seconds` after `stop_signal` it is killed."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    after: tuple[str, ...] = ()
    optional: bool = False
    stop_seconds: float = 8
    cwd: Path | str | None = None
    stop_signal: int = signal.SIGTERM


def wants_colour(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Whether to colour what goes to `stream`: a terminal that can, and no NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class _Running:
    """A child and how it fares."""

    def __init__(self, child: Child, label: str):
        self.child, self.label = child, label
        self.process: subprocess.Popen[bytes] | None = None
        self.answered: subprocess.Popen[bytes] | None = None  # the process that `ready()` found good, said by its thread
        self.ready = self.given_up = self.asked_to_stop = False
        self.deaths = 0
        self.delay = 0.2
        self.began = 0.0
        self.again: float | None = None  # when to start it again
        self.kill_at: float | None = None
        self.why = ""
        self.tail: deque[str] = deque(maxlen=15)
        self.rest = b""

    @property
    def alive(self) -> bool:
        return self.process is not None


class Supervisor:
    """Keeps `children` running until it is told to stop. `write` takes whole lines with their line break; `ready_line` is written
    once, when all that are not optional are ready. The whole stop takes at most `grace` seconds, whatever the children do.

    Raises StartError for children of the same name and for an `after` that names nobody or goes round in a circle.
    """

    def __init__(self, children: Iterable[Child], write: Callable[[str], None], colour: bool,
                 ready_line: Callable[[], str] | str, grace: float = 10):
        given = tuple(children)
        self._write, self._colour, self._ready_line, self._grace = write, colour, ready_line, grace
        wide = max((len(c.name) for c in given), default=0)
        self._all = {c.name: _Running(c, self._label(c.name.ljust(wide), i)) for i, c in enumerate(given)}
        if len(self._all) != len(given):
            raise StartError(T("Two processes have the same name."))
        _check_order(given)
        self._stopping = self._told_ready = self._mute = False
        self._end_at = 0.0
        self._code = 0
        self._signals = 0
        self._signalled = 0.0

    def run(self) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP (returns 0) or until a child that is not optional cannot be started (returns 1).
        A second signal kills at once. Call it in the main thread."""
        self._selector = selectors.DefaultSelector()
        read, write = os.pipe()
        for end in (read, write):
            os.set_blocking(end, False)
        self._wake = write
        self._selector.register(read, selectors.EVENT_READ, self._on_wake)
        ours = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            ours.append(signal.SIGHUP)
        kept = {number: signal.signal(number, self._on_signal) for number in ours}
        kept[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            self._undertaker = _undertaker([])
            while True:
                self._reap()
                self._start_what_can()
                self._stop_what_must()
                if self._stopping and not any(r.alive for r in self._all.values()):
                    return self._code
                for key, _ in self._selector.select(self._patience()):
                    key.data(key.fileobj)
        finally:
            self._stopping = True
            for running in self._all.values():  # none is left, unless something here failed
                self._kill(running)
            signal.set_wakeup_fd(wakeup)
            for number, handler in kept.items():
                signal.signal(number, handler)
            self._wake = -1  # readiness threads that come late find no pipe
            self._selector.close()
            os.close(read)
            os.close(write)
            if undertaker := getattr(self, "_undertaker", None):
                undertaker.stdin.close()
                undertaker.wait()

    # --- starting

    def _start_what_can(self) -> None:
        now = time.monotonic()
        for running in self._all.values():
            if self._stopping:
                return
            waiting = [self._all[name] for name in running.child.after]
            if running.alive or running.given_up or not all(w.ready or w.given_up for w in waiting):
                continue
            if running.deaths == 0 or (running.again is not None and running.again <= now):
                self._start(running)
        if not self._told_ready and all(r.ready for r in self._all.values() if not r.child.optional):
            self._told_ready = True
            self._say_plain(self._ready_line() if callable(self._ready_line) else self._ready_line)

    def _start(self, running: _Running) -> None:
        child = running.child
        running.again, running.began, running.rest = None, time.monotonic(), b""
        try:
            process = subprocess.Popen(list(child.argv), env=None if child.env is None else dict(child.env), cwd=child.cwd,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True)  # so that Ctrl-C reaches only us
        except OSError as error:
            self._give_up(running, f"{child.name} cannot be started: {error}")
            return
        running.process = process
        self._tell_undertaker("+", process.pid)
        output = process.stdout
        assert output is not None  # asked for above
        os.set_blocking(output.fileno(), False)
        self._selector.register(output, selectors.EVENT_READ, lambda file: self._on_output(running, file))
        if running.deaths:
            self._say(running, f"{child.name} ended {running.why}, started again ({running.deaths})")
        if child.ready is None:
            running.ready = True
        elif not running.ready:
            threading.Thread(target=self._poll, args=(running, process), name=f"ready {child.name}", daemon=True).start()

    def _poll(self, running: _Running, process: subprocess.Popen[bytes]) -> None:
        """In a thread: ask until the child is ready or this process of it is gone."""
        ready = running.child.ready
        while ready is not None and running.process is process and not self._stopping:
            try:
                good = bool(ready())
            except Exception:  # noqa: BLE001 - not ready yet, whatever it was
                good = False
            if good:
                running.answered = process
                with contextlib.suppress(OSError):
                    os.write(self._wake, b"\0")
                return
            time.sleep(0.05)

    # --- what happens

    def _on_signal(self, number: int, frame: Any) -> None:
        # make, told to end together with us, tells us too: what comes at once is one signal.
        if time.monotonic() - self._signalled > 0.3:
            self._signals += 1
        self._signalled = time.monotonic()

    def _on_wake(self, fd: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(fd, 512):
                pass

    def _on_output(self, running: _Running, file: Any) -> None:
        try:
            data = os.read(file.fileno(), 65536)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(file)
            file.close()
        self._show(running, data, last=not data)

    def _show(self, running: _Running, data: bytes, *, last: bool = False) -> None:
        *lines, running.rest = (running.rest + data).split(b"\n")
        if running.rest and (last or len(running.rest) > _LONGEST):
            lines.append(running.rest)
            running.rest = b""
        for line in lines:
            text = line.rstrip(b"\r").decode(errors="replace")
            running.tail.append(text)
            self._say(running, text)

    def _reap(self) -> None:
        if self._undertaker.poll() is not None:  # somebody killed it: the children need another one
            self._undertaker.stdin.close()  # type: ignore[union-attr]
            self._undertaker = _undertaker([r.process.pid for r in self._all.values() if r.process is not None])
        for running in self._all.values():
            process = running.process
            if process is None or process.poll() is None:
                if process is not None and running.answered is process:  # it lives, so it was not another one that answered
                    running.ready = True
                continue
            self._close(running, process)
            code = process.returncode
            running.why = f"by {_signal_name(-code)}" if code < 0 else f"with exit code {code}"
            running.deaths += 1
            if self._stopping:
                continue
            if not running.ready and running.deaths >= _TRIES:
                self._give_up(running, f"{running.child.name} ended {running.why}, for the {running.deaths}th time before it was ready")
                continue
            if time.monotonic() - running.began > _SETTLED:
                running.delay = 0.2
            running.again = time.monotonic() + running.delay
            running.delay = min(running.delay * 2, 5.0)

    def _close(self, running: _Running, process: subprocess.Popen[bytes]) -> None:
        """The child is gone: take what it still said, and whatever it left in its group."""
        output = process.stdout
        if output is not None and not output.closed:
            with contextlib.suppress(BlockingIOError):
                while data := os.read(output.fileno(), 65536):
                    self._show(running, data)
            self._show(running, b"", last=True)
            self._selector.unregister(output)
            output.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        self._tell_undertaker("-", process.pid)
        running.process = None

    # --- stopping

    def _give_up(self, running: _Running, why: str) -> None:
        running.given_up = True
        self._say(running, why)
        if running.child.optional:
            return
        if running.tail:
            self._say_plain(f"The last lines of {running.child.name}:\n" + "\n".join(f"  {line}" for line in running.tail))
        self._code = 1
        self._begin_to_stop()

    def _begin_to_stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._end_at = time.monotonic() + max(0.1, self._grace - 1)

    def _stop_what_must(self) -> None:
        if self._signals or self._mute:
            self._begin_to_stop()
        if not self._stopping:
            return
        now = time.monotonic()
        for running in reversed(self._all.values()):
            needed = any(other.alive for other in self._all.values() if running.child.name in other.child.after)
            if self._signals > 1 or now >= self._end_at or (running.kill_at is not None and now >= running.kill_at):
                self._kill(running)
            elif running.process is not None and not running.asked_to_stop and not needed:
                running.asked_to_stop = True
                running.kill_at = now + running.child.stop_seconds
                running.process.send_signal(running.child.stop_signal)

    def _kill(self, running: _Running) -> None:
        process = running.process
        if process is not None:
            if running.kill_at != float("inf"):
                self._say(running, f"{running.child.name} is killed")
            running.kill_at = float("inf")
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._close(running, process)

    def _patience(self) -> float | None:
        """Seconds until something is due; None: nothing is, wait for events."""
        due = [r.again for r in self._all.values() if r.again is not None and not self._stopping]
        if self._stopping:
            due += [r.kill_at for r in self._all.values() if r.alive and r.kill_at is not None] + [self._end_at]
        return max(0.0, min(due) - time.monotonic()) if due else None

    # --- talking

    def _tell_undertaker(self, what: str, pid: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._undertaker.stdin.write(f"{what}{pid}\n".encode())  # type: ignore[union-attr]
            self._undertaker.stdin.flush()  # type: ignore[union-attr]

    def _label(self, name: str, index: int) -> str:
        return f"\x1b[{_COLOURS[index % len(_COLOURS)]}m{name}\x1b[0m | " if self._colour else f"{name} | "

    def _say(self, running: _Running, text: str) -> None:
        self._say_plain(running.label + (text + "\x1b[0m" * ("\x1b" in text) if self._colour else _ESCAPES.sub("", text)))

    def _say_plain(self, text: str) -> None:
        if not self._mute:
            try:
                self._write(text + "\n")
            except (OSError, ValueError):  # nobody reads any more (`make run | head`)
                self._mute = True


def _check_order(children: Sequence[Child]) -> None:
    placed: set[str] = set()
    left = list(children)
    while left:
        can = [c for c in left if set(c.after) <= placed]
        if not can:
            raise StartError(T("%(names)s wait for each other or for nobody.", names=", ".join(c.name for c in left)))
        placed |= {c.name for c in can}
        left = [c for c in left if c.name not in placed]


def _undertaker(alive: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", _UNDERTAKER, *map(str, alive)], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
