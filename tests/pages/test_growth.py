"""A server that is visited for a long time does not grow."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.core.settings.settings import Settings
from tests.pages.test_browser import address as address
from tests.support.browser import Visitor
from tests.support.files import GREEN, YELLOW, backfill, put_trips, request, trip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(3600),
]

PAGES = ("/", "/explore", "/preview?color=green&month=2020-04", "/runs", "/answers", "/setup")
ROUNDS = 15  # of a visit to each page; the server forgets sessions after two minutes
WARM_UP = 5
ALLOWED_KB = 60_000  # between the end of the warm-up and the last round


def test_memory_of_a_server_does_not_grow_with_visits(
    settings: Settings, folder: Path, browser: Browser, address: str
) -> None:
    for file in (GREEN, YELLOW):
        put_trips(folder, file, [trip(file, PULocationID=str(n % 250 + 1)) for n in range(2000)])
    backfill(settings, request(folder, GREEN, YELLOW))
    pid = find_listener(int(address.rpartition(":")[2]))
    sizes = []
    for number in range(ROUNDS):
        for path in PAGES:
            with Visitor(browser, address, patience=60) as visitor:
                visitor.open(path)
        if number + 1 in (WARM_UP, ROUNDS):
            time.sleep(150)  # for sessions and caches that end by themselves
            sizes.append(resident_kb(pid))
    print(f"resident: {sizes} kB")
    assert sizes[1] - sizes[0] < ALLOWED_KB


def resident_kb(pid: int) -> int:
    """Return the memory of a process that is in RAM, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def find_listener(port: int) -> int:
    """Return the process that listens on a port of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{row[9]}]"
        for row in rows
        if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
    }
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) in sockets:
                return int(descriptor.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nothing listens on port {port}")
