"""Measure the Explore page: each chart's query, its growth with the data, and the page as a whole.

Loads generated yellow months (18 M trips) and runs the query of every chart over rollups and over
the trips. Then grows the rollups to 87 months (130 M trips) and
runs the queries over these again. Last, drives the page in Chromium, if there is one. Prints
Markdown tables.

    python -m benchmarks.charts                # about five minutes
    python -m benchmarks.charts --home FOLDER  # over the warehouse of an existing home
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.backfill import backfill, write_month
from pipeline.charts import CHARTS, Chart, Filters, build_query
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.rollups import ROLLUPS
from tests.support.browser import Visitor, find_chromium, serve

MONTHS = 12
ROWS = 1_500_000
MANY_MONTHS = 87  # x 1.5 M = 130 M trips
ROUNDS = 7
ALL = Filters()
FROM_TRIPS = Filters(minimum_miles=Decimal("0.51"))


@dataclass(frozen=True)
class Measured:
    """Milliseconds of a query, warmed up: the median and the best, which is disturbed least."""

    median: float
    best: float

    def __str__(self) -> str:
        return f"{self.median:.1f} ms ({self.best:.1f})"


def make_home(folder: Path) -> Path:
    """Generate the months and load them; return the home."""
    source = folder / "source"
    source.mkdir()
    for month in range(1, MONTHS + 1):
        write_month(source / f"yellow_tripdata_2020-{month:02d}.csv.gz", month, ROWS)
    backfill(folder / "home", source, MONTHS)
    shutil.rmtree(source)
    return folder / "home"


def measure(home: Path, filters: Filters, charts: Sequence[Chart]) -> dict[str, Measured]:
    """Return how long the query of each chart takes under these filters, by the chart's name."""
    measured = {}
    with open_warehouse("local", Settings(home=home)) as warehouse:
        for chart in charts:
            query = build_query(chart, filters, "local", "week")
            warehouse.read(query.sql, query.parameters)  # warms up
            times = [
                warehouse.read(query.sql, query.parameters).seconds * 1000 for _ in range(ROUNDS)
            ]
            measured[chart.name] = Measured(statistics.median(times), min(times))
    return measured


def grow(home: Path) -> int:
    """Grow the rollups to those of many months by repeating one; return their trips."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        for table, rollup in ROLLUPS.items():
            day = "pickup_day" if "pickup_day" in rollup.keys else "pickup_month"
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
    """Yield a visitor to a server that has just started over this home."""
    from playwright.sync_api import sync_playwright

    with serve(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with Visitor(browser, address) as visitor:
            yield visitor
        browser.close()


# Measures time within the page, because Playwright polls, and polling costs the page time. It runs
# from the last click or key (at first from the navigation) to the last change of the page, once all
# charts are there and nothing has changed for a second.
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
    && document.querySelector("[class*=st-key-card-] .main-svg")
    && performance.now() > changed + 1000 && (changed - began) / 1000;
"""


def measure_page(home: Path) -> list[tuple[str, float]]:
    """Return what was done on the page, and the seconds from then to the last chart."""
    measurements = []
    with visit(home) as visitor:
        page = visitor.page
        page.add_init_script(STOPWATCH)

        def measure(label: str, act: Callable[[], object]) -> None:
            act()
            seconds = page.wait_for_function("window.took()", polling=250).json_value()
            measurements.append((label, float(seconds)))

        def measure_filter(label: str, act: Callable[[], object]) -> None:
            measure(f"filter to last chart: {label}", act)

        def measure_click(label: str, card: str, number: int) -> None:
            bar = page.locator(f".st-key-card-{card} .bars .point path").nth(number).bounding_box()
            assert bar
            center = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
            measure_filter(label, partial(page.mouse.click, *center))

        open_page = partial(page.goto, visitor.address + "/explore", wait_until="commit")
        measure("first view after start", open_page)
        measure("the page again, in a new session", open_page)
        page.locator(".st-key-more-filters button").click()
        for payment in ("cash", "credit card"):
            page.locator(".st-key-payment input").click()
            page.keyboard.type(payment)
            page.wait_for_timeout(500)
            measure_filter(f"paid by {payment}", partial(page.keyboard.press, "Enter"))
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Money").click()
        page.locator(".st-key-card-payments .main-svg").first.wait_for()
        measure_click("a kind of payment is clicked", "payments", 20)
        measure("the page again, in a new session", open_page)
        page.locator(".st-key-more-filters button").click()
        miles = page.get_by_label("Miles, at least")
        miles.fill("2")
        measure_filter("at least 2 miles", partial(miles.press, "Enter"))
        measure("the page again, in a new session", open_page)
        page.get_by_role("tab", name="Where").click()
        page.locator(".st-key-card-zones .main-svg").first.wait_for()
        page.locator(".st-key-card-zones").scroll_into_view_if_needed()
        measure_click("a zone is clicked, nearly all from its trips", "zones", 2)
    return measurements


def _growth(few: Measured, many: Measured) -> list[str]:
    return [str(few), str(many), f"{many.best / few.best:.2f}x"]


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home to measure, instead of a generated one")
    parser.add_argument("--no-page", action="store_true", help="leave the browser out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        home = arguments.home or make_home(folder)
        charts = [chart for chart in CHARTS.values() if not chart.by_file and not chart.sql]
        by_file = [chart for chart in CHARTS.values() if chart.by_file]
        rollups = measure(home, ALL, charts)
        files = measure(home, replace(ALL, strays=True), by_file)
        trips = measure(home, FROM_TRIPS, charts)
        page = [] if arguments.no_page or not find_chromium() else measure_page(home)
        many = folder / "many"
        many.mkdir()
        shutil.copyfile(home / "warehouse.duckdb", many / "warehouse.duckdb")
        total = grow(many)
        grown_charts = [chart for chart in charts if build_query(chart, ALL, "local").rollup]
        grown = measure(many, ALL, grown_charts)
    print(
        f"\nMedian of {ROUNDS}, the best in brackets, warm; DuckDB {duckdb.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.\n"
    )
    many_trips = f"{total / 1e6:,.0f} M trips"
    print(f"| chart | from rollups | of {many_trips} | growth | from the trips |")
    print("|---|---|---|---|---|")
    for name in trips:
        row = [""] * 3
        if name in grown:
            row = _growth(rollups[name], grown[name])
        print(f"| {name} | {' | '.join(row)} | {trips[name]} |")
    for name, measured in files.items():
        print(f"| {name} | {measured} | | | |")
    if page:
        print("\n| the page | seconds |\n|---|---|")
        for label, seconds in page:
            print(f"| {label} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
