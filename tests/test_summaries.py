"""The sums that charts are drawn from are always those of the trips, whatever loads do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.charts import Filters, pose
from pipeline.errors import StorageError, TripFileError, WarehouseError
from pipeline.settings import Settings
from pipeline.sql import statement
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse import open_warehouse
from pipeline.warehouse.google import GoogleWarehouse
from pipeline.warehouse.local_schema import SCHEMA_VERSION
from pipeline.warehouse.summaries import SUMMARIES
from tests.files import (
    GREEN,
    TARGETS,
    YELLOW,
    assert_summaries_agree,
    load,
    put_trips,
    rows,
    trip,
)

MAY = TripFile(Color.GREEN, Month(2020, 5))


def varied(file: TripFile, number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Trips of all sorts: strays, voids, missing cells, absurd distances, fractions of seconds."""
    chance = random.Random(f"{file} {seed}")
    found = []
    for _ in range(number):
        day, hour = chance.randint(1, 28), chance.choice([0, 7, 8, 23])
        month = chance.choice([str(file.month)] * 20 + ["2008-12", "2041-01", "1969-07"])
        dropoff = chance.choice(["00:30", "00:59", "01:00", "12:30.5", "59:59"])
        found.append(
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
    return found


def test_they_follow_first_loads_corrections_deletions_and_an_emptied_file(
    either_settings: Settings, folder: Path
) -> None:
    for file in (GREEN, YELLOW, MAY):
        put_trips(folder, file, varied(file, 150))
        load(folder, file, either_settings)
    assert_summaries_agree(either_settings)
    corrected = varied(GREEN, 150)[20:]
    for row in corrected[::7]:
        row |= {"total_amount": "77.70", "payment_type": "3", "trip_distance": "250"}
    put_trips(folder, GREEN, [*corrected, *varied(GREEN, 30, seed=1)])
    entry = load(folder, GREEN, either_settings)
    assert entry.updated
    assert entry.deleted
    assert_summaries_agree(either_settings)
    load(folder, GREEN, either_settings)  # nothing changes
    assert_summaries_agree(either_settings)
    put_trips(folder, GREEN, varied(GREEN, 1))
    load(folder, GREEN, either_settings)
    assert_summaries_agree(either_settings)


def test_a_load_that_fails_leaves_them_as_they_were(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, varied(GREEN, 50))
    load(folder, GREEN, settings)
    before = rows(settings, "SELECT * FROM trip_summary ORDER BY ALL")
    put_trips(folder, GREEN, [trip(GREEN, total_amount="nonsense")] * 10)
    with pytest.raises(TripFileError):
        load(folder, GREEN, settings)
    assert rows(settings, "SELECT * FROM trip_summary ORDER BY ALL") == before
    assert_summaries_agree(settings)


def version_1(settings: Settings) -> None:
    """Make the warehouse what an earlier Fareground left: without summaries."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        for name in SUMMARIES:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE storage.schema_version SET version = 1")


def test_an_older_warehouse_is_brought_forward_and_a_copy_of_it_kept(
    settings: Settings, folder: Path
) -> None:
    for file in (GREEN, YELLOW, MAY):
        put_trips(folder, file, varied(file, 100))
        load(folder, file, settings)
    trips = rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id")
    version_1(settings)
    with open_warehouse("local", settings, read_only=True) as looking:  # as it is, unchanged
        assert looking.query("SELECT count(*) FROM green_tripdata", limit=1).rows == [(200,)]
    assert_summaries_agree(settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        found = connection.execute("SELECT version FROM storage.schema_version").fetchall()
        assert found == [(SCHEMA_VERSION,)]
    assert rows(settings, "SELECT * FROM green_tripdata ORDER BY unique_row_id") == trips
    kept = settings.home / f"warehouse-before-version-{SCHEMA_VERSION}.duckdb"
    with duckdb.connect(str(kept)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM green_tripdata").fetchall() == [(200,)]


def test_a_step_forward_that_breaks_off_changes_nothing_and_is_made_next_time(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_trips(folder, GREEN, varied(GREEN, 100))
    load(folder, GREEN, settings)
    version_1(settings)

    def broken(name: str, **identifiers: str) -> str:
        if identifiers.get("summary") == "zone_summary" and "fill" in name:
            return "SELECT broken"
        return statement(name, **identifiers)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.warehouse.local_summary.statement", broken)
        with pytest.raises(duckdb.Error):
            rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
        tables = connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        assert ("trip_summary",) not in tables
    assert_summaries_agree(settings)


def test_without_room_for_the_copy_an_older_warehouse_stays_as_it_is(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_trips(folder, GREEN, varied(GREEN, 10))
    load(folder, GREEN, settings)
    version_1(settings)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", full)
        with pytest.raises(StorageError, match=r"cannot be copied.*Free \d+ MB"):
            rows(settings, "SELECT 1")
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("SELECT version FROM storage.schema_version").fetchall() == [(1,)]
    assert_summaries_agree(settings)


@pytest.mark.gcp
def test_an_older_dataset_is_brought_forward_by_the_next_load(
    gcp_settings: Settings, folder: Path
) -> None:
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
        question = pose("fares", Filters(), "gcp")
        with pytest.raises(WarehouseError, match="those of an older Fareground"):
            opened.read(question.sql, question.parameters)
    put_trips(folder, MAY, varied(MAY, 20))
    load(folder, MAY, gcp_settings)
    assert rows(gcp_settings, "SELECT schema_version FROM warehouse_state") == [(3,)]
    assert_summaries_agree(gcp_settings)
