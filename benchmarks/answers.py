"""How well and how fast our own search and claim check work, on sets of our own.

Prints Markdown tables: search against fixed-size chunks and whole documents, the times of an index
of many documents, and the claim check's precision and recall. Nothing is asked of a model.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.answers import suites
from pipeline.answers.documents import Documents
from pipeline.answers.facts import Known, facts
from pipeline.answers.grounding import COVERAGE, Verdict, check
from pipeline.answers.retrieval import Passage, search
from pipeline.answers.search_quality import measure
from pipeline.answers.statistics import wilson
from pipeline.answers.suites import DATA
from pipeline.answers.vocabulary import words_of
from pipeline.settings import Settings

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def read(name: str) -> list[dict[str, Any]]:
    """Return one of the evaluation sets."""
    found: list[dict[str, Any]] = yaml.safe_load((DATA / f"{name}.yaml").read_text("utf-8"))
    return found


def own_documents(home: Path) -> Documents:
    """Return a store of our own documents."""
    return suites.own_documents(Settings(home=home))


def measure_search() -> list[str]:
    """Return table rows: how often the first, and one of the first five, holds the answer."""
    return [
        f"| {quality.name} | {quality.half} ({len(quality.ranks)}) | {quality.first:.3f} "
        f"| {quality.five:.3f} | {quality.reciprocal:.3f} | {quality.characters:,.0f} |"
        for quality in measure()
    ]


def measure_speed(folder: Path, count: int) -> list[str]:
    """Return table rows: how long indexing and asking take with `count` documents.

    The documents are made of words drawn by Zipf's law, as words are in real text, and of
    paragraphs of our own documents.
    """
    draw = random.Random(1)
    paragraphs = [
        part
        for path in sorted((DATA / "documents").glob("*.md"))
        for part in path.read_text("utf-8").split("---", 2)[2].split("\n## ")
    ]
    words = sorted({word for part in paragraphs for word in part.split()})
    words += [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("lin", "tor", "mex")]
    draw.shuffle(words)
    weights = [1 / place for place in range(1, len(words) + 1)]
    settings = Settings(home=folder / "speed")
    documents = Documents(settings.documents_path)
    texts = []
    for number in range(count):
        parts = [
            f"{draw.choice(paragraphs)} {' '.join(draw.choices(words, weights, k=80))}"
            for _ in range(8)
        ]
        version = f"{number % 9}.{number // 40}"
        texts.append(
            f"---\ntitle: Product {number % 40} {version}\nversion: {version}\n---\n"
            + "\n\n## ".join(parts)
        )
    began = time.perf_counter()
    for number, text in enumerate(texts):
        documents.add(f"{number}.md", text.encode(), f"speed:{number}", settings)
    indexing = time.perf_counter() - began
    times = []
    questions = [question["question"] for question in read("questions")]
    for question in questions * 3:
        began = time.perf_counter()
        search(documents, question, 5)
        times.append((time.perf_counter() - began) * 1000)
    chunks = len(documents.chunks_of())
    quantiles = statistics.quantiles(times, n=20)
    return [
        f"| index {count:,} documents ({sum(map(len, texts)) / 1e6:.1f} M characters, "
        f"{chunks:,} chunks), one transaction each | {indexing:.1f} s |",
        f"| the same, for each document | {indexing / count * 1000:.1f} ms |",
        f"| a question, median of {len(times)} | {statistics.median(times):.1f} ms |",
        f"| a question, 95th percentile | {quantiles[18]:.1f} ms |",
        f"| size on disk | {settings.documents_path.stat().st_size / 1e6:.1f} MB |",
    ]


@dataclass(frozen=True)
class Judged:
    """Of the claims flagged (not found in source), how many are false; and how many there are."""

    flagged_false: int
    flagged_true: int
    false: int
    true: int

    @property
    def precision(self) -> float:
        flagged = self.flagged_false + self.flagged_true
        return self.flagged_false / flagged if flagged else 1.0

    @property
    def recall(self) -> float:
        return self.flagged_false / self.false

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


Found = Callable[[str, Sequence[Passage]], bool]


def judge(claims: Sequence[dict[str, Any]], passages: dict[str, list[Passage]], found: Found) -> (
    Judged
):  # fmt: skip
    """Return how a check does on labelled claims, each against its question's passages."""
    flags = [
        (bool(claim.get("holds")), not found(claim["claim"], passages[claim["question"]]))
        for claim in claims
    ]
    return Judged(
        sum(flag and not holds for holds, flag in flags),
        sum(flag and holds for holds, flag in flags),
        sum(not holds for holds, _ in flags),
        sum(holds for holds, _ in flags),
    )


def ours(threshold: float) -> Found:
    """Our check at a threshold."""

    def found(claim: str, passages: Sequence[Passage]) -> bool:
        return all(one.verdict == Verdict.FOUND for one in check(claim, passages, threshold))

    return found


def simple(threshold: float) -> Found:
    """The rule it grew from: a whole passage covers the words and holds every value."""

    def found(claim: str, passages: Sequence[Passage]) -> bool:
        words = set(words_of(claim))
        for passage in passages:
            share = len(words & set(words_of(passage.source))) / max(1, len(words))
            if share >= threshold and not Known(passage.source).missing(facts(claim)):
                return True
        return False

    return found


def measure_check(folder: Path) -> list[str]:
    """Return table rows: precision and recall, the threshold chosen on one half."""
    claims = read("claims")
    documents = own_documents(folder / "claims")
    passages = {claim["question"]: search(documents, claim["question"], 5) for claim in claims}
    halves = {
        half: [claim for claim in claims if claim["half"] == half] for half in ("choose", "report")
    }
    rows = []
    for name, rule in (("our check", ours), ("words and values in one passage", simple)):
        best = max(THRESHOLDS, key=lambda t: judge(halves["choose"], passages, rule(t)).f1)
        for half, asked in halves.items():
            got = judge(asked, passages, rule(best))
            recall = wilson(got.flagged_false, got.false)
            precision = wilson(got.flagged_false, got.flagged_false + got.flagged_true)
            rows.append(
                f"| {name}, threshold {best:g} | {half} ({got.true} hold, {got.false} false) "
                f"| {precision.share:.2f} ({precision.low:.2f} to {precision.high:.2f}) "
                f"| {recall.share:.2f} ({recall.low:.2f} to {recall.high:.2f}) "
                f"| {1 - got.flagged_true / got.true:.2f} |"
            )
    kinds = sorted({claim["wrong"] for claim in claims if "wrong" in claim})
    for kind in kinds:
        mine = [claim for claim in halves["report"] if claim.get("wrong") == kind]
        caught = judge(mine, passages, ours(COVERAGE)).flagged_false
        rows.append(f"| false claims with a wrong {kind} | report | | {caught} of {len(mine)} | |")
    return rows


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    arguments = parser.parse_args()
    print(
        f"\nPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores.\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        print("| chunks | questions | hit@1 | hit@5 | MRR | characters a chunk |")
        print("|---|---|---|---|---|---|")
        print(*measure_search(), sep="\n")
        print("\n| what | measured |\n|---|---|")
        print(*measure_speed(Path(folder), arguments.documents), sep="\n")
        print("\n| check | claims | precision | recall | claims that hold, found |")
        print("|---|---|---|---|---|")
        print(*measure_check(Path(folder)), sep="\n")


if __name__ == "__main__":
    main()
