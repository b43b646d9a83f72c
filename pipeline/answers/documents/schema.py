"""The tables of the file that holds documents, their chunks and the search index."""

from __future__ import annotations

import sqlite3

from pipeline.answers.documents.tokens import terms

# unicode61 would cut core.flow.Subflow and 1.1 apart: our own terms are separated by spaces alone.
TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL UNIQUE, format TEXT NOT NULL,
    title TEXT NOT NULL, date TEXT NOT NULL, version TEXT NOT NULL, added_at TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, characters INTEGER NOT NULL,
    chunks INTEGER NOT NULL, text TEXT NOT NULL,
    pages INTEGER NOT NULL DEFAULT 0, pages_without_text INTEGER NOT NULL DEFAULT 0,
    unreadable_characters INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, document_id TEXT NOT NULL, start INTEGER NOT NULL,
    stop INTEGER NOT NULL, heading TEXT NOT NULL, context TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (document_id, start);
CREATE VIRTUAL TABLE IF NOT EXISTS chunk_terms USING fts5 (
    terms, tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* P* S* Co'"
);
"""

COLUMNS = (
    "id, name, address, format, title, date, version, added_at, sha256, bytes, characters, chunks, "
    "pages, pages_without_text, unreadable_characters"
)
# Of the tables: 2 has pages, and terms that join British and American spelling; 3 has unreadable
# characters.
VERSION = 3


def upgrade(connection: sqlite3.Connection) -> None:
    """Upgrade the tables of an older version; rebuild the search index of version 1."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        columns = {row["name"] for row in connection.execute("PRAGMA table_info(documents)")}
        for name in ("pages", "pages_without_text", "unreadable_characters"):
            if name not in columns:
                connection.execute(
                    f"ALTER TABLE documents ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
                )
        if "pages" in columns:  # since version 2, whose index is that of this one
            return
        rows = connection.execute(
            "SELECT chunks.id, context, substr(text, start + 1, stop - start) AS chunk_text "
            "FROM chunks JOIN documents ON documents.id = chunks.document_id"
        ).fetchall()
        for row in rows:
            chunk_terms = storable(" ".join(terms(f"{row['context']}\n{row['chunk_text']}")))
            connection.execute("DELETE FROM chunk_terms WHERE rowid = ?", (row["id"],))
            connection.execute(
                "INSERT INTO chunk_terms (rowid, terms) VALUES (?, ?)", (row["id"], chunk_terms)
            )


def storable(text: str) -> str:
    """Replace lone surrogates and NULs, which SQLite cannot hold, one character for each."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
