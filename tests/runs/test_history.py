"""The run history's file: upgrades from older versions, and reads beside a writer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.files.offers import Missing
from pipeline.runs.history import History
from pipeline.runs.locks import find_running_run
from pipeline.runs.plan import FileState, Plan, PlannedFile
from pipeline.runs.run_records import RunFile
from pipeline.warehouse.registry import target_names
from tests.support.files import GREEN, request


def test_history_of_older_version_gains_cost_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    backfill_request = request(tmp_path, GREEN)
    planned = PlannedFile(
        GREEN, True, "not loaded yet", FileState.MISSING, 10, Missing(GREEN, "test")
    )
    History(path).start_run("old-run", Plan(backfill_request, "a folder", (planned,)), "test")
    with sqlite3.connect(path) as connection:
        for name in ("bytes_billed", "slot_ms"):
            connection.execute(f"ALTER TABLE run_files DROP COLUMN {name}")
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    (before,) = History(path).files("old-run")
    assert (before.bytes, before.bytes_billed, before.slot_ms) == (10, None, None)
    History(path).save_file("old-run", RunFile(GREEN, "loaded", bytes_billed=5, slot_ms=7))
    (after,) = History(path).files("old-run")
    assert (after.bytes_billed, after.slot_ms) == (5, 7)


@pytest.mark.parametrize("target", target_names())
def test_query_for_running_run_does_not_wait_for_writer(settings: Settings, target: str) -> None:
    find_running_run(target, settings)  # creates the file
    with closing(sqlite3.connect(settings.history_path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert find_running_run(target, settings) is None  # fails if it writes


def test_history_of_version_0_1_0_opens_complete(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    statements = (Path(__file__).parent / "history_store" / "history.sql").read_text("utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    history = History(path)
    failed, succeeded = history.runs()
    assert (failed.state, failed.request.source) == ("failed", "/trips")
    assert (succeeded.state, succeeded.request.source) == ("succeeded", "sample")
    assert succeeded.request.files() == (GREEN, TripFile(GREEN.dataset, Month(2020, 5)))
    assert [(f.state, f.rows, f.bytes) for f in history.files(succeeded.run_id)] == [
        ("loaded", 5345, 109509),
        ("loaded", 6485, 131419),
    ]
    lacking, absent = history.files(failed.run_id)
    assert (lacking.state, absent.state) == ("failed", "unavailable")
    assert "lacks VendorID" in lacking.reason
    assert len(history.steps(succeeded.run_id) + history.steps(failed.run_id)) == 11
    assert [len(history.log_lines(run.run_id)) for run in (succeeded, failed)] == [6, 3]
    (timing, _) = history.timings("local", succeeded.run_id)
    assert {"download", "extract", "merge"} <= timing.steps.keys()
