"""Faults of the machine: power cuts, damaged bytes, clock jumps, too little memory."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import time_machine

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.history import History
from tests.support.command import document, pipeline
from tests.support.files import (
    GREEN,
    assert_rollups_agree,
    backfill,
    put_trips,
    request,
    rows,
    trip,
    warehouse,
)

# A script that loads a file and exits before DuckDB writes its log to the database file.
LOADS_AND_DIES = """
import os, signal, sys
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.local.warehouse import LocalWarehouse
from tests.support.files import stage_from
from pathlib import Path

settings, file = Settings(), TripFile.parse(sys.argv[2])
with LocalWarehouse(settings) as warehouse:
    staged = stage_from(Path(sys.argv[1]), file, settings)
    print(warehouse.load(staged, LoadJob("a-run", sys.argv[1]), LoadMonitor()).rows, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def load_and_lose_power(settings: Settings, folder: Path, file: TripFile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADS_AND_DIES, str(folder), file.filename],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home), "PYTHONPATH": "."},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout


@pytest.mark.parametrize("left", [0.0, 0.1, 0.35, 0.6, 0.9, 0.999, 1.0])
def test_torn_log_after_power_cut_leaves_each_file_wholly_old_or_new(
    settings: Settings, folder: Path, left: float
) -> None:
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
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
    table_rows = rows(
        settings,
        "SELECT count(*), sum(total_amount)::DOUBLE FROM green_tripdata "
        f"WHERE filename = '{GREEN.filename}'",
    )
    assert table_rows == (new if left == 1.0 else old)
    with warehouse(settings) as opened:
        record = opened.records()[GREEN].loaded
    assert record is not None
    assert record.rows == table_rows[0][0]
    assert rows(settings, f"SELECT count(*) FROM green_tripdata WHERE filename = '{may.filename}'")
    assert_rollups_agree(settings)
    state, _ = backfill(settings, request(folder, GREEN, may))
    assert state in ("succeeded", "nothing-to-do")
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(301,)]
    assert_rollups_agree(settings)


@pytest.mark.parametrize("tail", ["zeros", "random", "zero-page"])
def test_log_with_damaged_end_is_cut_there_and_kept_beside(
    settings: Settings, folder: Path, tail: str
) -> None:
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    put_trips(folder, may, [trip(may)])
    backfill(settings, request(folder, may))
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(3000)])
    load_and_lose_power(settings, folder, GREEN)
    log = settings.warehouse_path.with_name("warehouse.duckdb.wal")
    content = log.read_bytes()
    length = {"zeros": 500, "random": 500, "zero-page": 8192}[tail]
    end = random.Random(1).randbytes(length) if tail == "random" else bytes(length)
    log.write_bytes(content[:-length] + end)

    status = pipeline(settings, "status")

    assert status.returncode == 0
    assert "green_tripdata" not in status.stderr
    assert "damaged from byte" in status.stderr
    (kept,) = log.parent.glob("warehouse.duckdb.wal.damaged-*")
    assert kept.read_bytes() == content[:-length] + end
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(1,)]
    state, files = backfill(settings, request(folder, GREEN, may))
    assert (state, files[GREEN].inserted) == ("succeeded", 3000)
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(3001,)]
    assert_rollups_agree(settings)


@pytest.mark.parametrize("seed", range(4))  # more are in tests/ops/test_corruption.py
def test_flipped_bit_in_warehouse_or_log_is_undone_or_named_with_its_cure(
    settings: Settings, folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(3000)])
    backfill(settings, request(folder, GREEN))
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    put_trips(folder, may, [trip(may)])
    load_and_lose_power(settings, folder, may)
    log = settings.warehouse_path.with_name("warehouse.duckdb.wal")
    damaged = chance.choice([settings.warehouse_path, log])
    content = bytearray(damaged.read_bytes())
    place = chance.randrange(len(content))
    content[place] ^= 1 << chance.randrange(8)
    damaged.write_bytes(content)

    for arguments in (
        ("query", "SELECT lpep_pickup_datetime, total_amount FROM green_tripdata ORDER BY ALL"),
        ("status",),
        ("backfill", "--color=green", "--from=2020-04", "--to=2020-05", f"--source={folder}"),
    ):
        done = pipeline(settings, *arguments)
        if done.returncode:
            assert "cannot be read" in done.stderr, done.stderr
            assert "pipeline rebuild" in done.stderr
            assert pipeline(settings, "rebuild").returncode == 0
    backfill(settings, request(folder, GREEN, may))
    cures: list[str] = []
    try:
        assert_rollups_agree(settings)
    except WarehouseError as error:  # the commands above do not read all rollups
        cures.append(error.cure)
    for cure in cures:
        assert "pipeline rebuild" in cure
        assert pipeline(settings, "rebuild").returncode == 0
    assert_rollups_agree(settings)
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(3001,)]


def test_disk_full_at_first_start_leaves_no_half_made_warehouse(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "from pipeline.core.settings.settings import load_settings;"
        "from pipeline.warehouse.registry import open_warehouse;"
        "open_warehouse('local', load_settings()).__enter__()"
    )
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert "is full" in done.stderr
    assert list(settings.home.glob("warehouse*")) == []
    state, _ = backfill(settings, request(folder, GREEN))
    assert state == "succeeded"


def spilled(home: Path) -> bool:
    """Return whether a file of a spill is there."""
    return any(path.is_file() for path in home.glob("*.tmp-*/*"))


def test_spill_of_killed_process_is_removed_by_the_next_load(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    query = (
        "SELECT count(DISTINCT md5(a.range::VARCHAR || b.range::VARCHAR)) "
        "FROM range(100_000) a, range(1_000) b"
    )
    environment = os.environ | {
        "FAREGROUND_HOME": str(settings.home),
        "FAREGROUND_MEMORY_LIMIT": "200MB",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "query", query], env=environment, stdout=subprocess.PIPE
    ) as process:
        while process.poll() is None and not spilled(settings.home):
            time.sleep(0.05)
        process.kill()
    assert spilled(settings.home)
    backfill(settings, request(folder, GREEN, force=True))
    assert not spilled(settings.home)


def test_clock_jump_does_not_reorder_ledger(settings: Settings, folder: Path) -> None:
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


def test_load_with_little_memory_spills_to_disk_with_exact_counts(
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


def test_too_low_memory_limit_fails_file_and_names_setting(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, (trip(GREEN, PULocationID=str(n % 250 + 1)) for n in range(50_000)))
    load = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder), "--json"]
    result = pipeline(settings, *load, FAREGROUND_MEMORY_LIMIT="2MB")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    output = result.stdout + result.stderr
    assert "FAREGROUND_MEMORY_LIMIT" in output, output
    (file,) = document(pipeline(settings, *load))["files"]
    assert (file["state"], file["rows"]) == ("loaded", 50_000)
