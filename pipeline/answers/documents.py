"""The documents to ask about, with their chunks and search index, in one SQLite file.

A document is kept with its address, when it was fetched, and the sha256 of the bytes it came as.
Taking one again from the same address replaces it, chunks and index included, in one transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.answers.chunks import Chunk, cut
from pipeline.answers.reading import read
from pipeline.answers.tokens import terms
from pipeline.errors import DocumentError, UsageError
from pipeline.settings import Settings
from pipeline.sqlite_file import SqliteFile

# How much more a chunk counts if the question names its document's version: release notes of one
# product differ in little else. From 1.2, 1.5 and 2 on half of our own questions (docs/answers.md).
VERSION_WEIGHT = 1.5
CANDIDATES = 200  # of BM25, among which the version decides

# unicode61 would cut core.flow.Subflow and 1.1 apart: our own terms are separated by spaces alone.
_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL UNIQUE, format TEXT NOT NULL,
    title TEXT NOT NULL, date TEXT NOT NULL, version TEXT NOT NULL, added_at TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, characters INTEGER NOT NULL,
    chunks INTEGER NOT NULL, text TEXT NOT NULL
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

_COLUMNS = (
    "id, name, address, format, title, date, version, added_at, sha256, bytes, characters, chunks"
)


@dataclass(frozen=True)
class Document:
    """A kept document. `date` is YYYY-MM-DD and may be empty, as may `version`.

    `id` depends on the address alone; `sha256` and `bytes` are of what came, `characters` of the
    text read from it; `added_at` is UTC.
    """

    id: str
    name: str
    address: str
    format: str
    title: str
    date: str
    version: str
    added_at: datetime
    sha256: str
    bytes: int
    characters: int
    chunks: int

    @property
    def origin(self) -> str:
        """What it is, for above a passage: `Heron 2.4, 2026-03-02, version 2.4`."""
        return origin_of(self.title, self.date, self.version)


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as it is kept, and the document it is of; `sha256` is of context and text."""

    id: int
    document: Document
    heading: str
    context: str
    text: str
    sha256: str


def origin_of(title: str, date: str, version: str) -> str:
    """Return title, date and version as one line, without what is empty or said already."""
    said = version if version and version not in title else ""
    return ", ".join(part for part in (title, date, said and f"version {said}") if part)


def document_id(address: str) -> str:
    """Return the id of the document that came from an address."""
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:10]


Cut = Callable[[str, str], list[Chunk]]


class Documents:
    """The store; every method may be called from any thread and process.

    Args:
        path: The SQLite file; it is made when something is first added.
        cut: How text is cut into chunks, given the text and what it is from.
    """

    def __init__(self, path: Path, cut: Cut = cut) -> None:
        self._file = SqliteFile(
            path,
            "The documents",
            _TABLES,
            lost="move it away and add the documents again",
        )
        self._cut = cut

    def add(self, name: str, content: bytes, address: str, settings: Settings) -> Document:
        """Read a document and keep it, in place of an earlier one from the same address.

        Args:
            name: A file's name or a title.
            content: The bytes as they came.
            address: Where from: a path, a URL, or `paste:` and a title.

        Raises DocumentError when it cannot be read or is too large.
        """
        limit = settings.max_document_mb * 1e6
        if len(content) > limit:
            raise DocumentError(
                f"{name} has {len(content) / 1e6:,.1f} MB, more than the {limit / 1e6:,.1f} MB "
                "that are read.",
                cure="Give the part that matters, or raise FAREGROUND_MAX_DOCUMENT_MB.",
            )
        reading = read(content, name)
        chunks = self._cut(reading.text, origin_of(reading.title, reading.date, reading.version))
        document = Document(
            id=document_id(address),
            name=_clean(name),
            address=_clean(address),
            format=reading.format,
            title=_clean(reading.title),
            date=reading.date,
            version=reading.version,
            added_at=datetime.now(UTC),
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            characters=len(reading.text),
            chunks=len(chunks),
        )
        self._put(document, _clean(reading.text), chunks)
        return document

    def _put(self, document: Document, text: str, chunks: list[Chunk]) -> None:
        """Keep a document and its index, in place of an earlier one of its id."""
        indexed = [" ".join(terms(f"{chunk.context}\n{chunk.text}")) for chunk in chunks]
        with self._file.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _delete(connection, document.id)
            values = asdict(document) | {"added_at": document.added_at.isoformat()}
            connection.execute(
                f"INSERT INTO documents ({_COLUMNS}, text) "
                f"VALUES ({', '.join('?' for _ in values)}, ?)",
                (*values.values(), text),
            )
            for chunk, words in zip(chunks, indexed, strict=True):
                cursor = connection.execute(
                    "INSERT INTO chunks (document_id, start, stop, heading, context, sha256) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        document.id,
                        chunk.start,
                        chunk.end,
                        _clean(chunk.heading),
                        _clean(chunk.context),
                        chunk_sha256(chunk.context, chunk.text),
                    ),
                )
                connection.execute(
                    "INSERT INTO chunk_terms (rowid, terms) VALUES (?, ?)",
                    (cursor.lastrowid, _clean(words)),
                )

    def add_file(self, path: Path, settings: Settings) -> Document:
        """Keep a file; raises DocumentError when it cannot be read."""
        try:
            if path.stat().st_size > settings.max_document_mb * 1e6:
                content = b"\0" * (int(settings.max_document_mb * 1e6) + 1)  # refused by its size
            else:
                content = path.read_bytes()
        except OSError as error:
            raise DocumentError(
                f"{path} cannot be read: {error.strerror}.", cure="Check the path."
            ) from None
        return self.add(path.name, content, str(path.resolve()), settings)

    def add_text(self, title: str, text: str, settings: Settings) -> Document:
        """Keep pasted text under a title."""
        content = _clean(text).encode()
        return self.add(title, content, f"paste:{title}", settings)

    def documents(self) -> list[Document]:
        """Return what is kept, by title."""
        if not self._file.path.exists():
            return []
        with self._file.connect() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM documents ORDER BY title, address"
            ).fetchall()
        return [_document(row) for row in rows]

    def find(self, wanted: str) -> Document:
        """Return the document of an id, address, name or title; raise UsageError if there is none,
        or more than one."""
        found = [
            document
            for document in self.documents()
            if wanted in (document.id, document.address, document.name, document.title)
            or document.address == str(Path(wanted).resolve())
        ]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(document.id for document in found)
            raise UsageError(f"Several documents are called {wanted}.", cure=f"Give an id: {ids}.")
        raise UsageError(
            f"There is no document {wanted}.",
            cure="See which there are: python -m pipeline answers list.",
        )

    def text(self, document: Document) -> str:
        """Return a document's text as Markdown; raises UsageError when it was removed meanwhile."""
        with self._file.connect() as connection:
            row = connection.execute(
                "SELECT text FROM documents WHERE id = ?", (document.id,)
            ).fetchone()
        if row is None:
            raise UsageError(f"{document.title} is no longer there.", cure="Add it again.")
        return str(row["text"])

    def remove(self, document: Document) -> None:
        """Forget a document."""
        with self._file.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _delete(connection, document.id)

    def rank(
        self, words: Sequence[str], top: int, only: Sequence[str] = ()
    ) -> list[tuple[int, float]]:
        """Return the ids and BM25 scores of the chunks that best match some terms, best first.

        Chunks of a document whose very version is among the terms count for more. `only` holds ids
        of documents to keep to; none means all.
        """
        if not words or not self._file.path.exists():
            return []
        query = " OR ".join('"' + word.replace('"', '""') + '"' for word in dict.fromkeys(words))
        within = f"AND rowid IN ({_chunks_where('documents.id', only)})" if only else ""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT rowid, -rank AS score FROM chunk_terms "
                f"WHERE chunk_terms MATCH ? {within} ORDER BY rank LIMIT ?",
                (_clean(query), *only, max(top, CANDIDATES)),
            ).fetchall()
            versions = [word for word in words if "." in word and word[0].isdigit()]
            named = {
                id
                for (id,) in connection.execute(
                    _chunks_where("documents.version", versions), versions
                )
            }
        scores = [(row["rowid"], row["score"]) for row in rows]
        weighed = [(id, score * VERSION_WEIGHT if id in named else score) for id, score in scores]
        return sorted(weighed, key=lambda entry: (-entry[1], entry[0]))[:top]

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """Return chunks by their ids; those no longer there are left out."""
        if not ids:
            return {}
        marks = ", ".join("?" for _ in ids)
        return {chunk.id: chunk for chunk in self._chunks(f"chunks.id IN ({marks})", ids)}

    def chunks_of(self, only: Sequence[str] = ()) -> list[StoredChunk]:
        """Return the chunks of some documents, or of all, in the order they stand."""
        if not self._file.path.exists():
            return []
        marks = ", ".join("?" for _ in only)
        return self._chunks(f"chunks.document_id IN ({marks})" if only else "TRUE", only)

    def _chunks(self, condition: str, values: Sequence[object]) -> list[StoredChunk]:
        columns = ", ".join(f"documents.{name}" for name in _COLUMNS.split(", "))
        with self._file.connect() as connection:
            rows = connection.execute(
                f"SELECT chunks.id AS chunk_id, heading, context, chunks.sha256 AS chunk_sha256, "
                f"substr(text, start + 1, stop - start) AS chunk_text, {columns} "
                f"FROM chunks JOIN documents ON documents.id = chunks.document_id "
                f"WHERE {condition} ORDER BY documents.title, documents.id, start",
                tuple(values),
            ).fetchall()
        return [
            StoredChunk(
                row["chunk_id"],
                _document(row),
                row["heading"],
                row["context"],
                row["chunk_text"],
                row["chunk_sha256"],
            )
            for row in rows
        ]


def chunk_sha256(context: str, text: str) -> str:
    """Return what a chunk's embedding is kept under."""
    return hashlib.sha256(f"{context}\n{text}".encode("utf-8", "replace")).hexdigest()


def _chunks_where(column: str, values: Sequence[str]) -> str:
    """Return a query for the ids of the chunks of documents whose column is one of some values."""
    marks = ", ".join("?" for _ in values)
    return (
        "SELECT chunks.id FROM chunks JOIN documents ON documents.id = chunks.document_id "
        f"WHERE {column} IN ({marks})"
    )


def _delete(connection: sqlite3.Connection, id: str) -> None:
    connection.execute(
        "DELETE FROM chunk_terms WHERE rowid IN (SELECT id FROM chunks WHERE document_id = ?)",
        (id,),
    )
    connection.execute("DELETE FROM chunks WHERE document_id = ?", (id,))
    connection.execute("DELETE FROM documents WHERE id = ?", (id,))


def _document(row: sqlite3.Row) -> Document:
    values = {name: row[name] for name in _COLUMNS.split(", ")}
    return Document(**values | {"added_at": datetime.fromisoformat(values["added_at"])})


def _clean(text: str) -> str:
    """Return text that SQLite can keep: without lone surrogates and NULs, as long as before."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
