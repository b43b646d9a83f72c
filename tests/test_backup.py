"""What was loaded outlives a mistake and a damaged file: backup, restore and rebuild."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from pipeline.backup import back_up, read_backup, restore
from pipeline.errors import FaregroundError, UsageError, WarehouseBusy
from pipeline.history import History
from pipeline.locks import backfill_lock
from pipeline.rebuild import Rebuilt, rebuild
from pipeline.schedule import Schedule
from pipeline.schedule.scheduler import Scheduler
from pipeline.schedule.store import Schedules
from pipeline.settings import Settings
from pipeline.trips import Color, Month
from pipeline.warehouse.local import LocalWarehouse
from tests.files import GREEN, YELLOW, backfill, put_trips, request, rows, trip, warehouse
from tests.test_cli import pipeline, started

COUNT = "SELECT (SELECT count(*) FROM green_tripdata), (SELECT count(*) FROM yellow_tripdata)"


def fill(settings: Settings, folder: Path) -> None:
    """Two loaded files, their run, and a schedule."""
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in range(1, 6)])
    put_trips(folder, YELLOW, [trip(YELLOW)])
    backfill(settings, request(folder, GREEN, YELLOW))
    Schedules(settings).add(Schedule("green-local", Color.GREEN, Month(2020, 4), source="tlc"))


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    (run,) = History(settings.history_path).runs()
    put_trips(folder, YELLOW, [trip(YELLOW), trip(YELLOW, PULocationID="7")])
    backfill(settings, request(folder, YELLOW))
    assert rows(settings, COUNT) == [(5, 2)]
    Schedules(settings).remove("green-local")

    _, before = restore(settings, made.folder)

    assert rows(settings, COUNT) == [(5, 1)]
    assert [found.run_id for found in History(settings.history_path).runs()] == [run.run_id]
    assert Schedules(settings).get("green-local").enabled
    assert before is not None
    with LocalWarehouse(settings.model_copy(update={"home": before})) as old:
        assert old.query(COUNT, limit=1).rows == [(5, 2)]


def test_a_backup_made_while_others_write_the_history_is_whole(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    history = History(settings.history_path)
    (run,) = history.runs()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            history.log(run.run_id, "a line")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = back_up(settings, tmp_path)
    finally:
        stop.set()
        writer.join()
    kept = History(made.folder / settings.history_path.name)
    assert kept.runs() == [run]
    assert len(kept.log_lines(run.run_id)) <= len(history.log_lines(run.run_id))


def test_a_backup_beside_a_backfill_says_so_and_leaves_nothing(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy):
        back_up(settings, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_backup_on_a_full_disk_fails_and_leaves_nothing(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    import resource

    fill(settings, folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(FaregroundError):
            back_up(settings, tmp_path / "backups")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "backups").iterdir()) == []
    assert rows(settings, COUNT) == [(5, 1)]


@pytest.mark.parametrize("damage", ["a byte", "a missing file", "no manifest", "a foreign name"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
    settings: Settings, folder: Path, tmp_path: Path, damage: str
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path)
    path, manifest = made.folder / "warehouse.duckdb", made.folder / "manifest.json"
    if damage == "a byte":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "a missing file":
        path.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        facts = json.loads(manifest.read_text())
        facts["files"][0]["name"] = "../../outside"
        manifest.write_text(json.dumps(facts))
    with pytest.raises(UsageError):
        restore(settings, made.folder)
    assert rows(settings, COUNT) == [(5, 1)]


def test_nothing_is_restored_while_a_scheduler_or_a_backfill_is_at_work(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path)
    scheduler = Scheduler(settings)
    assert scheduler.start()
    try:
        with pytest.raises(WarehouseBusy, match="Stop it"):
            restore(settings, made.folder)
    finally:
        scheduler.stop()
    with backfill_lock("gcp", settings), pytest.raises(WarehouseBusy):
        restore(settings, made.folder)
    restore(settings, made.folder)


def test_the_commands_back_up_beside_an_idle_scheduler_and_restore(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with started(settings, "scheduler") as process:
        assert process.stderr is not None
        process.stderr.readline()
        made = pipeline(settings, "backup", str(tmp_path), "--json")
        assert made.returncode == 0, made.stderr
    place = json.loads(made.stdout)["folder"]
    assert {kept.name for kept in read_backup(Path(place)).files} >= {
        "warehouse.duckdb",
        "history.sqlite",
        "schedules.sqlite",
    }
    restored = pipeline(settings, "restore", place)
    assert restored.returncode == 0, restored.stderr
    assert rows(settings, COUNT) == [(5, 1)]


@pytest.mark.parametrize("damage", ["zeros", "truncated", "text"])
def test_a_damaged_warehouse_is_said_and_made_anew_from_staging_by_one_command(
    settings: Settings, folder: Path, damage: str
) -> None:
    fill(settings, folder)
    with warehouse(settings) as opened:
        before = opened.records()
    path = settings.warehouse_path
    content = path.read_bytes()
    path.write_bytes(
        {
            "zeros": b"\0" * len(content),
            "truncated": content[: len(content) // 3],
            "text": b"not a database" * 1000,
        }[damage]
    )
    shutil.rmtree(folder)  # the source is out of reach
    said = pipeline(settings, "status")
    assert said.returncode == 1
    assert "python -m pipeline rebuild" in said.stderr
    assert "Traceback" not in said.stderr
    made = pipeline(settings, "rebuild")
    assert made.returncode == 0, made.stderr
    assert made.stdout == "Loaded 2 of 2 staged files.\n"
    assert rows(settings, COUNT) == [(5, 1)]
    assert len(list(settings.home.glob("warehouse.duckdb.damaged-*"))) == 1
    with warehouse(settings) as opened:
        after = opened.records()
    for file, record in before.items():
        old, new = record.loaded, after[file].loaded
        assert old is not None
        assert new is not None
        assert (new.sha256, new.rows, new.source, new.etag) == (
            old.sha256, old.rows, old.source, old.etag,
        )  # fmt: skip


def test_a_staged_file_that_was_damaged_is_left_out_and_named(
    settings: Settings, folder: Path
) -> None:
    fill(settings, folder)
    (staged,) = (settings.staging / "green").glob("*.csv.gz")
    content = bytearray(staged.read_bytes())
    content[-5] ^= 1
    staged.write_bytes(content)
    steps = [step for step in rebuild(settings) if isinstance(step, Rebuilt)]
    assert [(step.path.name, step.rows) for step in steps] == [
        ("yellow_tripdata_2020-04.csv.gz", 1),
        ("green_tripdata_2020-04.csv.gz", None),
    ]
    assert "verified" in steps[1].problem
    assert rows(settings, COUNT) == [(0, 1)]
