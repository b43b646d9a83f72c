"""Store documents with their chunks and search index in one SQLite file.

A document is stored with its address, the time it was added, and the SHA-256 of the bytes it was
read from. Adding a document from the same address again replaces it, chunks and index included, in
one transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.answers.documents.chunks import Chunk, cut
from pipeline.answers.documents.reading import MAX_CHARACTERS, parse_document
from pipeline.answers.documents.schema import COLUMNS, TABLES, VERSION, storable, upgrade
from pipeline.answers.documents.tokens import terms
from pipeline.core.errors import DocumentError, UsageError
from pipeline.core.regular_file import read_regular_file
from pipeline.core.settings.settings import Settings
from pipeline.core.sqlite_file import SqliteFile

# How much more a chunk counts if the question names its document's version: release notes of one
# product differ in little else. From 1.2, 1.5 and 2 on half of our own questions (docs/answers.md).
VERSION_WEIGHT = 1.5
CANDIDATES = 200  # of BM25, before versions are weighed


@dataclass(frozen=True)
class Document:
    """A stored document.

    `id` depends on the address alone. `date` is YYYY-MM-DD; date and version are empty where the
    document states none. `sha256` and `bytes` are those of what it was read from, `characters` is
    the length of its text, and `added_at` is in UTC. `pages` is 0 of what is no PDF.
    `unreadable_characters` counts those of its bytes that are no text in its encoding.
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
    pages: int = 0
    pages_without_text: int = 0
    unreadable_characters: int = 0

    @property
    def gaps(self) -> str:
        """What of it could not be read, such as `9 of 10 pages have no text`, or nothing."""
        gaps = []
        if self.pages_without_text:
            has = "has" if self.pages_without_text == 1 else "have"
            gaps.append(f"{self.pages_without_text:,} of {self.pages:,} pages {has} no text")
        if self.unreadable_characters:
            noun = "character" if self.unreadable_characters == 1 else "characters"
            gaps.append(f"{self.unreadable_characters:,} {noun} could not be read")
        return "; ".join(gaps)

    @property
    def origin(self) -> str:
        """What it is, as it stands above its passages: `Heron 2.4, 2026-03-02, version 2.4`."""
        return describe_origin(self.title, self.date, self.version)


@dataclass(frozen=True)
class StoredChunk:
    """A stored chunk and its document; `sha256` is that of context and text."""

    id: int
    document: Document
    heading: str
    context: str
    text: str
    sha256: str


def describe_origin(title: str, date: str, version: str) -> str:
    """Return title, date and version on one line, without what is empty or in the title."""
    added = f"version {version}" if version and version not in title else ""
    return ", ".join(part for part in (title, date, added) if part)


def document_id(address: str) -> str:
    """Return the id of the document from an address."""
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:10]


Cut = Callable[[str, str], list[Chunk]]
"""Cuts a text into chunks, given the text and its origin."""


class DocumentStore:
    """The documents of one SQLite file; every method may be called from any thread and process."""

    def __init__(self, path: Path, cut: Cut = cut) -> None:
        """Use the file at `path`, which is made when a document is added."""
        lost = "move it away and add the documents again"
        self._file = SqliteFile(
            path, "The documents", TABLES, version=VERSION, upgrade=upgrade, lost=lost
        )
        self._cut = cut

    def add(self, name: str, content: bytes, address: str, settings: Settings) -> Document:
        """Store a document, in place of an earlier one from the same address.

        Args:
            name: A file name or a title.
            content: The bytes of a Markdown, text, HTML or PDF document.
            address: Where it is from: a path, a URL, or `paste:` and a title.
            settings: Say how large a document may be.

        Raises DocumentError when it cannot be read or is too large.
        """
        limit = settings.max_document_mb * 1e6
        if len(content) > limit:
            raise DocumentError(
                f"{name} is larger than {limit / 1e6:,.1f} MB.",
                cure="Add only the relevant part, or raise FAREGROUND_MAX_DOCUMENT_MB.",
            )
        parsed = parse_document(content, name)
        chunks = self._cut(parsed.text, describe_origin(parsed.title, parsed.date, parsed.version))
        if sum(len(chunk.context) for chunk in chunks) > MAX_CHARACTERS:
            raise DocumentError(
                f"{name} has long headings above too many short sections.",
                cure="Add only the relevant part, or shorten the headings.",
            )
        document = Document(
            id=document_id(address),
            name=storable(name),
            address=storable(address),
            format=parsed.format,
            title=storable(parsed.title),
            date=parsed.date,
            version=parsed.version,
            added_at=datetime.now(UTC),
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            characters=len(parsed.text),
            chunks=len(chunks),
            pages=parsed.pages,
            pages_without_text=parsed.pages_without_text,
            unreadable_characters=parsed.unreadable_characters,
        )
        self._replace(document, storable(parsed.text), chunks)
        return document

    def _replace(self, document: Document, text: str, chunks: list[Chunk]) -> None:
        """Store a document and its index in place of an earlier one with its id."""
        index = [" ".join(terms(f"{chunk.context}\n{chunk.text}")) for chunk in chunks]
        with self._file.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _delete(connection, document.id)
            values = asdict(document) | {"added_at": document.added_at.isoformat()}
            connection.execute(
                f"INSERT INTO documents ({COLUMNS}, text) "
                f"VALUES ({', '.join('?' for _ in values)}, ?)",
                (*values.values(), text),
            )
            for chunk, chunk_terms in zip(chunks, index, strict=True):
                cursor = connection.execute(
                    "INSERT INTO chunks (document_id, start, stop, heading, context, sha256) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        document.id,
                        chunk.start,
                        chunk.end,
                        storable(chunk.heading),
                        storable(chunk.context),
                        chunk_sha256(chunk.context, chunk.text),
                    ),
                )
                connection.execute(
                    "INSERT INTO chunk_terms (rowid, terms) VALUES (?, ?)",
                    (cursor.lastrowid, storable(chunk_terms)),
                )

    def add_file(self, path: Path, settings: Settings) -> Document:
        """Store a file; raises DocumentError when it cannot be read."""
        try:
            content = read_regular_file(path, int(settings.max_document_mb * 1e6))
        except OSError as error:
            raise DocumentError(
                f"{path} cannot be read: {error.strerror}.", cure="Check the path."
            ) from None
        return self.add(path.name, content, str(path.resolve()), settings)

    def add_text(self, title: str, text: str, settings: Settings) -> Document:
        """Store pasted text under a title."""
        return self.add(title, storable(text).encode(), f"paste:{title}", settings)

    def documents(self) -> list[Document]:
        """List the stored documents, ordered by title."""
        if not self._file.exists:
            return []
        sql = f"SELECT {COLUMNS} FROM documents ORDER BY title, address"
        return self._file.read(_document, sql)

    def find(self, name: str) -> Document:
        """Return the document with this id, address, name or title.

        Raises UsageError if there is none or more than one.
        """
        matches = [
            document
            for document in self.documents()
            if name in (document.id, document.address, document.name, document.title)
            or document.address == str(Path(name).resolve())
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(document.id for document in matches)
            raise UsageError(f"Several documents have the name {name}.", cure=f"Give an id: {ids}.")
        raise UsageError(
            f"There is no document {name}.",
            cure="List them: python -m pipeline answers list.",
        )

    def text(self, document: Document) -> str:
        """Return a document's text as Markdown; raises UsageError if it has been removed."""
        with self._file.connect() as connection:
            row = connection.execute(
                "SELECT text FROM documents WHERE id = ?", (document.id,)
            ).fetchone()
        if row is None:
            raise UsageError(f"{document.title} was removed.", cure="Add it again.")
        return str(row["text"])

    def remove(self, document: Document) -> None:
        """Delete a document with its chunks; what it was read from is left alone."""
        with self._file.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _delete(connection, document.id)

    def rank(
        self, query_terms: Sequence[str], top: int, only: Sequence[str] = ()
    ) -> list[tuple[int, float]]:
        """Return the ids and BM25 scores of the chunks that best match some terms, best first.

        Chunks of a document whose version is among the terms count for more.

        Args:
            query_terms: Search terms, as `tokens.terms` makes them.
            top: Most chunks to return.
            only: Ids of the documents to search; none means all.
        """
        if not query_terms or not self._file.exists:
            return []
        unique = dict.fromkeys(query_terms)
        query = " OR ".join('"' + term.replace('"', '""') + '"' for term in unique)
        within = f"AND rowid IN ({_chunk_ids_where('documents.id', only)})" if only else ""
        with self._file.connect() as connection:
            rows = connection.execute(
                "SELECT rowid, -rank AS score FROM chunk_terms "
                f"WHERE chunk_terms MATCH ? {within} ORDER BY rank LIMIT ?",
                (storable(query), *only, max(top, CANDIDATES)),
            ).fetchall()
            versions = [term for term in unique if "." in term and term[0].isdigit()]
            of_version = {
                id
                for (id,) in connection.execute(
                    _chunk_ids_where("documents.version", versions), versions
                )
            }
        scores = [
            (row["rowid"], row["score"] * (VERSION_WEIGHT if row["rowid"] in of_version else 1))
            for row in rows
        ]
        return sorted(scores, key=lambda entry: (-entry[1], entry[0]))[:top]

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """Return chunks by their ids, without those that have been removed."""
        if not ids:
            return {}
        marks = ", ".join("?" for _ in ids)
        return {chunk.id: chunk for chunk in self._chunks(f"chunks.id IN ({marks})", ids)}

    def chunks_of(self, only: Sequence[str] = ()) -> list[StoredChunk]:
        """List the chunks of some documents or, without ids, of all, in the order of their text."""
        if not self._file.exists:
            return []
        marks = ", ".join("?" for _ in only)
        return self._chunks(f"chunks.document_id IN ({marks})" if only else "TRUE", only)

    def _chunks(self, condition: str, values: Sequence[object]) -> list[StoredChunk]:
        columns = ", ".join(f"documents.{name}" for name in COLUMNS.split(", "))
        return self._file.read(
            _stored_chunk,
            f"SELECT chunks.id AS chunk_id, heading, context, chunks.sha256 AS chunk_sha256, "
            f"substr(text, start + 1, stop - start) AS chunk_text, {columns} "
            f"FROM chunks JOIN documents ON documents.id = chunks.document_id "
            f"WHERE {condition} ORDER BY documents.title, documents.id, start",
            values,
        )


def chunk_sha256(context: str, text: str) -> str:
    """Return the key under which the vector of a chunk is stored."""
    return hashlib.sha256(f"{context}\n{text}".encode("utf-8", "replace")).hexdigest()


def _chunk_ids_where(column: str, values: Sequence[str]) -> str:
    """Return a query for the ids of the chunks of documents with one of some values in a column."""
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
    values = {name: row[name] for name in COLUMNS.split(", ")}
    return Document(**values | {"added_at": datetime.fromisoformat(values["added_at"])})


def _stored_chunk(row: sqlite3.Row) -> StoredChunk:
    names = ("heading", "context", "chunk_text", "chunk_sha256")
    return StoredChunk(row["chunk_id"], _document(row), *(row[name] for name in names))
