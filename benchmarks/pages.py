"""Time the pages of the app in a browser: idle, and while the command line or the app loads."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from benchmarks.watch import ResourceMonitor, process_tree
from pipeline.runs.history import History
from tests.support.browser import Visitor, find_chromium, serve

ROUNDS = 25
LONGEST_SECONDS = 120  # of one measurement of the pages
PAGE_TIMEOUT = 120.0  # seconds
# The last part that each page draws.
_READY = {
    "Backfill": ".st-key-grid canvas",
    "Runs": "[data-testid=stDataFrame] canvas",
    "Explore": ".st-key-card-colors .main-svg",
}

PageTimes = dict[str, list[float]]


def visit_pages(visitor: Visitor, names: list[str], is_active: Callable[[], bool]) -> PageTimes:
    """Open the pages in turn while `is_active`; return the seconds from click to drawn page.

    A page counts as drawn when its element in _READY appears.
    """
    page_times: PageTimes = defaultdict(list)
    page = visitor.page

    def timed(name: str, click: Callable[[], None], ready: str) -> None:
        started = time.perf_counter()
        click()
        page.locator(ready).first.wait_for(timeout=120_000)
        page_times[name].append(time.perf_counter() - started)

    while is_active():
        for name in names:
            link = page.get_by_test_id("stTopNavLink").get_by_text(name, exact=True)
            title = page.locator("h1", has_text=name)
            timed(name, functools.partial(_follow, link, title), _READY[name])
            if name == "Explore":
                color = page.get_by_test_id("stButtonGroup").first.get_by_text("green", exact=True)
                timed("Explore: filter", functools.partial(_filter, visitor, color), _READY[name])
    return page_times


def _follow(link: Locator, title: Locator) -> None:
    """Click a link to a page, and click again, as people do, after ten seconds without effect."""
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


def measure_pages(
    home: Path, load: Callable[[], subprocess.Popen[bytes]], query: str
) -> Iterator[tuple[str, PageTimes]]:
    """Time the pages idle, while the command line loads, and while the app loads.

    Yields a description of each situation with its times.

    Args:
        home: The home of the app.
        load: Starts a load on the command line.
        query: The address of the same load on the Backfill page, without the policy.
    """
    is_active = functools.partial(_is_run_active, home)
    shutil.rmtree(home.parent / "server", ignore_errors=True)  # of an earlier measurement
    with serve(home) as address, sync_playwright() as playwright:
        server = _find_child("streamlit")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with Visitor(browser, address, patience=PAGE_TIMEOUT) as visitor:
            visitor.open("/")
            visit_pages(visitor, list(_READY), _limit_rounds(1))  # to warm
            yield "nothing else going on", visit_pages(visitor, list(_READY), _limit_rounds(ROUNDS))

            process = load()
            _wait_until(is_active)
            # Explore cannot open the warehouse while another process loads.
            page_names = [name for name in _READY if name != "Explore"]
            while_loading = _limit_rounds(ROUNDS, is_active)
            yield "the command line loads", visit_pages(visitor, page_names, while_loading)
            process.send_signal(signal.SIGINT)
            process.communicate()

            watch = ResourceMonitor(server, home)
            with Visitor(browser, address, patience=PAGE_TIMEOUT) as second_visitor:
                second_visitor.open(f"/?{query}&policy=all&force=yes")
                second_visitor.press("Run")
                _wait_until(is_active)
            while_loading = _limit_rounds(ROUNDS, is_active)
            times = visit_pages(visitor, list(_READY), while_loading)
            watch.stop()
            yield f"the app loads, {watch.peak_mb:,.0f} MB of memory at most", times
        browser.close()


def _limit_rounds(rounds: int, is_active: Callable[[], bool] = lambda: True) -> Callable[[], bool]:
    """Return a function that is true while `is_active`, for a limited number of calls and time.

    Args:
        rounds: The function is true this many times, and for LONGEST_SECONDS, at most.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    remaining_rounds = iter(range(rounds))
    return lambda: (
        is_active() and time.monotonic() < deadline and next(remaining_rounds, None) is not None
    )


def _is_run_active(home: Path) -> bool:
    return History(home / "history.sqlite").runs(1)[0].state == "running"


def _wait_until(is_active: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_active():
        assert time.monotonic() < deadline, "the run did not begin"
        time.sleep(0.05)


def _find_child(pattern: str) -> int:
    """Return the id of a child process whose command line contains `pattern`."""
    for pid in process_tree(os.getpid()):
        if pattern in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError(pattern)


def p95(times: list[float]) -> float:
    """Return the 95th percentile, or the maximum of at most 20 values."""
    return statistics.quantiles(times, n=20)[-1] if len(times) > 20 else max(times)


def print_pages(measurements: Iterable[tuple[str, PageTimes]]) -> None:
    """Print the median and 95th percentile of each page's times as they are measured."""
    print("| page action | meanwhile | times | median | p95 |\n|---|---|---|---|---|")
    for meanwhile, actions in measurements:
        for name, times in actions.items():
            middle, slow = statistics.median(times), p95(times)
            print(f"| {name} | {meanwhile} | {len(times)} | {middle:.2f} s | {slow:.2f} s |")
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
