"""The run history, apart from the runs that fill it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.history import History
from pipeline.locks import running_run
from pipeline.plan import FileState, Plan, PlannedFile
from pipeline.run_records import RunFile
from pipeline.settings import Settings
from pipeline.sources import Missing
from pipeline.warehouse import TARGETS
from tests.files import GREEN, request


def test_a_history_from_before_costs_were_kept_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    asked = request(tmp_path, GREEN)
    planned = PlannedFile(
        GREEN, True, "not loaded yet", FileState.MISSING, 10, Missing(GREEN, "test")
    )
    History(path).start_run("old-run", Plan(asked, "a folder", (planned,)), "test")
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


@pytest.mark.parametrize("target", TARGETS)
def test_who_asks_what_is_running_does_not_wait_for_who_writes(
    settings: Settings, target: str
) -> None:
    running_run(target, settings)  # the file is there
    with closing(sqlite3.connect(settings.history_path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert running_run(target, settings) is None  # an error where it has to write as well
