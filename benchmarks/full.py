"""Measure a backfill of every month at its real size, and the app beside it.

Generates 31 months of yellow and green taxis with 132 M rows and the year 2019 of for-hire vehicles
with 43 M (once, if --cache names a folder), serves them over HTTP on this machine, backfills the
taxis with one command and the for-hire vehicles with another, and compares each file's rows and
dollars with the generated ones. Memory is the peak of the command's process tree, sampled five
times a second. The floor is the time that DuckDB alone needs to create a table from each file.
Finally a browser times the pages: on an idle machine, while the command line loads, and while the
app loads.

    python -m benchmarks.full --scale 0.01                        # a few minutes
    python -m benchmarks.full --cache FOLDER                      # all of it, 25 GB on disk
    python -m benchmarks.full --cache FOLDER --home FOLDER --parts load
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb

from benchmarks.backfill import floor as backfill_floor
from benchmarks.months import FIRST, LAST, GeneratedFile, make_months
from benchmarks.pages import measure_pages, print_pages
from benchmarks.watch import ResourceMonitor, size_gb
from pipeline.core.datasets import FOR_HIRE_VEHICLES, GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.measures import has_amount
from tests.support.browser import find_chromium

RELOADED = "2020-06"  # months from here on are loaded again while the pages are measured
TAXIS = "Yellow and green taxis"
GROUPS = {TAXIS: (YELLOW_TAXIS, GREEN_TAXIS), "For-hire vehicles": (FOR_HIRE_VEHICLES,)}


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP from this process, and yield its URL."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def backfill(
    home: Path, source: str, *options: str, group: str = TAXIS, last: Month = LAST
) -> subprocess.Popen[bytes]:
    """Start the command that loads all months of a group, with further options if given."""
    months = ["--from", str(FIRST), "--to", str(last)]
    for dataset in GROUPS[group]:
        months += ["--dataset", dataset.name]
    command = [sys.executable, "-m", "pipeline", "backfill", *months, "--source", source]
    return subprocess.Popen(
        [*command, "--json", *options],
        stdout=subprocess.PIPE,
        env=os.environ | {"FAREGROUND_HOME": str(home)},
    )


def load_everything(
    home: Path, source: str, generated_files: dict[TripFile, GeneratedFile], group: str
) -> dict[str, float]:
    """Backfill every month of a group with one command, reconcile, and return the measurements.

    Times are in seconds, memory in MB, sizes in GB.
    """
    started = time.perf_counter()
    last = max(file.month for file in generated_files)
    process = backfill(home, source, group=group, last=last)
    watch = ResourceMonitor(process.pid, home)
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    watch.stop()
    if process.returncode:
        raise SystemExit(f"the backfill failed: {output.decode()}")
    reconcile(home, generated_files)
    files = json.loads(output)["files"]
    rows = sum(generated.rows for generated in generated_files.values())
    assert sum(file["inserted"] for file in files) == rows
    return {
        "seconds": seconds,
        "rows": rows,
        "peak_mb": watch.peak_mb,
        "peak_gb": watch.peak_gb,
        "warehouse_gb": size_gb(home / "warehouse.duckdb"),
        "staging_gb": size_gb(home / "staging"),
    }


def reconcile(home: Path, generated_files: dict[TripFile, GeneratedFile]) -> None:
    """Assert that each file's rows and dollars in the tables equal the generated ones."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        table_rows = []
        for dataset in {file.dataset: None for file in generated_files}:
            dollars = "sum(total_amount)" if has_amount(dataset) else "NULL"
            table_rows += connection.execute(
                f"SELECT filename, count(*), {dollars} FROM {dataset.table} GROUP BY filename"
            ).fetchall()
    loaded = {name: (rows, dollars) for name, rows, dollars in table_rows}
    expected = {
        file.filename: (generated.rows, generated.dollars)
        for file, generated in generated_files.items()
    }
    assert loaded == expected, set(loaded.items()) ^ set(expected.items())


def floor(folder: Path, source: Path, files: list[TripFile]) -> tuple[float, list[TripFile]]:
    """Return the seconds in which DuckDB alone creates a table from each file, and the files."""
    seconds = 0.0
    for dataset in {file.dataset: None for file in files}:
        paths = [source / f"{file.stem}.csv.gz" for file in files if file.dataset == dataset]
        seconds += backfill_floor(folder, paths, "a table a file", dataset).seconds
    return seconds, files


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the real rows")
    parser.add_argument("--cache", type=Path, help="folder to keep the generated files in")
    parser.add_argument("--home", type=Path, help="folder to keep the warehouse in")
    parser.add_argument("--floor-every", type=int, default=1, help="of every so many files only")
    parser.add_argument("--group", choices=GROUPS, action="append", help="all by default")
    parser.add_argument("--parts", default="load,floor,pages", help="what to measure")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source, home = arguments.cache or folder / "source", arguments.home or folder / "home"
        started = time.perf_counter()
        chosen = {each for group in arguments.group or GROUPS for each in GROUPS[group]}
        generated_files = make_months(source, arguments.scale, chosen)
        print(f"generated in {time.perf_counter() - started:,.0f} s", flush=True)
        with serve_folder(source) as address:
            for group in arguments.group or GROUPS:
                datasets = GROUPS[group]
                files = {f: made for f, made in generated_files.items() if f.dataset in datasets}
                print(f"\n## {group}")
                load_result = None
                if "load" in parts:
                    load_result = load_everything(home / "data", address, files, group)
                    print_load(load_result, files)
                if "floor" in parts:
                    measured = floor(folder, source, list(files)[:: arguments.floor_every])
                    print_floor(measured, files, load_result)
            if "pages" in parts and find_chromium():
                reload = functools.partial(
                    backfill,
                    home / "data",
                    address,
                    "--from",
                    RELOADED,
                    "--policy",
                    "all",
                    "--force",
                )
                query = f"from={RELOADED}&to={LAST}&color=yellow&color=green&source={address}"
                print_pages(measure_pages(home / "data", reload, query))


def print_load(
    load_result: dict[str, float], generated_files: dict[TripFile, GeneratedFile]
) -> None:
    """Print the measurements of the backfill as a Markdown table."""
    packed = sum(generated.bytes for generated in generated_files.values()) / 1e9
    dollars = sum((made.dollars for made in generated_files.values() if made.dollars), Decimal(0))
    print(
        f"\n{len(generated_files)} files, {load_result['rows']:,.0f} rows, ${dollars:,}, "
        f"{packed:.2f} GB packed; "
        f"DuckDB {duckdb.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[1]:.1f}.\n"
        "\n| what | measured |\n|---|---|\n"
        f"| one command, to its end | {load_result['seconds']:,.0f} s |\n"
        f"| rows per second | {load_result['rows'] / load_result['seconds']:,.0f} |\n"
        f"| peak memory, all its processes | {load_result['peak_mb']:,.0f} MB |\n"
        f"| the warehouse | {load_result['warehouse_gb']:.2f} GB |\n"
        f"| staging | {load_result['staging_gb']:.2f} GB |\n"
        f"| peak on disk | {load_result['peak_gb']:.2f} GB |\n",
        flush=True,
    )


def print_floor(
    floor_result: tuple[float, list[TripFile]],
    generated_files: dict[TripFile, GeneratedFile],
    load_result: dict[str, float] | None,
) -> None:
    """Print the floor of the measured files, and extrapolate it to all files by their rows."""
    seconds, files = floor_result
    rows = sum(generated_files[file].rows for file in files)
    everything = seconds * sum(generated.rows for generated in generated_files.values()) / rows
    ratio = (
        f", the one command took {load_result['seconds'] / everything:.2f}x of it"
        if load_result
        else ""
    )
    print(
        f"floor: {seconds:,.0f} s for {len(files)} files of {rows:,} rows, so "
        f"{everything:,.0f} s for all{ratio}; load {os.getloadavg()[1]:.1f}\n",
        flush=True,
    )


if __name__ == "__main__":
    main()
