"""`read`: our own GoogleSQL gives the same rows on both warehouses, as Arrow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.warehouse import results
from tests.files import GREEN, load, put_trips, trip, warehouse

COUNT = """
SELECT PULocationID AS zone, COUNT(*) AS trips, SUM(total_amount) AS dollars
FROM green_tripdata
WHERE PULocationID IN UNNEST(@zones)
    AND lpep_pickup_datetime >= @first
    AND filename = @filename
GROUP BY zone
ORDER BY zone
"""


def test_parameters_are_bound_and_rows_come_as_arrow(
    either_settings: Settings, folder: Path
) -> None:
    rows = [trip(GREEN, PULocationID=str(zone)) for zone in (7, 7, 42, 74)]
    put_trips(folder, GREEN, rows)
    load(folder, GREEN, either_settings)
    with warehouse(either_settings) as opened:
        answer = opened.read(
            COUNT,
            {"zones": [7, 42], "first": datetime(2020, 4, 1), "filename": GREEN.filename},
        )
        late = opened.read(
            COUNT, {"zones": [7], "first": datetime(2020, 4, 2), "filename": GREEN.filename}
        )
    assert answer.table.to_pylist() == [
        {"zone": 7, "trips": 2, "dollars": Decimal("18.60")},
        {"zone": 42, "trips": 1, "dollars": Decimal("9.30")},
    ]
    assert answer.seconds > 0
    assert late.table.num_rows == 0


def test_a_value_is_never_read_as_sql(either_settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, either_settings)
    hostile = "x' OR TRUE --"
    with warehouse(either_settings) as opened:
        answer = opened.read(
            "SELECT COUNT(*) AS trips FROM green_tripdata WHERE filename = @name",
            {"name": hostile},
        )
    assert answer.table.to_pylist() == [{"trips": 0}]


def test_a_statement_that_cannot_run_is_said_without_a_traceback(settings: Settings) -> None:
    with warehouse(settings) as opened, pytest.raises(WarehouseError, match="no_such_table"):
        opened.read("SELECT * FROM no_such_table")


def test_more_than_fits_in_memory_is_refused_with_a_cure(
    either_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 1000)
    with warehouse(either_settings) as opened:
        assert opened.read("SELECT n FROM UNNEST([1, 2]) AS n").table.num_rows == 2
        with pytest.raises(WarehouseError, match="Ask for fewer rows"):
            opened.read("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n")


def test_reading_ones_own_disk_is_free(settings: Settings) -> None:
    with warehouse(settings) as opened:
        assert opened.scan_bytes("SELECT COUNT(*) FROM green_tripdata") is None
