"""The Store port: one contract for the fake and the directory, then what only a disk can do wrong."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from unibos.adapters.files import FileStore
from unibos.adapters.memory.files import MemoryStore
from unibos.kernel.errors import Invalid, LimitReached, NotFound, StorageFull, TooLarge

QUOTA = 1000
A, B = "11111111-aaaa", "22222222-bbbb"


@pytest.fixture(params=["memory", "directory"])
def store(request, tmp_path):
    quota = {A: QUOTA}.get
    if request.param == "directory":
        yield FileStore(tmp_path / "files", quota, reserve=0)
        assert not list((tmp_path / "files/tmp").iterdir()), "a temporary file was left behind"
        return
    store = MemoryStore(quota)
    yield store
    store.close()


def put(store, content, org=A, limit=1 << 20):
    return store.put(io.BytesIO(content), org_id=org, limit=limit)


def test_what_is_kept_comes_back(store):
    digest, size = put(store, b"merhaba")
    assert (digest, size) == (hashlib.sha256(b"merhaba").hexdigest(), 7)
    assert store.has(digest, org_id=A)
    assert store.path(digest, org_id=A).read_bytes() == b"merhaba"
    assert store.used(A) == 7


def test_an_empty_file_is_a_file(store):
    digest, size = put(store, b"")
    assert size == 0 and store.path(digest, org_id=A).read_bytes() == b""


def test_same_content_counts_once(store):
    first, _ = put(store, b"x" * 600)
    assert put(store, b"x" * 600) == (first, 600)
    assert store.used(A) == 600


def test_an_organisation_learns_nothing_of_another(store):
    digest, _ = put(store, b"secret", org=A)
    assert not store.has(digest, org_id=B)
    with pytest.raises(NotFound):
        store.path(digest, org_id=B)
    store.delete(digest, org_id=B)
    put(store, b"secret", org=B)
    store.delete(digest, org_id=A)
    assert store.path(digest, org_id=B).read_bytes() == b"secret"
    assert (store.used(A), store.used(B)) == (0, 6)


def test_delete_gives_the_room_back_and_can_be_repeated(store):
    digest, _ = put(store, b"x" * 900)
    with pytest.raises(LimitReached, match="organisation"):
        put(store, b"y" * 101)
    put(store, b"y" * 100)
    store.delete(digest, org_id=A)
    store.delete(digest, org_id=A)
    assert not store.has(digest, org_id=A)
    assert store.used(A) == 100
    put(store, b"z" * 900)
    assert put(store, b"y" * 5000, org=B)[1] == 5000, "no quota, no bound"


def test_over_the_limit_leaves_nothing(store):
    with pytest.raises(TooLarge, match="10 bytes"):
        put(store, b"x" * 11, limit=10)
    assert put(store, b"x" * 10, limit=10)[1] == 10
    assert store.used(A) == 10


def test_a_failing_stream_leaves_nothing(store):
    class Cut:
        def __init__(self):
            self.chunks = [b"half"]

        def read(self, n):
            if self.chunks:
                return self.chunks.pop()
            raise ConnectionResetError("the line was cut")

    with pytest.raises(ConnectionResetError):
        store.put(Cut(), org_id=A, limit=100)
    assert store.used(A) == 0


@pytest.mark.parametrize("digest", ["", "..", "../" * 22, "A" * 64, "0" * 63, "0" * 64 + "/x", "0" * 64 + "\n"])
def test_only_a_digest_is_looked_up(store, digest):
    with pytest.raises(NotFound):
        store.path(digest, org_id=A)


@pytest.mark.parametrize("org", ["", ".", "..", "a/b", "tmp", "x" * 65, "a\0", "a\n"])
def test_an_organisation_id_cannot_leave_the_root(store, org):
    with pytest.raises(Invalid):
        put(store, b"x", org=org)
    with pytest.raises(Invalid):
        store.used(org)


# -- only the directory --------------------------------------------------------------------------------------------------

def files_below(root):
    return sorted(path for path in root.rglob("*") if path.is_file() and path.name != "used")


def test_the_reserve_stays_free(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    store = FileStore(tmp_path, reserve=2 * free)
    with pytest.raises(StorageFull, match="disk"):
        put(store, b"x")
    assert files_below(tmp_path) == []


def test_an_own_count_may_be_given(tmp_path):
    store = FileStore(tmp_path, lambda org: 100, lambda org: 95, reserve=0)
    put(store, b"12345")
    with pytest.raises(LimitReached):
        put(store, b"123456")


def test_many_threads_stay_within_the_quota(tmp_path):
    store, kept, full = FileStore(tmp_path, lambda org: 50_000, reserve=0), [], []

    def work(n):
        for i in range(10):
            try:
                kept.append(put(store, f"{n}/{i}".encode().ljust(1000)))
            except LimitReached:
                full.append(i)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(kept), len(full)) == (50, 30)
    assert store.used(A) == sum(path.stat().st_size for path in files_below(tmp_path)) == 50_000


@pytest.mark.parametrize("mark", [b"", b"another-boot 5", b"garbage"])
def test_a_count_that_cannot_be_trusted_is_made_anew(tmp_path, mark):
    store = FileStore(tmp_path, reserve=0)
    put(store, b"x" * 300)
    (tmp_path / A / "used").write_bytes(mark)
    assert store.used(A) == 300


CHILD = """
import sys
from pathlib import Path
from unibos.adapters.files import FileStore

class Slow:
    chunks = [b"second", b"first"]
    def read(self, n):
        if len(self.chunks) == 1:
            print("half", flush=True)
            sys.stdin.readline()
        return self.chunks.pop() if self.chunks else b""

print(FileStore(Path(sys.argv[1]), reserve=0).put(Slow(), org_id=sys.argv[2], limit=100), flush=True)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of a put."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), A], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        assert process.stdout.readline() == "half\n"
        yield process
        process.kill()


def test_kill_9_in_mid_put_leaves_no_half_file(tmp_path, writer):
    assert len(files_below(tmp_path)) == 1, "the temporary one"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    store = FileStore(tmp_path, reserve=0)
    assert files_below(tmp_path) == []
    assert store.used(A) == 0


def test_opening_another_store_leaves_a_put_under_way_alone(tmp_path, writer):
    store = FileStore(tmp_path, reserve=0)
    writer.communicate("go on\n", timeout=30)
    assert writer.returncode == 0
    digest = hashlib.sha256(b"firstsecond").hexdigest()
    assert store.path(digest, org_id=A).read_bytes() == b"firstsecond"
    assert store.used(A) == 11


KILLED = """
import io, os, signal, sys
from pathlib import Path
from unibos.adapters import files

store = files.FileStore(Path(sys.argv[1]), reserve=0)
kept = store.put(io.BytesIO(b"kept"), org_id=sys.argv[2], limit=100)[0]
sync = files._sync
files._sync = lambda directory: os.kill(os.getpid(), signal.SIGKILL) if len(directory.name) == 2 and gone(directory) else sync(directory)
if sys.argv[3] == "put":
    gone = lambda directory: any(directory.glob("?" * 64))
    store.put(io.BytesIO(b"killed"), org_id=sys.argv[2], limit=100)
else:
    gone = lambda directory: not any(directory.glob("?" * 64))
    store.delete(kept, org_id=sys.argv[2])
"""


@pytest.mark.parametrize(("verb", "left"), [("put", 10), ("delete", 0)])
def test_kill_9_between_a_change_and_its_count_spoils_no_count(tmp_path, verb, left):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), A, verb], check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert sum(path.stat().st_size for path in files_below(tmp_path)) == left, "the file itself was changed"
    assert FileStore(tmp_path, reserve=0).used(A) == left


FULL = """
import io, subprocess, sys
from pathlib import Path
from unibos.adapters.files import FileStore
from unibos.kernel.errors import StorageFull

root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], check=True)
store = FileStore(root, reserve=0)
store._copy.__func__.__globals__["os"].statvfs = lambda path: type("Room", (), {"f_bavail": 1 << 40, "f_frsize": 1})
kept = store.put(io.BytesIO(b"x" * 1000), org_id="o", limit=1 << 30)
try:
    store.put(io.BytesIO(b"y" * (2 << 20)), org_id="o", limit=1 << 30)
except StorageFull as error:
    assert "disk" in str(error)
    assert store.path(kept[0], org_id="o").read_bytes() == b"x" * 1000
    assert not list((root / "tmp").iterdir()) and store.used("o") == 1000
    print("full")
"""


def test_a_full_disk_is_said_and_harms_nothing(tmp_path):
    space = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*space, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system in a namespace of its own")
    done = subprocess.run([*space, sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.stdout == "full\n", done.stderr
