"""Write `schedules.sqlite.gz` and `looks.sqlite.gz`: the stores as APScheduler kept them.

This script runs only under a version that still has APScheduler: check out the commit before the
schedules moved to `pipeline/runs/`, and run this file there, in an empty folder, with
PYTHONPATH set to the checkout. The files beside it are its output and are never written again.

They hold every kind of schedule there was: each catch-up rule, several time zones (with the hours
that daylight saving skips and repeats), both targets, paused and enabled, waiting for a retry, and
firings that loaded, failed, found nothing new, or were interrupted.
"""

from __future__ import annotations

import gzip
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import time_machine
from pipeline.schedule import CatchUp, Schedule
from pipeline.schedule.scheduler import Scheduler
from pipeline.schedule.store import Schedules
from pipeline.settings import load_settings
from pipeline.trips import Color, Month, TripFile

from tests.files import put_trips, trip

GREEN = Schedule("green-local", Color.GREEN, Month(2026, 7), source="published")
SCHEDULES = (
    GREEN,
    replace(GREEN, name="up-to-date", since=Month(2026, 8), hour=9, minute=5, lag=3),
    Schedule("yellow-local", Color.YELLOW, Month(2026, 8), source="gone", hour=10,
             catch_up=CatchUp.LAST, lag=1),
    Schedule("kathmandu", Color.GREEN, Month(2009, 1), source="github", day=28, hour=5, minute=45,
             timezone="Asia/Kathmandu", catch_up=CatchUp.NONE, lag=24),
    Schedule("lord-howe", Color.YELLOW, Month(2026, 1), target="gcp", day=4, hour=2, minute=15,
             timezone="Australia/Lord_Howe"),
    Schedule("berlin-paused", Color.YELLOW, Month(2025, 12), source="sample", day=25, hour=2,
             minute=30, timezone="Europe/Berlin", catch_up=CatchUp.LAST),
    Schedule("utc", Color.GREEN, Month(2026, 6), source="https://trips.example.com/nyc/",
             timezone="UTC", day=15, hour=0),
)  # fmt: skip


def main() -> None:
    """Add the schedules, fire those that are due on 1 November 2026, and pack the two stores."""
    settings = load_settings()  # with the default home, `data`
    published = Path("published")
    published.mkdir()
    file = TripFile(Color.GREEN, Month(2026, 8))
    put_trips(published, file, [trip(file)])
    schedules = Schedules(settings)
    with time_machine.travel(datetime(2026, 10, 20, 12, tzinfo=UTC)) as clock:
        for schedule in SCHEDULES:
            schedules.add(schedule)
        schedules.pause("berlin-paused")
        scheduler = Scheduler(settings)
        assert scheduler.start()
        for minute in (0, 5, 60):  # New York's 09:00, 09:05 and 10:00
            clock.move_to(datetime(2026, 11, 1, 14 + minute // 60, minute % 60, 1, tzinfo=UTC))
            scheduler._scheduler.wakeup()
            time.sleep(5)
        scheduler.stop()
        schedules.looks.begin("utc", datetime.now(UTC))  # and the process is killed
    for name in ("schedules.sqlite", "looks.sqlite"):
        with sqlite3.connect(settings.home / name) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = (settings.home / name).read_bytes()
        Path(f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main()
