"""Measure the overhead of our own code in a Google Cloud backfill, with emulators.

The emulators' speed says nothing about the service's. So the benchmark subtracts all time in which
a request was under way or a job was awaited. It also reports the CPU time of our process, which
includes work done while waiting, and the peak memory for a file and for one four times as large.
The emulators run in their own processes. Prints a Markdown table.
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

from benchmarks.backfill import ProcessUsage, run, write_month
from pipeline.runs.history import History
from pipeline.runs.run_records import Step
from tests.support.gcp.emulators import LOCATION, PROJECT, PYTHON, Emulators, running_emulators

ROWS = 300_000
MONTHS = 6
_MEMORY_ROWS = 400_000  # of the smaller of two files; the larger has four times as many

_MEASURED_RUN = """
import json, resource, sys, threading, time
import requests
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.runs.plan import Request
from pipeline.core.settings.settings import load_settings
from pipeline.core.datasets import YELLOW_TAXIS
from pipeline.core.trips import Month, Selection
from pipeline.warehouse.gcp import jobs as google_jobs

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
selection = Selection((YELLOW_TAXIS,), Month(2020, 1), Month.parse(last))
plan = prepare_plan(Request(selection, source=source, target="gcp"), settings)
backfill = Backfill(plan, settings, "benchmark")
spans.clear()
cpu, started = time.process_time(), time.perf_counter()
state = run_backfill(backfill, settings)
ended, cpu = time.perf_counter(), time.process_time() - cpu
assert state == "succeeded", state
covered, until = 0.0, started
for begun, done in sorted(spans):
    covered += max(0.0, min(done, ended) - max(begun, until))
    until = max(until, done)
print(json.dumps({"run": backfill.run_id, "wall": ended - started, "waiting": covered, "cpu": cpu}))
"""


@dataclass(frozen=True)
class RunTimes:
    """Where the time of one run went.

    Attributes:
        wall: Wall-clock seconds.
        waiting: Seconds of them in which the service was awaited.
        cpu: CPU seconds of our process.
        overlapping_uploads: Uploads that ran during the load of another file.
    """

    wall: float
    waiting: float
    cpu: float
    overlapping_uploads: int

    @property
    def own_seconds(self) -> float:
        """Seconds in which the run did not wait for the service."""
        return self.wall - self.waiting


def backfill(home: Path, source: Path, last: str, number: int) -> tuple[ProcessUsage, RunTimes]:
    """Load January to month `last` into a new bucket and dataset.

    Args:
        last: The last month, such as 2020-06.
        number: Makes the names of the bucket and the dataset unique.
    """
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery, storage

    names = {"GCP_BUCKET_NAME": f"bench-{number}", "GCP_DATASET": f"bench_{number}"}
    os.environ.update(names)
    anonymous = AnonymousCredentials()
    storage.Client(PROJECT, credentials=anonymous).create_bucket(
        names["GCP_BUCKET_NAME"], location=LOCATION
    )
    bigquery.Client(PROJECT, credentials=anonymous).create_dataset(names["GCP_DATASET"])
    measured, output = run([sys.executable, "-c", _MEASURED_RUN, str(source), last], home)
    result = json.loads(output)
    steps = History(home / "history.sqlite").steps(result["run"])
    return measured, RunTimes(
        result["wall"], result["waiting"], result["cpu"], _count_overlapping_uploads(steps)
    )


def _count_overlapping_uploads(steps: list[Step]) -> int:
    """Count the uploads during which another file was extracted, compared or merged."""
    loading = [step for step in steps if step.step not in ("download", "upload")]
    none = timedelta()
    return sum(
        any(
            min(upload.finished_at, load.finished_at) - max(upload.started_at, load.started_at)
            > none
            for load in loading
            if load.file != upload.file
        )
        for upload in steps
        if upload.step == "upload"
    )


def measure(folder: Path, months: int, rows: int, rounds: int) -> list[tuple[str, str, str, str]]:
    """Return the rows of the result table: name, measurement, reference, share."""
    source, small, large = (folder / name for name in ("source", "small", "large"))
    for folder_of_file in (source, small, large):
        folder_of_file.mkdir()
    for month in range(1, months + 1):
        write_month(source / f"yellow_tripdata_2020-{month:02d}.csv.gz", month, rows)
    sizes = []
    for folder_of_file, row_count in ((small, _MEMORY_ROWS), (large, 4 * _MEMORY_ROWS)):
        path = folder_of_file / "yellow_tripdata_2020-01.csv.gz"
        write_month(path, 1, row_count)
        sizes.append(path.stat().st_size / 1e6)
    run_times = []
    for number in range(rounds):
        _, shares = backfill(folder / f"home-{number}", source, f"2020-{months:02d}", number)
        run_times.append(shares)
    peaks = [
        backfill(
            folder / f"home-{folder_of_file.name}", folder_of_file, "2020-01", rounds + number
        )[0].peak_mb
        for number, folder_of_file in enumerate((small, large))
    ]
    shares = sorted(run_times, key=lambda times: times.own_seconds / times.wall)[
        len(run_times) // 2
    ]
    cpu = statistics.median(times.cpu for times in run_times)
    wall = f"{shares.wall:.2f} s"
    return [
        ("the run, from its start to its end", wall, "", ""),
        ("of it waiting for the service", f"{shares.waiting:.2f} s", wall, ""),
        (
            "of it our own code alone",
            f"{shares.own_seconds:.2f} s",
            wall,
            f"{shares.own_seconds / shares.wall:.1%}, aim 5 %",
        ),
        ("CPU time of our process", f"{cpu:.2f} s", wall, f"{cpu / shares.wall:.1%}"),
        (
            "uploads beside another file's load",
            f"{shares.overlapping_uploads}",
            f"{months - 1}",
            "",
        ),
        (
            f"peak memory, a file of {sizes[1]:.0f} MB against one of {sizes[0]:.0f} MB",
            f"{peaks[1]:,.0f} MB",
            f"{peaks[0]:,.0f} MB",
            f"{peaks[1] / peaks[0]:.3g}x",
        ),
    ]


def _use_emulators(emulators: Emulators) -> None:
    variables = {"GCP_PROJECT_ID": PROJECT, "GCP_LOCATION": LOCATION, "GCP_CREDS": ""}
    os.environ.update(emulators.environment | variables)


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
            _use_emulators(emulators)
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
