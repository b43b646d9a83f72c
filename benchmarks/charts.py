"""How fast the Explore page is: each chart's statement, its growth with the data, and the page.

Loads generated yellow months (18 M trips), asks every chart of the sums, of the sums by half miles
and of the trips, then fills the sums as 87 months (130 M trips) would and asks again: a chart that
the sums answer reads nothing else. Last it drives the page in Chromium, where there is one. Prints
a Markdown table.

    python -m benchmarks.charts                # about five minutes
    python -m benchmarks.charts --home FOLDER  # over a warehouse that is there already
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.backfill import backfill, write_month
from pipeline.charts import CHARTS, TRIPS, Filters, ask_shared, gather, pose
from pipeline.settings import Settings
from pipeline.warehouse import open_warehouse
from pipeline.warehouse.summaries import SUMMARIES
from tests.browser import Visitor, find_chromium, serve

MONTHS = 12
ROWS = 1_500_000
MANY_MONTHS = 87  # x 1.5 M = 130 M trips
ROUNDS = 7
ALL = Filters()
BY_MILES = Filters(minimum_miles=Decimal(2))
FROM_TRIPS = Filters(minimum_miles=Decimal("0.51"))  # no half mile: no sums tell it
SHARED = {
    "of one zone": Filters(zones=(23,)),
    "of 129 zones": Filters(zones=tuple(range(1, 130))),
    "of at least 0.51 miles": FROM_TRIPS,
}


@dataclass(frozen=True)
class Measured:
    """Milliseconds of a statement, warm: the median, and the best (spoilt least by other work)."""

    median: float
    best: float

    def __str__(self) -> str:
        return f"{self.median:.1f} ms ({self.best:.1f})"


def make_home(folder: Path) -> Path:
    """Generate and load the months; return the home."""
    source = folder / "source"
    source.mkdir()
    for month in range(1, MONTHS + 1):
        write_month(source / f"yellow_tripdata_2020-{month:02d}.csv.gz", month, ROWS)
    backfill(folder / "home", source, MONTHS)
    shutil.rmtree(source)
    return folder / "home"


def measure(home: Path, filters: Filters, names: list[str]) -> dict[str, Measured]:
    """Return how long each chart's statement takes under these filters, after one turn to warm."""
    found = {}
    with open_warehouse("local", Settings(home=home)) as warehouse:
        for name in names:
            question = pose(name, filters, "local", "week")
            warehouse.read(question.sql, question.parameters)
            times = [
                warehouse.read(question.sql, question.parameters).seconds * 1000
                for _ in range(ROUNDS)
            ]
            found[name] = Measured(statistics.median(times), min(times))
    return found


def measure_sharing(home: Path, filters: Filters) -> tuple[float, float]:
    """Return milliseconds of all charts that trips answer, one by one and sharing them; the best.

    In turns, warm, one chart after the other.
    """
    alone, sharing = [], []
    with open_warehouse("local", Settings(home=home)) as warehouse:
        posed = [pose(name, filters, "local", "week") for name in CHARTS]
        questions = [question for question in posed if question.shared]
        for _ in range(ROUNDS):
            started = time.perf_counter()
            for question in questions:
                warehouse.read(question.sql, question.parameters)
            alone.append(time.perf_counter() - started)
            started = time.perf_counter()
            # The first one's has the sums that others need, where there are any.
            gathered = gather(next(filter(None, (q.shared for q in questions))), warehouse)
            for question in questions:
                ask_shared(question, gathered, warehouse)
            sharing.append(time.perf_counter() - started)
    return min(alone) * 1000, min(sharing) * 1000


def grow(home: Path) -> int:
    """Fill the sums as many months would, from those that are there; return their trips."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        for table, summary in SUMMARIES.items():
            day = "pickup_day" if "pickup_day" in summary.keys else "pickup_month"
            connection.execute(
                f"""
                INSERT INTO {table} BY NAME
                SELECT
                    {table}.* REPLACE (
                        'yellow_tripdata_' || strftime(month, '%Y-%m') || '.csv' AS filename,
                        CAST(month + to_days(least(CAST(day({day}) AS INTEGER), 28) - 1) AS DATE)
                            AS {day}
                    )
                FROM {table}
                JOIN (
                    SELECT CAST(DATE '2013-01-01' + to_months(CAST(i AS INTEGER)) AS DATE) AS month
                    FROM range({MANY_MONTHS - MONTHS}) AS numbers (i)
                ) AS months
                    ON {table}.filename = 'yellow_tripdata_2020-01.csv'
                """
            )
        row = connection.execute("SELECT sum(trips) FROM trip_summary").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def visit(home: Path) -> Iterator[Visitor]:
    """A visitor to a server that has just started over this home."""
    from playwright.sync_api import sync_playwright

    with serve(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with Visitor(browser, address) as visitor:
            yield visitor
        browser.close()


# Timed within the page: Playwright looks every so often only, and its looking costs the page time.
# From the last click or key (at first: from the navigation) to the last change of anything on the
# page, once all charts are there and it has stood still for a second.
STOPWATCH = """
let began = 0, changed = Infinity;
for (const kind of ["keydown", "pointerdown"])
    addEventListener(kind, () => { began = performance.now(); changed = Infinity; }, true);
const main = "[data-testid=stMain]";
new MutationObserver(changes => {
    if (changes.some(change => change.target.closest?.(main))) changed = performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
window.took = () =>
    document.querySelector("[data-test-script-state=notRunning]")
    && document.querySelector(".st-key-card-coverage .main-svg")
    && performance.now() > changed + 1000 && (changed - began) / 1000;
"""


def measure_page(home: Path) -> list[tuple[str, float]]:
    """Return seconds of the first view of a fresh server, and from a click to the last chart."""
    found = []
    with visit(home) as visitor:
        page = visitor.page
        page.add_init_script(STOPWATCH)

        def measure(words: str, act: Callable[[], object]) -> None:
            act()
            took = page.wait_for_function("window.took()", polling=250).json_value()
            found.append((words, float(took)))

        def filter_by(words: str, act: Callable[[], object]) -> None:
            measure(f"filter to last chart: {words}", act)

        go = partial(page.goto, visitor.address + "/explore", wait_until="commit")
        measure("first view after start", go)
        measure("the page again, in a new session", go)
        for way in ("cash", "credit card"):
            page.locator(".st-key-payment input").click()
            page.keyboard.type(way)
            page.wait_for_timeout(500)
            filter_by(f"paid by {way}", partial(page.keyboard.press, "Enter"))
        page.keyboard.press("Escape")
        bar = page.locator(".st-key-card-over_time .bars .point path").nth(20).bounding_box()
        assert bar
        at = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
        filter_by("a week is clicked", partial(page.mouse.click, *at))
        measure("the page again, in a new session", go)
        miles = page.get_by_label("Miles, at least")
        miles.fill("2")
        filter_by("at least 2 miles", partial(miles.press, "Enter"))
        measure("the page again, in a new session", go)
        page.locator(".st-key-card-zones").scroll_into_view_if_needed()
        bar = page.locator(".st-key-card-zones .bars .point path").nth(2).bounding_box()
        assert bar
        at = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
        filter_by("a zone is clicked, nearly all from its trips", partial(page.mouse.click, *at))
    return found


def _growth(few: Measured, many: Measured) -> list[str]:
    return [str(few), str(many), f"{many.best / few.best:.2f}x"]


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a warehouse to ask, instead of a generated one")
    parser.add_argument("--no-page", action="store_true", help="leave the browser out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        home = arguments.home or make_home(folder)
        by_file = ("coverage", "strays")
        names = [name for name in CHARTS if name not in by_file]
        sums = measure(home, ALL, names)
        files = measure(home, replace(ALL, strays=True), list(by_file))
        miles = measure(home, BY_MILES, names)
        trips = measure(home, FROM_TRIPS, names)
        sharing = {words: measure_sharing(home, filters) for words, filters in SHARED.items()}
        page = [] if arguments.no_page or not find_chromium() else measure_page(home)
        many = folder / "many"
        many.mkdir()
        shutil.copyfile(home / "warehouse.duckdb", many / "warehouse.duckdb")
        total = grow(many)
        ours = [name for name in names if pose(name, ALL, "local").origin != TRIPS]
        grown, grown_miles = measure(many, ALL, ours), measure(many, BY_MILES, ours)
    print(
        f"\nMedian of {ROUNDS}, the best in brackets, warm; DuckDB {duckdb.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.\n"
    )
    many_trips = f"{total / 1e6:,.0f} M trips"
    print(
        f"| chart | from the sums | of {many_trips} | growth | at least 2 miles, from the sums "
        f"| of {many_trips} | growth | from the trips |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        row = [""] * 6
        if name in ours:
            row = [
                *_growth(sums[name], grown[name]),
                *_growth(miles[name], grown_miles[name]),
            ]
        print(f"| {name} | {' | '.join(row)} | {trips[name]} |")
    for name, measured in files.items():
        print(f"| {name} | {measured} | | | | | | |")
    print("\n| charts that trips answer | one by one | sharing these | ratio |\n|---|---|---|---|")
    for words, (alone, together) in sharing.items():
        print(f"| {words} | {alone:.0f} ms | {together:.0f} ms | {together / alone:.2f}x |")
    if page:
        print("\n| the page | seconds |\n|---|---|")
        for words, seconds in page:
            print(f"| {words} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
