"""The loading rules for each dataset of the registry, on each warehouse."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.core.datasets import DATASETS, FOR_HIRE_VEHICLES, Dataset
from pipeline.core.errors import TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse.local.statements import LocalStatements
from pipeline.warehouse.registry import DEFAULT_TARGET
from pipeline.warehouse.statements import Statement
from tests.support.command import document, pipeline
from tests.support.files import (
    assert_rollups_agree,
    backfill,
    csv_bytes,
    header,
    load,
    put,
    put_trips,
    request,
    rows,
    trip,
)

EVERY_DATASET = pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
APRIL = Month(2020, 4)


def expected_id(file: TripFile, row: Mapping[str, Any], ordinal: int) -> bytes:
    """The unique_row_id of a row, by docs/loading.md."""
    parts = [file.filename]
    for column in file.dataset.columns:
        if column.identity:
            text = str(row[column.name] or "")
            if column.type == "TIMESTAMP":
                past = datetime.fromisoformat(text) - datetime(1970, 1, 1)
                text = str(past // datetime.resolution)
            parts.append(text)
    return hashlib.md5("|".join([*parts, str(ordinal)]).encode()).digest()


@EVERY_DATASET
def test_rows_of_one_identity_are_loaded_once_each_and_again_unchanged(
    warehouse_settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    trips = [trip(file), trip(file), trip(file, PULocationID=None)]
    put_trips(folder, file, trips)

    entry = load(folder, file, warehouse_settings)

    assert (entry.rows, entry.inserted, entry.rejected) == (3, 3, 0)
    assert (entry.total_amount is not None) == dataset.has("total_amount")
    ids = rows(warehouse_settings, f"SELECT unique_row_id FROM {dataset.table}")
    ordinals = (1, 2, 1)
    assert {id for (id,) in ids} == {
        expected_id(file, row, ordinal) for row, ordinal in zip(trips, ordinals, strict=True)
    }
    assert_rollups_agree(warehouse_settings)
    again = load(folder, file, warehouse_settings)
    assert (again.inserted, again.updated, again.deleted, again.unchanged) == (0, 0, 0, 3)


@EVERY_DATASET
@pytest.mark.parametrize("fault", ["a row is lost", "a cell is changed"])
def test_table_that_does_not_have_what_was_read_stays_as_it_was(
    settings: Settings, folder: Path, dataset: Dataset, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may, file = (TripFile(dataset, month) for month in (Month(2020, 5), APRIL))
    put_trips(folder, may, [trip(may)])
    load(folder, may, settings)
    put_trips(folder, file, [trip(file, PULocationID=zone) for zone in (1, 2, 3)])
    whole = LocalStatements.insert_file

    def insert_wrongly(self: LocalStatements) -> Statement:
        statement = whole(self)
        cell = "total_amount" if dataset.has("total_amount") else "DOLocationID"
        wrong = f"(SELECT * REPLACE ({cell} + (PULocationID = 2)::INT AS {cell}) FROM incoming)"
        lost = "(FROM incoming WHERE PULocationID <> 2)"
        inserted = lost if fault == "a row is lost" else wrong
        return replace(statement, sql=statement.sql.replace("FROM incoming", f"FROM {inserted}"))

    monkeypatch.setattr(LocalStatements, "insert_file", insert_wrongly)
    with pytest.raises(
        TripFileError, match=r"does not reconcile: 3 rows and (\$|checksum )"
    ) as bad:
        load(folder, file, settings)
    assert "nothing was changed" in str(bad.value)
    assert rows(settings, f"SELECT DISTINCT filename FROM {dataset.table}") == [(may.filename,)]
    assert_rollups_agree(settings)


@EVERY_DATASET
def test_changed_new_and_vanished_rows_are_counted_exactly(
    warehouse_settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    other = next(
        column.name
        for column in reversed(dataset.columns)
        if not column.identity and not column.fee and column.type != "TIMESTAMP"
    )
    put_trips(folder, file, [trip(file, PULocationID=zone) for zone in (1, 2, 3)])
    load(folder, file, warehouse_settings)
    changed = trip(file, PULocationID=2, **{other: "7"})
    put_trips(folder, file, [trip(file, PULocationID=1), changed, trip(file, PULocationID=4)])

    entry = load(folder, file, warehouse_settings)

    counts = (entry.inserted, entry.updated, entry.deleted, entry.unchanged)
    assert counts == (1, 1, 1, 1)
    sql = f"SELECT PULocationID, CAST({other} AS STRING) FROM {dataset.table} ORDER BY 1"
    found = rows(warehouse_settings, sql)
    assert [zone for zone, _ in found] == [1, 2, 4]
    assert (found[1][0], Decimal(found[1][1])) == (2, 7)
    assert_rollups_agree(warehouse_settings)


@EVERY_DATASET
def test_capital_header_words_for_nothing_and_times_without_seconds_are_read(
    warehouse_settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    trips = [
        trip(file, pickup="2020-04-01 08:05", DOLocationID="\\N"),
        trip(file, pickup="2020-04-01 08:06:07", PULocationID="NULL"),
    ]
    text = csv_bytes(file, trips)
    first, rest = text.split(b"\n", 1)
    put(folder, file, first.upper() + b"\n" + rest)

    entry = load(folder, file, warehouse_settings)

    assert (entry.rows, entry.rejected) == (2, 0)
    sql = f"SELECT PULocationID, DOLocationID FROM {dataset.table} ORDER BY {dataset.pickup}"
    assert rows(warehouse_settings, sql) == [(42, None), (None, 41)]


@EVERY_DATASET
def test_truncated_gzip_fails_and_leaves_loaded_rows(
    warehouse_settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    put_trips(folder, file, [trip(file)])
    load(folder, file, warehouse_settings)
    packed = gzip.compress(csv_bytes(file, [trip(file, PULocationID=n) for n in range(1, 200)]))
    (folder / f"{file.stem}.csv.gz").write_bytes(packed[: len(packed) // 2])

    state, files = backfill(warehouse_settings, request(folder, file, force=True))

    assert (state, files[file].state) == ("failed", "failed")
    assert "truncated" in files[file].reason
    assert rows(warehouse_settings, f"SELECT count(*) FROM {dataset.table}") == [(1,)]


@EVERY_DATASET
def test_commands_plan_load_diff_verify_explain_schedule_and_export(
    settings: Settings, folder: Path, tmp_path: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    put_trips(folder, file, [trip(file, PULocationID=zone) for zone in (1, 2, 3)])
    source = ("--source", str(folder))
    month = ("--dataset", dataset.name, "--month", str(APRIL), *source, "--json")
    months = ("--dataset", dataset.name, "--from", str(APRIL))

    planned = document(pipeline(settings, "backfill", *months, *source, "--dry-run", "--json"))
    assert [each["file"] for each in planned["files"]] == [file.filename]
    before = document(pipeline(settings, "diff", *month))
    assert (before["inserted"], before["rows"]) == (3, 3)
    assert (before["amount_after"] is None) == (not dataset.has("total_amount"))
    assert document(pipeline(settings, "preview", *month))["rows"] == 3
    assert pipeline(settings, "explain", *month).returncode == 0
    assert pipeline(settings, "backfill", *months, *source).returncode == 0
    verified = pipeline(settings, "verify", "--target", DEFAULT_TARGET, *months, "--json")
    assert [each["state"] for each in document(verified)["files"]] == ["equal"]
    for format in ("csv", "parquet", "duckdb"):
        target = str(tmp_path / f"exported.{format}")
        exported = pipeline(settings, "export", format, "--to", target, *months)
        assert exported.returncode == 0, exported.stderr
    added = pipeline(settings, "schedule", "add", "--dataset", dataset.name, *source)
    assert added.returncode == 0, added.stderr


@EVERY_DATASET
def test_cell_or_row_that_was_changed_in_the_table_is_found_by_verify(
    settings: Settings, folder: Path, dataset: Dataset
) -> None:
    file = TripFile(dataset, APRIL)
    put_trips(folder, file, [trip(file, PULocationID=zone) for zone in (1, 2, 3)])
    assert backfill(settings, request(folder, file))[0] == "succeeded"
    months = ("--target", DEFAULT_TARGET, "--dataset", dataset.name, "--from", str(APRIL))
    zone = next(c.name for c in dataset.columns if c.name.casefold() == "pulocationid")
    for damage in (
        f"UPDATE storage.{dataset.table} SET {zone} = 9 WHERE {zone} = 1",
        f"DELETE FROM storage.{dataset.table} WHERE {zone} = 2",
    ):
        with duckdb.connect(str(settings.warehouse_path)) as connection:
            connection.execute(damage)
        verified = pipeline(settings, "verify", *months, "--json")
        assert verified.returncode == 1
        assert [each["state"] for each in document(verified)["files"]] == ["different"]
        assert backfill(settings, request(folder, file, force=True))[0] == "succeeded"
        assert pipeline(settings, "verify", *months).returncode == 0


FOR_HIRE_HEADERS = {
    2016: "Dispatching_base_num,Pickup_date,locationID",
    2017: "Dispatching_base_num,Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID",
    2018: "Pickup_DateTime,DropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
    "Dispatching_base_number,Dispatching_base_num",
    2019: "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,"
    "Affiliated_base_number",
    2020: "dispatching_base_num,pickup_datetime,dropoff_datetime,PULocationID,DOLocationID,SR_Flag,"
    "Affiliated_base_number",
}
FOR_HIRE_CELLS = {
    "dispatching_base_num": "B00254",
    "dispatching_base_number": "B00254",
    "pickup_date": "{}-04-01 08:00:00",
    "pickup_datetime": "{}-04-01 08:00:00",
    "dropoff_datetime": "{}-04-01 08:12:30",
    "locationid": "42",
    "pulocationid": "42",
    "dolocationid": "41",
    "sr_flag": "1",
    "affiliated_base_number": "B00647",
}


@pytest.mark.parametrize("year", FOR_HIRE_HEADERS)
def test_for_hire_vehicles_are_read_by_the_column_names_of_each_year(
    settings: Settings, folder: Path, year: int
) -> None:
    file = TripFile(FOR_HIRE_VEHICLES, Month(year, 4))
    names = FOR_HIRE_HEADERS[year].split(",")
    cells = [FOR_HIRE_CELLS[name.lower()].format(year) for name in names]
    if year == 2018:
        cells[-1] = ""  # Dispatching_base_num is empty where Dispatching_base_number has the base
    put(folder, file, f"{FOR_HIRE_HEADERS[year]}\n{','.join(cells)}\n".encode())
    notes: list[str] = []

    load(folder, file, settings, notes)

    ((base, pickup, dropoff, zone, to),) = rows(
        settings,
        "SELECT dispatching_base_num, pickup_datetime, dropOff_datetime, PUlocationID, DOlocationID"
        " FROM fhv_tripdata",
    )
    assert (base, pickup, zone) == ("B00254", datetime(year, 4, 1, 8), 42)
    lacks = year == 2016
    assert (dropoff, to) == ((None, None) if lacks else (datetime(year, 4, 1, 8, 12, 30), 41))
    assert any("no column dropOff_datetime" in note for note in notes) == lacks
    assert any("'Dispatching_base_num'" in note for note in notes) == (year == 2018)


def test_published_name_of_a_zone_wins_over_an_older_one(settings: Settings, folder: Path) -> None:
    file = TripFile(FOR_HIRE_VEHICLES, Month(2018, 9))
    header = "Dispatching_base_num,Pickup_date,locationID,PUlocationID"
    put(folder, file, f"{header}\nB00001,2018-09-01 00:01:00,7,9\n".encode())
    notes: list[str] = []
    load(folder, file, settings, notes)
    assert rows(settings, "SELECT PUlocationID FROM fhv_tripdata") == [(9,)]
    expected = "column 'locationID' in the file is not loaded: 'PUlocationID' is read in its place"
    assert any(expected in note for note in notes)


def test_base_numbers_under_two_names_are_not_lost(
    warehouse_settings: Settings, folder: Path
) -> None:
    file = TripFile(FOR_HIRE_VEHICLES, Month(2018, 3))
    header = FOR_HIRE_HEADERS[2018]
    cells = [FOR_HIRE_CELLS[name.lower()].format(2018) for name in header.split(",")]
    cells[-2:] = ["", "B00254"]
    put(folder, file, f"{header}\n{','.join(cells)}\n".encode())
    with pytest.raises(TripFileError, match="has two columns for one: in 1 row "):
        load(folder, file, warehouse_settings)


def test_padded_base_numbers_are_stored_without_blanks_and_keep_their_case(
    warehouse_settings: Settings, folder: Path
) -> None:
    file = TripFile(FOR_HIRE_VEHICLES, APRIL)
    bases = ("B00254         ", " b00254", "", "   ", "B-1 x")
    put_trips(
        folder,
        file,
        [
            trip(file, dispatching_base_num=base, PULocationID=zone)
            for zone, base in enumerate(bases, start=1)
        ],
    )

    entry = load(folder, file, warehouse_settings)

    assert (entry.rows, entry.rejected) == (5, 0)
    sql = "SELECT dispatching_base_num FROM fhv_tripdata ORDER BY PUlocationID"
    found = [base for (base,) in rows(warehouse_settings, sql)]
    assert found == ["B00254", "b00254", None, None, "B-1 x"]


def test_for_hire_file_without_a_base_or_of_a_high_volume_service_fails(
    settings: Settings, folder: Path
) -> None:
    file = TripFile(FOR_HIRE_VEHICLES, APRIL)
    names = [name for name in header(file.dataset) if name != "dispatching_base_num"]
    put(folder, file, csv_bytes(file, [trip(file)], names))
    with pytest.raises(TripFileError, match="lacks dispatching_base_num"):
        load(folder, file, settings)
    names = ["hvfhs_license_num", *header(file.dataset)]
    put(folder, file, csv_bytes(file, [trip(file, hvfhs_license_num="HV0003")], names))
    with pytest.raises(TripFileError, match="high-volume services"):
        load(folder, file, settings)
