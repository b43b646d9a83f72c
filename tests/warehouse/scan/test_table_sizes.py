"""What is measured for estimates, on every warehouse."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline.core.datasets import DATASETS
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import queryable_tables
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.rollups import ROLLUPS
from pipeline.warehouse.scan.table_sizes import estimate_query, measure_tables, read_definition
from tests.support.files import GREEN, TARGETS, load, put_trips, trip, warehouse

SQL = """
SELECT VendorID, store_and_fwd_flag, filename, unique_row_id FROM green_tripdata
WHERE lpep_pickup_datetime < '2020-04-02'
"""


def trips() -> list[dict[str, str | None]]:
    """Three trips of one day, of which one has no flag, and one of another month."""
    late = {"lpep_pickup_datetime": "2020-05-01 00:10:00"}
    return [
        trip(GREEN, PULocationID="1", store_and_fwd_flag="N"),
        trip(GREEN, PULocationID="2", store_and_fwd_flag=None),
        trip(GREEN, PULocationID="3", store_and_fwd_flag="Y"),
        trip(GREEN, PULocationID="4", store_and_fwd_flag="N", **late),
    ]


def test_query_is_estimated_from_the_measured_tables(
    warehouse_settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, trips())
    load(folder, GREEN, warehouse_settings)
    backend = find_backend(TARGETS[warehouse_settings.home])
    estimates, dry_run = estimate_query(SQL, backend, warehouse_settings)
    as_loaded, unpartitioned = estimates["As loaded"], estimates["No partitions"]
    flags = 4 if backend.is_billed else 3  # a NULL has no bytes, where NULLs are counted
    fixed = 8 + 8 + 18 + 2 + len(GREEN.filename)  # a code, the pickup, the id, the name of the file
    assert unpartitioned.processed == 4 * fixed + 3 * flags
    # Of what is counted by its average, a partition has its share.
    assert as_loaded.processed == 3 * fixed + round(3 * flags * 3 / 4)
    assert (as_loaded.scans[0].read, as_loaded.scans[0].partitions) == (1, 2)
    assert isinstance(dry_run, int) == backend.is_billed


def test_table_of_an_unused_subquery_is_known_and_costs_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, trips())
    load(folder, GREEN, settings)
    sql = "WITH x AS (SELECT * FROM yellow_tripdata) SELECT VendorID FROM green_tripdata"
    estimates, _ = estimate_query(sql, find_backend("local"), settings)
    assert (estimates["As loaded"].bound, estimates["As loaded"].processed) == ("", 4 * 8)


def test_sizes_of_every_table_can_be_measured(warehouse_settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, trips())
    load(folder, GREEN, warehouse_settings)
    backend = find_backend(TARGETS[warehouse_settings.home])
    with warehouse(warehouse_settings) as opened:
        sizes = measure_tables(opened, backend.tables, backend.rollups, is_billed=backend.is_billed)
    left_out = {"rejects", "load_ledger"} if backend.is_billed else set()
    assert sizes.keys() == set(backend.tables) - left_out
    assert sizes["green_tripdata"].rows == 4
    assert sizes["green_tripdata"].days == {date(2020, 4, 1): 3, date(2020, 5, 1): 1}
    assert sizes["yellow_tripdata"].rows == 0
    for name in backend.rollups:
        assert sizes[name].rows > 0, name
        assert sizes[name].columns["trips"] == 8 * sizes[name].rows


def test_query_of_an_unknown_statement_is_refused(warehouse_settings: Settings) -> None:
    backend = find_backend(TARGETS[warehouse_settings.home])
    with pytest.raises(UsageError):
        estimate_query("DELETE FROM green_tripdata WHERE TRUE", backend, warehouse_settings)


def test_definition_of_every_table_is_that_of_the_statement_which_creates_it() -> None:
    for name in queryable_tables(ROLLUPS):
        types, layout, time = read_definition(name)
        assert layout.clustering[0] == "filename"
        assert "filename" in types
        assert bool(time) == bool(layout.partitions) == (name in _trip_tables())
    types, layout, time = read_definition("green_tripdata")
    assert (types["total_amount"], types["unique_row_id"]) == ("NUMERIC", "BYTES")
    assert (layout.partitions, layout.clustering) == ("MONTH", ("filename", "PULocationID"))
    assert time == "lpep_pickup_datetime"


def _trip_tables() -> set[str]:
    return {dataset.table for dataset in DATASETS.values()}
