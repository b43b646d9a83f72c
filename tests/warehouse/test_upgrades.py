"""Warehouses of earlier versions open with every row, after a copy of them is made."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.core import upgrades
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.errors import FaregroundError, StorageError, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.local import schema as local_schema
from pipeline.warehouse.local import storage
from pipeline.warehouse.local.schema import _OLDEST, SCHEMA_VERSION
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.rollups import FORMER_ROLLUPS
from tests.cli.test_cli import green
from tests.support.command import document, pipeline
from tests.support.files import (
    GREEN,
    YELLOW,
    assert_rollups_agree,
    backfill,
    header,
    put_trips,
    request,
    rows,
    trip,
)
from tests.warehouse.upgrades.write import FOLDER, unpack_warehouse, write_warehouse

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
JUNE = TripFile(GREEN_TAXIS, Month(2020, 6))
TAXIS = (YELLOW_TAXIS, GREEN_TAXIS)  # the datasets of all versions
EARLIER = list(range(_OLDEST, SCHEMA_VERSION))
TABLES = ("storage.yellow_tripdata", "storage.green_tripdata", "load_ledger", "rejects")
_FIRST = (FOLDER / f"version_{_OLDEST}.sql").read_text()
# Columns that these tables have in every version.
ALWAYS = {
    f"storage.{dataset.table}": "file_month, ordinal, "
    + ", ".join(column.name for column in dataset.columns if f" {column.name} " in _FIRST)
    for dataset in TAXIS
} | {
    "load_ledger": "filename, color, month, state, run_id, source, address, format, bytes, sha256, "
    "etag, loader_version, rows, inserted, updated, deleted, unchanged, rejected, rounded, "
    "total_amount, reason, finished_at, seconds"
}

# A script that converts a warehouse to an older format and dies before one step of it.
CONVERSION_DIES = """
import os, signal, sys
from pathlib import Path
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import open_warehouse

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

step = sys.argv[1]
if step == "replace":
    Path.replace = die
else:
    setattr(os, step, die)
with open_warehouse("local", Settings()):
    pass
"""

# A script that upgrades a warehouse and exits before it fills the rollups of the last file.
DIES = """
import os, signal
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.local import schema as local_schema

summarize = local_schema.roll_up_loaded

def die_at_last(cursor, file):
    if file.filename == "green_tripdata_2020-05.csv":
        os.kill(os.getpid(), signal.SIGKILL)
    summarize(cursor, file)

local_schema.roll_up_loaded = die_at_last
with open_warehouse("local", Settings()):
    pass
"""


def content(path: Path, tables: tuple[str, ...] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of these tables of a closed warehouse, and the ids of the trips."""
    with duckdb.connect(str(path), read_only=True) as connection:
        result_rows = {
            name: connection.execute(
                f"SELECT {ALWAYS.get(name, '*')} FROM {name} ORDER BY ALL"
            ).fetchall()
            for name in tables
        }
        for dataset in TAXIS:
            ids = connection.execute(f"SELECT unique_row_id FROM {dataset.table} ORDER BY ALL")
            result_rows[f"ids of {dataset}"] = ids.fetchall()
    return result_rows


def make_home(settings: Settings, version: int) -> bytes:
    """Copy the fixture warehouse of a version to FAREGROUND_HOME, and return its bytes."""
    settings.home.mkdir()
    return unpack_warehouse(version, settings.warehouse_path)


def test_fixture_exists_for_each_earlier_version() -> None:
    for version in EARLIER:
        assert (FOLDER / f"version_{version}.duckdb.gz").exists()


@pytest.mark.parametrize("version", EARLIER)
def test_fixture_equals_result_of_its_statements(version: int, tmp_path: Path) -> None:
    fixture, written = tmp_path / "kept.duckdb", tmp_path / "written.duckdb"
    unpack_warehouse(version, fixture)
    write_warehouse(version, written)
    assert content(fixture) == content(written)
    shape = (
        "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment "
        "FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    )
    shapes = []
    for path in (fixture, written):
        with duckdb.connect(str(path), read_only=True) as connection:
            shapes.append(connection.execute(shape).fetchall())
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("version", EARLIER)
def test_older_warehouse_opens_with_every_row_and_is_copied_first(
    version: int, settings: Settings
) -> None:
    original = make_home(settings, version)
    before = content(settings.warehouse_path)
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(251,)]
    assert content(settings.warehouse_path) == before
    assert_rollups_agree(settings)
    with open_warehouse("local", settings) as opened:
        records = opened.records()
    loaded = {file: record.loaded.rows for file, record in records.items() if record.loaded}
    assert loaded == {GREEN: 201, MAY: 50, YELLOW: 100}
    assert records[YELLOW].latest.state == "failed"
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        result_rows = connection.execute("SELECT version FROM storage.schema_version").fetchall()
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert result_rows == [(SCHEMA_VERSION,)]
    assert not {name for (name,) in tables} & set(FORMER_ROLLUPS)
    copy = settings.home / f"warehouse-before-version-{SCHEMA_VERSION}.duckdb"
    assert copy.read_bytes() == original


@pytest.mark.parametrize("version", EARLIER)
def test_reload_of_older_warehouse_leaves_rows_unchanged(
    version: int, settings: Settings, folder: Path
) -> None:
    make_home(settings, version)
    for file in (GREEN, YELLOW, MAY):
        put_loaded(settings, folder, file)
    state, files = backfill(settings, request(folder, GREEN, YELLOW, MAY, force=True))
    assert state == "succeeded"
    for file, count in ((GREEN, 201), (YELLOW, 100), (MAY, 50)):
        changes = (files[file].inserted, files[file].updated, files[file].deleted)
        assert (files[file].unchanged, changes) == (count, (0, 0, 0))
    assert_rollups_agree(settings)


def put_loaded(settings: Settings, folder: Path, file: TripFile) -> None:
    """Write the trip file whose rows the fixture warehouse holds."""
    path = folder / f"{file.stem}.csv"
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute(
            f"COPY (SELECT {', '.join(header(file.dataset))} FROM {file.dataset.table} "
            f"WHERE filename = '{file.filename}') TO '{path}' (HEADER, "
            "TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')"
        )
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("version", EARLIER)
def test_upgrade_is_one_transaction(
    version: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: duckdb.DuckDBPyConnection, file: TripFile) -> None:
        if file == YELLOW:
            raise RuntimeError("a step with a mistake in it")

    make_home(settings, version)
    before = whole(settings.warehouse_path)
    with monkeypatch.context() as patched:
        patched.setattr(local_schema, "roll_up_loaded", fail)
        with pytest.raises(RuntimeError, match="mistake"):
            rows(settings, "SELECT 1")
    assert whole(settings.warehouse_path) == before
    assert_rollups_agree(settings)


@pytest.mark.parametrize("version", EARLIER)
def test_upgrade_killed_midway_leaves_warehouse_unchanged(version: int, settings: Settings) -> None:
    make_home(settings, version)
    before = whole(settings.warehouse_path)
    done = subprocess.run(
        [sys.executable, "-c", DIES],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert whole(settings.warehouse_path) == before
    assert_rollups_agree(settings)


def whole(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables of a closed warehouse."""
    with duckdb.connect(str(path), read_only=True) as connection:
        result_rows = connection.execute(
            'SELECT format(\'"{}"."{}"\', schema_name, replace(table_name, \'"\', \'""\')) '
            "FROM duckdb_tables()"
        )
        names = [name for (name,) in result_rows.fetchall()]
    return content(path, tuple(names))


def test_upgrade_is_announced_on_stderr(settings: Settings, folder: Path) -> None:
    make_home(settings, EARLIER[0])
    put_trips(folder, JUNE, [trip(JUNE)])
    result = pipeline(settings, *green(folder, "--from", "2020-06", "--json"))
    assert document(result)["state"] == "succeeded"
    assert f"from schema version {EARLIER[0]} to {SCHEMA_VERSION}" in " ".join(
        result.stderr.split()
    )


def test_running_upgrade_is_visible_to_pages(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_home(settings, EARLIER[0])
    announcements: list[str] = []

    def note(sentence: str) -> None:
        announcements.extend((sentence, upgrades.under_way(settings.warehouse_path)))

    monkeypatch.setattr(upgrades, "_listeners", [note])
    with open_warehouse("local", settings):
        assert upgrades.under_way(settings.warehouse_path) == ""
    assert len(set(announcements)) == 1
    assert "MiB" in announcements[0]


def make_newer_home(settings: Settings) -> bytes:
    """Load two files into a warehouse in the format of DuckDB 2.0, and return its bytes."""
    newer = settings.model_copy(update={"storage_version": "v2.0.0"})
    backfill(newer, request("sample", GREEN, YELLOW))
    assert stored_format(settings.warehouse_path) == "v2.0.0+"
    return settings.warehouse_path.read_bytes()


def stored_format(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() "
            "WHERE database_name = current_database()"
        ).fetchone()
    assert row
    return str(row[0])


def test_warehouse_of_newer_format_is_converted_with_every_row_and_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcements: list[str] = []
    monkeypatch.setattr(upgrades, "_listeners", [announcements.append])
    monkeypatch.setattr(storage, "_REPORTED_ROWS", 1000)
    original = make_newer_home(settings)
    before = whole(settings.warehouse_path)
    with open_warehouse("local", settings):
        pass
    assert stored_format(settings.warehouse_path) == "v1.2.0+"
    assert whole(settings.warehouse_path) == before
    kept = settings.home / "warehouse-before-v1.2.0.duckdb"
    assert kept.read_bytes() == original
    assert "from the format of DuckDB v2.0.0 to that of v1.2.0" in announcements[0]
    assert any("yellow_tripdata" in sentence for sentence in announcements[1:])
    state, files = backfill(settings, request("sample", GREEN, YELLOW, MAY))
    assert (state, files[MAY].state) == ("succeeded", "loaded")
    assert stored_format(settings.warehouse_path) == "v1.2.0+"
    assert_rollups_agree(settings)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a right for links")
def test_conversion_of_a_link_converts_its_target_and_keeps_the_link(
    settings: Settings, tmp_path: Path
) -> None:
    original = make_newer_home(settings)
    link, target = settings.warehouse_path, tmp_path / "disk" / "trips.duckdb"
    target.parent.mkdir()
    link.replace(target)
    link.symlink_to(target)
    with open_warehouse("local", settings):
        pass
    assert (link.readlink(), stored_format(target)) == (target, "v1.2.0+")
    assert target.with_name("trips-before-v1.2.0.duckdb").read_bytes() == original


def test_setting_keeps_warehouse_in_newer_format(settings: Settings) -> None:
    original = make_newer_home(settings)
    newer = settings.model_copy(update={"storage_version": "v2.0.0"})
    with open_warehouse("local", newer):
        pass
    assert settings.warehouse_path.read_bytes()[:4096] == original[:4096]
    assert not list(settings.home.glob("warehouse-before-*"))


@pytest.mark.parametrize("step", ["fsync", "link", "replace"])
def test_conversion_killed_at_any_step_leaves_a_whole_warehouse(
    step: str, settings: Settings
) -> None:
    make_newer_home(settings)
    before = whole(settings.warehouse_path)
    done = subprocess.run(
        [sys.executable, "-c", CONVERSION_DIES, step],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert whole(settings.warehouse_path) == before
    with open_warehouse("local", settings):
        pass
    assert stored_format(settings.warehouse_path) == "v1.2.0+"
    assert whole(settings.warehouse_path) == before
    assert not list(settings.home.glob("*.converting*"))


def test_conversion_without_room_changes_nothing_and_names_the_setting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = make_newer_home(settings)
    usage = shutil.disk_usage(settings.home)
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with (
        pytest.raises(StorageError, match="converted") as raised,
        open_warehouse("local", settings),
    ):
        pass
    assert "FAREGROUND_STORAGE_VERSION" in str(raised.value.cure)
    assert settings.warehouse_path.read_bytes()[:4096] == original[:4096]
    assert list(settings.home.glob("warehouse*")) == [settings.warehouse_path]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE z (id INT PRIMARY KEY); CREATE TABLE a (id INT REFERENCES z (id)); "
        "INSERT INTO z VALUES (1); INSERT INTO a VALUES (1)",
        "CREATE TABLE z (id INT, g INT GENERATED ALWAYS AS (id + 1)); INSERT INTO z VALUES (3)",
        'CREATE TABLE "q""uote" (x INT); INSERT INTO "q""uote" VALUES (1)',
        "CREATE TABLE v (v VARIANT)",
    ],
)
def test_warehouse_with_tables_of_others_is_converted_or_named_with_a_cure(
    sql: str, settings: Settings
) -> None:
    make_newer_home(settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute(sql)
    before = whole(settings.warehouse_path)
    error = conversion_error(settings, WarehouseError)
    assert whole(settings.warehouse_path) == before
    if error is not None:
        assert "FAREGROUND_STORAGE_VERSION" in str(error.cure)
        with open_warehouse("local", settings.model_copy(update={"storage_version": "v2.0.0"})):
            pass
        assert whole(settings.warehouse_path) == before


def conversion_error(settings: Settings, kind: type[FaregroundError]) -> FaregroundError | None:
    """Open a warehouse for writing, and return the error of this kind with which it fails."""
    try:
        with open_warehouse("local", settings):
            return None
    except kind as error:
        return error


@pytest.mark.parametrize("name", ["warehouse.duckdb.converting", "warehouse-before-v1.2.0.duckdb"])
def test_folder_in_the_way_of_a_conversion_is_removed_or_named(
    name: str, settings: Settings
) -> None:
    make_newer_home(settings)
    (settings.home / name).mkdir()
    error = conversion_error(settings, StorageError)
    if error is not None:
        assert name in str(error)
    else:
        assert stored_format(settings.warehouse_path) == "v1.2.0+"
