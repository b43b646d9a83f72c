"""Find the passages that may answer a question: by BM25, and by embeddings too on request.

BM25 needs no key and no network. With embeddings the two rankings are combined by reciprocal rank
fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answers.documents.documents import Document, DocumentStore, StoredChunk
from pipeline.answers.documents.tokens import highlights, terms
from pipeline.answers.documents.vectors import Embedder, VectorStore

CANDIDATES = 50  # of each ranking, before the two are combined
RRF_K = 60  # Cormack, Clarke and Büttcher, SIGIR 2009


@dataclass(frozen=True)
class Passage:
    """A piece of a document that may answer a question.

    Attributes:
        document: The title of the document.
        heading: The headings above it, joined by " > ".
        text: What it says.
        score: That of BM25 or of the fusion; 0 where nothing was ranked.
        highlights: Spans (start, end) of `text` that match the question.
        context: The line above `text` for readers and models: "title, date, version > heading".
        document_id: The id of the document.
        address: Where the document is from.
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
        """Context and text."""
        return f"{self.context}\n{self.text}"


def search(
    documents: DocumentStore,
    question: str,
    top: int = 5,
    only: Sequence[str] = (),
    dense: tuple[VectorStore, Embedder] | None = None,
) -> list[Passage]:
    """Return the passages that best match a question, best first; at most `top`.

    Args:
        documents: Where to search.
        question: Any text; without a known word nothing is found by BM25.
        top: Most passages to return.
        only: Ids of the documents to search; none means all.
        dense: Stores and makes vectors, to rank by embeddings too. What the embedder raises is
            passed on.
    """
    question_terms = terms(question)
    ranking = documents.rank(question_terms, top if dense is None else CANDIDATES, only)
    if dense is not None:
        vectors, embedder = dense
        nearest = vectors.rank(documents.chunks_of(only), question, embedder, CANDIDATES)
        ranking = fuse([[chunk_id for chunk_id, _ in ranking], nearest])[:top]
    chunks = documents.chunks([chunk_id for chunk_id, _ in ranking])
    matching = frozenset(question_terms)
    return [
        _passage(chunks[chunk_id], score, highlights(chunks[chunk_id].text, matching))
        for chunk_id, score in ranking
        if chunk_id in chunks
    ]


def fuse(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """Combine rankings, each best first, by reciprocal rank: the sum of 1 / (k + rank)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def whole_document(documents: DocumentStore, document: Document) -> Passage:
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
