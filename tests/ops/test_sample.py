"""Removing sample data: whole months go, real ones stay, and a kill leaves no half month."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import WarehouseBusy
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.ops.sample import remove_sample
from pipeline.runs.backfill import find_unfinished
from pipeline.runs.history import History
from pipeline.runs.locks import backfill_lock, mark_interrupted
from tests.support.command import document, pipeline
from tests.support.files import (
    GREEN,
    amounts,
    assert_rollups_agree,
    backfill,
    put_trips,
    request,
    rows,
    trip,
    warehouse,
)

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))

# A script that removes the sample and sends itself SIGKILL at the given statement of the removal.
DIES = """
import os, signal, sys
import duckdb
from pipeline.core.settings.settings import Settings
from pipeline.ops.sample import remove_sample
from pipeline.warehouse.local import remove

class Cursor:
    def __init__(self, cursor):
        self._cursor = cursor

    def execute(self, sql, *values):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return self._cursor.execute(sql, *values)

left = int(sys.argv[1])
remove_file = remove.remove_file
from pipeline.warehouse.local import warehouse
warehouse.remove_file = lambda cursor, file, source: remove_file(Cursor(cursor), file, source)
remove_sample("local", Settings(), "command line")
"""


def load_sample_and_real(settings: Settings, folder: Path) -> int:
    """Load two months of the sample, replace GREEN by real trips, and return the rows of MAY."""
    backfill(settings, request("sample", GREEN, MAY))
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    return count(settings, MAY)


def count(settings: Settings, file: TripFile) -> int:
    return len(amounts(settings, file))


def test_removal_takes_sample_months_and_leaves_real_ones(settings: Settings, folder: Path) -> None:
    synthetic = load_sample_and_real(settings, folder)
    staged = settings.staging / "green" / f"{MAY.stem}.csv.gz"
    assert synthetic > 1000
    assert staged.exists()

    removal = remove_sample("local", settings, "command line")

    assert removal.rows == {MAY: synthetic}
    assert amounts(settings, GREEN) == ["9.30"]
    assert count(settings, MAY) == 0
    assert not staged.exists()
    assert list((settings.staging / "green").glob(f"{GREEN.stem}.*"))  # that of the real month
    assert_rollups_agree(settings)


def test_history_shows_removal_and_offers_nothing_to_resume(settings: Settings) -> None:
    backfill(settings, request("sample", GREEN))
    removal = remove_sample("local", settings, "app")
    history = History(settings.history_path)
    newest = history.runs()[0]
    assert (newest.run_id, newest.state, newest.origin) == (removal.run_id, "succeeded", "app")
    assert newest.is_removal
    (file,) = history.files(newest.run_id)
    assert file.reason == f"removed {removal.rows[GREEN]:,} synthetic trips"
    assert find_unfinished(newest, settings) is None


def test_removal_without_sample_changes_nothing(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    removal = remove_sample("local", settings, "command line")
    assert (removal.run_id, removal.rows) == (None, {})
    assert len(History(settings.history_path).runs()) == 1
    assert amounts(settings, GREEN) == ["9.30"]


def test_removal_is_refused_while_backfill_runs(settings: Settings) -> None:
    backfill(settings, request("sample", GREEN))
    before = count(settings, GREEN)
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy):
        remove_sample("local", settings, "command line")
    assert count(settings, GREEN) == before


@pytest.mark.parametrize("statements", [0, 10, 12, 20])
def test_killed_removal_leaves_each_month_whole_or_gone(
    settings: Settings, statements: int
) -> None:
    backfill(settings, request("sample", GREEN, MAY))
    before = {file: count(settings, file) for file in (GREEN, MAY)}
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(statements)], timeout=60, check=False, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()

    after = {file: count(settings, file) for file in (GREEN, MAY)}
    with warehouse(settings) as opened:
        loaded = {file for file, record in opened.records().items() if record.loaded}
    assert after == {file: before[file] if file in loaded else 0 for file in (GREEN, MAY)}
    assert MAY in loaded
    assert_rollups_agree(settings)
    mark_interrupted("local", settings)
    interrupted = History(settings.history_path).runs()[0]
    assert interrupted.state == "interrupted"
    assert find_unfinished(interrupted, settings) is None  # which would load the sample again

    remove_sample("local", settings, "command line")
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(0,)]
    assert rows(settings, "SELECT count(*) FROM load_ledger") == [(0,)]


def test_command_removes_sample_and_says_how_much(settings: Settings) -> None:
    backfill(settings, request("sample", GREEN))
    trips = count(settings, GREEN)
    removal = document(pipeline(settings, "remove-sample", "--json"))
    assert removal["files"] == [{"file": GREEN.filename, "rows": trips}]
    assert (removal["rows"], removal["target"]) == (trips, "local")
    assert pipeline(settings, "remove-sample").stdout == "No sample data is loaded.\n"
    backfill(settings, request("sample", GREEN))
    again = pipeline(settings, "remove-sample")
    assert again.stdout == f"Removed 1 sample file with {trips:,} trips.\n"
