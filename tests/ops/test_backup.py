"""Backup, restore and rebuild bring a damaged or lost warehouse back."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.answers.documents.documents import DocumentStore
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import (
    FaregroundError,
    StorageError,
    TripFileError,
    UsageError,
    WarehouseBusy,
    WarehouseError,
)
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.ops.backup import back_up, read_backup
from pipeline.ops.leftovers import remove_leftovers
from pipeline.ops.rebuild import RebuiltFile, rebuild
from pipeline.ops.restore import restore
from pipeline.runs.history import History
from pipeline.runs.locks import backfill_lock, scheduler_lock
from pipeline.runs.schedule import Schedule
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.runs.schedule.store import Schedules
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.local.views import foreign_views
from pipeline.warehouse.local.warehouse import LocalWarehouse
from tests.support.browser import serve
from tests.support.command import pipeline, pipeline_process, started, unprivileged
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    csv_bytes,
    put,
    put_trips,
    request,
    rows,
    stage_from,
    trip,
    warehouse,
)

UPGRADES = Path(__file__).parents[1] / "warehouse" / "upgrades"
COUNT = "SELECT (SELECT count(*) FROM green_tripdata), (SELECT count(*) FROM yellow_tripdata)"


def fill(settings: Settings, folder: Path) -> None:
    """Load two files in a run, and store a schedule."""
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=str(zone)) for zone in range(1, 6)])
    put_trips(folder, YELLOW, [trip(YELLOW)])
    backfill(settings, request(folder, GREEN, YELLOW))
    Schedules(settings).add(Schedule("green-local", GREEN_TAXIS, Month(2020, 4), source="tlc"))


def test_restore_brings_backup_back_and_keeps_replaced_files(
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
    assert [each.run_id for each in History(settings.history_path).runs()] == [run.run_id]
    assert Schedules(settings).get("green-local").enabled
    assert before is not None
    with LocalWarehouse(settings.model_copy(update={"home": before})) as old:
        assert old.query(COUNT, limit=1).rows == [(5, 2)]


def test_backup_during_history_writes_is_consistent(
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
    copy = History(made.folder / settings.history_path.name)
    assert copy.runs() == [run]
    assert len(copy.log_lines(run.run_id)) <= len(history.log_lines(run.run_id))


def test_backup_during_backfill_is_refused_and_writes_nothing(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy):
        back_up(settings, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_backup_on_full_disk_fails_and_leaves_nothing(
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
def test_damaged_backup_is_refused_and_changes_nothing(
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


def other_backups(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield manifests that `restore` must refuse, each with a part of the message."""
    first = facts["files"][0]
    for name in ("settings.json", "staging", ".restored", "../x.sqlite", "x/y.sqlite", "", "a.wal"):
        yield json.dumps(facts | {"files": [*facts["files"], first | {"name": name}]}), "no backup"
    yield json.dumps(facts | {"files": [*facts["files"], first]}), "twice"
    shapes: list[Any] = [
        [], {}, None, "history.sqlite", [first | {"name": None}], [first | {"bytes": "1"}],
        [first | {"sha256": 1}], [first | {"more": 1}], [[]], [None],
    ]  # fmt: skip
    for shape in shapes:
        yield json.dumps(facts | {"files": shape}), "is not a backup"
    for wrong in ({"format": None}, {"format": [1]}, {"made_at": 1}, {"made_at": "yesterday"}):
        yield json.dumps(facts | wrong), "is not a backup"
    for text in ("[" * 200_000, "[]", "1", "null", "", "{", "\0"):
        yield text, "is not a backup"


def test_backup_with_other_files_or_another_manifest_is_refused_and_changes_nothing(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    (settings.home / "settings.json").write_text("{}")
    made = back_up(settings, tmp_path / "backups")
    manifest = made.folder / "manifest.json"
    facts = json.loads(manifest.read_text())
    for name in ("settings.json", "staging", ".restored"):
        shutil.copyfile(made.folder / facts["files"][0]["name"], made.folder / name)
    before = sorted(settings.home.iterdir())
    for text, message in other_backups(facts):
        manifest.write_text(text)
        with pytest.raises(UsageError, match=message):
            restore(settings, made.folder)
        assert sorted(settings.home.iterdir()) == before, text[:200]
    result = pipeline(settings, "restore", str(made.folder))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert (settings.home / "settings.json").read_text() == "{}"
    assert rows(settings, COUNT) == [(5, 1)]


def test_backup_whose_warehouse_defines_functions_is_refused_and_changes_nothing(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    with duckdb.connect(str(made.folder / "warehouse.duckdb")) as connection:
        connection.execute("CREATE MACRO sum(x) AS 7")
        connection.execute("CREATE MACRO lines() AS TABLE FROM read_text('/etc/hostname')")
    describe_anew(made.folder)
    with pytest.raises(UsageError, match=r"defines SQL functions.*'lines, sum'"):
        restore(settings, made.folder)
    assert rows(settings, COUNT) == [(5, 1)]


def describe_anew(backup: Path) -> None:
    """Write the sizes and checksums of changed files into the manifest of a backup."""
    manifest = backup / "manifest.json"
    facts = json.loads(manifest.read_text())
    for file in facts["files"]:
        content = (backup / file["name"]).read_bytes()
        file |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.write_text(json.dumps(facts))


GREEN_VIEW = "CREATE OR REPLACE VIEW green_tripdata AS "


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        (f"{GREEN_VIEW}SELECT *, (SELECT content FROM read_text('/etc/hostname')) "
         "FROM storage.green_tripdata", "green_tripdata"),
        (f"{GREEN_VIEW}FROM read_text('/etc/hostname')", "green_tripdata"),
        (f"{GREEN_VIEW}FROM storage.green_tripdata, read_text('/etc/hostname')", "green_tripdata"),
        (f"{GREEN_VIEW}SELECT getvariable('x') FROM storage.green_tripdata", "green_tripdata"),
        (f"{GREEN_VIEW}WITH x AS MATERIALIZED (SELECT 1) FROM storage.green_tripdata",
         "green_tripdata"),
        (f"{GREEN_VIEW}FROM storage.green_tripdata UNION ALL FROM storage.green_tripdata",
         "green_tripdata"),
        (f"{GREEN_VIEW}FROM storage.yellow_tripdata", "green_tripdata"),
        ("CREATE VIEW storage.other AS SELECT 1", "other"),
        ("CREATE TYPE mood AS ENUM ('a')", "mood"),
        ("DROP TABLE storage.schema_version; CREATE VIEW storage.schema_version AS WITH RECURSIVE "
         "t AS (SELECT 1 AS i UNION ALL SELECT i FROM t) SELECT max(i) AS version FROM t",
         "schema_version"),
        ("ALTER TABLE load_ledger RENAME TO ll; CREATE VIEW load_ledger AS FROM ll", "load_ledger"),
    ],
)  # fmt: skip
def test_backup_whose_warehouse_has_views_of_others_is_refused_and_changes_nothing(
    settings: Settings, folder: Path, tmp_path: Path, sql: str, name: str
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    with duckdb.connect(str(made.folder / "warehouse.duckdb")) as connection:
        connection.execute(sql)
    describe_anew(made.folder)
    with pytest.raises(UsageError, match=f"warehouse.duckdb .* views or types.*'{name}'"):
        restore(settings, made.folder)
    assert rows(settings, COUNT) == [(5, 1)]


def test_backup_that_no_restore_would_take_is_not_made(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE VIEW fares AS SELECT fare_amount FROM green_tripdata")
    with pytest.raises(UsageError, match=r"warehouse\.duckdb defines views.*'fares'.*Drop them"):
        back_up(settings, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("DROP VIEW fares")
    read_backup(back_up(settings, tmp_path / "backups").folder, settings)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER other AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
        "ALTER TABLE runs RENAME TO r; CREATE VIEW other AS SELECT * FROM r",
        "CREATE VIRTUAL TABLE other USING fts5 (x)",
        "CREATE TRIGGER other AFTER INSERT ON runs BEGIN DELETE FROM runs; END; "
        "PRAGMA writable_schema = ON; "
        "UPDATE sqlite_master SET type = 'table' WHERE name = 'other'",
    ],
)
def test_backup_whose_history_has_triggers_or_views_is_refused_and_changes_nothing(
    settings: Settings, folder: Path, tmp_path: Path, sql: str
) -> None:
    fill(settings, folder)
    DocumentStore(settings.documents_path).add_text("Fares", "A search index.", settings)
    made = back_up(settings, tmp_path / "backups")
    assert {file.name for file in made.files} >= {"documents.sqlite", "history.sqlite"}
    read_backup(made.folder, settings)
    with closing(sqlite3.connect(made.folder / "history.sqlite")) as connection:
        connection.executescript(sql)
    describe_anew(made.folder)
    with pytest.raises(UsageError, match=r"history\.sqlite .*(triggers|malformed).*other"):
        restore(settings, made.folder)
    assert len(History(settings.history_path).runs()) == 1


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_views_of_every_earlier_version_can_be_restored(
    settings: Settings, tmp_path: Path, version: int
) -> None:
    path = tmp_path / "earlier.duckdb"
    path.write_bytes(gzip.decompress((UPGRADES / f"version_{version}.duckdb.gz").read_bytes()))
    assert foreign_views(path) == []
    with warehouse(settings):
        pass
    assert foreign_views(settings.warehouse_path) == []


# Ends the process, as a kill does, in place of a rename.
KILLED_RESTORE = """
import os, sys
from pathlib import Path
from pipeline.core.settings.settings import load_settings
from pipeline.ops.restore import restore

real, left = Path.replace, int(sys.argv[2])
def replace(path, target):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return real(path, target)
Path.replace = replace
restore(load_settings(), Path(sys.argv[1]))
"""


def test_killed_restore_is_finished_by_the_next_command(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    put_trips(folder, YELLOW, [trip(YELLOW), trip(YELLOW, PULocationID="7")])
    backfill(settings, request(folder, YELLOW))
    Schedules(settings).remove("green-local")
    whole = tmp_path / "whole"
    settings.home.rename(whole)
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    finished = 0
    for renames in range(20):
        shutil.rmtree(settings.home, ignore_errors=True)
        shutil.copytree(whole, settings.home)
        arguments = [sys.executable, "-c", KILLED_RESTORE, str(made.folder), str(renames)]
        ended = subprocess.run(arguments, env=environment, check=False)
        status = pipeline(settings, "schedule", "list")
        assert status.returncode == 0, status.stderr
        if renames == 0:  # nothing of the home was replaced
            assert rows(settings, COUNT) == [(5, 2)]
            continue
        finished += "Finished a restore" in status.stderr
        assert rows(settings, COUNT) == [(5, 1)], renames
        assert "green-local" in status.stdout
        (before,) = settings.home.glob("before-restore-*")
        with LocalWarehouse(settings.model_copy(update={"home": before})) as old:
            assert old.query(COUNT, limit=1).rows == [(5, 2)]
        assert not list(settings.home.glob(".restored"))
        if ended.returncode == 0:
            break
    assert ended.returncode == 0
    assert finished == renames - 1


def test_killed_restore_is_finished_when_the_app_starts(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    Schedules(settings).remove("green-local")
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    arguments = [sys.executable, "-c", KILLED_RESTORE, str(made.folder), "3"]
    assert subprocess.run(arguments, env=environment, check=False).returncode == 9
    assert not settings.warehouse_path.exists()
    with serve(settings.home):
        pass
    assert rows(settings, COUNT) == [(5, 1)]
    assert Schedules(settings).get("green-local").enabled


def test_command_during_a_restore_is_refused_and_creates_nothing(settings: Settings) -> None:
    (settings.home / ".restored" / "before").mkdir(parents=True)
    with scheduler_lock(settings):
        result = pipeline(settings, "schedule", "list")
    assert result.returncode == 1
    assert "A restore is running" in result.stderr
    assert list(settings.home.glob("*.sqlite")) == []


def test_backups_at_the_same_time_all_succeed(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: back_up(settings, tmp_path / "backups"), range(3)))
    assert {backup.folder for backup in made} == set((tmp_path / "backups").iterdir())
    assert len({backup.folder for backup in made}) == 3
    for backup in made:
        assert read_backup(backup.folder, settings) == backup


def test_restore_is_refused_while_scheduler_or_backfill_runs(
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


def test_backup_and_restore_commands_work_beside_idle_scheduler(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    with started(settings, "scheduler") as process:
        assert process.stderr is not None
        process.stderr.readline()
        made = pipeline(settings, "backup", str(tmp_path), "--json")
        assert made.returncode == 0, made.stderr
    place = json.loads(made.stdout)["folder"]
    assert {file.name for file in read_backup(Path(place), settings).files} >= {
        "warehouse.duckdb",
        "history.sqlite",
        "schedules.sqlite",
    }
    restored = pipeline(settings, "restore", place)
    assert restored.returncode == 0, restored.stderr
    assert rows(settings, COUNT) == [(5, 1)]


@pytest.mark.parametrize("damage", ["zeros", "truncated", "text"])
def test_damaged_warehouse_is_reported_and_rebuilt_from_staging(
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
    shutil.rmtree(folder)  # the rebuild must not need the source
    result = pipeline(settings, "status")
    assert result.returncode == 1
    assert "python -m pipeline rebuild" in result.stderr
    assert "Traceback" not in result.stderr
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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a right for links")
def test_warehouse_that_is_a_link_is_named_without_its_target_and_stays_a_link(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    link, target = settings.warehouse_path, tmp_path / "disk" / "trips.duckdb"
    target.parent.mkdir()
    link.replace(target)
    link.symlink_to(target)
    assert pipeline(settings, "rebuild").returncode == 0
    assert (link.readlink(), rows(settings, COUNT)) == (target, [(5, 1)])
    assert len(list(target.parent.glob("trips.duckdb.damaged-*"))) == 1
    target.unlink()
    for command in (("status",), ("rebuild",), ("query", "FROM green_tripdata"), ("doctor",)):
        result = pipeline(settings, *command)
        said = "".join((result.stdout + result.stderr).split())  # lines break within the path
        assert result.returncode != 0
        assert f"alinkto{target},whichdoesnotexist" in said
    assert (link.is_symlink(), target.exists()) == (True, False)


def test_rebuild_skips_and_names_damaged_staged_file(settings: Settings, folder: Path) -> None:
    fill(settings, folder)
    (staged,) = (settings.staging / "green").glob("*.csv.gz")
    content = bytearray(staged.read_bytes())
    content[-5] ^= 1
    staged.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"1 of the loaded files.*green_tripdata_2020-04"):
        next(rebuild(settings))
    steps = [
        step for step in rebuild(settings, without_missing=True) if isinstance(step, RebuiltFile)
    ]
    assert [(step.path.name, step.rows) for step in steps] == [
        ("yellow_tripdata_2020-04.csv.gz", 1),
        ("green_tripdata_2020-04.csv.gz", None),
    ]
    assert "checksum differs" in steps[1].problem
    assert rows(settings, COUNT) == [(0, 1)]


DIES_WHILE_IT_REBUILDS = """
import os, signal, sys
from pipeline.core.settings.settings import Settings
from pipeline.ops.rebuild import rebuild

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where CI runs in the background
for _ in rebuild(Settings()):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_rebuild_that_is_killed_leaves_the_old_warehouse_and_the_next_one_is_whole(
    settings: Settings, folder: Path, name: str
) -> None:
    fill(settings, folder)
    environment = os.environ | {"FAREGROUND_HOME": str(settings.home)}
    command = [sys.executable, "-c", DIES_WHILE_IT_REBUILDS, name]
    killed = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert killed.returncode
    assert rows(settings, COUNT) == [(5, 1)]
    remove_leftovers(settings)
    assert not list(settings.home.glob("fareground-*"))
    assert pipeline(settings, "rebuild").stdout == "Loaded 2 of 2 staged files.\n"
    assert rows(settings, COUNT) == [(5, 1)]


def test_rebuild_refuses_to_load_another_version_than_is_loaded_unless_told(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    fill(settings, folder)
    made = back_up(settings, tmp_path / "backups")
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    restore(settings, made.folder)
    refused = pipeline(settings, "rebuild")
    assert refused.returncode == 1
    assert "does not have as they are loaded: green_tripdata_2020-04" in " ".join(
        refused.stderr.split()
    )
    assert rows(settings, COUNT) == [(5, 1)]
    assert pipeline(settings, "rebuild", "--without-missing").returncode == 0
    assert rows(settings, COUNT) == [(1, 1)]


def test_rebuild_on_a_full_disk_leaves_the_old_warehouse(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, folder)
    load, loads = LocalWarehouse.load, []

    def load_until_full(*arguments: Any) -> Any:
        loads.append(arguments)
        if len(loads) > 1:
            raise StorageError("The disk is full.", cure="Free some space.")
        return load(*arguments)

    monkeypatch.setattr(LocalWarehouse, "load", load_until_full)
    with pytest.raises(StorageError, match="Free some space"):
        list(rebuild(settings, without_missing=True))
    assert rows(settings, COUNT) == [(5, 1)]
    assert not list(settings.home.glob("*.damaged-*"))


def test_rebuild_loads_no_file_that_is_only_staged(settings: Settings, folder: Path) -> None:
    fill(settings, folder)
    may = TripFile(GREEN.dataset, GREEN.month.plus(1))
    put_trips(folder, may, [trip(may)])
    stage_from(folder, may, settings)
    assert pipeline(settings, "rebuild").stdout == "Loaded 2 of 2 staged files.\n"
    assert rows(settings, COUNT) == [(5, 1)]


def test_rebuild_names_a_staging_folder_that_cannot_be_read(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    settings.staging.chmod(0)
    try:
        refused = pipeline_process(settings, "rebuild", prefix=unprivileged(), COLUMNS="400")
    finally:
        settings.staging.chmod(0o700)
    assert f"{settings.staging} cannot be read: Permission denied" in refused.stderr
    assert "Make it readable." in refused.stderr
    settings.staging.rename(folder / "staging")
    settings.staging.symlink_to(folder / "away")
    message = "".join(pipeline(settings, "rebuild").stderr.split())
    assert f"{settings.staging}isalinkto{folder / 'away'},whichdoesnotexist" in message
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(1,)]


def test_rebuild_without_staged_files_leaves_warehouse_unchanged(
    settings: Settings, folder: Path
) -> None:
    fill(settings, folder)
    before = rows(settings, COUNT)
    shutil.rmtree(settings.staging)
    for options in ((), ("--without-missing",)):
        refused = pipeline(settings, "rebuild", *options)
        assert refused.returncode == 1
        assert "No intact trip file is staged" in refused.stderr
        assert rows(settings, COUNT) == before


@pytest.mark.parametrize(
    ("damaged", "old", "new"),
    [
        ("green_tripdata_2020-04.csv", b",9.3", b",8.3"),
        ("green_tripdata_2020-04.csv.json", b'"total_amount"', b'"toWal_amount"'),
        ("green_tripdata_2020-04.csv.json", b'"lpep_pickup_datetime"', b'"lpep_pickup_datet.me"'),
        ("green_tripdata_2020-04.csv.json", b"2020-04.csv", b"2050-04.csv"),
    ],
)
def test_staged_file_or_note_that_changed_is_fetched_again(
    settings: Settings, folder: Path, damaged: str, old: bytes, new: bytes
) -> None:
    put(folder, GREEN, csv_bytes(GREEN, [trip(GREEN)]), "csv")
    backfill(settings, request(folder, GREEN))
    count = "SELECT filename, lpep_pickup_datetime, total_amount FROM green_tripdata"
    before = rows(settings, count)
    path = settings.staging / "green" / damaged
    content = path.read_bytes()
    assert old in content
    for again in ("force", "rebuild", "lost"):
        path.write_bytes(content.replace(old, new))
        if again == "rebuild":
            assert pipeline(settings, "rebuild").returncode == 1
        if again == "lost":
            settings.warehouse_path.unlink()
        state, _ = backfill(settings, request(folder, GREEN, force=True))
        assert (state, rows(settings, count)) == ("succeeded", before), again
        path.write_bytes(content)


def test_staged_file_that_vanishes_before_its_load_is_named_with_its_cure(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    staged = stage_from(folder, GREEN, settings)
    staged.path.unlink()
    if staged.unpacked is not None:
        staged.unpacked.unlink()
    with warehouse(settings) as opened, pytest.raises(TripFileError, match="removed from staging"):
        opened.load(staged, LoadJob("a-run", str(folder)), LoadMonitor())
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
