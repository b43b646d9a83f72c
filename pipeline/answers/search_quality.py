"""How often search finds the passage that answers, measured on documents and questions of our own.

Each question names the document that answers it and a few words that the passage must hold. The
same questions are asked of the same documents cut in other ways, to compare with.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from pipeline.answers.chunks import Chunk, cut, cut_fixed
from pipeline.answers.documents import Cut, Documents
from pipeline.answers.retrieval import search
from pipeline.answers.suites import DATA
from pipeline.settings import Settings

TOP = 5

CUTS: dict[str, Cut] = {
    "by heading, up to 1,500 characters, with context": cut,
    "fixed, 800 characters": lambda text, _: cut_fixed(text, "", 800),
    "fixed, 800 characters, with title and date": lambda text, origin: cut_fixed(text, origin, 800),
    "whole documents": lambda text, origin: [Chunk(0, len(text), "", origin, text)],
}


class SearchQuestion(BaseModel):
    """A question, the stem of the file that answers it, and words of the passage that does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    half: Literal["choose", "report"]
    question: str
    document: str
    evidence: str


@dataclass(frozen=True)
class Quality:
    """How one way of cutting does on one half of the questions.

    `ranks` says at which place of the first five each question's passage came, counted from 1, or
    None; `characters` is how long a chunk is on average.
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
    """Return our own questions."""
    content = yaml.safe_load((DATA / "questions.yaml").read_text("utf-8"))
    return TypeAdapter(list[SearchQuestion]).validate_python(content)


def measure() -> list[Quality]:
    """Return the quality of each way of cutting on each half; it takes a few seconds."""
    questions = search_questions()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, how) in enumerate(CUTS.items()):
            documents = _documents(Path(folder) / str(number), how)
            size = statistics.mean(len(chunk.text) for chunk in documents.chunks_of())
            for half in ("choose", "report"):
                ranks = {
                    question.question: _rank(documents, question)
                    for question in questions
                    if question.half == half
                }
                found.append(Quality(name, half, ranks, size))
    return found


def _documents(home: Path, how: Cut) -> Documents:
    settings = Settings(home=home)
    documents = Documents(settings.documents_path, how)
    for path in sorted((DATA / "documents").glob("*.md")):
        documents.add(path.name, path.read_bytes(), path.stem, settings)
    return documents


def _rank(documents: Documents, question: SearchQuestion) -> int | None:
    for place, passage in enumerate(search(documents, question.question, TOP), start=1):
        text = " ".join(passage.text.split())
        if passage.address == question.document and question.evidence in text:
            return place
    return None
