"""Series in SQLite under kill -9: nothing acknowledged is lost, and nothing is counted twice."""

import os
import random
import signal
import subprocess
import sys

import pytest
from unibos.adapters.memory.series import MemorySeries
from unibos.adapters.series import HOUR

from tests.adapters.test_series import KEYS, T0, number, opened, same


def child(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


WRITER = """
import sys
from unibos.adapters.series import open_series
series = open_series(sys.argv[1])
for batch in range(10**9):
    series.append([("k", int(sys.argv[2]) + batch * 1000 + i, 1.0, None) for i in range(100)])
    print(batch, flush=True)
"""


def test_nothing_acknowledged_is_lost_by_kill_9_of_one_of_two_writers(tmp_path):
    path = tmp_path / "readings.sqlite"
    with child(WRITER, path, T0) as process, opened(path) as other:
        said = -1
        for line in process.stdout:
            said = int(line)
            other.append([number(T0 + said, key="other")])
            if said >= 40:
                break
        process.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    with opened(path) as series:
        rows = series.rows("k", T0, T0 + 10**9, 10**9)
        assert len(rows) in ((said + 1) * 100, (said + 2) * 100), "each batch is there whole, the last one perhaps unsaid"
        assert [at for at, _value, _text in rows] == [T0 + n // 100 * 1000 + n % 100 for n in range(len(rows))]
        assert len(series.rows("other", T0, T0 + 10**9, 10**9)) == 41


KILLED = """
import os, signal, sys
from pathlib import Path
from unibos.adapters.series_sqlite import SqliteSeries

class Mortal(SqliteSeries):
    left = 0
    def _connect(self):
        connection = super()._connect()
        connection.set_trace_callback(self._count)
        return connection
    def _count(self, sql):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

stride, path, now = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
killed = 0
while True:
    child = os.fork()
    if child == 0:
        series = Mortal(path, raw=3600, five=4 * 3600, hour=8 * 3600, step=20)
        series.left = stride
        series.roll(now)
        series.close()
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    killed += 1
    stride += 3  # so that each life ends at another statement, and later than the last one
print(killed)
"""


@pytest.mark.parametrize("stride", [5, 6, 7])
def test_a_roll_killed_again_and_again_counts_each_reading_once(tmp_path, stride):
    keep = {"raw": 3600, "five": 4 * 3600, "hour": 8 * 3600}
    path, model = tmp_path / "readings.sqlite", MemorySeries(**keep)
    chance = random.Random(stride)
    rows = [(chance.choice(KEYS), T0 + chance.randrange(12 * HOUR), float(chance.randrange(100)), None) for _ in range(400)]
    now = T0 + 12 * HOUR
    model.append(rows)
    model.roll(now)
    with opened(path, **keep) as series:
        series.append(rows)
    with child(KILLED, stride, path, now) as process:
        killed = int(process.stdout.read())
    assert killed > 5
    with opened(path, **keep) as series:
        same(series, model, [])
