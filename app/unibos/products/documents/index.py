"""The full-text index: folded words, by FTS5 on SQLite and by tsvector ('simple') on PostgreSQL. Page 0 is the title."""

from __future__ import annotations

from typing import Any

from unibos.kernel.tables import proxy
from unibos.products.documents.fold import fold, fts5_query, terms, tsquery


def create(database: Any) -> None:
    """Make the index table (used by the migration)."""
    if _sqlite(database):
        database.execute_sql("CREATE VIRTUAL TABLE IF NOT EXISTS document_index USING fts5("
                             "folded, document_id UNINDEXED, org_id UNINDEXED, number UNINDEXED, tokenize='unicode61')")
    else:
        database.execute_sql("CREATE TABLE IF NOT EXISTS document_index (document_id varchar(36) NOT NULL, org_id varchar(36) NOT NULL, "
                             "number integer NOT NULL, words tsvector NOT NULL, PRIMARY KEY (document_id, number))")
        database.execute_sql("CREATE INDEX IF NOT EXISTS document_index_words ON document_index USING gin (words)")


def _sqlite(database: Any) -> bool:
    return "sqlite" in type(getattr(database, "obj", database)).__name__.lower()


def put(document_id: str, org_id: str, number: int, text: str) -> None:
    """Index one page anew. Call it in the transaction that writes the page."""
    remove(document_id, number)
    folded = fold(text)
    if _sqlite(proxy):
        proxy.execute_sql("INSERT INTO document_index (folded, document_id, org_id, number) VALUES (?, ?, ?, ?)",
                          (folded, document_id, org_id, number))
    else:
        proxy.execute_sql("INSERT INTO document_index (words, document_id, org_id, number) VALUES (to_tsvector('simple', %s), %s, %s, %s)",
                          (folded, document_id, org_id, number))


def remove(document_id: str, number: int | None = None) -> None:
    """Take a page, or a whole document, out of the index."""
    mark = "?" if _sqlite(proxy) else "%s"
    sql, values = f"DELETE FROM document_index WHERE document_id = {mark}", [document_id]
    if number is not None:
        sql, values = sql + f" AND number = {mark}", [document_id, number]
    proxy.execute_sql(sql, values)


def search(words: str, org_id: str, most: int = 50) -> list[tuple[str, int]]:
    """(document id, page) of the best pages, one per document, the best first."""
    wanted = terms(words)
    if not wanted:
        return []
    if _sqlite(proxy):
        rows = proxy.execute_sql("SELECT document_id, number FROM document_index WHERE document_index MATCH ? AND org_id = ? "
                                 "ORDER BY rank LIMIT ?", (fts5_query(wanted), org_id, most * 4)).fetchall()
    else:
        rows = proxy.execute_sql("SELECT document_id, number FROM document_index, to_tsquery('simple', %s) AS query WHERE words @@ query "
                                 "AND org_id = %s ORDER BY ts_rank(words, query) DESC LIMIT %s", (tsquery(wanted), org_id, most * 4)).fetchall()
    best: dict[str, int] = {}
    for document_id, number in rows:
        best.setdefault(document_id, number)
    return list(best.items())[:most]
