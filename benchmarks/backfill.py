"""Measure time, processor time and memory of a local backfill, relative to DuckDB alone.

The floors read the same files with the same DuckDB version, types and memory limit, each in a
process of its own, alternating with the backfills: "one table" inserts all files with their names
into one table, "a table a file" creates a table from each. Parquet files are measured likewise.
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
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.core.datasets import YELLOW_TAXIS, Dataset
from pipeline.warehouse.extract.cells import stored_type

ROWS = 1_500_000
MONTHS = 12
CORRECTED_SHARE = 0.01

_FLOOR = """
import sys, duckdb
database, reader, kind, *paths = sys.argv[1:]
connection = duckdb.connect(database, config={"memory_limit": "1GB"})
connection.execute("SET enable_progress_bar_print = false")
for number, path in enumerate(paths):
    if kind == "a table a file":
        connection.execute(f"CREATE TABLE floor_{number} AS SELECT * FROM {reader}", [path])
        continue
    rows = f"SELECT * FROM {reader.removesuffix(')')}, filename = true)"
    begin = "INSERT INTO trips" if number else "CREATE TABLE trips AS"
    connection.execute(f"{begin} {rows}", [path])
connection.close()
"""
FLOORS = ("one table", "a table a file")


@dataclass(frozen=True)
class ProcessUsage:
    """Wall-clock and processor seconds, and peak resident memory (MB), of one process."""

    seconds: float
    processor_seconds: float
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
    processor_seconds = usage.ru_utime + usage.ru_stime
    return ProcessUsage(seconds, processor_seconds, usage.ru_maxrss / 1024), output


def floor(
    folder: Path, paths: list[Path], kind: str, dataset: Dataset = YELLOW_TAXIS
) -> ProcessUsage:
    """Return the usage of DuckDB alone for these files, as one of FLOORS."""
    types = ", ".join(
        f"'{column.name}': '{stored_type(column)}'" for column in dataset.columns if not column.fee
    )
    reader = f"read_csv(?, columns={{{types}}}, header=true)"
    if paths[0].suffix == ".parquet":
        reader = "read_parquet(?)"
    database = folder / "floor.duckdb"
    database.unlink(missing_ok=True)
    usage, _ = run([sys.executable, "-c", _FLOOR, str(database), reader, kind, *map(str, paths)])
    return usage


def write_parquet(path: Path, csv: Path) -> None:
    """Write a csv.gz as the TLC's Parquet files of today."""
    duckdb.execute(f"COPY (FROM '{csv}') TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


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

    usages: dict[str, list[ProcessUsage]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = {}
    parquet = folder / "parquet"
    parquet.mkdir()
    for path in paths:
        write_parquet(parquet / path.name.replace("csv.gz", "parquet"), path)
    for number in range(rounds):
        home = folder / f"home-{number}"
        for kind in FLOORS:
            usages[kind].append(floor(folder, paths, kind))
        first, files = backfill(home, source, months)
        assert [f["rows"] for f in files] == [rows] * months, files
        usages["first"].append(first)
        seconds["first month"].append(files[0]["seconds"])
        seconds["last month"].append(files[-1]["seconds"])
        with tempfile.TemporaryDirectory(dir=folder) as other:
            usage, _ = backfill(Path(other), source, months, mirror=Path(other) / "mirror")
        usages["mirror"].append(usage)
        usages["parquet floor"].append(floor(folder, sorted(parquet.iterdir()), "one table"))
        with tempfile.TemporaryDirectory(dir=folder) as other:
            usage, files = backfill(Path(other), parquet, months)
        assert [f["rows"] for f in files] == [rows] * months, files
        usages["parquet"].append(usage)
        again, files = backfill(home, source, months, "--policy", "all")
        assert {f["state"] for f in files} == {"skipped"}, files
        usages["again"].append(again)
        usages["month floor"].append(floor(folder, [corrected], "one table"))
        original = paths[-1].read_bytes()
        shutil.copyfile(corrected, paths[-1])
        change, files = backfill(home, source, months)
        paths[-1].write_bytes(original)
        usages["change"].append(change)
        seconds["change"].append(files[-1]["seconds"])
        counts = {name: files[-1][name] for name in ("inserted", "updated", "deleted", "unchanged")}
        single, _ = backfill(folder / f"single-{number}", source, 1)
        usages["single"].append(single)
        shutil.rmtree(home)
        shutil.rmtree(folder / f"single-{number}")

    def compare(what: str, values: list[float], base: list[float], aim: str) -> tuple[str, ...]:
        value, under = statistics.median(values), statistics.median(base)
        return what, f"{value:.2f} s", f"{under:.2f} s", f"{value / under:.3g}x", aim

    def both(what: str, name: str, base: str, aim: str, wall_aim: str) -> list[tuple[str, ...]]:
        of, under = usages[name], usages[base]
        return [
            compare(
                f"{what}, processor time",
                [usage.processor_seconds for usage in of],
                [usage.processor_seconds for usage in under],
                aim,
            ),
            compare(
                f"{what}, wall time",
                [usage.seconds for usage in of],
                [usage.seconds for usage in under],
                wall_aim,
            ),
        ]

    load = f"first load of {months} months"
    peak, single_peak = (max(u.peak_mb for u in usages[each]) for each in ("first", "single"))
    walls = [u.seconds for u in usages["month floor"]]
    return [
        *both(f"{load}, against one table", "first", "one table", "1.25x", "1.15x"),
        *both(f"{load}, against a table a file", "first", "a table a file", "", ""),
        *both(f"{load} with a mirror, against without", "mirror", "first", "1.25x", ""),
        *both(f"{load} from Parquet, against one table", "parquet", "parquet floor", "", ""),
        compare(
            "last month against the first, both within it",
            seconds["last month"],
            seconds["first month"],
            "1.1x",
        ),
        *both(f"{months} months again, nothing changed", "again", "one table", "0.03x", "0.03x"),
        compare("a month with 1 % corrected rows, load", seconds["change"], walls, "1.4x"),
        *both("the same, whole command", "change", "month floor", "", ""),
        (
            "peak memory, all months against one",
            f"{peak:,.0f} MB",
            f"{single_peak:,.0f} MB",
            f"{peak / single_peak:.3g}x",
            "600 MB",
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
