"""What our own code adds to a backfill in Google Cloud, on the emulators.

How long the service takes is the service's business, and the emulators' is another one's. So this
measures what is left of a run when all of that is taken away: the time in which no request was
under way and no job was being waited for. Beside it stand the CPU time of our process, which also
counts what is hidden behind the waiting, and its peak memory for a file and one four times as
large. The emulators run in processes of their own. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.backfill import Measured, run, write_month
from pipeline.history import History
from pipeline.run_records import Step
from tests.gcp.emulators import LOCATION, PROJECT, PYTHON, Emulators, running_emulators

ROWS = 300_000
MONTHS = 6
_MEMORY_ROWS = 400_000  # and four times as many

_MEASURED = """
import json, resource, sys, threading, time
import requests
from pipeline.backfill import Backfill, prepare_plan, run_backfill
from pipeline.plan import Request
from pipeline.settings import load_settings
from pipeline.trips import Color, Month, Selection
from pipeline.warehouse import google_jobs

source, last = sys.argv[1:]
spans = []

def waiting(function):
    def timed(*arguments, **named):
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spans.append((started, time.perf_counter()))
    return timed

requests.Session.send = waiting(requests.Session.send)
google_jobs.JobRunner._wait = waiting(google_jobs.JobRunner._wait)

settings = load_settings()
selection = Selection((Color.YELLOW,), Month(2020, 1), Month.parse(last))
plan = prepare_plan(Request(selection, source=source, target="gcp"), settings)
work = Backfill(plan, settings, "benchmark")
spans.clear()
cpu, started = time.process_time(), time.perf_counter()
state = run_backfill(work, settings)
ended, cpu = time.perf_counter(), time.process_time() - cpu
assert state == "succeeded", state
covered, until = 0.0, started
for begun, done in sorted(spans):
    covered += max(0.0, min(done, ended) - max(begun, until))
    until = max(until, done)
print(json.dumps({"run": work.run_id, "wall": ended - started, "waiting": covered, "cpu": cpu}))
"""


@dataclass(frozen=True)
class Shares:
    """One run: its seconds on the wall, those spent waiting for the service, its CPU seconds, and
    how many of its uploads ran beside the load of another file."""

    wall: float
    waiting: float
    cpu: float
    beside: int

    @property
    def own(self) -> float:
        """Seconds in which nothing was waited for."""
        return self.wall - self.waiting


def backfill(home: Path, source: Path, last: str, number: int) -> tuple[Measured, Shares]:
    """Load January to month `last` into a bucket and dataset of their own."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery, storage

    names = {"GCP_BUCKET_NAME": f"bench-{number}", "GCP_DATASET": f"bench_{number}"}
    os.environ.update(names)
    anonymous = AnonymousCredentials()
    storage.Client(PROJECT, credentials=anonymous).create_bucket(
        names["GCP_BUCKET_NAME"], location=LOCATION
    )
    bigquery.Client(PROJECT, credentials=anonymous).create_dataset(names["GCP_DATASET"])
    measured, output = run([sys.executable, "-c", _MEASURED, str(source), last], home)
    found = json.loads(output)
    steps = History(home / "history.sqlite").steps(found["run"])
    return measured, Shares(found["wall"], found["waiting"], found["cpu"], _beside(steps))


def _beside(steps: list[Step]) -> int:
    """Count the uploads during which another file was extracted, compared or merged."""
    loading = [step for step in steps if step.step not in ("download", "upload")]
    none = timedelta()
    return sum(
        any(
            min(up.finished_at, load.finished_at) - max(up.started_at, load.started_at) > none
            for load in loading
            if load.file != up.file
        )
        for up in steps
        if up.step == "upload"
    )


def measure(folder: Path, months: int, rows: int, rounds: int) -> list[tuple[str, str, str, str]]:
    """Return the table's rows: what, measured, against, share."""
    source, small, large = (folder / name for name in ("source", "small", "large"))
    for place in (source, small, large):
        place.mkdir()
    for month in range(1, months + 1):
        write_month(source / f"yellow_tripdata_2020-{month:02d}.csv.gz", month, rows)
    sizes = []
    for place, many in ((small, _MEMORY_ROWS), (large, 4 * _MEMORY_ROWS)):
        path = place / "yellow_tripdata_2020-01.csv.gz"
        write_month(path, 1, many)
        sizes.append(path.stat().st_size / 1e6)
    found = []
    for number in range(rounds):
        _, shares = backfill(folder / f"home-{number}", source, f"2020-{months:02d}", number)
        found.append(shares)
    peaks = [
        backfill(folder / f"home-{place.name}", place, "2020-01", rounds + number)[0].peak_mb
        for number, place in enumerate((small, large))
    ]
    shares = sorted(found, key=lambda one: one.own / one.wall)[len(found) // 2]
    cpu = statistics.median(one.cpu for one in found)
    wall = f"{shares.wall:.2f} s"
    return [
        ("the run, from its start to its end", wall, "", ""),
        ("of it waiting for the service", f"{shares.waiting:.2f} s", wall, ""),
        (
            "of it our own code alone",
            f"{shares.own:.2f} s",
            wall,
            f"{shares.own / shares.wall:.1%}, aim 5 %",
        ),
        ("CPU time of our process", f"{cpu:.2f} s", wall, f"{cpu / shares.wall:.1%}"),
        ("uploads beside another file's load", f"{shares.beside}", f"{months - 1}", ""),
        (
            f"peak memory, a file of {sizes[1]:.0f} MB against one of {sizes[0]:.0f} MB",
            f"{peaks[1]:,.0f} MB",
            f"{peaks[0]:,.0f} MB",
            f"{peaks[1] / peaks[0]:.3g}x",
        ),
    ]


def _point_at(emulators: Emulators) -> None:
    place = {"GCP_PROJECT_ID": PROJECT, "GCP_LOCATION": LOCATION, "GCP_CREDS": ""}
    os.environ.update(emulators.environment | place)


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not PYTHON.exists():
        sys.exit("The BigQuery emulator is not installed; `make bench-gcp` does it.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "emulators").mkdir()
        with running_emulators(folder / "emulators") as emulators:
            _point_at(emulators)
            rows = measure(folder, arguments.months, arguments.rows, arguments.rounds)
    print(
        f"\n{arguments.months} generated yellow months of {arguments.rows:,} rows, median of "
        f"{arguments.rounds} rounds; emulators on the same machine, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores.\n"
    )
    print("| what | measured | against | share |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
