"""The built-in sample: the same file each time, shaped like published ones, faults included."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import (
    DATASETS,
    FOR_HIRE_VEHICLES,
    GREEN_TAXIS,
    YELLOW_TAXIS,
    Dataset,
)
from pipeline.core.errors import Cancelled, StorageError
from pipeline.core.trips import Month, TripFile
from pipeline.files.sample.sample import SAMPLE_VERSION, write_sample
from pipeline.warehouse.extract.cells import stored_type
from tests.support.examples import examples

YELLOW = TripFile(YELLOW_TAXIS, Month(2020, 4))
GREEN = TripFile(GREEN_TAXIS, Month(2020, 4))
FOR_HIRE = TripFile(FOR_HIRE_VEHICLES, Month(2020, 4))
every_dataset = pytest.mark.parametrize(
    "file", [YELLOW, GREEN, FOR_HIRE], ids=lambda file: file.dataset.name
)
both_colors = pytest.mark.parametrize("file", [YELLOW, GREEN], ids=lambda file: file.dataset.name)

HEADERS = {
    YELLOW_TAXIS: "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,"
    "trip_distance,RatecodeID,store_and_fwd_flag,PULocationID,DOLocationID,payment_type,"
    "fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,total_amount,"
    "congestion_surcharge",
    GREEN_TAXIS: "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,"
    "RatecodeID,PULocationID,DOLocationID,passenger_count,trip_distance,fare_amount,extra,mta_tax,"
    "tip_amount,tolls_amount,ehail_fee,improvement_surcharge,total_amount,payment_type,trip_type,"
    "congestion_surcharge",
    FOR_HIRE_VEHICLES: "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,"
    "DOlocationID,SR_Flag,Affiliated_base_number",
}
# Of the unpacked text, so that another compressor does not matter.
SHA256 = {
    YELLOW: "8e73761017b8717230354bac3cf64e9c817b21cf2c36b49ae5a2dd97a8848389",
    GREEN: "26afb0f6fda78d43c568fb40065b4108072a384fc9c340503537fd2c6885d7b5",
    FOR_HIRE: "c94e0f90c234e20501e1714e1e54403719357e8c32dec22298d7b72e155a392d",
}
FOR_HIRE_GAPS = ("PUlocationID", "DOlocationID", "SR_Flag")
IDENTITY = "VendorID, pickup, dropoff, PULocationID, DOLocationID"
PARTS = (
    "fare_amount + extra + mta_tax + tip_amount + tolls_amount + improvement_surcharge "
    "+ congestion_surcharge"
)


@cache
def packed(file: TripFile) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sample.part"
        write_sample(file, path, Cancel())
        return path.read_bytes()


def unpacked(file: TripFile) -> str:
    return gzip.decompress(packed(file)).decode("ascii")


@cache
def table(file: TripFile) -> duckdb.DuckDBPyConnection:
    """The file in a table `trips`, with `pickup` and `dropoff` for the dataset's own names."""
    types = {column.name: stored_type(column) for column in file.dataset.columns if not column.fee}
    pickup, dropoff = file.dataset.pickup, file.dataset.dropoff
    connection = duckdb.connect()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sample.csv.gz"
        path.write_bytes(packed(file))
        connection.execute(
            f"CREATE TABLE trips AS SELECT row_number() OVER () AS line, * "
            f"RENAME ({pickup} AS pickup, {dropoff} AS dropoff) "
            "FROM read_csv($path, columns = $types, header = true, auto_detect = false)",
            {"path": str(path), "types": types},
        )
    return connection


def ask(file: TripFile, sql: str) -> Any:
    """The one value the statement returns."""
    row = table(file).execute(sql).fetchone()
    assert row is not None
    return row[0]


def count(file: TripFile, condition: str = "true") -> int:
    return int(ask(file, f"SELECT count(*) FROM trips WHERE {condition}"))


def stray_condition(file: TripFile) -> str:
    month = file.month
    return f"pickup < '{month}-01' OR pickup >= '{month.plus(1)}-01'"


@every_dataset
def test_sample_file_has_the_same_bytes_in_every_process(file: TripFile, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from pipeline.files.sample.sample import write_sample\n"
        "from pipeline.core.cancel import Cancel; from pipeline.core.trips import TripFile\n"
        "write_sample(TripFile.parse(sys.argv[1]), Path(sys.argv[2]), Cancel())\n"
    )
    path = tmp_path / "sample.part"
    subprocess.run(
        [sys.executable, "-c", script, file.filename, path],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
    )
    assert path.read_bytes() == packed(file)


@every_dataset
def test_sample_content_changes_only_with_the_version(file: TripFile) -> None:
    found = hashlib.sha256(unpacked(file).encode()).hexdigest()
    assert (SAMPLE_VERSION, found) == ("1", SHA256[file]), "raise SAMPLE_VERSION, then pin again"


def test_sample_gzip_holds_no_timestamp() -> None:
    assert packed(GREEN)[4:8] == bytes(4)


def test_importing_the_sample_module_imports_no_numpy_or_duckdb() -> None:
    script = (
        "import sys, pipeline.files.sample.sample\n"
        "print({'numpy', 'duckdb', 'pandas'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=root
    )
    assert done.stdout.strip() == "set()"


@examples(6, 1)
@given(
    dataset=st.sampled_from(list(DATASETS.values())),
    month=st.builds(Month, st.integers(2009, 2099), st.integers(1, 12)),
)
@example(GREEN_TAXIS, Month(2009, 1))
@example(GREEN_TAXIS, Month(2020, 3))  # the clocks change
@example(GREEN_TAXIS, Month(2020, 11))  # and back
def test_sample_of_any_month_covers_each_of_its_days(dataset: Dataset, month: Month) -> None:
    file = TripFile(dataset, month)
    assert unpacked(file).splitlines()[0] == HEADERS[dataset]
    assert 2_000 < count(file) < 100_000
    assert 3 <= count(file, stray_condition(file)) <= 12
    days = ask(file, f"SELECT day(last_day('{month}-01'::DATE))")
    within = f"WHERE NOT ({stray_condition(file)})"
    assert ask(file, f"SELECT count(DISTINCT pickup::DATE) FROM trips {within}") == days
    if dataset.has("total_amount"):
        assert count(file, f"{PARTS} IS DISTINCT FROM total_amount") == 0
    assert count(file, "PULocationID NOT BETWEEN 1 AND 265") == 0
    assert count(file, "DOLocationID NOT BETWEEN 1 AND 265") == 0


@every_dataset
def test_every_cell_is_written_as_published(file: TripFile) -> None:
    code, moment = r"\d*", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    cells = {"INT64": code, "TIMESTAMP": moment, "NUMERIC": r"-?\d+\.\d{1,2}", "STRING": "[NY]?"}
    patterns = [
        ""
        if column.name == "ehail_fee"
        else "(B[0-9]{5})?"
        if column.is_code
        else cells[column.type]
        for column in file.dataset.columns
        if not column.fee
    ]
    line = re.compile(",".join(patterns))
    assert [row for row in unpacked(file).splitlines()[1:] if not line.fullmatch(row)] == []


@both_colors
def test_each_void_negates_the_trip_after_it(file: TripFile) -> None:
    amounts = [*PARTS.split(" + "), "total_amount"]
    opposite = " AND ".join(f"void.{name} = -trip.{name}" for name in amounts)
    voids = count(file, "total_amount < 0")
    matched = (
        f"SELECT count(*) FROM trips void JOIN trips trip USING ({IDENTITY}, trip_distance) "
        f"WHERE void.total_amount < 0 AND trip.line = void.line + 1 AND {opposite} "
        "AND void.payment_type IN (3, 4) AND trip.payment_type = 2"
    )
    assert ask(file, matched) == voids
    assert 0.001 < voids / count(file) < 0.006


@both_colors
def test_rows_without_a_vendor_have_no_codes_either(file: TripFile) -> None:
    codes = ["store_and_fwd_flag", "RatecodeID", "passenger_count", "payment_type"]
    codes += ["trip_type"] if file.dataset is GREEN_TAXIS else []
    for code in codes:
        assert count(file, f"(VendorID IS NULL) <> ({code} IS NULL)") == 0, code
    low, high = (0.35, 0.39) if file.dataset is GREEN_TAXIS else (0.02, 0.1)
    assert low < count(file, "VendorID IS NULL") / count(file) < high


@every_dataset
def test_strays_lie_years_away_and_in_the_months_beside(file: TripFile) -> None:
    rows = table(file).execute(
        f"SELECT DISTINCT strftime(pickup, '%Y-%m') FROM trips WHERE {stray_condition(file)}"
    )
    months = {str(month) for (month,) in rows.fetchall()}
    assert {"2008-12", "2009-01", "2020-03", "2020-05"} < months
    assert max(months) > "2030"


def test_for_hire_trips_miss_zones_and_bases_and_some_rows_repeat() -> None:
    shares = [count(FOR_HIRE, f"{name} IS NULL") / count(FOR_HIRE) for name in FOR_HIRE_GAPS]
    assert shares == pytest.approx([0.3, 0.12, 0.98], abs=0.02)
    assert 2 <= count(FOR_HIRE, "dispatching_base_num IS NULL") <= 6
    distinct = ask(FOR_HIRE, "SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE (line) FROM trips)")
    assert 0.002 < (count(FOR_HIRE) - distinct) / count(FOR_HIRE) < 0.004


@both_colors
def test_few_rows_occur_twice(file: TripFile) -> None:
    distinct = ask(file, "SELECT count(*) FROM (SELECT DISTINCT * EXCLUDE (line) FROM trips)")
    assert 1 <= count(file) - distinct <= 10


@both_colors
def test_rows_are_ordered_by_pickup_roughly_but_not_exactly(file: TripFile) -> None:
    gap = (
        "SELECT avg(({}) ::INT) FROM "
        "(SELECT epoch(pickup - lag(pickup) OVER (ORDER BY line)) AS step FROM trips)"
    )
    assert ask(file, gap.format("step < 0")) > 0.1
    assert ask(file, gap.format("step < -3600")) < 0.005


@both_colors
def test_trips_take_time_and_most_cover_a_distance(file: TripFile) -> None:
    assert count(file, "dropoff <= pickup") == 0
    assert 300 < ask(file, "SELECT median(epoch(dropoff - pickup)) FROM trips") < 1500
    assert 0.005 < count(file, "trip_distance = 0") / count(file) < 0.08


@both_colors
def test_fares_follow_distance_and_time(file: TripFile) -> None:
    metered = "WHERE RatecodeID = 1 AND trip_distance > 0 AND dropoff < pickup + INTERVAL 3 HOUR"
    assert ask(file, f"SELECT corr(abs(fare_amount), trip_distance) FROM trips {metered}") > 0.9
    minutes = "epoch(dropoff - pickup)"
    assert ask(file, f"SELECT corr(abs(fare_amount), {minutes}) FROM trips {metered}") > 0.8


def test_trips_between_jfk_and_manhattan_cost_the_flat_fare() -> None:
    flat, elsewhere = "RatecodeID = 2", "132 NOT IN (PULocationID, DOLocationID)"
    assert count(YELLOW, flat) > 50
    assert count(YELLOW, f"{flat} AND abs(fare_amount) <> 52") == 0
    assert count(YELLOW, f"{flat} AND {elsewhere} AND PULocationID <> 264") == 0  # 264: unknown


@both_colors
def test_tips_are_on_cards_only(file: TripFile) -> None:
    assert count(file, "tip_amount <> 0 AND payment_type IS DISTINCT FROM 1") == 0
    assert count(file, "tip_amount > 0") > 0.5 * count(file, "payment_type = 1")


@both_colors
def test_workdays_have_a_rush_hour_and_weekends_a_late_night(file: TripFile) -> None:
    workday, weekend = "isodow(pickup) < 6", "isodow(pickup) >= 6"
    rush, night = (count(file, f"{workday} AND hour(pickup) = {hour}") for hour in (18, 4))
    assert rush > 5 * night
    late = [
        count(file, f"{days} AND hour(pickup) < 4") / count(file, days)
        for days in (weekend, workday)
    ]
    assert late[0] > 2 * late[1]


def test_yellow_drives_in_manhattan_and_green_around_it() -> None:
    midtown = "PULocationID IN (161, 162, 163, 230, 186, 48, 237, 236)"
    assert count(YELLOW, midtown) > 0.2 * count(YELLOW)
    assert count(GREEN, midtown) < 0.02 * count(GREEN)
    assert count(GREEN, "PULocationID IN (74, 75, 41, 42)") > 0.2 * count(GREEN)


def test_months_and_colors_differ_and_spring_2020_dips() -> None:
    february = TripFile(GREEN_TAXIS, Month(2020, 2))
    assert count(GREEN) < 0.4 * count(february)
    assert count(YELLOW) > 2 * count(GREEN)
    assert count(february) != count(TripFile(GREEN_TAXIS, Month(2019, 2)))


def test_february_has_its_leap_day_in_leap_years_only() -> None:
    leap, common = (TripFile(GREEN_TAXIS, Month(year, 2)) for year in (2024, 2023))
    assert count(leap, "pickup::DATE = '2024-02-29'") > 300
    assert count(common, "pickup >= '2023-03-01' AND pickup < '2023-04-01'") < 5


def test_cancel_before_the_start_writes_nothing(tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        write_sample(GREEN, tmp_path / "sample.part", cancel)
    assert list(tmp_path.iterdir()) == []


class CancelOnceWriting(Cancel):
    """Pressed by another thread as soon as the file is being written."""

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        with super().calling(callback):
            threading.Timer(0.03, self.set).start()
            yield


def test_cancel_stops_the_writing_midway(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_sample(
            TripFile(YELLOW_TAXIS, Month(2019, 3)), tmp_path / "sample.part", CancelOnceWriting()
        )
    assert list(tmp_path.iterdir()) == []  # written to the end, it would be there


def test_missing_folder_raises_a_storage_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"green_tripdata_2020-04\.csv"):
        write_sample(GREEN, tmp_path / "gone" / "sample.part", Cancel())
