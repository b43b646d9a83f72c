"""`verify`: two places hold the same trips, or every row that differs is named."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from pipeline import parity
from pipeline.cancel import Cancel
from pipeline.parity import Comparison, compare_staged, loaded_entries
from pipeline.settings import Settings
from pipeline.staging import staged_path
from pipeline.warehouse import open_warehouse
from tests.files import GREEN, YELLOW, backfill, put_trips, request, trip
from tests.test_cli import pipeline


@pytest.fixture
def loaded(settings: Settings, folder: Path) -> Settings:
    """A local warehouse with one green file of 300 rows, some of which share an identity."""
    rows = [trip(GREEN, PULocationID=n % 100, total_amount=f"{n}.25") for n in range(300)]
    put_trips(folder, GREEN, rows)
    assert backfill(settings, request(folder, GREEN))[0] == "succeeded"
    return settings


def change(settings: Settings, sql: str) -> None:
    """Change the warehouse behind the loader's back."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute(sql)


def against_staging(settings: Settings, limit: int = 20) -> Comparison:
    with open_warehouse("local", settings, read_only=True) as warehouse:
        entry = loaded_entries(warehouse)[GREEN]
        return compare_staged(warehouse, entry, settings, limit, print, Cancel())


def test_a_loaded_file_equals_its_staged_file_in_rows_cents_and_fingerprints(
    loaded: Settings,
) -> None:
    found = against_staging(loaded)
    assert (found.state, found.different_rows, found.differences) == ("equal", 0, ())
    assert found.ours == found.theirs
    assert found.ours is not None
    assert found.ours.rows == 300
    assert str(found.ours.total_amount) == f"{sum(range(300)) + 75:.2f}".rstrip("0").rstrip(".")
    assert not list(loaded.home.glob("verify-*"))


def test_a_changed_cell_is_named_with_both_its_values(loaded: Settings) -> None:
    before = against_staging(loaded).ours
    change(
        loaded,
        "UPDATE storage.green_tripdata SET tip_amount = 0.07, store_and_fwd_flag = NULL "
        "WHERE total_amount = 8.25",
    )
    found = against_staging(loaded)
    assert (found.state, found.different_rows) == ("different", 1)
    (difference,) = found.differences
    assert {name: tuple(map(str, cells)) for name, cells in difference.columns.items()} == {
        "tip_amount": ("0.07", "0.00"),
        "store_and_fwd_flag": ("None", "N"),
    }
    assert found.ours is not None
    assert before is not None
    assert found.ours.ids == before.ids  # the trips are the same, only what they say is not
    assert found.ours.contents != before.contents


def test_rows_that_are_missing_added_or_there_twice_are_counted_and_named(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "_ROWS_AT_ONCE", 2)  # rows are fetched in many small groups
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
    found = against_staging(loaded)
    kinds = sorted((d.our_times, d.their_times) for d in found.differences)
    assert kinds == [(0, 1)] * 5 + [(1, 0)] + [(2, 1)] * 2
    assert found.different_rows == 8
    short = against_staging(loaded, limit=3)
    assert (len(short.differences), short.different_rows) == (3, 8)


def test_what_is_not_staged_any_more_is_said_to_be_unchecked(loaded: Settings) -> None:
    staged_path(GREEN, "csv.gz", loaded).unlink()
    found = against_staging(loaded)
    assert (found.state, found.reason) == ("unchecked", "it is not staged any more")


def test_a_newer_version_in_staging_is_not_taken_for_what_was_loaded(
    loaded: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, VendorID="x") for _ in range(5)])  # it will not load
    assert backfill(loaded, request(folder, GREEN))[0] == "failed"
    found = against_staging(loaded)
    assert found.state == "unchecked"
    assert "another version" in found.reason


def test_staged_bytes_that_were_damaged_since_are_not_trusted(loaded: Settings) -> None:
    path = staged_path(GREEN, "csv.gz", loaded)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    found = against_staging(loaded)
    assert found.state == "unchecked"
    assert GREEN.stem in found.reason


def test_the_command_line_tells_equal_different_and_nothing_by_its_exit_code(
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
    assert (nothing.returncode, "nothing can be verified" in nothing.stderr) == (2, True)
