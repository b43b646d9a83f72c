"""Rollups always equal aggregates of the trips, through loads, failures and upgrades."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.charts import CHARTS, Filters, build_query
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import StorageError, TripFileError, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.gcp.warehouse import GoogleWarehouse
from pipeline.warehouse.local.schema import SCHEMA_VERSION
from pipeline.warehouse.registry import open_warehouse
from pipeline.warehouse.rollups import ROLLUPS
from tests.support.files import (
    GREEN,
    TARGETS,
    YELLOW,
    assert_rollups_agree,
    load,
    put_trips,
    rows,
    trip,
)

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


def varied(file: TripFile, number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return trips of all kinds: strays, voids, missing cells, absurd distances, odd seconds."""
    chance = random.Random(f"{file} {seed}")
    result_rows = []
    for _ in range(number):
        day, hour = chance.randint(1, 28), chance.choice([0, 7, 8, 23])
        month = chance.choice([str(file.month)] * 20 + ["2008-12", "2041-01", "1969-07"])
        dropoff = chance.choice(["00:30", "00:59", "01:00", "12:30.5", "59:59"])
        result_rows.append(
            trip(
                file,
                pickup=chance.choice([f"{month}-{day:02} {hour:02}:00:00"] * 30 + [None]),
                dropoff=f"{month}-{day:02} {hour:02}:{dropoff}",
                PULocationID=chance.choice(["1", "132", "265", None]),
                DOLocationID=chance.choice(["1", "41", "138", None]),
                payment_type=chance.choice(["1", "2", "4", None]),
                trip_distance=chance.choice(
                    ["1.5", "0", "-3", "200", "200.01", "98765.4", "29.99", "30", None]
                ),
                fare_amount=chance.choice(["8", "-8", "0.45", "99.99", "100", None]),
                tip_amount=chance.choice(["0", "2.2", None]),
                total_amount=chance.choice(["9.3", "-9.3", "1000.55", None]),
            )
        )
    return result_rows


def test_rollups_follow_loads_corrections_deletions_and_emptied_file(
    warehouse_settings: Settings, folder: Path
) -> None:
    for file in (GREEN, YELLOW, MAY):
        put_trips(folder, file, varied(file, 150))
        load(folder, file, warehouse_settings)
    assert_rollups_agree(warehouse_settings)
    corrected = varied(GREEN, 150)[20:]
    for row in corrected[::7]:
        row |= {"total_amount": "77.70", "payment_type": "3", "trip_distance": "250"}
    put_trips(folder, GREEN, [*corrected, *varied(GREEN, 30, seed=1)])
    entry = load(folder, GREEN, warehouse_settings)
    assert entry.updated
    assert entry.deleted
    assert_rollups_agree(warehouse_settings)
    load(folder, GREEN, warehouse_settings)  # the same bytes: nothing changes
    assert_rollups_agree(warehouse_settings)
    put_trips(folder, GREEN, varied(GREEN, 1))
    load(folder, GREEN, warehouse_settings)
    assert_rollups_agree(warehouse_settings)


def test_failed_load_leaves_rollups_unchanged(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, varied(GREEN, 50))
    load(folder, GREEN, settings)
    before = rows(settings, "SELECT * FROM trip_summary ORDER BY ALL")
    put_trips(folder, GREEN, [trip(GREEN, total_amount="nonsense")] * 10)
    with pytest.raises(TripFileError):
        load(folder, GREEN, settings)
    assert rows(settings, "SELECT * FROM trip_summary ORDER BY ALL") == before
    assert_rollups_agree(settings)


def version_1(settings: Settings) -> None:
    """Turn the warehouse into one of schema version 1, which has no rollups."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        for name in ROLLUPS:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE storage.schema_version SET version = 1")


def test_older_warehouse_is_upgraded_and_copied_first(settings: Settings, folder: Path) -> None:
    for file in (GREEN, YELLOW, MAY):
        put_trips(folder, file, varied(file, 100))
        load(folder, file, settings)
    trips = rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id")
    version_1(settings)
    with open_warehouse("local", settings, read_only=True) as reader:  # does not upgrade
        assert reader.query("SELECT count(*) FROM green_tripdata", limit=1).rows == [(200,)]
    assert_rollups_agree(settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        result_rows = connection.execute("SELECT version FROM storage.schema_version").fetchall()
        assert result_rows == [(SCHEMA_VERSION,)]
    assert rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id") == trips
    copy = settings.home / f"warehouse-before-version-{SCHEMA_VERSION}.duckdb"
    with duckdb.connect(str(copy)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM green_tripdata").fetchall() == [(200,)]


def test_interrupted_upgrade_changes_nothing_and_is_retried(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_trips(folder, GREEN, varied(GREEN, 100))
    load(folder, GREEN, settings)
    version_1(settings)

    def broken(name: str, **identifiers: str) -> str:
        if identifiers.get("rollup") == "zone_summary" and "fill" in name:
            return "SELECT broken"
        return statement(name, **identifiers)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.warehouse.local.rollups.statement", broken)
        with pytest.raises(duckdb.Error):
            rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
        tables = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        assert ("trip_summary",) not in tables
    assert_rollups_agree(settings)


def test_upgrade_without_room_for_copy_changes_nothing(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_trips(folder, GREEN, varied(GREEN, 10))
    load(folder, GREEN, settings)
    version_1(settings)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", full)
        with pytest.raises(StorageError, match=r"could not be copied.*Free [\d.]+ MiB"):
            rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
    assert_rollups_agree(settings)


@pytest.mark.gcp
def test_older_dataset_is_upgraded_by_next_load(gcp_settings: Settings, folder: Path) -> None:
    TARGETS[gcp_settings.home] = "gcp"
    for file in (GREEN, YELLOW):
        put_trips(folder, file, varied(file, 60))
        load(folder, file, gcp_settings)
    with GoogleWarehouse(gcp_settings) as opened:
        runner = opened._runner()
        for change in (
            "DROP TABLE trip_summary",
            "CREATE TABLE trip_summary (filename STRING, trips INT64)",
            "INSERT INTO trip_summary VALUES ('green_tripdata_2020-04.csv', 60)",
            "DROP TABLE fare_summary",
            "UPDATE warehouse_state SET schema_version = 2 WHERE TRUE",
        ):
            runner.run("older", "make an older dataset", change)
        question = build_query(CHARTS["fares"], Filters(), "gcp")
        with pytest.raises(WarehouseError, match="those of an older version"):
            opened.read(question.sql, question.parameters)
    put_trips(folder, MAY, varied(MAY, 20))
    load(folder, MAY, gcp_settings)
    assert rows(gcp_settings, "SELECT schema_version FROM warehouse_state") == [(4,)]
    assert_rollups_agree(gcp_settings)
