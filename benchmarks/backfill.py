"""Measure time and memory of a local backfill, relative to DuckDB alone on the same files.

The floor is `CREATE TABLE AS SELECT` from the same csv.gz files into a new database, with the same
DuckDB version, types and memory limit. It runs in its own process, alternating with the backfills.
Prints a Markdown table; `--months` and `--rows` make a smaller run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.core.datasets import YELLOW_TAXIS
from pipeline.warehouse.extract.cells import stored_type

ROWS = 1_500_000
MONTHS = 12
CORRECTED_SHARE = 0.01

_FLOOR = """
import sys, time, duckdb
database, types, *paths = sys.argv[1:]
started = time.perf_counter()
connection = duckdb.connect(database, config={"memory_limit": "1GB"})
connection.execute("SET enable_progress_bar_print = false")
for number, path in enumerate(paths):
    connection.execute(
        f"CREATE TABLE floor_{number} AS SELECT * FROM read_csv(?, columns={types}, header=true)",
        [path],
    )
connection.close()
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class ProcessUsage:
    """Wall-clock seconds and peak resident memory (MB) of one process."""

    seconds: float
    peak_mb: float


def write_month(path: Path, month: int, rows: int, corrected: bool = False) -> None:
    """Write a synthetic yellow csv.gz of a month of 2020.

    Args:
        month: 1 to 12.
        corrected: Raise one fare in a hundred by $1, as a corrected file of the TLC would.
    """
    share = int(1 / CORRECTED_SHARE)
    change = f"CASE WHEN i % {share} = 7 THEN 1 ELSE 0 END" if corrected else "0"
    connection = duckdb.connect()
    connection.execute(
        f"""
        COPY (
            WITH draws AS (
                SELECT i, hash(i * 31 + {month}) AS a, hash(i * 77 + {month} + 5) AS b
                FROM range({rows}) AS numbers (i)
            )
            SELECT
                CASE WHEN a % 100 < 4 THEN NULL ELSE 1 + a % 2 END AS VendorID,
                TIMESTAMP '2020-{month:02d}-01' + to_seconds(i * 29 * 86400 // {rows})
                    AS tpep_pickup_datetime,
                TIMESTAMP '2020-{month:02d}-01'
                    + to_seconds(i * 29 * 86400 // {rows} + 60 + (a % 2400)::BIGINT)
                    AS tpep_dropoff_datetime,
                b % 6 AS passenger_count,
                round((b % 3000) / 100, 2) AS trip_distance,
                1 AS RatecodeID,
                'N' AS store_and_fwd_flag,
                1 + (a >> 5) % 263 AS PULocationID,
                1 + (b >> 5) % 263 AS DOLocationID,
                1 + (b >> 9) % 2 AS payment_type,
                round(3 + (b % 9000) / 100 + {change}, 2) AS fare_amount,
                0.5 AS extra,
                0.5 AS mta_tax,
                round((a >> 20) % 500 / 100, 2) AS tip_amount,
                0 AS tolls_amount,
                0.3 AS improvement_surcharge,
                round(4.3 + (b % 9000) / 100 + (a >> 20) % 500 / 100 + {change}, 2)
                    AS total_amount,
                2.5 AS congestion_surcharge
            FROM draws
        ) TO '{path}' (HEADER, COMPRESSION gzip)
        """
    )


def run(
    command: list[str], home: Path | None = None, mirror: Path | None = None
) -> tuple[ProcessUsage, str]:
    """Run a command, and return its usage and its stdout; raises SystemExit when it fails."""
    environment = os.environ | ({"FAREGROUND_HOME": str(home)} if home else {})
    environment |= {"FAREGROUND_MIRROR": str(mirror)} if mirror else {}
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} failed: {output}")
    return ProcessUsage(seconds, usage.ru_maxrss / 1024), output


def floor(folder: Path, paths: list[Path]) -> float:
    """Return the seconds in which DuckDB alone creates a table from each file, without start-up."""
    types = ", ".join(
        f"'{column.name}': '{stored_type(column)}'"
        for column in YELLOW_TAXIS.columns
        if not column.fee
    )
    database = folder / "floor.duckdb"
    database.unlink(missing_ok=True)
    code = [sys.executable, "-c", _FLOOR, str(database), f"{{{types}}}", *map(str, paths)]
    _, output = run(code)
    return float(output)


def backfill(
    home: Path, source: Path, last: int, *options: str, mirror: Path | None = None
) -> tuple[ProcessUsage, list[dict[str, Any]]]:
    """Backfill January to month `last` with the command line; return its usage and its files."""
    months = ["--from", "2020-01", "--to", f"2020-{last:02d}"]
    command = [sys.executable, "-m", "pipeline", "backfill", "--dataset", "yellow", *months]
    measured, output = run([*command, "--source", str(source), "--json", *options], home, mirror)
    return measured, json.loads(output)["files"]


def measure(folder: Path, months: int, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """Return the rows of the result table: name, measurement, floor, ratio, and the target."""
    source = folder / "source"
    source.mkdir()
    names = [f"yellow_tripdata_2020-{month:02d}.csv.gz" for month in range(1, months + 1)]
    for month, name in enumerate(names, start=1):
        write_month(source / name, month, rows)
    paths = [source / name for name in names]
    corrected = folder / names[-1]
    write_month(corrected, months, rows, corrected=True)

    floors, firsts, agains, first_months, last_months, peaks = [], [], [], [], [], []
    month_floors, changes, change_commands, single_peaks = [], [], [], []
    mirrored: list[float] = []
    counts: dict[str, int] = {}
    for number in range(rounds):
        home = folder / f"home-{number}"
        floors.append(floor(folder, paths))
        first, files = backfill(home, source, months)
        assert [f["rows"] for f in files] == [rows] * months, files
        firsts.append(first.seconds)
        peaks.append(first.peak_mb)
        with tempfile.TemporaryDirectory(dir=folder) as other:
            usage, _ = backfill(Path(other), source, months, mirror=Path(other) / "mirror")
        mirrored.append(usage.seconds)
        first_months.append(files[0]["seconds"])
        last_months.append(files[-1]["seconds"])
        again, files = backfill(home, source, months, "--policy", "all")
        assert {f["state"] for f in files} == {"skipped"}, files
        agains.append(again.seconds)
        month_floors.append(floor(folder, [corrected]))
        original = paths[-1].read_bytes()
        shutil.copyfile(corrected, paths[-1])
        change, files = backfill(home, source, months)
        paths[-1].write_bytes(original)
        change_commands.append(change.seconds)
        changes.append(files[-1]["seconds"])
        counts = {name: files[-1][name] for name in ("inserted", "updated", "deleted", "unchanged")}
        single, _ = backfill(folder / f"single-{number}", source, 1)
        single_peaks.append(single.peak_mb)
        shutil.rmtree(home)
        shutil.rmtree(folder / f"single-{number}")

    def row(what: str, values: list[float], base: list[float], limit: str) -> tuple[str, ...]:
        value, under = statistics.median(values), statistics.median(base)
        return what, f"{value:.2f} s", f"{under:.2f} s", f"{value / under:.3g}x", limit

    return [
        row(f"first load of {months} months, whole command", firsts, floors, "1.25x"),
        row("the same with a mirror, against without", mirrored, firsts, "1.25x"),
        row("last month against the first, both within it", last_months, first_months, "1.1x"),
        row(f"{months} months again, nothing changed", agains, floors, "0.03x"),
        row("a month with 1 % corrected rows, download and load", changes, month_floors, "1.5x"),
        row("the same, whole command with start-up", change_commands, month_floors, ""),
        (
            "peak memory, all months against one",
            f"{max(peaks):,.0f} MB",
            f"{max(single_peaks):,.0f} MB",
            f"{max(peaks) / max(single_peaks):.3g}x",
            "1,500 MB",
        ),
        ("counts of the corrected month", json.dumps(counts), "", "", ""),
    ]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), arguments.months, arguments.rows, arguments.rounds)
    print(
        f"\n{arguments.months} generated yellow months of {arguments.rows:,} rows, median of "
        f"{arguments.rounds} rounds; DuckDB {duckdb.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores.\n"
    )
    print("| what | measured | against | ratio | aim |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
