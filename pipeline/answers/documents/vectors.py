"""Store embeddings of chunks in DuckDB, so that each is paid for once, and rank chunks by them.

A vector is stored under the model's name and the SHA-256 of the chunk: a new version of a document
pays only for the chunks that changed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.answers.documents.documents import StoredChunk
from pipeline.core.errors import StorageError
from pipeline.core.home import make_folder

if TYPE_CHECKING:
    import duckdb

BATCH = 100  # texts stored in one transaction

_lock = threading.Lock()  # DuckDB fails when a thread opens a file while another closes it


class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def embedding_model(self) -> str:
        """The name of the model, under which its vectors are stored."""

    def embed(self, texts: Sequence[str], *, question: bool) -> list[list[float]]:
        """Return one vector for each text.

        Args:
            texts: What to embed.
            question: Whether the texts are questions, which some models embed otherwise.
        """


class VectorStore:
    """Vectors in one DuckDB file, which is open only while it is used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rank(
        self, chunks: Sequence[StoredChunk], question: str, embedder: Embedder, top: int
    ) -> list[int]:
        """Return the ids of the chunks nearest to a question by cosine, nearest first.

        Missing vectors are made first, and stored after each batch.
        """
        if not chunks:
            return []
        self._embed_missing(chunks, embedder)
        (vector,) = embedder.embed([question], question=True)
        import pyarrow as pa

        candidates = pa.table(
            {"id": [chunk.id for chunk in chunks], "sha256": [chunk.sha256 for chunk in chunks]}
        )
        with _lock, closing(self._open()) as connection:
            connection.register("candidates", candidates)
            rows = connection.execute(
                "SELECT id FROM candidates JOIN vectors USING (sha256) "
                "WHERE model = $model AND len(vector) = $length "
                "ORDER BY list_cosine_similarity(vector, $vector::FLOAT[]) DESC, id LIMIT $top",
                {
                    "model": embedder.embedding_model,
                    "length": len(vector),
                    "vector": vector,
                    "top": top,
                },
            ).fetchall()
        return [id for (id,) in rows]

    def _embed_missing(self, chunks: Sequence[StoredChunk], embedder: Embedder) -> None:
        model = embedder.embedding_model
        with _lock, closing(self._open()) as connection:
            stored = {
                sha256
                for (sha256,) in connection.execute(
                    "SELECT sha256 FROM vectors WHERE model = $model", {"model": model}
                ).fetchall()
            }
        missing = {c.sha256: f"{c.context}\n{c.text}" for c in chunks if c.sha256 not in stored}
        keys = list(missing)
        for start in range(0, len(keys), BATCH):
            batch = keys[start : start + BATCH]
            vectors = embedder.embed([missing[key] for key in batch], question=False)
            rows = [(model, key, vector) for key, vector in zip(batch, vectors, strict=True)]
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
