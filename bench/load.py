"""Clients that ask one address over kept connections: `python -m bench.load PORT PATH CLIENTS SECONDS PAUSE HEADER…` prints each answer's time in ms.

A thread for each client, plain sockets and no parsing beyond the length, so that the clients take little of the cores they share with the server.
"""

from __future__ import annotations

import json
import re
import resource
import socket
import sys
import threading
import time

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def client(port: int, request: bytes, until: float, pause: float, times: list[float]) -> None:
    """Ask until `until` (monotonic), each time waiting for the whole answer and then `pause` seconds."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < until:
            began = time.monotonic()
            sock.sendall(request)
            got = sock.recv(65536)
            while (end := got.find(b"\r\n\r\n")) < 0:
                got += sock.recv(65536)
            if not got.startswith(b"HTTP/1.1 200"):
                raise SystemExit(got[:2000].decode(errors="replace"))
            left = int(_LENGTH.search(got, 0, end).group(1)) - (len(got) - end - 4)  # type: ignore[union-attr]
            while left > 0:
                left -= len(sock.recv(65536))
            times.append((time.monotonic() - began) * 1000)
            if pause:
                time.sleep(pause)


def main(port: int, path: str, clients: int, seconds: float, pause: float, headers: list[str]) -> None:
    """Run the clients side by side and print {times, cpu}: cpu is the seconds of processor that they took themselves."""
    request = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, "", ""]).encode()
    each: list[list[float]] = [[] for _ in range(clients)]
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(port, request, until, pause, times)) for times in each]
    for number, thread in enumerate(threads):
        thread.start()
        time.sleep(pause / clients if number < clients - 1 else 0)  # people do not click in step
    for thread in threads:
        thread.join()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"times": [round(t, 2) for times in each for t in times], "cpu": round(used.ru_utime + used.ru_stime, 2)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]), sys.argv[6:])
