"""The command `verify`: two sides are equal, or every row that differs is listed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import staged_path
from pipeline.ops import parity
from pipeline.ops.parity import Comparison, compare_staged, loaded_entries
from pipeline.runs.policy import Policy
from pipeline.warehouse.extract import cells as extract_cells
from pipeline.warehouse.extract.cells import stored_type
from pipeline.warehouse.registry import open_warehouse
from tests.support.command import pipeline
from tests.support.files import (
    GREEN,
    YELLOW,
    backfill,
    header,
    put_parquet,
    put_trips,
    request,
    trip,
)


@pytest.fixture
def loaded(settings: Settings, folder: Path) -> Settings:
    """Return a local warehouse with one green file of 300 rows, some with the same identity."""
    rows = [trip(GREEN, PULocationID=n % 100, total_amount=f"{n}.25") for n in range(300)]
    put_trips(folder, GREEN, rows)
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    return settings


def change(settings: Settings, sql: str) -> None:
    """Change the warehouse without the loader."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute(sql)


def against_staging(settings: Settings, limit: int = 20) -> Comparison:
    with open_warehouse("local", settings, read_only=True) as warehouse:
        entry = loaded_entries(warehouse)[GREEN]
        return compare_staged(warehouse, entry, settings, limit, print, Cancel())


def test_loaded_file_equals_staged_file_in_rows_cents_and_fingerprints(
    loaded: Settings,
) -> None:
    comparison = against_staging(loaded)
    assert (comparison.state, comparison.different_rows, comparison.differences) == ("equal", 0, ())
    assert comparison.ours == comparison.theirs
    assert comparison.ours is not None
    assert comparison.ours.rows == 300
    assert str(comparison.ours.total_amount) == f"{sum(range(300)) + 75:.2f}".rstrip("0").rstrip(
        "."
    )
    assert not list(loaded.home.glob("verify-*"))


def test_changed_cell_is_reported_with_both_values(loaded: Settings) -> None:
    before = against_staging(loaded).ours
    change(
        loaded,
        "UPDATE storage.green_tripdata SET tip_amount = 0.07, store_and_fwd_flag = NULL "
        "WHERE total_amount = 8.25",
    )
    comparison = against_staging(loaded)
    assert (comparison.state, comparison.different_rows) == ("different", 1)
    (difference,) = comparison.differences
    assert {name: tuple(map(str, cells)) for name, cells in difference.columns.items()} == {
        "tip_amount": ("0.07", "0.00"),
        "store_and_fwd_flag": ("None", "N"),
    }
    assert comparison.ours is not None
    assert before is not None
    assert comparison.ours.ids == before.ids  # same trips, other contents
    assert comparison.ours.contents != before.contents


def test_missing_added_and_duplicate_rows_are_counted_and_listed(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "_ROWS_AT_ONCE", 2)  # so that rows are fetched in several groups
    change(loaded, "DELETE FROM storage.green_tripdata WHERE total_amount < 5")
    change(
        loaded,
        "INSERT INTO storage.green_tripdata "
        "SELECT * FROM storage.green_tripdata WHERE total_amount IN (50.25, 51.25)",
    )
    change(
        loaded,
        "INSERT INTO storage.green_tripdata SELECT * REPLACE (250 AS DOLocationID) "
        "FROM storage.green_tripdata WHERE total_amount = 60.25",
    )
    comparison = against_staging(loaded)
    kinds = sorted((d.our_times, d.their_times) for d in comparison.differences)
    assert kinds == [(0, 1)] * 5 + [(1, 0)] + [(2, 1)] * 2
    assert comparison.different_rows == 8
    short = against_staging(loaded, limit=3)
    assert (len(short.differences), short.different_rows) == (3, 8)


def test_file_without_staged_copy_is_unchecked(loaded: Settings) -> None:
    staged_path(GREEN, "csv.gz", loaded).unlink()
    comparison = against_staging(loaded)
    assert (comparison.state, comparison.reason) == ("unchecked", "it is no longer staged")


def test_newer_version_in_staging_is_not_compared(loaded: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, VendorID="x") for _ in range(5)])  # fails to load
    assert backfill(loaded, request(folder, GREEN))[0] == "failed"
    comparison = against_staging(loaded)
    assert comparison.state == "unchecked"
    assert "the staged version" in comparison.reason


def test_damaged_staged_file_is_not_compared(loaded: Settings) -> None:
    path = staged_path(GREEN, "csv.gz", loaded)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    comparison = against_staging(loaded)
    assert comparison.state == "unchecked"
    assert GREEN.stem in comparison.reason


def test_exit_code_distinguishes_equal_different_and_unchecked(
    loaded: Settings, folder: Path
) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    assert backfill(loaded, request(folder, YELLOW))[0] == "succeeded"
    equal = pipeline(loaded, "verify", "--target", "local", "--json")
    assert equal.returncode == 0, equal.stderr
    document = json.loads(equal.stdout)
    assert (document["equal"], document["sides"]) == (True, ["local", "staging"])
    assert [f["file"] for f in document["files"]] == [GREEN.filename, YELLOW.filename]
    assert document["files"][0]["local"] == document["files"][0]["staging"]
    assert document["files"][0]["local"]["rows"] == 300
    change(loaded, "UPDATE storage.green_tripdata SET trip_type = 2 WHERE total_amount = 8.25")
    different = pipeline(loaded, "verify", "--target", "local")
    assert different.returncode == 1
    assert "trip_type is 2 in local, 1 in staging" in different.stdout
    narrowed = ("verify", "--target", "local", "--color", "yellow", "--from", "2020-04")
    assert pipeline(loaded, *narrowed).returncode == 0
    nothing = pipeline(loaded, "verify", "--target", "local", "--from", "2021-01")
    assert (nothing.returncode, "no loaded file to verify" in nothing.stderr) == (2, True)


@pytest.mark.parametrize("ending", ["csv.gz", "csv", "parquet"])
def test_cast_that_is_wrong_on_both_sides_shows_in_a_sample(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    if ending == "parquet":
        put_parquet(
            folder,
            GREEN,
            "SELECT 2 AS VendorID, TIMESTAMP '2020-04-01 08:00:00' + to_minutes(n) AS"
            " lpep_pickup_datetime, TIMESTAMP '2020-04-02 08:00:00' AS lpep_dropoff_datetime,"
            " n % 200 AS PULocationID, 41.0 AS DOLocationID, n * 1.5 AS total_amount"
            " FROM range(900) AS numbers (n)",
        )
    else:
        rows = [trip(GREEN, PULocationID=n % 200, total_amount=f"{n}.5") for n in range(900)]
        put_trips(folder, GREEN, rows, ending)
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    assert against_staging(settings).state == "equal"
    # Both the warehouse and the comparison now read times as a lenient cast might.
    monkeypatch.setattr(
        extract_cells, "_cast", lambda column: f"{column.name} + INTERVAL 1 HOUR"
        if column.type == "TIMESTAMP" else f"CAST({column.name} AS {stored_type(column)})",
    )  # fmt: skip
    forced = request(folder, GREEN, policy=Policy.ALL, force=True)
    assert backfill(settings, forced)[0] == "succeeded"
    comparison = against_staging(settings, limit=5)
    assert comparison.state == "different"
    assert re.fullmatch(r"9\d\d of 9\d\d sampled rows differ from the file"
                        r"|[45]\d\d of [45]\d\d sampled .*", comparison.reason)  # fmt: skip
    assert len(comparison.differences) == 5


@pytest.mark.parametrize(
    ("type_of_times", "is_int96", "others"),
    [
        (pyarrow.timestamp("us", "America/New_York"), True, []),
        (pyarrow.timestamp("us", "+05:45"), False, []),
        (pyarrow.timestamp("us", "UTC"), False, []),
        (pyarrow.timestamp("us"), False, [317_144_678_400_000_000, 2**63 - 1]),
        (pyarrow.timestamp("ns"), False, [-1_001, -999]),
        (pyarrow.timestamp("ms"), False, [-1_001]),
    ],
    ids=["INT96 of a zone", "offset", "UTC", "far future", "before 1970", "milliseconds"],
)
def test_sample_reads_parquet_times_as_the_load_does(
    settings: Settings,
    folder: Path,
    type_of_times: pyarrow.DataType,
    is_int96: bool,
    others: list[int],
) -> None:
    per_second = {"us": 10**6, "ns": 10**9, "ms": 10**3}[type_of_times.unit]
    april = [(1_585_728_300 + n) * per_second for n in range(300)]
    times = pyarrow.array([*april, *others], pyarrow.int64()).cast(type_of_times)
    columns: dict[str, Any] = {name: [1] * len(times) for name in header(GREEN.dataset)}
    columns |= {
        "lpep_pickup_datetime": times,
        "lpep_dropoff_datetime": times,
        "store_and_fwd_flag": ["N"] * len(times),
    }
    folder.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(
        pyarrow.table(columns),
        folder / f"{GREEN.stem}.parquet",
        use_deprecated_int96_timestamps=is_int96,
    )
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    assert against_staging(settings).state == "equal"


def test_cells_in_other_spellings_mean_the_same_to_the_sample(
    settings: Settings, folder: Path
) -> None:
    rows = [
        trip(
            GREEN,
            PULocationID=n,
            pickup=f"4/{1 + n % 28}/2020 {1 + n % 12}:05 PM",
            fare_amount=f"{n},5",
            passenger_count="NULL",
            store_and_fwd_flag="true",
        )
        for n in range(1, 200)
    ]
    put_trips(folder, GREEN, [*rows, trip(GREEN, PULocationID=7)])
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    assert against_staging(settings).state == "equal"
    change(settings, "UPDATE storage.green_tripdata SET passenger_count = 0 WHERE PULocationID = 9")
    assert against_staging(settings).different_rows == 1
