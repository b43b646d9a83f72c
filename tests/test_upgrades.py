"""Warehouses of earlier versions open in this one, with every row, and a copy of them is kept."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline import upgrades
from pipeline.settings import Settings
from pipeline.trips import COLUMNS, Color, Month, TripFile
from pipeline.warehouse import local_schema, open_warehouse
from pipeline.warehouse.local_schema import _OLDEST, SCHEMA_VERSION
from tests.files import (
    GREEN,
    YELLOW,
    assert_summaries_agree,
    backfill,
    header,
    put_trips,
    request,
    rows,
    trip,
)
from tests.test_cli import document, green, pipeline
from tests.upgrades.write import FOLDER, unpack_warehouse, write_warehouse

MAY = TripFile(Color.GREEN, Month(2020, 5))
JUNE = TripFile(Color.GREEN, Month(2020, 6))
EARLIER = list(range(_OLDEST, SCHEMA_VERSION))
TABLES = ("storage.yellow_tripdata", "storage.green_tripdata", "load_ledger", "rejects")
# Of the tables of trips, what has been in them from the first version on.
ALWAYS = {
    f"storage.{color.table}": "file_month, ordinal, "
    + ", ".join(column.name for column in COLUMNS[color])
    for color in Color
}

# Brings a warehouse forward and is gone before the sums of its last file are made.
DIES = """
import os, signal
from pipeline.settings import Settings
from pipeline.warehouse import local_schema, open_warehouse

summarize = local_schema.summarize_loaded

def die_at_last(cursor, file):
    if file.filename == "green_tripdata_2020-05.csv":
        os.kill(os.getpid(), signal.SIGKILL)
    summarize(cursor, file)

local_schema.summarize_loaded = die_at_last
with open_warehouse("local", Settings()):
    pass
"""


def content(path: Path, tables: tuple[str, ...] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of these tables of a closed warehouse, and the ids of the trips."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = {
            name: connection.execute(
                f"SELECT {ALWAYS.get(name, '*')} FROM {name} ORDER BY ALL"
            ).fetchall()
            for name in tables
        }
        for color in Color:
            ids = connection.execute(f"SELECT unique_row_id FROM {color.table} ORDER BY ALL")
            found[f"ids of {color}"] = ids.fetchall()
    return found


def make_home(settings: Settings, version: int) -> bytes:
    """Put the kept warehouse of this version under FAREGROUND_HOME; return its bytes."""
    settings.home.mkdir()
    return unpack_warehouse(version, settings.warehouse_path)


def test_a_warehouse_of_each_earlier_version_is_kept() -> None:
    for version in EARLIER:
        assert (FOLDER / f"version_{version}.duckdb.gz").exists()


@pytest.mark.parametrize("version", EARLIER)
def test_the_kept_warehouse_is_what_its_statements_write(version: int, tmp_path: Path) -> None:
    kept, written = tmp_path / "kept.duckdb", tmp_path / "written.duckdb"
    unpack_warehouse(version, kept)
    write_warehouse(version, written)
    assert content(kept) == content(written)
    shape = (
        "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment "
        "FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    )
    shapes = []
    for path in (kept, written):
        with duckdb.connect(str(path), read_only=True) as connection:
            shapes.append(connection.execute(shape).fetchall())
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("version", EARLIER)
def test_a_warehouse_of_an_earlier_version_opens_whole_and_its_copy_is_kept(
    version: int, settings: Settings
) -> None:
    original = make_home(settings, version)
    before = content(settings.warehouse_path)
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(251,)]
    assert content(settings.warehouse_path) == before
    assert_summaries_agree(settings)
    with open_warehouse("local", settings) as opened:
        records = opened.records()
    loaded = {file: record.loaded.rows for file, record in records.items() if record.loaded}
    assert loaded == {GREEN: 201, MAY: 50, YELLOW: 100}
    assert records[YELLOW].latest.state == "failed"
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        found = connection.execute("SELECT version FROM storage.schema_version").fetchall()
    assert found == [(SCHEMA_VERSION,)]
    copy = settings.home / f"warehouse-before-version-{SCHEMA_VERSION}.duckdb"
    assert copy.read_bytes() == original


@pytest.mark.parametrize("version", EARLIER)
def test_files_loaded_by_an_earlier_version_are_the_same_rows_to_this_one(
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
    assert_summaries_agree(settings)


def put_loaded(settings: Settings, folder: Path, file: TripFile) -> None:
    """Place the trip file of which the kept warehouse has the rows."""
    path = folder / f"{file.stem}.csv"
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        connection.execute(
            f"COPY (SELECT {', '.join(header(file.color))} FROM {file.color.table} "
            f"WHERE filename = '{file.filename}') TO '{path}' (HEADER, "
            "TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')"
        )
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("version", EARLIER)
def test_the_way_forward_is_one_transaction_and_its_end_failing_undoes_its_beginning(
    version: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: duckdb.DuckDBPyConnection, file: TripFile) -> None:
        if file == YELLOW:
            raise RuntimeError("a step with a mistake in it")

    make_home(settings, version)
    before = whole(settings.warehouse_path)
    with monkeypatch.context() as patched:
        patched.setattr(local_schema, "summarize_loaded", fail)
        with pytest.raises(RuntimeError, match="mistake"):
            rows(settings, "SELECT 1")
    assert whole(settings.warehouse_path) == before
    assert_summaries_agree(settings)


@pytest.mark.parametrize("version", EARLIER)
def test_killed_on_its_way_forward_a_warehouse_is_as_it_was(
    version: int, settings: Settings
) -> None:
    make_home(settings, version)
    before = whole(settings.warehouse_path)
    done = subprocess.run(
        [sys.executable, "-c", DIES],
        env=os.environ | {"FAREGROUND_HOME": str(settings.home)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert whole(settings.warehouse_path) == before
    assert_summaries_agree(settings)


def whole(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a closed warehouse, whatever tables it has."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()")
        names = [name for (name,) in found.fetchall()]
    return content(path, tuple(names))


def test_bringing_a_warehouse_forward_is_said_while_it_happens_and_not_on_stdout(
    settings: Settings, folder: Path
) -> None:
    make_home(settings, EARLIER[0])
    put_trips(folder, JUNE, [trip(JUNE)])
    result = pipeline(settings, *green(folder, "--from", "2020-06", "--json"))
    assert document(result)["state"] == "succeeded"
    assert f"from schema version {EARLIER[0]} to {SCHEMA_VERSION}" in " ".join(
        result.stderr.split()
    )


def test_a_page_can_ask_whether_a_warehouse_is_being_brought_forward(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_home(settings, EARLIER[0])
    seen: list[str] = []

    def note(sentence: str) -> None:
        seen.extend((sentence, upgrades.under_way(settings.warehouse_path)))

    monkeypatch.setattr(upgrades, "_listeners", [note])
    with open_warehouse("local", settings):
        assert upgrades.under_way(settings.warehouse_path) == ""
    assert len(set(seen)) == 1
    assert "MB" in seen[0]
