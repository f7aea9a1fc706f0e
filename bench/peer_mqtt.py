"""The plain way from MQTT to SQLite, to compare with: paho at QoS 1, and batches of up to 500 rows, or of what comes in 20 ms, in one commit.

It waits for a batch to fill: one that took what is there would commit every few rows, and would be no peer.

`python -m bench.peer_mqtt PORT USER PASSWORD FILE COUNT` prints "ready", and then the moment (monotonic) when COUNT rows are committed and in
how many commits.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import sys
import time

BATCH = 500
FILLS = 0.02  # s


def main(port: int, user: str, password: str, file: str, count: int) -> None:
    """Receive, parse and keep `count` messages."""
    from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5

    came: queue.SimpleQueue[tuple[str, float, bytes]] = queue.SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, "peer", protocol=MQTTv5)
    client.username_pw_set(user, password)
    client.max_inflight_messages_set(1000)
    client.on_connect = lambda *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = lambda _client, _data, message: came.put((message.topic, time.time(), message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = normal")
    db.execute("CREATE TABLE readings (topic TEXT, ts REAL, value REAL)")
    kept = commits = 0
    while kept < count:
        batch = [came.get()]
        until = time.monotonic() + FILLS
        while len(batch) < BATCH and kept + len(batch) < count and (left := until - time.monotonic()) > 0:
            try:
                batch.append(came.get(timeout=left))
            except queue.Empty:
                break
        db.execute("BEGIN")
        db.executemany("INSERT INTO readings VALUES (?, ?, ?)", [(topic, at, json.loads(payload)["temperature"]) for topic, at, payload in batch])
        db.execute("COMMIT")
        kept, commits = kept + len(batch), commits + 1
    print(time.monotonic(), commits, flush=True)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
