"""The supervisor of `make run`, run as a process of its own over tiny shell children."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from unibos.adapters.processes import Child, Supervisor, wants_colour
from unibos.kernel.errors import StartError

SCRIPT = """
import signal, sys
from pathlib import Path
from unibos.adapters.processes import Child, Supervisor

here = Path(sys.argv[1])

def sh(name, code, **more):
    return Child(name, ("/bin/sh", "-c", code), cwd=here, **more)

def exists(name):
    return lambda: (here / name).exists()

def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()

children = CHILDREN
sys.exit(Supervisor(children, write, COLOUR, ready_line=lambda: "all is ready", grace=GRACE).run())
"""


class Run:
    """A running supervisor whose lines can be waited for."""

    def __init__(self, place: Path, children: str, *, colour: bool = False, grace: float = 10):
        code = SCRIPT.replace("CHILDREN", children).replace("COLOUR", str(colour)).replace("GRACE", str(grace))
        self.lines: list[str] = []
        self.turn = threading.Condition()
        self.process = subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self.turn:
                self.lines.append(line.rstrip("\n"))
                self.turn.notify_all()

    def see(self, text: str, times: int = 1, timeout: float = 15) -> str:
        """Wait for a line that holds `text` (the `times`th one)."""
        with self.turn:
            good = self.turn.wait_for(lambda: sum(text in line for line in self.lines) >= times, timeout)
            assert good, f"no {text!r} in {self.lines}"
            return [line for line in self.lines if text in line][times - 1]

    def pid(self, name: str, times: int = 1) -> int:
        return int(self.see(f"{name}-pid=", times).rpartition("=")[2])

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, timeout: float = 15) -> tuple[int, float]:
        """Wait for the end; returns the exit code and how long it took."""
        began = time.monotonic()
        code = self.process.wait(timeout)
        took = time.monotonic() - began
        self.reader.join()
        self.process.stdout.close()
        return code, took


@pytest.fixture
def run(tmp_path):
    started: list[Run] = []

    def start(children: str, **more) -> Run:
        started.append(Run(tmp_path, children, **more))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.tell(signal.SIGKILL)
        each.end()


def gone(pid: int, timeout: float = 8) -> bool:
    """Whether the process ends within `timeout` seconds; one that its new parent has not collected yet has ended."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def test_starts_in_order_and_says_ready_once(run):
    it = run("""[
        sh("web", "echo web up; touch web; exec sleep 99", after=("db", "redis"), ready=exists("web")),
        sh("db", "echo db up; while [ ! -e redis-up ]; do sleep 0.01; done; touch db; echo db ready; exec sleep 99", ready=exists("db")),
        sh("redis", "echo redis up; touch redis-up; exec sleep 99", ready=exists("redis-up")),
    ]""")
    it.see("all is ready")
    it.tell(signal.SIGTERM)
    assert it.end()[0] == 0
    # db waits for what redis does: they can only have run side by side.
    assert it.lines.index("db    | db ready") < it.lines.index("web   | web up") < it.lines.index("all is ready")
    assert it.lines.count("all is ready") == 1


def test_an_optional_one_is_not_waited_for_and_may_fail(run):
    it = run("""[
        sh("extra", "echo no luck; exit 3", ready=exists("never"), optional=True),
        sh("main", "exec sleep 99", after=("extra",)),
        sh("missing", "x", optional=True).__class__("missing", ("/does/not/exist",), optional=True),
    ]""")
    assert "with exit code 3, for the 5th time" in it.see("for the 5th time")
    it.see("missing cannot be started")
    it.see("all is ready")
    it.tell(signal.SIGINT)
    assert it.end()[0] == 0


def test_restarts_with_the_reason_and_the_count(run):
    it = run("""[sh("node-agent", "echo agent-pid=$$; exec sleep 99")]""")
    os.kill(it.pid("agent"), signal.SIGKILL)
    it.see("node-agent | node-agent ended by SIGKILL, started again (1)")
    os.kill(it.pid("agent", 2), signal.SIGTERM)
    it.see("node-agent | node-agent ended by SIGTERM, started again (2)")
    assert it.pid("agent", 3) not in (it.pid("agent", 1), it.pid("agent", 2))
    assert it.lines.count("all is ready") == 1


def test_gives_up_on_one_that_never_gets_ready_and_stops_the_others(run):
    it = run("""[
        sh("good", "echo good-pid=$$; exec sleep 99"),
        sh("bad", "echo port 80 is taken; exit 7", ready=exists("never")),
    ]""")
    good = it.pid("good")
    code, _ = it.end()
    assert code == 1
    assert gone(good, 0.1)
    assert it.lines.count("bad  | port 80 is taken") == 5
    assert it.lines[it.lines.index("The last lines of bad:") + 1] == "  port 80 is taken"
    assert "all is ready" not in it.lines


def test_a_program_that_is_missing_leaves_nothing_half_started(run):
    it = run("""[
        sh("good", "echo good-pid=$$; touch good; exec sleep 99", ready=exists("good")),
        Child("bad", ("/does/not/exist",), after=("good",)),
    ]""")
    assert it.end()[0] == 1
    assert "bad cannot be started" in it.see("bad cannot")
    assert gone(it.pid("good"), 0.1)


def test_what_answers_in_its_place_does_not_make_a_dead_child_ready(run):
    it = run("""[sh("dead", "exit 1", ready=lambda: __import__("time").sleep(0.1) or True)]""")
    assert it.end()[0] == 1
    assert "all is ready" not in it.lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stops_dependents_first(run, number):
    # The one below says whether the one above was still there when it was told to end.
    it = run("""[
        sh("below", "trap 'test -e above-ended && echo below after above; exit' TERM; touch below; while :; do sleep 0.02; done",
           ready=exists("below")),
        sh("above", "trap 'touch above-ended; exit' TERM; touch above; while :; do sleep 0.02; done", after=("below",),
           ready=exists("above")),
    ]""")
    it.see("all is ready")
    it.tell(number)
    code, took = it.end()
    assert (code, took < 3) == (0, True)
    assert "below | below after above" in it.lines


def test_kills_what_does_not_end_in_time_with_all_it_started(run):
    it = run("""[sh("deaf", "trap '' TERM; sleep 99 & echo grand-pid=$!; while :; do sleep 0.05; done", stop_seconds=0.3)]""")
    grandchild = it.pid("grand")
    it.tell(signal.SIGTERM)
    code, took = it.end()
    assert code == 0
    assert 0.25 < took < 3
    assert "deaf | deaf is killed" in it.lines
    assert gone(grandchild, 1)


def test_the_whole_stop_has_a_limit(run):
    deaf = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    it = run(f"""[sh("a", "{deaf}"), sh("b", "{deaf}", after=("a",)), sh("c", "{deaf}", after=("b",))]""", grace=2)
    for name in "abc":
        it.see(f"{name} | up")
    it.tell(signal.SIGTERM)
    code, took = it.end()
    assert code == 0
    assert took < 2


def test_a_second_ctrl_c_kills_at_once_but_two_together_are_one(run):
    deaf = "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done"
    it = run(f"""[sh("deaf", "{deaf}")]""")
    it.see("deaf | up")
    it.tell(signal.SIGTERM)
    it.tell(signal.SIGINT)
    it.see("deaf | asked")
    time.sleep(0.5)  # what is shown is that nothing happens
    assert it.process.poll() is None
    it.tell(signal.SIGINT)
    code, took = it.end()
    assert code == 0
    assert took < 2


def test_the_stop_signal_can_be_another(run):
    it = run("""[sh("pg", "trap 'echo fast; exit' INT; echo up; while :; do sleep 0.02; done", stop_signal=signal.SIGINT)]""")
    it.see("pg | up")
    it.tell(signal.SIGTERM)
    assert it.end()[0] == 0
    assert "pg | fast" in it.lines


def test_ctrl_c_of_a_terminal_reaches_only_the_supervisor(run):
    it = run("""[sh("child", "echo child-pid=$$; exec sleep 99")]""")
    child = it.pid("child")
    assert os.getpgid(child) == child != os.getpgid(it.process.pid)
    assert os.getsid(child) == child


def test_nobody_outlives_a_supervisor_that_is_killed(run):
    it = run("""[
        sh("polite", "trap 'touch said-goodbye; exit' TERM; echo polite-pid=$$; while :; do sleep 0.02; done"),
        sh("deaf", "trap '' TERM; sleep 99 & echo grand-pid=$!; echo deaf-pid=$$; while :; do sleep 0.05; done"),
    ]""")
    pids = [it.pid("polite"), it.pid("grand"), it.pid("deaf")]
    it.tell(signal.SIGKILL)
    assert all([gone(pid) for pid in pids])


def test_nobody_outlives_it_even_when_its_helper_was_killed_first(run, tmp_path):
    it = run("""[sh("child", "echo child-pid=$$; exec sleep 99")]""")
    child = it.pid("child")
    helper = next(pid for pid in _children(it.process.pid) if pid != child)
    os.kill(helper, signal.SIGKILL)
    end = time.monotonic() + 5
    while not (others := set(_children(it.process.pid)) - {child, helper}):
        assert time.monotonic() < end, "no new helper"
    it.tell(signal.SIGKILL)
    assert gone(child)
    assert all([gone(pid) for pid in others])


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_every_line_has_its_name(run):
    it = run(r"""[
        sh("a", "printf 'one\ntwo'; sleep 0.2; printf ' and a half\nünï'; printf '\\377\033[31mred\033[0m'; echo err >&2; exec sleep 99"),
        sh("longer", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 99"),
    ]""")
    it.see("longer | end")
    it.see("err")
    it.tell(signal.SIGTERM)
    it.end()
    assert [line for line in it.lines if line.startswith("a ")] == ["a      | one", "a      | two and a half", "a      | ünï\ufffdrederr"]
    assert all(line.startswith(("a      | ", "longer | ")) or line == "all is ready" for line in it.lines)
    assert sum(line.count("x") for line in it.lines if line.startswith("longer")) == 200_000


def test_colours_names_only_when_asked(run):
    it = run("""[sh("a", "echo one; exec sleep 99"), sh("bb", "echo two; exec sleep 99")]""", colour=True)
    assert it.see("one") == "\x1b[36ma \x1b[0m | one"
    assert it.see("two") == "\x1b[33mbb\x1b[0m | two"


def test_stops_when_nobody_reads_any_more(run, tmp_path):
    code = SCRIPT.replace("CHILDREN", """[sh("a", "echo $$ > pid; while echo line; do sleep 0.01; done")]""")
    code = code.replace("COLOUR", "False").replace("GRACE", "5")
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(10)
    assert gone(int((tmp_path / "pid").read_text()), 0.1)


def test_wants_colour():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert wants_colour(Terminal(), {"TERM": "xterm"})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(io.StringIO(), {})


@pytest.mark.parametrize("children", [
    [Child("a", ("x",), after=("b",)), Child("b", ("x",), after=("a",))],
    [Child("a", ("x",), after=("nobody",))],
    [Child("a", ("x",)), Child("a", ("y",))],
])
def test_refuses_a_plan_that_cannot_work(children):
    with pytest.raises(StartError):
        Supervisor(children, print, False, "ready")
