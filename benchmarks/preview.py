"""Measure time and memory of previews and diffs, relative to DuckDB alone on the same file.

Each command runs in its own process, and its start-up counts. Prints a Markdown table; `--rows`
makes a smaller run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.backfill import ROWS, ProcessUsage, backfill, floor, run, write_month
from pipeline.core.cancel import Cancel
from pipeline.core.datasets import YELLOW_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.preview import make_preview
from pipeline.preview.subject import read_local_file
from pipeline.warehouse.sandbox import Scope, run_query
from tests.support.servers import Server

FILE = TripFile(YELLOW_TAXIS, Month(2020, 1))
QUERY = "SELECT payment_type, count(*), sum(total_amount) FROM trips GROUP BY payment_type"


def preview(home: Path, *arguments: str) -> tuple[ProcessUsage, dict[str, int]]:
    """Run a command with --json, and return its usage and its document."""
    command = [sys.executable, "-m", "pipeline", *arguments, "--json"]
    measured, output = run(command, home)
    return measured, json.loads(output)


def measure(folder: Path, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """Return the rows of the result table: name, measurement, floor, ratio, peak memory."""
    source, corrected = folder / "source", folder / "corrected"
    name = f"{FILE.stem}.csv.gz"
    for place in (source, corrected):
        place.mkdir()
        write_month(place / name, 1, rows, corrected=place == corrected)
    home = folder / "home"
    backfill(home, source, 1)
    month = ("--dataset", "yellow", "--month", "2020-01", "--source")
    floors: list[float] = []
    usages: dict[str, list[ProcessUsage]] = {"head": [], "whole": [], "same": [], "changed": []}
    fetched = 0
    with Server({f"/{name}": (source / name).read_bytes()}) as server:
        for _ in range(rounds):
            floors.append(floor(folder, [source / name], "a table a file").seconds)
            head, document = preview(home, "preview", *month, server.url)
            fetched = document["fetched"]
            whole, document = preview(home, "preview", str(source / name))
            assert document["rows_read"] == rows, document["rows_read"]
            same_bytes, document = preview(home, "diff", *month, str(source))
            assert document["same_bytes"]
            changed, document = preview(home, "diff", *month, str(corrected))
            assert document["updated"] == rows // 100, document
            for key, usage in zip(usages, (head, whole, same_bytes, changed), strict=True):
                usages[key].append(usage)
    base = statistics.median(floors)

    def row(what: str, key: str) -> tuple[str, ...]:
        seconds = statistics.median(usage.seconds for usage in usages[key])
        peak = max(usage.peak_mb for usage in usages[key])
        return (
            what,
            f"{seconds:.2f} s",
            f"{base:.2f} s",
            f"{seconds / base:.3g}x",
            f"{peak:,.0f} MB",
        )

    return [
        row(f"`preview` of a csv.gz at an address ({fetched:,} bytes fetched)", "head"),
        row("`preview` of the whole file: schema, profile, findings", "whole"),
        row("`diff` of the bytes that are loaded", "same"),
        row("`diff` of a file with 1 % corrected rows", "changed"),
        ("a query in the SQL box, process and all", query(source / name, rounds), "", "", ""),
    ]


def query(path: Path, rounds: int) -> str:
    """Return the median time of one small query on a preview, as text in seconds."""
    settings = Settings()
    preview_made = make_preview(read_local_file(path, FILE, settings, Cancel()), settings, Cancel())
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run_query(QUERY, Scope(database=preview_made.database), settings, Cancel())
        seconds.append(time.perf_counter() - started)
    return f"{statistics.median(seconds):.2f} s"


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), arguments.rows, arguments.rounds)
    print(
        f"\nOne generated yellow month of {arguments.rows:,} rows, median of {arguments.rounds} "
        f"rounds; DuckDB {duckdb.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores.\n"
    )
    print("| what | measured | DuckDB alone | ratio | peak memory |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
