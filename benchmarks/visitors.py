"""Measure Explore for twenty visitors while the app itself loads months of 1.5 M rows.

A visitor is a session of the app without a browser: twenty browsers would need most of the
processor of one machine, which visitors bring along themselves. Each opens Explore, filters it by
a payment, and removes the filter, with five seconds between; what is timed ends when the page has
run to its end, all charts included. Prints a Markdown table, and asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path

import streamlit
from playwright.sync_api import sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.backfill import backfill, write_month
from benchmarks.pages import p95
from pipeline.runs.history import History
from tests.support.browser import Visitor, find_chromium, serve

VISITORS = 20
LOADED_MONTHS = 2
MONTHS = 4
ROWS = 1_500_000
LOOK_SECONDS = 5
IDLE_SECONDS = 45


class Visitors:
    """Sessions that look at Explore until they are stopped.

    Attributes:
        seconds: How long each page took.
        errors: The exceptions that pages showed.
    """

    def __init__(self, address: str, count: int) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self._address = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._count = count
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._visit()))
        self._thread.start()

    def stop(self) -> None:
        """Let each visitor end what it looks at, then end."""
        self._stopped.set()
        self._thread.join()

    async def _visit(self) -> None:
        await asyncio.gather(*(self._look(random.Random(n)) for n in range(self._count)))

    async def _look(self, draws: random.Random) -> None:
        await asyncio.sleep(draws.random() * LOOK_SECONDS)
        while not self._stopped.is_set():
            async with connect(self._address, max_size=None) as socket:
                for query in ("", f"payment={draws.randrange(1, 5)}", ""):
                    if self._stopped.is_set():
                        return
                    request = BackMsg()
                    request.rerun_script.page_name = "explore"
                    request.rerun_script.query_string = query
                    started = time.perf_counter()
                    await socket.send(request.SerializeToString())
                    await self._receive_page(socket)
                    self.seconds.append(time.perf_counter() - started)
                    await asyncio.sleep(LOOK_SECONDS)

    async def _receive_page(self, socket: ClientConnection) -> None:
        ended = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
        async for data in socket:
            message = ForwardMsg.FromString(data)
            if message.delta.new_element.HasField("exception"):
                self.errors.append(message.delta.new_element.exception.message)
            if message.HasField("script_finished") and message.script_finished in ended:
                return


def load(home: Path, source: Path, first: int, address: str) -> float:
    """Have the app load MONTHS months from month `first`; return the seconds of the run."""
    history = History(home / "history.sqlite")
    before = len(history.runs())
    months = f"from=2020-{first:02d}&to=2020-{first + MONTHS - 1:02d}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        with Visitor(browser, address, patience=300) as starter:
            starter.open(f"/?{months}&color=yellow&source={source}")
            starter.press(f"Load {MONTHS} files")
            deadline = time.monotonic() + 300
            while len(history.runs()) == before:
                assert time.monotonic() < deadline, "the run did not begin"
                time.sleep(0.2)
        browser.close()
    while history.runs()[0].state == "running":
        assert time.monotonic() < deadline + 300, "the run did not end"
        time.sleep(0.2)
    run = history.runs()[0]
    assert run.state == "succeeded", run
    assert run.finished_at is not None
    return (run.finished_at - run.started_at).total_seconds()


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=VISITORS)
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    situations: list[tuple[str, Visitors]] = []
    with tempfile.TemporaryDirectory() as temporary:
        source, home = Path(temporary) / "source", Path(temporary) / "home"
        source.mkdir()
        for month in range(1, LOADED_MONTHS + 2 * MONTHS + 1):
            path = source / f"yellow_tripdata_2020-{month:02d}.csv.gz"
            write_month(path, month, arguments.rows)
        backfill(home, source, LOADED_MONTHS)
        first = LOADED_MONTHS + 1
        with serve(home) as address:
            alone = load(home, source, first, address)
            visitors = Visitors(address, arguments.visitors)
            time.sleep(IDLE_SECONDS)
            visitors.stop()
            situations.append(("nothing else going on", visitors))
            visitors = Visitors(address, arguments.visitors)
            visited = load(home, source, first + MONTHS, address)
            visitors.stop()
            situations.append(("the app loads", visitors))
    print(
        f"\n{arguments.visitors} visitors of Explore, {MONTHS} generated yellow months of "
        f"{arguments.rows:,} rows; Streamlit {streamlit.__version__}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores.\n"
    )
    print("| situation | pages | median | 95th percentile | errors |\n|---|---|---|---|---|")
    for what, seen in situations:
        print(
            f"| {what} | {len(seen.seconds)} | {statistics.median(seen.seconds):.2f} s "
            f"| {p95(seen.seconds):.2f} s | {len(seen.errors)} |"
        )
    print(
        f"\nThe load takes {alone:.1f} s without visitors and {visited:.1f} s with them "
        f"({visited / alone:.2f}x)."
    )


if __name__ == "__main__":
    main()
