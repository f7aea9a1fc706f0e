"""A whole UNIBOS for tests: `unibos-dev run` on free ports with a data directory of its own, claimed by Ada."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADA = {"email": "ada@example.org", "password": "four unrelated words", "name": "Ada"}
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: Callable[[], Any], seconds: float = 20.0, why: str = "it did not happen") -> Any:
    """Wait until `what()` is true and return it; fail after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{why} within {seconds} s")
        time.sleep(0.05)


class Stack:
    """Hub, node, workers, Redis and broker. `settings` are further environment variables."""

    def __init__(self, folder: Path, **settings: str):
        self.folder, self.data = folder, folder / "data"
        self.hub_port, self.node_port, self.mqtt_port = free_port(), free_port(), free_port()
        self.hub, self.node = f"http://127.0.0.1:{self.hub_port}", f"http://127.0.0.1:{self.node_port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("UNIBOS_")}
        self.env = {**kept, "UNIBOS_DATA_DIR": str(self.data), "UNIBOS_HUB_PORT": str(self.hub_port), "UNIBOS_NODE_PORT": str(self.node_port),
                    "UNIBOS_MQTT_PORT": str(self.mqtt_port), "PATH": f"{BIN}:{os.environ['PATH']}", **settings}
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.tokens: dict[str, str] = {}

    # Running.

    def start(self, seconds: float = 60.0) -> Stack:
        """Start and wait for the line `ready:`."""
        self.process = subprocess.Popen([str(BIN / "unibos-dev"), "run"], env=self.env, cwd=self.folder, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        wait_for(lambda: self.said("ready: ") or self.process.poll() is not None, seconds, "not ready:\n" + "\n".join(self.lines[-30:]))
        assert self.process.poll() is None, "ended at once:\n" + "\n".join(self.lines)
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, words: str) -> str | None:
        """The first line that holds `words`."""
        return next((line for line in list(self.lines) if words in line), None)

    def stop(self, sign: int = signal.SIGTERM, seconds: float = 15.0) -> int:
        """Stop and return the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(sign)
        code = self.process.wait(seconds)
        self.process.stdout.close()
        self.process = None
        return code

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.stop()

    def pids(self, name: str) -> list[int]:
        """The processes of one child, such as node-web, node-agent, node-ocr, broker, redis, hub-web."""
        marks = {"broker": "mosquitto.conf", "redis": f"{self.data}/run/redis.sock", "web": "unibos.profiles.web:app", "agent": "unibos.profiles.agent"}
        role, _, kind = name.partition("-")
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"UNIBOS_DATA_DIR={self.data}".encode() not in environment:
                continue
            if not kind:
                hit = marks[role] in words or (role == "redis" and re.search("redis-server|valkey", words))
            elif kind == "web":
                hit = marks["web"] in words and f"{role}-control.sock" in words
            elif kind == "agent":
                hit = f"{marks['agent']} {role}" in words
            else:
                hit = f"unibos.profiles.worker {role} {kind}" in words
            if hit:
                found.append(int(entry.name))
        return sorted(found)

    def kill(self, name: str) -> None:
        """kill -9 one child (its first process: gunicorn's master dies with its workers' parent)."""
        for pid in self.pids(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # Talking.

    def call(self, method: str, url: str, body: Any = None, *, token: str | None = None, data: bytes | None = None,
             headers: dict[str, str] | None = None, timeout: float = 15.0) -> tuple[int, Any]:
        """Call a JSON API; returns (status, answer)."""
        head = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if body is not None:
            data, head = json.dumps(body).encode(), {**head, "Content-Type": "application/json"}
        wanted = urllib.request.Request(url, data, head, method=method)
        try:
            with urllib.request.urlopen(wanted, timeout=timeout) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read()
        try:
            return status, json.loads(content) if content else {}
        except ValueError:
            return status, content.decode(errors="replace")

    def claim(self, role: str = "node") -> str:
        """Make Ada the owner of hub or node; returns her token."""
        url = self.node if role == "node" else self.hub
        code = (self.data / role / "claim-code").read_text().strip()
        status, answer = self.call("POST", f"{url}/api/v1/claim", {"code": code, **ADA})
        assert status == 201, answer
        self.tokens[role] = answer["token"]
        return answer["token"]

    def api(self, method: str, path: str, body: Any = None, role: str = "node", **more: Any) -> tuple[int, Any]:
        """Call the API of hub or node as Ada."""
        return self.call(method, (self.node if role == "node" else self.hub) + path, body, token=self.tokens[role], **more)

    def upload(self, path: Path, name: str | None = None) -> tuple[int, Any]:
        """Upload a document to the node as Ada."""
        mark = "unibosboundary"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name or path.name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        data = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
        return self.api("POST", "/api/v1/documents/", data=data, headers={"Content-Type": f"multipart/form-data; boundary={mark}"})

    def cli(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the programs."""
        done = subprocess.run([str(BIN / words[0]), *words[1:]], env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def device(self, name: str, *options: str) -> dict[str, Any]:
        """Make a credential with the command line, as a person does."""
        return json.loads(self.cli("unibos", "devices", "add", name, "--json", *options).stdout)

    def publish(self, credential: dict[str, Any], topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish with mosquitto_pub at QoS 1."""
        text = payload if isinstance(payload, bytes) else payload.encode()
        subprocess.run(["mosquitto_pub", "-h", credential["host"], "-p", str(credential["port"]), "-u", credential["username"], "-P",
                        credential["password"], "-q", "1", "-t", topic, "-s" if text else "-n", *(["-r"] if retain else [])], input=text,
                       check=True, timeout=20)
