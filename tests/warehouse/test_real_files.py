"""Real published files, skipped where they are absent: exact counts, exact cents."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipeline.core.datasets import GREEN_TAXIS, YELLOW_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.runs.policy import Policy
from tests.support.files import backfill, load, request, rows

DATA = Path(os.environ.get("FAREGROUND_REAL_FILES", Path(__file__).parents[3] / "shared" / "data"))
RELEASES = DATA / "releases"
pytestmark = pytest.mark.skipif(
    not RELEASES.exists(),
    reason="no real trip files here; FAREGROUND_REAL_FILES names their folder",
)

MONTHS = list(months_between(Month(2020, 4), Month(2020, 8)))
# As published: green complete, yellow samples of ten thousand rows.
GREEN_ROWS = dict(zip(MONTHS, [35_612, 57_360, 63_109, 72_257, 81_063], strict=True))
FILES = [TripFile(dataset, month) for month in MONTHS for dataset in (YELLOW_TAXIS, GREEN_TAXIS)]


def independent_totals(file: TripFile) -> tuple[int, Decimal]:
    """Return the rows and the sum of total_amount, read without DuckDB."""
    path = RELEASES / file.dataset.name / f"{file.stem}.csv.gz"
    with gzip.open(path, "rt", newline="") as lines:
        amounts = [Decimal(row["total_amount"]) for row in csv.DictReader(lines)]
    return len(amounts), sum(amounts, Decimal())


def test_ten_real_months_load_exactly_once_to_the_cent(settings: Settings) -> None:
    state, files = backfill(settings, request(RELEASES, *FILES))
    assert state == "succeeded"
    assert {f.state for f in files.values()} == {"loaded"}
    for month, count in GREEN_ROWS.items():
        assert files[TripFile(GREEN_TAXIS, month)].rows == count
    for file in FILES:
        table_rows = rows(
            settings,
            "SELECT count(*), sum(total_amount), count(DISTINCT unique_row_id)"
            f" FROM {file.dataset.table} WHERE filename = '{file.filename}'",
        )
        count, amount = independent_totals(file)
        assert table_rows == [(count, amount, count)]
    again = backfill(settings, request(RELEASES, *FILES, policy=Policy.ALL))
    assert again[0] == "nothing-to-do"


def test_loaded_rows_equal_file_cell_by_cell(settings: Settings) -> None:
    file = FILES[1]
    assert file.dataset == GREEN_TAXIS
    backfill(settings, request(RELEASES, file))
    names = "VendorID, lpep_pickup_datetime, PULocationID, passenger_count, tip_amount"
    table_rows = rows(settings, f"SELECT {names} FROM green_tripdata")
    with gzip.open(RELEASES / "green" / f"{file.stem}.csv.gz", "rt", newline="") as lines:
        expected = Counter(
            (
                int(row["VendorID"]) if row["VendorID"] else None,
                row["lpep_pickup_datetime"],
                int(row["PULocationID"]),
                int(row["passenger_count"]) if row["passenger_count"] else None,
                Decimal(row["tip_amount"]),
            )
            for row in csv.DictReader(lines)
        )
    assert Counter((v, str(at), z, p, t) for v, at, z, p, t in table_rows) == expected


def test_real_month_as_parquet_replaces_its_csv_rows(settings: Settings) -> None:
    file = TripFile(GREEN_TAXIS, MONTHS[0])
    backfill(settings, request(RELEASES, file))
    entry = load(DATA / "trip-data", file, settings)
    assert entry.rows == 35_644
    assert rows(settings, "SELECT count(*) FROM green_tripdata") == [(35_644,)]
    parquet = duckdb.connect().execute(
        "SELECT sum(total_amount::DECIMAL(9,2)) FROM read_parquet(?)",
        [str(DATA / "trip-data" / f"{file.stem}.parquet")],
    )
    assert rows(settings, "SELECT sum(total_amount) FROM green_tripdata") == parquet.fetchall()
    assert entry.inserted is not None
    assert entry.unchanged is not None
    assert 0 < entry.inserted < entry.unchanged


@pytest.mark.parametrize(("month", "count"), [("2023-01", 68_211), ("2023-02", 64_809)])
def test_real_parquet_files_of_different_types_load_in_full(
    settings: Settings, month: str, count: int
) -> None:
    entry = load(DATA / "trip-data", TripFile(GREEN_TAXIS, Month.parse(month)), settings)
    assert (entry.rows, entry.rejected) == (count, 0)
