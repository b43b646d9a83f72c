"""The trips that filters leave, written to one file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipeline.charts import NOT_RECORDED, Filters
from pipeline.charts.download import FORMATS, files_of, write_trips
from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from tests.support.files import GREEN, YELLOW, load, put_trips, rows, warehouse
from tests.warehouse.test_rollups import varied

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
FILES = (GREEN, YELLOW, MAY)


@pytest.mark.parametrize("format", FORMATS)
def test_download_has_the_trips_that_the_filters_leave(
    settings: Settings, folder: Path, format: str
) -> None:
    for file, number in zip(FILES, (120, 150, 80), strict=True):
        put_trips(folder, file, varied(file, number))
        load(folder, file, settings)
    path = folder / f"trips.{format.lower()}"
    reader = "read_csv" if format == "CSV" else "read_parquet"
    columns = "filename, unique_row_id, total_amount::DECIMAL(9, 2)"
    cases = {
        "TRUE": Filters(strays=True),
        "payment_type = 1": Filters(payments=(1,), strays=True),
        "payment_type IS NULL": Filters(payments=(NOT_RECORDED,), strays=True),
        "PULocationID IN (1, 132)": Filters(zones=(1, 132), strays=True),
        "filename LIKE 'green%'": Filters(datasets=(GREEN_TAXIS,), strays=True),
        "filename LIKE '%05.csv'": Filters(strays=True, left_out=(GREEN, YELLOW)),
    }
    with warehouse(settings) as opened:
        for condition, filters in cases.items():
            write_trips(opened, filters, FILES, path, format, settings)
            written = duckdb.connect().sql(f"SELECT {columns} FROM {reader}('{path}')").fetchall()
            path.unlink()
            expected = [
                row
                for dataset in (YELLOW_TAXIS, GREEN_TAXIS)
                for row in rows(
                    settings,
                    "SELECT filename, lower(hex(unique_row_id)), total_amount "
                    f"FROM {dataset.table} WHERE {condition}",
                )
            ]
            assert sorted(written, key=str) == sorted(expected, key=str), condition
            assert expected, condition


def test_months_outside_of_the_filters_are_not_read() -> None:
    may = Filters(first=date(2020, 5, 2), last=date(2020, 5, 3))
    assert files_of(may, FILES) == [MAY]
    strays = Filters(strays=True, first=date(2020, 5, 2))
    assert set(files_of(strays, FILES)) == set(FILES)
    assert files_of(Filters(datasets=(YELLOW_TAXIS,)), FILES) == [YELLOW]
