"""Measure how well and how fast search and the claim check work, on sets of our own.

Prints Markdown tables: search with other ways of cutting documents, the times of an index of many
documents, and the accuracy of the claim check (`claim_check`). No model is asked.
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
from pathlib import Path

from benchmarks import claim_check
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.retrieval import search
from pipeline.answers.suites.search_quality import measure_search
from pipeline.answers.suites.suites import DATA
from pipeline.core.settings.settings import Settings


def search_rows() -> list[str]:
    """Return table rows: how often the first, or one of the first five passages answers."""
    return [
        f"| {quality.name} | {quality.half} ({len(quality.ranks)}) | {quality.first:.3f} "
        f"| {quality.five:.3f} | {quality.reciprocal:.3f} | {quality.characters:,.0f} |"
        for quality in measure_search()
    ]


def speed_rows(folder: Path, count: int) -> list[str]:
    """Return table rows: how long indexing and searching take with `count` documents.

    The documents are made of words drawn by Zipf's law, as in real text, and of paragraphs of our
    own documents.
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
    documents = DocumentStore(settings.documents_path)
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
    started = time.perf_counter()
    for number, text in enumerate(texts):
        documents.add(f"{number}.md", text.encode(), f"speed:{number}", settings)
    indexing = time.perf_counter() - started
    times = []
    questions = [question["question"] for question in claim_check.read_set("questions")]
    for question in questions * 3:
        started = time.perf_counter()
        search(documents, question, 5)
        times.append((time.perf_counter() - started) * 1000)
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


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    arguments = parser.parse_args()
    nli = claim_check.nli_model()
    print(
        f"\nPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores.\n"
    )
    print(claim_check.check_speed())
    with tempfile.TemporaryDirectory() as folder:
        print("| chunks | questions | hit@1 | hit@5 | MRR | characters a chunk |")
        print("|---|---|---|---|---|---|")
        print(*search_rows(), sep="\n")
        print("\n| what | measured |\n|---|---|")
        print(*speed_rows(Path(folder), arguments.documents), sep="\n")
        print("\n| check | claims | precision | recall | claims that hold, found |")
        print("|---|---|---|---|---|")
        print(*claim_check.check_rows(Path(folder)), sep="\n")
    print(
        "\n| set | text | half (claims) | balanced accuracy | of found alone | precision of found "
        "| bag of words |" + (" NLI model |" if nli else "")
    )
    print("|---|---|---|---|---|---|---|" + ("---|" if nli else ""))
    for name in claim_check.CLAIM_SETS:
        print(*claim_check.kind_rows(name, nli), sep="\n")


if __name__ == "__main__":
    main()
