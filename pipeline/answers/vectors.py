"""Embeddings of chunks, kept in DuckDB so that each is paid for once.

A vector is kept under the model's name and the sha256 of the chunk: a document that is taken again
pays only for the chunks that changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.answers.documents import StoredChunk
from pipeline.errors import StorageError
from pipeline.settings import make_folder

if TYPE_CHECKING:
    import duckdb

BATCH = 100  # texts a request; Gemini takes at most 100

_lock = threading.Lock()  # DuckDB fails when a thread opens a file while another closes it


@dataclass(frozen=True)
class Embedder:
    """What makes vectors: a model's name, and a function from texts to one vector each.

    The function's second argument says whether the texts are questions, which some models embed
    otherwise than passages.
    """

    model: str
    embed: Callable[[Sequence[str], bool], list[list[float]]]


class Vectors:
    """Vectors in one DuckDB file, which is open only while it is used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rank(
        self, chunks: Sequence[StoredChunk], question: str, embedder: Embedder, top: int
    ) -> list[int]:
        """Return the ids of the chunks nearest to a question by cosine, nearest first.

        Vectors that are missing are made first, in batches, and kept as they come.
        """
        if not chunks:
            return []
        self._complete(chunks, embedder)
        (asked,) = embedder.embed([question], True)
        import pyarrow as pa

        wanted = pa.table(
            {"id": [chunk.id for chunk in chunks], "sha256": [chunk.sha256 for chunk in chunks]}
        )
        with _lock, closing(self._open()) as connection:
            connection.register("wanted", wanted)
            rows = connection.execute(
                "SELECT id FROM wanted JOIN vectors USING (sha256) "
                "WHERE model = $model AND len(vector) = $length "
                "ORDER BY list_cosine_similarity(vector, $asked::FLOAT[]) DESC, id LIMIT $top",
                {"model": embedder.model, "length": len(asked), "asked": asked, "top": top},
            ).fetchall()
        return [id for (id,) in rows]

    def _complete(self, chunks: Sequence[StoredChunk], embedder: Embedder) -> None:
        with _lock, closing(self._open()) as connection:
            kept = {
                sha256
                for (sha256,) in connection.execute(
                    "SELECT sha256 FROM vectors WHERE model = $model", {"model": embedder.model}
                ).fetchall()
            }
        missing = {c.sha256: f"{c.context}\n{c.text}" for c in chunks if c.sha256 not in kept}
        names = list(missing)
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            made = embedder.embed([missing[name] for name in batch], False)
            rows = [
                (embedder.model, name, vector) for name, vector in zip(batch, made, strict=True)
            ]
            with _lock, closing(self._open()) as connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        make_folder(self._path.parent)
        try:
            connection = duckdb.connect(str(self._path))
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors "
                "(model TEXT, sha256 TEXT, vector FLOAT[], PRIMARY KEY (model, sha256))"
            )
        except duckdb.Error as error:
            raise StorageError(
                f"The vectors {self._path} cannot be used: {str(error).splitlines()[0]}",
                cure="Close the other process that uses them, or move the file away.",
            ) from None
        return connection
