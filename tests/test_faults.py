"""What a machine does to a warehouse: power cuts, clocks that jump, too little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import time_machine

from pipeline.history import History
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from tests.files import (
    GREEN,
    assert_summaries_agree,
    backfill,
    put_trips,
    request,
    rows,
    trip,
    warehouse,
)
from tests.test_cli import document, pipeline

# Loads a file and is gone before DuckDB can bring its log into the database file.
LOADS_AND_DIES = """
import os, signal, sys
from pipeline.settings import Settings
from pipeline.trips import TripFile
from pipeline.warehouse import LoadJob, Watch
from pipeline.warehouse.local import LocalWarehouse
from tests.files import stage_from
from pathlib import Path

settings, file = Settings(), TripFile.parse(sys.argv[2])
with LocalWarehouse(settings) as warehouse:
    staged = stage_from(Path(sys.argv[1]), file, settings)
    print(warehouse.load(staged, LoadJob("a-run", sys.argv[1]), Watch()).rows, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def load_and_lose_power(settings: Settings, folder: Path, file: TripFile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS_AND_DIES, str(folder), file.filename],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home), "PYTHONPATH": "."},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout


@pytest.mark.parametrize("left", [0.0, 0.1, 0.35, 0.6, 0.9, 0.999, 1.0])
def test_a_power_cut_that_tears_the_log_leaves_each_file_wholly_old_or_new(
    settings: Settings, folder: Path, left: float
) -> None:
    may = TripFile(Color.GREEN, Month(2020, 5))
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(400)])
    put_trips(folder, may, [trip(may)])
    backfill(settings, request(folder, GREEN, may))
    changed = [trip(GREEN, PULocationID=str(n % 250 + 1), total_amount="1.00") for n in range(300)]
    put_trips(folder, GREEN, changed)

    load_and_lose_power(settings, folder, GREEN)
    log = settings.warehouse_path.with_name("warehouse.duckdb.wal")
    assert log.stat().st_size > 1000
    os.truncate(log, int(log.stat().st_size * left))

    old, new = [(400, 3720.00)], [(300, 300.00)]
    found = rows(
        settings,
        "SELECT count(*), sum(total_amount)::DOUBLE FROM green_tripdata "
        f"WHERE filename = '{GREEN.filename}'",
    )
    assert found == (new if left == 1.0 else old)
    with warehouse(settings) as opened:
        record = opened.records()[GREEN].loaded
    assert record is not None
    assert record.rows == found[0][0]
    assert rows(settings, f"SELECT count(*) FROM green_tripdata WHERE filename = '{may.filename}'")
    assert_summaries_agree(settings)
    state, _ = backfill(settings, request(folder, GREEN, may))
    assert state in ("succeeded", "nothing-to-do")
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(301,)]
    assert_summaries_agree(settings)


def test_a_clock_that_jumps_back_does_not_make_an_old_load_the_newest(
    settings: Settings, folder: Path
) -> None:
    with time_machine.travel(datetime(2027, 1, 1), tick=True):
        put_trips(folder, GREEN, [trip(GREEN)])
        backfill(settings, request(folder, GREEN))
    with time_machine.travel(datetime(2021, 1, 1), tick=True) as clock:
        put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
        state, files = backfill(settings, request(folder, GREEN))
        assert (state, files[GREEN].inserted) == ("succeeded", 1)
        clock.move_to(datetime(2020, 6, 1))
        state, _ = backfill(settings, request(folder, GREEN))
        assert state == "nothing-to-do"
    with warehouse(settings) as opened:
        record = opened.records()[GREEN]
    assert record.loaded is not None
    assert record.loaded.rows == 2
    history = History(settings.history_path)
    assert all(
        step.finished_at is not None for run in history.runs() for step in history.steps(run.run_id)
    )


def test_too_little_memory_spills_to_disk_and_the_counts_are_exact(
    settings: Settings, folder: Path
) -> None:
    many = 120_000
    put_trips(
        folder,
        GREEN,
        (
            trip(GREEN, PULocationID=str(n % 250 + 1), DOLocationID=str(n % 7 + 1))
            for n in range(many)
        ),
    )
    load = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder), "--json"]
    (file,) = document(pipeline(settings, *load, FAREGROUND_MEMORY_LIMIT="60MB"))["files"]
    assert (file["state"], file["rows"]) == ("loaded", many), file
    assert not list(settings.home.glob("**/*.tmp"))


def test_a_limit_too_low_for_anything_fails_the_file_with_the_setting_to_raise(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, (trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(50_000)))
    load = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder), "--json"]
    result = pipeline(settings, *load, FAREGROUND_MEMORY_LIMIT="2MB")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    said = result.stdout + result.stderr
    assert "FAREGROUND_MEMORY_LIMIT" in said, said
    (file,) = document(pipeline(settings, *load))["files"]
    assert (file["state"], file["rows"]) == ("loaded", 50_000)
