"""Removing a loaded file: what goes and what stays, on every backend."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from tests.support.files import (
    GREEN,
    YELLOW,
    amounts,
    assert_rollups_agree,
    put_trips,
    rows,
    stage_from,
    trip,
    warehouse,
)

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


def load_from(source: str, folder: Path, file: TripFile, settings: Settings) -> LedgerEntry:
    """Load a file of a folder as if it came from this source."""
    with warehouse(settings) as opened:
        staged = stage_from(folder, file, settings)
        return opened.load(staged, LoadJob("a-run", source), LoadMonitor())


def records(settings: Settings) -> dict[TripFile, FileRecord]:
    with warehouse(settings) as opened:
        return opened.records()


def remove(settings: Settings, file: TripFile, source: str = "sample") -> int | None:
    with warehouse(settings) as opened:
        return opened.remove(file, source)


def test_removed_file_leaves_no_row_rollup_reject_or_ledger_entry(
    warehouse_settings: Settings, folder: Path
) -> None:
    many = [trip(GREEN, PULocationID=n) for n in range(1, 20)]
    # A stray of another month, a trip without a pickup, and a row that is rejected.
    odd = [trip(GREEN, pickup="2020-07-01 00:00:00"), trip(GREEN, pickup=None)]
    put_trips(folder, GREEN, [*many, *odd, trip(GREEN, PULocationID="nowhere")])
    for file in (MAY, YELLOW):
        put_trips(folder, file, [trip(file)])
        load_from("sample", folder, file, warehouse_settings)
    settings = warehouse_settings.model_copy(update={"max_rejected_share": 0.5})
    load_from("sample", folder, GREEN, settings)
    assert rows(settings, "SELECT count(*) FROM rejects") == [(1,)]

    assert remove(settings, GREEN) == 21

    assert amounts(settings, GREEN) == []
    assert rows(settings, "SELECT count(*) FROM rejects") == [(0,)]
    assert records(settings).keys() == {MAY, YELLOW}
    assert [amounts(settings, file) for file in (MAY, YELLOW)] == [["9.30"], ["9.30"]]
    assert_rollups_agree(settings)


def test_file_of_another_source_is_not_removed(warehouse_settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load_from("sample", folder, GREEN, warehouse_settings)
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, total_amount="1.00")])
    load_from("github", folder, GREEN, warehouse_settings)

    assert remove(warehouse_settings, GREEN) is None
    assert remove(warehouse_settings, MAY) is None  # never loaded

    assert amounts(warehouse_settings, GREEN) == ["1.00", "9.30"]
    loaded = records(warehouse_settings)[GREEN].loaded
    assert loaded is not None
    assert loaded.source == "github"


def test_failure_of_another_source_outlives_removal(
    warehouse_settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    entry = load_from("sample", folder, GREEN, warehouse_settings)
    failure = replace(
        entry,
        state="failed",
        source="github",
        reason="HTTP 503",
        finished_at=datetime.now(UTC).replace(tzinfo=None),
    )
    with warehouse(warehouse_settings) as opened:
        opened.record(failure)

    assert remove(warehouse_settings, GREEN) == 1

    record = records(warehouse_settings)[GREEN]
    assert (record.latest.source, record.latest.state) == ("github", "failed")
    assert record.loaded is None


def test_removed_file_can_be_loaded_again(warehouse_settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load_from("sample", folder, GREEN, warehouse_settings)
    remove(warehouse_settings, GREEN)
    entry = load_from("github", folder, GREEN, warehouse_settings)
    assert (entry.inserted, entry.updated, entry.deleted) == (1, 0, 0)
    assert amounts(warehouse_settings, GREEN) == ["9.30"]
    assert_rollups_agree(warehouse_settings)
