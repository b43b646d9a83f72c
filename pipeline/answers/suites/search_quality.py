"""Measure how often search finds the passage that answers, on documents and questions of our own.

Each question names the document that answers it and a few words that the passage must contain. The
same documents are cut in other ways too, to compare with.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from pipeline.answers.documents.chunks import Chunk, cut, cut_fixed
from pipeline.answers.documents.documents import Cut, DocumentStore
from pipeline.answers.documents.retrieval import search
from pipeline.answers.suites.suites import DATA
from pipeline.core.settings.settings import Settings

TOP = 5

CUTS: dict[str, Cut] = {
    "by heading, up to 1,500 characters, with context": cut,
    "fixed, 800 characters": lambda text, _: cut_fixed(text, "", 800),
    "fixed, 800 characters, with title and date": lambda text, origin: cut_fixed(text, origin, 800),
    "whole documents": lambda text, origin: [Chunk(0, len(text), "", origin, text)],
}


class SearchQuestion(BaseModel):
    """A question, the stem of the file that answers it, and words of the passage that does.

    The half "choose" was used to build the search, "report" was not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    half: Literal["choose", "report"]
    question: str
    document: str
    evidence: str


@dataclass(frozen=True)
class SearchQuality:
    """The quality of search with one way of cutting, on one half of the questions.

    Attributes:
        name: The way of cutting, one of CUTS.
        half: "choose" or "report".
        ranks: By question, the rank of the passage that answers, from 1; None if it is not among
            the first five.
        characters: The average length of a chunk.
    """

    name: str
    half: str
    ranks: dict[str, int | None]
    characters: float

    @property
    def first(self) -> float:
        """Share of questions whose first passage answers."""
        return sum(rank == 1 for rank in self.ranks.values()) / len(self.ranks)

    @property
    def five(self) -> float:
        """Share of questions of which one of the first five passages answers."""
        return sum(rank is not None for rank in self.ranks.values()) / len(self.ranks)

    @property
    def reciprocal(self) -> float:
        """Mean reciprocal rank."""
        return sum(1 / rank for rank in self.ranks.values() if rank) / len(self.ranks)


def search_questions() -> list[SearchQuestion]:
    """Return our own questions about our own documents."""
    content = yaml.safe_load((DATA / "questions.yaml").read_text("utf-8"))
    return TypeAdapter(list[SearchQuestion]).validate_python(content)


def measure_search() -> list[SearchQuality]:
    """Return the quality of each way of cutting on each half; this takes a few seconds."""
    questions = search_questions()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, cut_text) in enumerate(CUTS.items()):
            documents = _store(Path(folder) / str(number), cut_text)
            size = statistics.mean(len(chunk.text) for chunk in documents.chunks_of())
            for half in ("choose", "report"):
                ranks = {
                    question.question: _rank(documents, question)
                    for question in questions
                    if question.half == half
                }
                results.append(SearchQuality(name, half, ranks, size))
    return results


def _store(home: Path, cut_text: Cut) -> DocumentStore:
    settings = Settings(home=home)
    documents = DocumentStore(settings.documents_path, cut_text)
    for path in sorted((DATA / "documents").glob("*.md")):
        documents.add(path.name, path.read_bytes(), path.stem, settings)
    return documents


def _rank(documents: DocumentStore, question: SearchQuestion) -> int | None:
    for rank, passage in enumerate(search(documents, question.question, TOP), start=1):
        text = " ".join(passage.text.split())
        if passage.address == question.document and question.evidence in text:
            return rank
    return None
