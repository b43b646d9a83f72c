"""What loading would change is what loading then changes, and until then nothing has."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, TripFileError, UsageError
from pipeline.preview.difference import Difference, find_difference
from pipeline.preview.subject import find_subject, read_own
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse import LOADER_VERSION
from tests.files import GREEN, YELLOW, load, put_trips, rows, trip, warehouse
from tests.test_cli import document, pipeline
from tests.test_real_files import DATA, RELEASES

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


def differ(settings: Settings, source: object, file: TripFile = GREEN) -> Difference:
    """Compare a source's file with the warehouse the test is about."""
    subject = find_subject(file, str(source), settings, Cancel())
    with warehouse(settings) as opened:
        return find_difference(subject, opened, settings, Cancel())


def test_the_rows_that_would_change_are_counted_and_their_cells_marked(
    either_settings: Settings, folder: Path
) -> None:
    put_trips(folder, YELLOW, [trip(YELLOW)])
    load(folder, YELLOW, either_settings)
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, either_settings)
    put_trips(folder, GREEN, AFTER)
    found = differ(either_settings, folder)
    assert (found.inserted, found.updated, found.deleted, found.unchanged) == (2, 1, 1, 4)
    assert (found.rows, found.rejected, found.same_bytes) == (7, 0, False)
    assert (found.amount_before, found.amount_after) == (Decimal("37.20"), Decimal("49.90"))
    assert dict(found.cells) == {"tip_amount": 1, "total_amount": 1}
    kinds = [row.change for row in found.examples]
    assert kinds == ["updated", "inserted", "inserted", "deleted"]
    updated, *_, deleted = found.examples
    assert deleted.before is not None
    assert (deleted.before["PULocationID"], deleted.after) == (3, None)
    assert updated.cells == ("tip_amount", "total_amount")
    assert updated.before is not None
    assert updated.after is not None
    assert updated.before["total_amount"] == Decimal("9.30")
    assert updated.after["total_amount"] == Decimal("10.00")

    entry = load(folder, GREEN, either_settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (2, 1, 1, 4)
    again = differ(either_settings, folder)
    assert again.same_bytes
    assert again.changes_nothing
    assert (again.unchanged, again.amount_after) == (7, Decimal("49.90"))


def test_a_month_too_large_for_memory_is_read_in_parts(
    either_settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [
        trip(GREEN, PULocationID="1", pickup=f"2020-04-{day:02d} 10:00:00") for day in range(1, 31)
    ]
    put_trips(folder, GREEN, [*days, *BEFORE])
    load(folder, GREEN, either_settings)
    put_trips(folder, GREEN, [*days, *AFTER])
    whole = differ(either_settings, folder)
    monkeypatch.setattr("pipeline.preview.difference.ROWS_AT_ONCE", 5)
    in_parts = differ(either_settings, folder)
    assert in_parts.examples
    assert replace(in_parts, examples=whole.examples) == whole
    assert (whole.inserted, whole.updated, whole.deleted, whole.unchanged) == (2, 1, 1, 34)


def test_the_same_rows_in_other_bytes_change_nothing(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, BEFORE[::-1])
    found = differ(settings, folder)
    assert not found.same_bytes
    assert found.changes_nothing
    assert found.unchanged == 6


def test_a_file_never_loaded_would_be_inserted_whole(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [*BEFORE, trip(GREEN, PULocationID="x")] * 200)
    settings = settings.model_copy(update={"max_rejected_share": 0.5})
    found = differ(settings, folder)
    assert found.loaded is None
    assert (found.inserted, found.rejected, found.unchanged) == (1200, 200, 0)
    assert len(found.examples) == 20


def test_where_a_load_would_fail_a_comparison_says_so(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID="x")])
    with pytest.raises(TripFileError, match="more than the"):
        differ(settings, folder)


def test_only_a_whole_file_is_compared_and_cancel_stops_it(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, BEFORE)
    subject = read_own(path, GREEN, settings, Cancel())
    with warehouse(settings) as opened:
        with pytest.raises(UsageError, match="not here whole"):
            find_difference(replace(subject, whole=False), opened, settings, Cancel())
        cancel = Cancel()
        cancel.set()
        with pytest.raises(Cancelled):
            find_difference(subject, opened, settings, cancel)


def test_the_command_changes_neither_the_warehouse_nor_its_file(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, BEFORE)
    load(folder, GREEN, settings)
    before = hashlib.sha256(settings.warehouse_path.read_bytes()).digest()
    put_trips(folder, GREEN, AFTER)
    arguments = ("diff", "--color", "green", "--month", "2020-04", "--source", str(folder))
    found = document(pipeline(settings, *arguments, "--json"))
    assert {name: found[name] for name in ("inserted", "updated", "deleted", "unchanged")} == {
        "inserted": 2,
        "updated": 1,
        "deleted": 1,
        "unchanged": 4,
    }
    assert found["changed_cells"] == {"tip_amount": 1, "total_amount": 1}
    assert found["examples"][0]["cells"] == ["tip_amount", "total_amount"]
    text = pipeline(settings, *arguments).stdout
    assert "insert 2, update 1 and delete 1 rows, and leave 4 as they are" in text
    assert "9.30 → 10.00" in text
    assert hashlib.sha256(settings.warehouse_path.read_bytes()).digest() == before
    assert len(rows(settings, "SELECT * FROM load_ledger")) == 1


@pytest.mark.skipif(not RELEASES.exists(), reason="no real trip files here")
def test_a_real_month_from_another_source_is_foretold_to_the_row(settings: Settings) -> None:
    file = TripFile(Color.GREEN, Month(2020, 4))
    load(RELEASES / "green", file, settings)
    found = differ(settings, DATA / "trip-data", file)
    entry = load(DATA / "trip-data", file, settings)
    assert (found.rows, found.inserted, found.updated, found.deleted, found.unchanged) == (
        entry.rows,
        entry.inserted,
        entry.updated,
        entry.deleted,
        entry.unchanged,
    )
    assert found.amount_after == entry.total_amount
    assert json.dumps(dict(found.cells))
    assert entry.loader_version == LOADER_VERSION
