"""A bare web application to compare with: one SQLite query and one Jinja page or JSON answer, under gunicorn as ours runs.

`gunicorn bench.peer_web:app()`; the file of its table is named by BENCH_PEER_FILE. /page and /json show 50 rows.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

PAGE = """<!doctype html><title>Peer</title><body><ul>{% for id, name, value in rows %}<li id="{{ id }}"><b>{{ name }}</b> {{ '%.2f' % value }}</li>
{% endfor %}</ul></body>"""


def app() -> Any:
    """Factory for gunicorn."""
    from flask import Flask, jsonify, render_template_string

    file = os.environ["BENCH_PEER_FILE"]
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, name TEXT, value REAL)")
        db.executemany("INSERT OR REPLACE INTO thing VALUES (?, ?, ?)", [(i, f"Sensor {i}", i / 3) for i in range(50)])
    db.close()
    flask = Flask("peer")

    def rows() -> list[Any]:
        connection = sqlite3.connect(file)
        try:
            return connection.execute("SELECT id, name, value FROM thing").fetchall()
        finally:
            connection.close()

    flask.add_url_rule("/page", "page", lambda: render_template_string(PAGE, rows=rows()))
    flask.add_url_rule("/json", "json", lambda: jsonify([{"id": i, "name": name, "value": value} for i, name, value in rows()]))
    return flask
