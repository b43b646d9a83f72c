"""Measure the start-up time of the command line and the app: `python -m benchmarks.startup`.

Each figure is the median of several rounds in a new process. The first page is timed in a browser
on a server that has just started, from the first request until the greeting of an empty warehouse
appears. The benchmark asserts nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.browser import find_chromium, serve

_ROUNDS = 9
_COMMANDS = (("--help",), ("backfill", "--help"), ("status",))
_LIBRARIES = ("typer, rich.console", "pydantic_settings", "duckdb", "streamlit")


def _median_start(*command: str) -> float:
    """Return the median seconds of a new interpreter with these arguments."""
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"FAREGROUND_HOME": home}
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *command], env=environment, capture_output=True, check=True
            )
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _time_first_page(path: str) -> float:
    """Return the seconds from the first request of a new server until its first page is drawn.

    Args:
        path: The browser's executable.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with serve(Path(folder) / "home") as address:
            page = browser.new_page()
            started = time.perf_counter()
            page.goto(address)
            page.get_by_role("heading", name="Backfill").wait_for()
            page.get_by_text("Nothing is loaded yet.").first.wait_for()
            return time.perf_counter() - started


def main() -> None:
    """Run the benchmark and print its table."""
    print("| what | median |\n|---|---|")
    print(f"| python alone | {_median_start('-c', 'pass'):.3f} s |")
    for arguments in _COMMANDS:
        seconds = _median_start("-m", "pipeline", *arguments)
        print(f"| python -m pipeline {' '.join(arguments)} | {seconds:.3f} s |")
    for names in _LIBRARIES:
        print(f"| import {names} | {_median_start('-c', f'import {names}'):.3f} s |")
    if path := find_chromium():
        pages = [_time_first_page(path) for _ in range(5)]
        print(f"| first page of a fresh server | {statistics.median(pages):.2f} s |")
        print(f"| the slowest of {len(pages)} | {max(pages):.2f} s |")


if __name__ == "__main__":
    main()
