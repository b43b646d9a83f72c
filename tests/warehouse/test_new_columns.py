"""A column that is added to a dataset reaches existing tables and files."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.core.columns import Column
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.policy import Policy
from pipeline.warehouse.gcp.warehouse import GoogleWarehouse
from pipeline.warehouse.local import schema as local_schema
from pipeline.warehouse.registry import open_warehouse
from tests.support.files import (
    TARGETS,
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
from tests.warehouse.upgrades.write import unpack_warehouse

FEE = Column("fuel_surcharge", "NUMERIC", "A fee that began in June, in dollars", fee=True)
YESTERDAY = 4  # the local schema version before columns could be added
APRIL, MAY, JUNE = (Month(2020, number) for number in (4, 5, 6))


def add_fee(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Add a fee to the green trips, as one line in the registry's record does."""
    green = DATASETS["green"]
    green = replace(green, columns=(*green.columns, FEE))
    monkeypatch.setitem(DATASETS, green.name, green)
    return green


def put_with_fee(folder: Path, file: TripFile, *fees: str) -> None:
    """Write a file with the fee and one trip for each of its values."""
    trips = [
        trip(file, Fuel_Surcharge=fee, trip_distance=number) for number, fee in enumerate(fees)
    ]
    put(folder, file, csv_bytes(file, trips, [*header(file.dataset), "Fuel_Surcharge"]))


def trips_of(settings: Settings, month: Month) -> list[tuple[Any, ...]]:
    """Return ids, dollars and the fee of a month's trips."""
    return rows(
        settings,
        "SELECT unique_row_id, total_amount, fuel_surcharge FROM green_tripdata "
        f"WHERE filename = 'green_tripdata_{month}.csv' ORDER BY unique_row_id",
    )


def test_existing_warehouse_gains_new_column_without_changing_rows(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.home.mkdir()
    unpack_warehouse(YESTERDAY, settings.warehouse_path)
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        before = connection.execute(
            "SELECT unique_row_id, total_amount, NULL FROM green_tripdata "
            "WHERE filename = 'green_tripdata_2020-04.csv' ORDER BY unique_row_id"
        ).fetchall()
    file = TripFile(add_fee(monkeypatch), JUNE)
    put_with_fee(folder, file, "0.75", "1.50")

    state, files = backfill(settings, request(folder, file))

    assert (state, files[file].rows) == ("succeeded", 2)
    assert trips_of(settings, APRIL) == before
    assert {fee for _, _, fee in trips_of(settings, JUNE)} == {Decimal("0.75"), Decimal("1.50")}
    assert_rollups_agree(settings)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        comments = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE column_name = 'fuel_surcharge' "
            "AND table_name = 'green_tripdata' AND schema_name = 'main'"
        ).fetchall()
    assert comments == [(FEE.description,)]


@pytest.mark.gcp
def test_existing_dataset_gains_new_column_without_changing_rows(
    gcp_settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TARGETS[gcp_settings.home] = "gcp"
    april = TripFile(DATASETS["green"], APRIL)
    put_trips(folder, april, [trip(april, trip_distance=number) for number in range(20)])
    load(folder, april, gcp_settings)
    with GoogleWarehouse(gcp_settings) as opened:
        runner = opened._runner()
        for change in (  # additions since version 3
            "ALTER TABLE load_ledger DROP COLUMN unknown_columns",
            "ALTER TABLE warehouse_state DROP COLUMN rollups",
            "UPDATE warehouse_state SET schema_version = 3 WHERE TRUE",
        ):
            runner.run("older", "make yesterday's dataset", change)
    before = rows(
        gcp_settings, "SELECT unique_row_id, total_amount, NULL FROM green_tripdata ORDER BY 1"
    )
    file = TripFile(add_fee(monkeypatch), JUNE)
    put_with_fee(folder, file, "0.75", "1.50")

    state, files = backfill(gcp_settings, request(folder, file))

    assert (state, files[file].rows) == ("succeeded", 2)
    assert trips_of(gcp_settings, APRIL) == before
    fees = {fee for _, _, fee in trips_of(gcp_settings, JUNE)}
    assert fees == {Decimal("0.75"), Decimal("1.50")}
    assert_rollups_agree(gcp_settings)


def test_file_loaded_without_a_column_it_has_is_loaded_again_by_policy_all_only(
    warehouse_settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = warehouse_settings
    april, may = (TripFile(DATASETS["green"], month) for month in (APRIL, MAY))
    put_trips(folder, april, [trip(april)])
    put_with_fee(folder, may, "0.75", "1.50")
    backfill(settings, request(folder, april, may))
    totals = rows(settings, "SELECT unique_row_id, total_amount FROM green_tripdata ORDER BY 1")

    green = add_fee(monkeypatch)
    april, may = replace(april, dataset=green), replace(may, dataset=green)
    _, files = backfill(settings, request(folder, april, may))
    assert {files[file].state for file in (april, may)} == {"skipped"}
    _, files = backfill(settings, request(folder, april, may, policy=Policy.ALL))

    assert files[april].state == "skipped"
    assert (files[may].updated, files[may].unchanged) == (2, 0)
    assert {fee for _, _, fee in trips_of(settings, APRIL)} == {None}
    assert {fee for _, _, fee in trips_of(settings, MAY)} == {Decimal("0.75"), Decimal("1.50")}
    query = "SELECT unique_row_id, total_amount FROM green_tripdata ORDER BY 1"
    assert rows(settings, query) == totals
    assert_rollups_agree(settings)


def test_broken_addition_of_a_column_leaves_the_warehouse_unchanged(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    april = TripFile(DATASETS["green"], APRIL)
    put_trips(folder, april, [trip(april)])
    load(folder, april, settings)
    add_fee(monkeypatch)

    def fail(*_: object) -> None:
        raise RuntimeError("a step with a mistake in it")

    with monkeypatch.context() as patched:
        patched.setattr(local_schema, "_create_view", fail)
        with pytest.raises(RuntimeError, match="mistake"), open_warehouse("local", settings):
            pass
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("SELECT * FROM storage.green_tripdata")
        names = [column[0] for column in connection.description or []]
    assert "fuel_surcharge" not in names
    assert [fee for _, _, fee in trips_of(settings, APRIL)] == [None]


@pytest.mark.parametrize(
    "warehouse_settings", ["local", pytest.param("gcp", marks=pytest.mark.gcp)], indirect=True
)
def test_rollups_of_another_definition_are_computed_again(
    warehouse_settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = warehouse_settings
    april, may = (TripFile(DATASETS["green"], month) for month in (APRIL, MAY))
    put_trips(folder, april, [trip(april), trip(april, tip_amount="2", total_amount="11.3")])
    put_trips(folder, may, [trip(may)])
    with monkeypatch.context() as patched:
        for module in ("local", "gcp"):
            patched.setattr(f"pipeline.warehouse.{module}.schema.rollup_digest", lambda: "another")
        load(folder, april, settings)
    emptied = "DELETE FROM trip_summary WHERE TRUE"
    if TARGETS[settings.home] == "gcp":
        with GoogleWarehouse(settings) as opened:
            opened._runner().run("empty", "empty a rollup", emptied)
    else:
        with duckdb.connect(str(settings.warehouse_path)) as connection:
            connection.execute(emptied)
    load(folder, may, settings)
    assert_rollups_agree(settings)
