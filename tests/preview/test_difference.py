"""Diffs: they predict a load to the row, and change nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, GREEN_TAXIS, Dataset
from pipeline.core.errors import Cancelled, TripFileError, UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.preview.difference import FileDiff, diff_file
from pipeline.preview.subject import find_subject, read_local_file
from pipeline.warehouse.ledger import LOADER_VERSION
from tests.support.command import document, pipeline
from tests.support.files import GREEN, YELLOW, load, put_trips, rows, trip, warehouse
from tests.warehouse.test_real_files import DATA, RELEASES

BEFORE = [
    trip(GREEN, PULocationID="1"),
    trip(GREEN, PULocationID="2"),
    trip(GREEN, PULocationID="3"),
    trip(GREEN, PULocationID="4", total_amount="9.3"),
    trip(GREEN, PULocationID="4", total_amount="-9.3"),
    trip(GREEN, PULocationID="5", VendorID=None),
]
AFTER = [
    trip(GREEN, PULocationID="1"),
    trip(GREEN, PULocationID="2", total_amount="10", tip_amount="0.7"),
    trip(GREEN, PULocationID="4", total_amount="9.3"),
    trip(GREEN, PULocationID="4", total_amount="-9.3"),
    trip(GREEN, PULocationID="4", total_amount="12"),
    trip(GREEN, PULocationID="5", VendorID=None),
    trip(GREEN, PULocationID="6", ehail_fee="1.5"),
]


def diff_with_warehouse(settings: Settings, source: object, file: TripFile = GREEN) -> FileDiff:
    """Compare a source's file with the warehouse of the test."""
    subject = find_subject(file, str(source), settings, Cancel())
    with warehouse(settings) as opened:
        return diff_file(subject, opened, settings, Cancel())


def test_diff_counts_changed_rows_and_marks_their_cells(
    warehouse_settings: Settings, folder: Path
) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    load(folder, YELLOW, warehouse_settings)
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, warehouse_settings)
    put_trips(folder, GREEN, AFTER)
    difference = diff_with_warehouse(warehouse_settings, folder)
    assert (difference.inserted, difference.updated, difference.deleted, difference.unchanged) == (
        2,
        1,
        1,
        4,
    )
    assert (difference.rows, difference.rejected, difference.same_bytes) == (7, 0, False)
    assert (difference.amount_before, difference.amount_after) == (
        Decimal("37.20"),
        Decimal("49.90"),
    )
    assert dict(difference.cells) == {"tip_amount": 1, "total_amount": 1}
    kinds = [row.change for row in difference.examples]
    assert kinds == ["updated", "inserted", "inserted", "deleted"]
    updated, *_, deleted = difference.examples
    assert deleted.before is not None
    assert (deleted.before["PULocationID"], deleted.after) == (3, None)
    assert updated.cells == ("tip_amount", "total_amount")
    assert updated.before is not None
    assert updated.after is not None
    assert updated.before["total_amount"] == Decimal("9.30")
    assert updated.after["total_amount"] == Decimal("10.00")

    entry = load(folder, GREEN, warehouse_settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (2, 1, 1, 4)
    again = diff_with_warehouse(warehouse_settings, folder)
    assert again.same_bytes
    assert again.is_empty
    assert (again.unchanged, again.amount_after) == (7, Decimal("49.90"))


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=str)
def test_diff_counts_changed_rows_of_every_dataset(
    dataset: Dataset, settings: Settings, folder: Path
) -> None:
    file = TripFile(dataset, Month(2020, 4))
    zone = next(column.name for column in dataset.columns if column.name.lower() == "pulocationid")
    put_trips(folder, file, [trip(file, **{zone: str(number)}) for number in (1, 2, 3)])
    load(folder, file, settings)
    put_trips(folder, file, [trip(file, **{zone: str(number)}) for number in (2, 3, 4, 5)])
    difference = diff_with_warehouse(settings, folder, file)
    assert (difference.rows, difference.inserted, difference.deleted) == (4, 2, 1)


def test_diff_reads_large_month_in_parts(
    warehouse_settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [
        trip(GREEN, PULocationID="1", pickup=f"2020-04-{day:02d} 10:00:00") for day in range(1, 31)
    ]
    put_trips(folder, GREEN, [*days, *BEFORE])
    load(folder, GREEN, warehouse_settings)
    put_trips(folder, GREEN, [*days, *AFTER])
    whole = diff_with_warehouse(warehouse_settings, folder)
    monkeypatch.setattr("pipeline.preview.difference.ROWS_AT_ONCE", 5)
    in_parts = diff_with_warehouse(warehouse_settings, folder)
    assert in_parts.examples
    assert replace(in_parts, examples=whole.examples) == whole
    assert (whole.inserted, whole.updated, whole.deleted, whole.unchanged) == (2, 1, 1, 34)


def test_diff_of_same_rows_in_other_bytes_is_empty(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, BEFORE[::-1])
    difference = diff_with_warehouse(settings, folder)
    assert not difference.same_bytes
    assert difference.is_empty
    assert difference.unchanged == 6


def test_diff_of_unloaded_file_inserts_every_row(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [*BEFORE, trip(GREEN, PULocationID="x")] * 200)
    settings = settings.model_copy(update={"max_rejected_share": 0.5})
    difference = diff_with_warehouse(settings, folder)
    assert difference.loaded is None
    assert (difference.inserted, difference.rejected, difference.unchanged) == (1200, 200, 0)
    assert len(difference.examples) == 20


def test_diff_fails_where_load_would_fail(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID="x")])
    with pytest.raises(TripFileError, match="no cell of PULocationID can be read"):
        diff_with_warehouse(settings, folder)


def test_diff_requires_whole_file_and_stops_on_cancel(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, BEFORE)
    subject = read_local_file(path, GREEN, settings, Cancel())
    with warehouse(settings) as opened:
        with pytest.raises(UsageError, match="not downloaded completely"):
            diff_file(replace(subject, whole=False), opened, settings, Cancel())
        cancel = Cancel()
        cancel.set()
        with pytest.raises(Cancelled):
            diff_file(subject, opened, settings, cancel)


def test_diff_command_leaves_warehouse_file_unchanged(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    before = hashlib.sha256(settings.warehouse_path.read_bytes()).digest()
    put_trips(folder, GREEN, AFTER)
    arguments = ("diff", "--color", "green", "--month", "2020-04", "--source", str(folder))
    difference = document(pipeline(settings, *arguments, "--json"))
    assert {name: difference[name] for name in ("inserted", "updated", "deleted", "unchanged")} == {
        "inserted": 2,
        "updated": 1,
        "deleted": 1,
        "unchanged": 4,
    }
    assert difference["changed_cells"] == {"tip_amount": 1, "total_amount": 1}
    assert difference["examples"][0]["cells"] == ["tip_amount", "total_amount"]
    text = pipeline(settings, *arguments).stdout
    assert "insert 2, update 1 and delete 1 rows, leave 4 unchanged" in text
    assert "9.30 → 10.00" in text
    assert hashlib.sha256(settings.warehouse_path.read_bytes()).digest() == before
    assert len(rows(settings, "SELECT * FROM load_ledger")) == 1


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_diff_of_real_month_predicts_load_to_the_row(settings: Settings) -> None:
    file = TripFile(GREEN_TAXIS, Month(2020, 4))
    load(RELEASES / "green", file, settings)
    difference = diff_with_warehouse(settings, DATA / "trip-data", file)
    entry = load(DATA / "trip-data", file, settings)
    assert (
        difference.rows,
        difference.inserted,
        difference.updated,
        difference.deleted,
        difference.unchanged,
    ) == (
        entry.rows,
        entry.inserted,
        entry.updated,
        entry.deleted,
        entry.unchanged,
    )
    assert difference.amount_after == entry.total_amount
    assert json.dumps(dict(difference.cells))
    assert entry.loader_version == LOADER_VERSION
