"""From a question to the passages that may answer it: BM25, and embeddings where somebody asks.

No key and no network are needed for BM25. Embeddings come from a callable; their ranking and
BM25's are combined by reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answers.documents import Document, Documents, StoredChunk
from pipeline.answers.tokens import highlights, terms
from pipeline.answers.vectors import Embedder, Vectors

CANDIDATES = 50  # of each ranking, before they are combined
RRF_K = 60  # Cormack, Clarke and Büttcher, SIGIR 2009


@dataclass(frozen=True)
class Passage:
    """A piece of a document that may answer a question.

    `document` is its title, `document_id` and `address` say which one; `heading` is the path of
    headings; `context` is the line to put above `text` for a reader or model: "title, date,
    version > heading". `score` is BM25's, or of the fusion; 0 where nothing was ranked.
    `highlights` are spans of `text` (start, end) that match the question.
    """

    document: str
    heading: str
    text: str
    score: float
    highlights: tuple[tuple[int, int], ...]
    context: str
    document_id: str
    address: str

    @property
    def source(self) -> str:
        """Context and text: what the passage says, with where it stands."""
        return f"{self.context}\n{self.text}"


def search(
    documents: Documents,
    question: str,
    top: int = 5,
    only: Sequence[str] = (),
    dense: tuple[Vectors, Embedder] | None = None,
) -> list[Passage]:
    """Return the passages that best match a question, best first; at most `top`.

    Args:
        documents: Where to search.
        question: Any text; a text without a known word finds nothing.
        only: Ids of documents to keep to; none means all.
        dense: Where vectors are kept and what makes them, to rank by meaning too. Whatever the
            embedder raises comes through.
    """
    words = terms(question)
    ranked = documents.rank(words, top if dense is None else CANDIDATES, only)
    if dense is not None:
        vectors, embedder = dense
        near = vectors.rank(documents.chunks_of(only), question, embedder, CANDIDATES)
        ranked = fuse([[chunk for chunk, _ in ranked], near])[:top]
    found = documents.chunks([chunk for chunk, _ in ranked])
    wanted = frozenset(words)
    return [
        _passage(found[chunk], score, highlights(found[chunk].text, wanted))
        for chunk, score in ranked
        if chunk in found
    ]


def fuse(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """Combine rankings, each best first, by reciprocal rank: the sum of 1 / (k + rank)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def whole(documents: Documents, document: Document) -> Passage:
    """Return a whole document as one passage: the baseline that needs no retrieval."""
    text = documents.text(document)
    return Passage(
        document.title, "", text, 0.0, (), document.origin, document.id, document.address
    )


def _passage(chunk: StoredChunk, score: float, spans: tuple[tuple[int, int], ...]) -> Passage:
    document = chunk.document
    return Passage(
        document.title,
        chunk.heading,
        chunk.text,
        score,
        spans,
        chunk.context,
        document.id,
        document.address,
    )
