"""How long the command line and the app take to start: `python -m benchmarks.startup`.

Of each, the median of several rounds in a fresh process. The first page is timed in a real
browser, on a server that has just been started: from the first request until the greeting of an
empty warehouse is drawn. Nothing here is asserted.
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

from tests.browser import find_chromium, serve

_ROUNDS = 9
_COMMANDS = (("--help",), ("backfill", "--help"), ("status",))
_LIBRARIES = ("typer, rich.console", "pydantic_settings", "duckdb", "streamlit")


def _timed(*command: str) -> float:
    """Median seconds of a fresh interpreter with these arguments."""
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"FAREGROUND_HOME": home}
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, *command], env=environment, capture_output=True, check=True
            )
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _first_page(path: str) -> float:
    """Seconds from the first request of a fresh server until the first page is drawn."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with serve(Path(place) / "home") as address:
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(address)
            page.get_by_role("heading", name="Backfill").wait_for()
            page.get_by_text("Nothing is loaded yet.").first.wait_for()
            return time.perf_counter() - began


def main() -> None:
    """Print a table."""
    print("| what | median |\n|---|---|")
    print(f"| python alone | {_timed('-c', 'pass'):.3f} s |")
    for arguments in _COMMANDS:
        seconds = _timed("-m", "pipeline", *arguments)
        print(f"| python -m pipeline {' '.join(arguments)} | {seconds:.3f} s |")
    for names in _LIBRARIES:
        print(f"| import {names} | {_timed('-c', f'import {names}'):.3f} s |")
    if path := find_chromium():
        pages = [_first_page(path) for _ in range(5)]
        print(f"| first page of a fresh server | {statistics.median(pages):.2f} s |")
        print(f"| the slowest of {len(pages)} | {max(pages):.2f} s |")


if __name__ == "__main__":
    main()
