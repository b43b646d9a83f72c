"""BigQuery ends up with the same rows, rejects and notes as the reference of the grammar."""

from __future__ import annotations

import random
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.cells import find_conventions, read_cell
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.gcp.warehouse import GoogleWarehouse
from tests.support.cells import (
    COLUMNS,
    TAG,
    cells_csv,
    count_notes,
    draw_cells,
    expected_reason,
    read_by_reference,
)
from tests.support.files import GREEN, TARGETS, put, put_trips, rows, stage_from, trip
from tests.support.parquet_cells import draw_column, write_column


@pytest.fixture
def settings(gcp_settings: Settings) -> Settings:
    settings = gcp_settings.model_copy(update={"max_rejected_share": 1.0})
    TARGETS[settings.home] = "gcp"
    return settings


def load_rows(
    settings: Settings, staged: StagedFile
) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """Load a file, and return its rows by the number in their tag, and the notes of the load."""
    notes: list[str] = []
    names = [*COLUMNS, TAG]
    with GoogleWarehouse(settings) as warehouse:
        warehouse.load(staged, LoadJob("a-run", "s"), LoadMonitor(on_note=notes.append))
    found = rows(settings, f"SELECT {', '.join(names)} FROM green_tripdata")
    table = [dict(zip(names, row, strict=True)) for row in found]
    return {round(row[TAG] * 100): row for row in table}, notes


def wall_clock(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def test_20000_cells_of_a_csv_are_read_as_by_the_reference(
    settings: Settings, folder: Path
) -> None:
    cells = draw_cells(random.Random(20), 20_000)
    put(folder, GREEN, cells_csv(cells))
    table, notes = load_rows(settings, stage_from(folder, GREEN, settings))
    reasons = dict(rows(settings, "SELECT line - 2, reason FROM rejects"))
    readings = read_by_reference(cells)
    wrong = []
    for cell, expected in zip(cells, readings, strict=True):
        if expected.reason:
            pair = reasons.get(cell.number), expected_reason(cell, expected)
        else:
            row = table.get(cell.number, {})
            pair = wall_clock(row.get(cell.column.name)), expected.value
        if pair[0] != pair[1]:
            wrong.append((cell.column.name, cell.text, *pair))
    assert wrong[:5] == []
    assert len(table) + len(reasons) == len(cells)
    said = set(re.findall(r"warning: (\w+): ([\d,]+) cells? with", "\n".join(notes)))
    expected_notes = {
        (name, f"{count:,}") for (name, _), count in count_notes(cells, readings).items()
    }
    assert said == expected_notes


@pytest.mark.parametrize(
    ("type_name", "name"),
    [
        ("double", "fare_amount"),
        ("decimal 12", "VendorID"),
        ("string", "lpep_pickup_datetime"),
        ("timestamp America/New_York", "lpep_pickup_datetime"),
    ],
)
def test_values_of_a_parquet_type_are_read_as_by_the_reference(
    settings: Settings, folder: Path, type_name: str, name: str
) -> None:
    column = COLUMNS[name]
    array, texts = draw_column(random.Random(f"{type_name} {name}"), type_name, 300)
    write_column(folder / f"{GREEN.stem}.parquet", column, array)
    table, _ = load_rows(settings, stage_from(folder, GREEN, settings))
    conventions = find_conventions(
        [(COLUMNS["fare_amount"], "0.01"), *((column, text) for text in texts)]
    )
    for number, text in enumerate(texts):
        expected = read_cell(column, text, conventions)
        assert (number in table) == (not expected.reason), text
        if number in table:
            assert wall_clock(table[number][name]) == expected.value, text


def test_plain_file_is_read_from_the_published_object_only(
    settings: Settings, folder: Path, objects: Any
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID=7)])
    load_rows(settings, stage_from(folder, GREEN, settings))
    assert [path for _, path, _ in objects.seen if "plain" in path] == []


def test_plain_copy_is_gone_from_the_bucket_after_the_load(
    settings: Settings, folder: Path, objects: Any
) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    put_trips(folder, GREEN, [trip(GREEN, store_and_fwd_flag="true", pickup="2020-04-01 8:00 PM")])
    table, _ = load_rows(settings, stage_from(folder, GREEN, settings))
    (row,) = table.values()
    assert wall_clock(row["lpep_pickup_datetime"]) == datetime(2020, 4, 1, 20)
    assert row["store_and_fwd_flag"] == "Y"
    assert [path for _, path, _ in objects.seen if "plain" in path]
    client = storage.Client("p", credentials=AnonymousCredentials())
    names = [blob.name for blob in client.list_blobs(settings.gcp_bucket_name)]
    assert names == ["green/green_tripdata_2020-04.csv.gz"]
