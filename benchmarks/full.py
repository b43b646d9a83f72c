"""Three whole years: 31 months of both colors in their real sizes, into the local warehouse.

Generates 62 files of 132 M rows (once, if --cache names a folder), serves them by HTTP on this
machine, backfills them with one command, and compares every file's rows and dollars with what was
generated. Memory is that of the command's whole process tree, looked at five times a second. The
floor is what DuckDB alone needs to make a table of each of the same files. Then a real browser goes
from page to page: with nothing else going on, while the app loads months again, and while the
command line does.

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
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
from playwright.sync_api import Locator, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from benchmarks.backfill import _FLOOR
from benchmarks.months import FIRST, LAST, Made, make_months
from benchmarks.watch import Watch, size_gb, tree
from pipeline.history import History
from pipeline.trips import COLUMNS, TripFile
from tests.browser import Visitor, find_chromium, serve

RELOADED = "2020-06"  # months from here on are loaded again while the pages are measured
ROUNDS = 25
LONGEST_SECONDS = 120  # a situation is measured
PATIENCE = 120.0  # seconds
_READY = {
    "Backfill": ".st-key-grid canvas",
    "Runs": "[data-testid=stDataFrame] canvas",
    "Explore": ".st-key-card-coverage .main-svg",
}

Actions = dict[str, list[float]]


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder by HTTP, in this process; yield its address."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def backfill(home: Path, source: str, *options: str) -> subprocess.Popen[bytes]:
    """Start the one command that loads everything."""
    months = ["--from", str(FIRST), "--to", str(LAST)]
    command = [sys.executable, "-m", "pipeline", "backfill", *months, "--source", source]
    return subprocess.Popen(
        [*command, "--json", *options],
        stdout=subprocess.PIPE,
        env=os.environ | {"FAREGROUND_HOME": str(home)},
    )


def load_all(home: Path, source: str, made: dict[TripFile, Made]) -> dict[str, float]:
    """Backfill every month by one command, and reconcile; return what it took."""
    started = time.perf_counter()
    process = backfill(home, source)
    watch = Watch(process.pid, home)
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    watch.stop()
    if process.returncode:
        raise SystemExit(f"the backfill failed: {output.decode()}")
    reconcile(home, made)
    files = json.loads(output)["files"]
    rows = sum(each.rows for each in made.values())
    assert sum(file["inserted"] for file in files) == rows
    return {
        "seconds": seconds,
        "rows": rows,
        "peak_mb": watch.peak_mb,
        "peak_gb": watch.peak_gb,
        "warehouse_gb": size_gb(home / "warehouse.duckdb"),
        "staging_gb": size_gb(home / "staging"),
    }


def reconcile(home: Path, made: dict[TripFile, Made]) -> None:
    """Compare rows and dollars of every file in the tables with what was generated."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "SELECT filename, count(*), sum(total_amount) FROM ("
            "SELECT filename, total_amount FROM yellow_tripdata UNION ALL "
            "SELECT filename, total_amount FROM green_tripdata) GROUP BY filename"
        ).fetchall()
    loaded = {name: (rows, dollars) for name, rows, dollars in found}
    wanted = {file.filename: (each.rows, each.dollars) for file, each in made.items()}
    assert loaded == wanted, set(loaded.items()) ^ set(wanted.items())


def floor(folder: Path, source: Path, files: list[TripFile]) -> tuple[float, list[TripFile]]:
    """Return the seconds DuckDB alone needs to make a table of each of these files, and them."""
    database, seconds = folder / "floor.duckdb", 0.0
    for color in {file.color: None for file in files}:
        columns = [column for column in COLUMNS[color] if not column.fee]
        types = ", ".join(f"'{column.name}': '{column.local_type}'" for column in columns)
        paths = [str(source / f"{file.stem}.csv.gz") for file in files if file.color == color]
        command = [sys.executable, "-c", _FLOOR, str(database), f"{{{types}}}", *paths]
        seconds += float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        database.unlink()
    return seconds, files


def visit_pages(visitor: Visitor, names: list[str], going_on: Callable[[], bool]) -> Actions:
    """Go from page to page while something goes on; return the seconds from click to drawn.

    A page is drawn when its last part is there: the grid, the table of runs, the last chart.
    """
    found: Actions = defaultdict(list)
    page = visitor.page

    def timed(name: str, click: Callable[[], None], ready: str) -> None:
        started = time.perf_counter()
        click()
        page.locator(ready).first.wait_for(timeout=120_000)
        found[name].append(time.perf_counter() - started)

    while going_on():
        for name in names:
            link = page.get_by_test_id("stTopNavLink").get_by_text(name, exact=True)
            title = page.locator("h1", has_text=name)
            timed(name, functools.partial(_follow, link, title), _READY[name])
            if name == "Explore":
                color = page.get_by_test_id("stButtonGroup").first.get_by_text("green", exact=True)
                timed("Explore: filter", functools.partial(_filter, visitor, color), _READY[name])
    return found


def _follow(link: Locator, title: Locator) -> None:
    """Click a link to a page; once more, as people do, when nothing came of it for ten seconds."""
    link.click()
    try:
        title.wait_for(timeout=10_000)
    except PlaywrightTimeout:
        print(f"nothing came of a click on {link.inner_text()} for ten seconds", flush=True)
        link.click()
        title.wait_for()


def _filter(visitor: Visitor, color: Locator) -> None:
    color.click()
    visitor.page.locator("[data-test-script-state=running]").wait_for(timeout=30_000)
    state = "document.querySelector('[data-testid=stApp]').getAttribute('data-test-script-state')"
    visitor.page.wait_for_function(f"{state} === 'notRunning'", timeout=120_000)


def measure_pages(home: Path, source: str) -> Iterator[tuple[str, Actions]]:
    """Measure the pages idle, while the command line loads, and while the app does; yield each."""
    going_on = functools.partial(_is_running, home)
    shutil.rmtree(home.parent / "server", ignore_errors=True)  # of an earlier measurement
    with serve(home) as address, sync_playwright() as playwright:
        server = _child("streamlit")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with Visitor(browser, address, patience=PATIENCE) as visitor:
            visitor.open("/")
            visit_pages(visitor, list(_READY), _at_most(1))  # to warm
            yield "nothing else going on", visit_pages(visitor, list(_READY), _at_most(ROUNDS))

            process = backfill(home, source, "--from", RELOADED, "--policy", "all", "--force")
            _await(going_on)
            beside = [name for name in _READY if name != "Explore"]  # which says who has the lock
            while_loading = _at_most(ROUNDS, going_on)
            yield "the command line loads", visit_pages(visitor, beside, while_loading)
            process.send_signal(signal.SIGINT)
            process.communicate()

            watch = Watch(server, home)
            with Visitor(browser, address, patience=PATIENCE) as other:
                months = f"from={RELOADED}&to={LAST}&color=yellow&color=green"
                other.open(f"/?{months}&source={source}&policy=all&force=yes")
                other.press("Run")
                _await(going_on)
            while_loading = _at_most(ROUNDS, going_on)
            times = visit_pages(visitor, list(_READY), while_loading)
            watch.stop()
            yield f"the app loads, {watch.peak_mb:,.0f} MB of memory at most", times
        browser.close()


def _at_most(rounds: int, going_on: Callable[[], bool] = lambda: True) -> Callable[[], bool]:
    """Return what says yes while something goes on, for so many rounds and some minutes at most."""
    deadline = time.monotonic() + LONGEST_SECONDS
    left = iter(range(rounds))
    return lambda: going_on() and time.monotonic() < deadline and next(left, None) is not None


def _is_running(home: Path) -> bool:
    return History(home / "history.sqlite").runs(1)[0].state == "running"


def _await(going_on: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not going_on():
        assert time.monotonic() < deadline, "the run did not begin"
        time.sleep(0.05)


def _child(word: str) -> int:
    """Return the process of ours whose command line has this word."""
    for pid in tree(os.getpid()):
        if word in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError(word)


def p95(times: list[float]) -> float:
    """Return the 95th percentile, or the largest of few."""
    return statistics.quantiles(times, n=20)[-1] if len(times) > 20 else max(times)


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the real rows")
    parser.add_argument("--cache", type=Path, help="folder to keep the generated files in")
    parser.add_argument("--home", type=Path, help="folder to keep the warehouse in")
    parser.add_argument("--floor-every", type=int, default=1, help="of every so many files only")
    parser.add_argument("--parts", default="load,floor,pages", help="what to measure")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source, home = arguments.cache or folder / "source", arguments.home or folder / "home"
        started = time.perf_counter()
        made = make_months(source, arguments.scale)
        print(f"generated in {time.perf_counter() - started:,.0f} s", flush=True)
        with served(source) as address:
            took = load_all(home / "data", address, made) if "load" in parts else None
            if took:
                print_load(took, made)
            if "floor" in parts:
                measured = floor(folder, source, list(made)[:: arguments.floor_every])
                print_floor(measured, made, took)
            if "pages" in parts and find_chromium():
                print_pages(measure_pages(home / "data", address))


def print_load(took: dict[str, float], made: dict[TripFile, Made]) -> None:
    """Print what the one command took."""
    packed = sum(each.bytes for each in made.values()) / 1e9
    dollars = sum((each.dollars for each in made.values()), Decimal(0))
    print(
        f"\n{len(made)} files, {took['rows']:,.0f} rows, ${dollars:,}, {packed:.2f} GB packed; "
        f"DuckDB {duckdb.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[1]:.1f}.\n"
        "\n| what | measured |\n|---|---|\n"
        f"| one command, to its end | {took['seconds']:,.0f} s |\n"
        f"| rows per second | {took['rows'] / took['seconds']:,.0f} |\n"
        f"| peak memory, all its processes | {took['peak_mb']:,.0f} MB |\n"
        f"| the warehouse | {took['warehouse_gb']:.2f} GB |\n"
        f"| staging | {took['staging_gb']:.2f} GB |\n"
        f"| peak on disk | {took['peak_gb']:.2f} GB |\n",
        flush=True,
    )


def print_floor(
    measured: tuple[float, list[TripFile]],
    made: dict[TripFile, Made],
    took: dict[str, float] | None,
) -> None:
    """Print what DuckDB alone needs, for the files that were measured and for all by their rows."""
    seconds, files = measured
    rows = sum(made[file].rows for file in files)
    everything = seconds * sum(each.rows for each in made.values()) / rows
    ratio = f", the one command took {took['seconds'] / everything:.2f}x of it" if took else ""
    print(
        f"floor: {seconds:,.0f} s for {len(files)} files of {rows:,} rows, so "
        f"{everything:,.0f} s for all{ratio}; load {os.getloadavg()[1]:.1f}\n",
        flush=True,
    )


def print_pages(measured: Iterable[tuple[str, Actions]]) -> None:
    """Print the times of the pages, as they are measured."""
    print("| page action | meanwhile | times | median | p95 |\n|---|---|---|---|---|")
    for meanwhile, actions in measured:
        for name, times in actions.items():
            middle, slow = statistics.median(times), p95(times)
            print(f"| {name} | {meanwhile} | {len(times)} | {middle:.2f} s | {slow:.2f} s |")
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
