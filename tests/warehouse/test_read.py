"""`Warehouse.read`: one GoogleSQL statement gives equal rows on both warehouses, as Arrow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import results
from tests.support.files import GREEN, load, put_trips, trip, warehouse

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
    warehouse_settings: Settings, folder: Path
) -> None:
    rows = [trip(GREEN, PULocationID=str(zone)) for zone in (7, 7, 42, 74)]
    put_trips(folder, GREEN, rows)
    load(folder, GREEN, warehouse_settings)
    with warehouse(warehouse_settings) as opened:
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


def test_parameter_is_never_read_as_sql(warehouse_settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, warehouse_settings)
    hostile = "x' OR TRUE --"
    with warehouse(warehouse_settings) as opened:
        answer = opened.read(
            "SELECT COUNT(*) AS trips FROM green_tripdata WHERE filename = @name",
            {"name": hostile},
        )
    assert answer.table.to_pylist() == [{"trips": 0}]


def test_invalid_statement_raises_error_without_traceback(settings: Settings) -> None:
    with warehouse(settings) as opened, pytest.raises(WarehouseError, match="no_such_table"):
        opened.read("SELECT * FROM no_such_table")


def test_result_too_large_for_memory_is_refused_with_cure(
    warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOST_BYTES", 1000)
    with warehouse(warehouse_settings) as opened:
        assert opened.read("SELECT n FROM UNNEST([1, 2]) AS n").table.num_rows == 2
        with pytest.raises(WarehouseError, match="Select fewer rows"):
            opened.read("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n")


def test_read_of_local_warehouse_bills_no_bytes(settings: Settings) -> None:
    with warehouse(settings) as opened:
        assert opened.scan_bytes("SELECT COUNT(*) FROM green_tripdata") is None
