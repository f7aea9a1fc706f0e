"""A search over 2,000 documents through the service, beside the same words as a bare FTS5 query and as a scan with LIKE."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import stand

DOCUMENTS = 2_000
WORDS = 300
TIMES = 40
ORG = "bench"


def vocabulary(chance: random.Random) -> list[str]:
    """4,000 words of two to four syllables."""
    syllables = [a + b for a in "bcdfghklmnprstvyz" for b in "aeiou"]
    return ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(4000)]


def fill(folder: Path, chance: random.Random, words: list[str]) -> Any:
    """A node's database with documents of one page each; returns its peewee database. Common words are common, as in any language."""
    from unibos.adapters.database import Database
    from unibos.kernel import compose
    from unibos.products.documents import index
    from unibos.products.documents.models import Document, DocumentPage
    from unibos.profiles.lists import NODE

    db = Database("", folder / "unibos.sqlite").bind()
    compose.migrate(NODE, db.peewee)
    now, weights = dt.datetime.now(dt.UTC), [1 / (n + 10) for n in range(len(words))]
    with db.transaction():
        for number in range(DOCUMENTS):
            text, mark = " ".join(chance.choices(words, weights, k=WORDS)), f"{number:08}"
            Document.insert(id=mark, org_id=ORG, created_at=now, title=f"Letter {number}", filename=f"{number}.png", media_type="image/png", size=1,
                            digest=mark, status="done").execute()
            DocumentPage.insert(id=mark, org_id=ORG, created_at=now, document_id=mark, number=1, text=text).execute()
            index.put(mark, ORG, 1, text)
    return db.peewee


def measure() -> None:
    """The same pairs of words three ways, in turns."""
    from unibos.products.documents.fold import fts5_query, terms
    from unibos.products.documents.service import Documents

    facts, chance = stand.machine(), random.Random(1)
    words = vocabulary(chance)
    asked = [f"{chance.choice(words[20:400])} {chance.choice(words[20:400])}" for _ in range(TIMES)]
    with stand.folder() as folder:
        began = time.monotonic()
        db = fill(folder, chance, words)
        filled = time.monotonic() - began
        service = Documents(None)  # type: ignore[arg-type] - to list, it asks nothing of the kit

        def like(pair: str) -> list[Any]:
            return db.execute_sql("SELECT document_id FROM document_page WHERE text LIKE ? AND text LIKE ? LIMIT 50",
                                  [f"%{word}%" for word in pair.split()]).fetchall()

        def fts5(pair: str) -> list[Any]:
            return db.execute_sql("SELECT document_id, number FROM document_index WHERE document_index MATCH ? ORDER BY rank LIMIT 50",
                                  (fts5_query(terms(pair)),)).fetchall()

        ways: dict[str, Callable[[str], Any]] = {"service": lambda pair: service.list(ORG, pair), "like": like, "fts5": fts5}
        runs: dict[str, list[float]] = {name: [] for name in ways}
        found = {name: 0 for name in ways}
        for pair in asked:
            for name, way in ways.items():
                began = time.perf_counter()
                found[name] += len(way(pair))
                runs[name].append((time.perf_counter() - began) * 1000)
        db.close()
    mine, scan, bare = (stand.middle(runs[name]) for name in ("service", "like", "fts5"))
    rows = [stand.row("search of two words by the service", mine, "ms", note=f"{DOCUMENTS} documents of {WORDS} words, {found['service'] / TIMES:.1f} hits; "
                      f"filled in {filled:.1f} s"),
            stand.row("service / LIKE scan", mine / scan, "x", note=f"scan {scan:.2f} ms, {found['like'] / TIMES:.1f} hits"),
            stand.row("service / bare FTS5 query", mine / bare, "x", note=f"bare {bare:.2f} ms; the service adds rank by document, state, jobs and snippets")]
    stand.write("search", rows, facts, documents=DOCUMENTS, runs=runs)
