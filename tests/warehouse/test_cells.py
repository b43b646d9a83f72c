"""DuckDB reads every cell as the reference of the grammar does, whichever way it reads a file."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from pipeline.core.cells import Conventions, find_conventions, read_cell
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.reader import read_rows, take_out_rejects
from pipeline.warehouse.extract.statements import ExtractStatements
from tests.support.cells import (
    COLUMNS,
    TAG,
    DrawnCell,
    cells_csv,
    count_notes,
    draw_cells,
    expected_reason,
    read_by_reference,
)
from tests.support.examples import examples
from tests.support.files import GREEN, csv_bytes, put, stage_from, trip
from tests.support.parquet_cells import TYPE_NAMES, draw_column, write_column

CELLS = 2500  # of one file
SEEDS = st.integers(0, 2**32)
# A smaller seed is no simpler file, so Hypothesis need not look for one.
OPTIONS = {
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
    "phases": [Phase.explicit, Phase.generate],
}


def stage_cells(settings: Settings, folder: Path, cells: list[DrawnCell]) -> StagedFile:
    put(folder, GREEN, cells_csv(cells), "csv")
    return stage_from(folder, GREEN, settings)


def rows_by_number(connection: duckdb.DuckDBPyConnection) -> dict[int, dict[str, Any]]:
    """Return the rows of `incoming` by the number in their tag."""
    connection.execute("SELECT * FROM incoming")
    names = [column[0] for column in connection.description or []]
    rows = (dict(zip(names, row, strict=True)) for row in connection.fetchall())
    return {round(row[TAG] * 100): row for row in rows}


@pytest.mark.timeout(900)  # of a slow run
@given(SEEDS)
@examples(200, 8, **OPTIONS)
def test_every_cell_of_a_csv_is_read_as_by_the_reference(
    settings: Settings, folder: Path, seed: int
) -> None:
    cells = draw_cells(random.Random(seed), CELLS)
    staged = stage_cells(settings, folder, cells)
    with duckdb.connect() as connection:
        reading = read_rows(connection, staged)
        rejects = take_out_rejects(connection, staged, reading, 1.0)
        rows = rows_by_number(connection)
    reasons = {reject.line - 2: reject.reason for reject in rejects}
    readings = read_by_reference(cells)
    wrong = []
    for cell, expected in zip(cells, readings, strict=True):
        if expected.reason:
            want: Any = expected_reason(cell, expected)
            found = reasons.get(cell.number)
        else:
            row = rows.get(cell.number, {})
            want = (expected.value, expected.rounded)
            found = (row.get(cell.column.name), row.get("rounded"))
        if found != want:
            wrong.append((cell.column.name, cell.text, want, found or reasons.get(cell.number)))
    assert wrong[:5] == []
    assert len(rows) + len(reasons) == len(cells)
    found_notes = Counter({(note.column, note.kind): note.cells for note in reading.notes})
    assert found_notes == count_notes(cells, readings)


def test_every_short_number_that_duckdb_reads_is_the_same_to_the_reference(
    settings: Settings, folder: Path
) -> None:
    texts = ["".join(letters) for n in range(1, 6) for letters in product("1e._-0", repeat=n)]
    column = next(column for column in GREEN_TAXIS.columns if column.name == "fare_amount")
    cells = [DrawnCell(number, column, text) for number, text in enumerate(texts)]
    staged = stage_cells(settings, folder, cells)
    with duckdb.connect() as connection:
        sent = ExtractStatements(staged).extract()
        strict = "strict_mode = true, store_rejects = true, rejects_limit = 0"
        connection.execute(sent.sql.replace("strict_mode = true", strict), sent.values)
        rows = rows_by_number(connection)
    assert len(rows) > 500
    wrong = []
    for number, row in rows.items():
        expected = read_cell(column, texts[number], Conventions())
        found = None if row["reject_reason"] else row["fare_amount"]
        if found != expected.value:
            wrong.append((texts[number], found, expected))
    assert wrong[:5] == []


@pytest.mark.timeout(900)
@given(SEEDS)
@examples(200, 8, **OPTIONS)
def test_cell_that_duckdb_reads_by_itself_is_plain_to_the_reference(
    settings: Settings, folder: Path, seed: int
) -> None:
    """What `read_csv` lets pass without a careful reading must not differ from the grammar."""
    cells = draw_cells(random.Random(seed), CELLS)
    staged = stage_cells(settings, folder, cells)
    with duckdb.connect() as connection:
        # A load stops at the first such cell; here DuckDB goes on behind it.
        sent = ExtractStatements(staged).extract()
        sql = sent.sql.replace("strict_mode = true", "strict_mode = true, store_rejects = true")
        connection.execute(sql, sent.values)
        rows = rows_by_number(connection)
    accepted = 0
    for number, row in rows.items():
        cell = cells[number]
        value = row[cell.column.name]
        # To Python a time before the year 1 is a text, and an infinite one its first or last.
        # The word `epoch` is the first of 1970. A load reads a file with such times with care.
        suspicious = cell.column.type == "TIMESTAMP" and (
            isinstance(value, str)
            or (value is not None and not datetime(1900, 1, 1) < value < datetime.max)
            or value == datetime(1970, 1, 1)
        )
        if row["reject_reason"] is None and not suspicious:
            accepted += 1
            expected = read_cell(cell.column, cell.text, Conventions())
            found = (value, row["rounded"])
            assert (expected.value, expected.rounded) == found, (cell.column.name, cell.text)
            assert (expected.reason, expected.notes) == ("", ()), (cell.column.name, cell.text)
    assert accepted > CELLS / 40


LOGICAL = ("VendorID", "fare_amount", "lpep_pickup_datetime", "store_and_fwd_flag")


@pytest.mark.parametrize("type_name", TYPE_NAMES)
def test_every_value_of_a_parquet_type_is_read_as_by_the_reference(
    settings: Settings, folder: Path, type_name: str
) -> None:
    rng = random.Random(type_name)
    for name in LOGICAL:
        column = COLUMNS[name]
        array, texts = draw_column(rng, type_name, 200)
        write_column(folder / f"{GREEN.stem}.parquet", column, array)
        staged = stage_from(folder, GREEN, settings)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            reading = read_rows(connection, staged)
            rejected = dict(
                connection.execute(
                    "SELECT rowid, reject_reason FROM incoming WHERE reject_reason IS NOT NULL"
                ).fetchall()
            )
            rows = rows_by_number(connection)
        is_text = type_name in ("string", "large string", "binary")
        tells = is_text or column.type == "TIMESTAMP"
        conventions = find_conventions([(column, text) for text in texts if tells])
        for number, text in enumerate(texts):
            expected = read_cell(column, text, conventions)
            reason = rejected.get(number, "")
            assert bool(reason) == bool(expected.reason), (name, text, reason)
            assert reason.endswith(expected.reason), (name, text, reason)
            if not reason:
                found = rows[number][name], rows[number]["rounded"]
                assert found == (expected.value, expected.rounded), (name, text)
        if zone := getattr(array.type, "tz", None):
            assert {note.zones for note in reading.notes if note.kind == "zone"} == {(zone,)}


def test_int96_of_a_zone_keeps_the_wall_clock_there(settings: Settings, folder: Path) -> None:
    array, texts = draw_column(random.Random(96), "timestamp America/New_York", 50)
    path = folder / f"{GREEN.stem}.parquet"
    column = COLUMNS["lpep_pickup_datetime"]
    write_column(path, column, array, use_deprecated_int96_timestamps=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        reading = read_rows(connection, stage_from(folder, GREEN, settings))
        rows = rows_by_number(connection)
    expected = [read_cell(column, text, Conventions()).value for text in texts]
    assert [rows[number][column.name] for number in range(50)] == expected
    assert [note.zones for note in reading.notes] == [("America/New_York",)]


def test_bytes_that_are_no_text_are_a_reject(settings: Settings, folder: Path) -> None:
    array = pyarrow.array([b"N", b"\xff", b"yes"] * 50, pyarrow.binary())
    write_column(folder / f"{GREEN.stem}.parquet", COLUMNS["store_and_fwd_flag"], array)
    with duckdb.connect() as connection:
        reading = read_rows(connection, stage_from(folder, GREEN, settings))
        rejects = take_out_rejects(connection, stage_from(folder, GREEN, settings), reading, 1.0)
        flags = {row["store_and_fwd_flag"] for row in rows_by_number(connection).values()}
    assert (len(rejects), flags) == (50, {"N", "Y"})


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([[1, 2]], pyarrow.list_(pyarrow.int64())),
        ([{"a": 7}], pyarrow.struct({"a": pyarrow.int64()})),
    ],
)
def test_column_of_several_values_is_refused_with_its_type_and_a_value(
    settings: Settings, folder: Path, values: list[Any], type_: Any
) -> None:
    array = pyarrow.array(values, type_)
    write_column(folder / f"{GREEN.stem}.parquet", COLUMNS["passenger_count"], array)
    with duckdb.connect() as connection, pytest.raises(TripFileError) as caught:
        read_rows(connection, stage_from(folder, GREEN, settings))
    message = str(caught.value)
    assert "several values in each cell of passenger_count" in message
    assert "BIGINT" in message
    assert str(values[0]).replace("'", "")[1:-1] in message.replace("'", "")


def test_column_that_cannot_be_read_is_named_with_type_value_and_cure(
    settings: Settings, folder: Path
) -> None:
    array = pyarrow.array([1_585_728_300] * 9)
    write_column(folder / f"{GREEN.stem}.parquet", COLUMNS["lpep_pickup_datetime"], array)
    staged = stage_from(folder, GREEN, settings)
    with duckdb.connect() as connection:
        reading = read_rows(connection, staged)
        with pytest.raises(TripFileError) as caught:
            take_out_rejects(connection, staged, reading, 0.01)
    message = str(caught.value)
    for words in ("lpep_pickup_datetime", "BIGINT", "1585728300", "parquet timestamps"):
        assert words in message
    assert "MAX_REJECTED_SHARE" not in message


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_surplus_cells_are_a_reject_whatever_the_line_ends(
    settings: Settings, folder: Path, newline: str
) -> None:
    text = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(300)])
    lines = text.decode().splitlines()
    lines[7] += ",surplus"
    lines[9] = lines[9].rpartition(",")[0]
    put(folder, GREEN, newline.join(lines).encode(), "csv")
    staged = stage_from(folder, GREEN, settings)
    with duckdb.connect() as connection:
        rejects = take_out_rejects(connection, staged, read_rows(connection, staged), 0.01)
    assert [(r.line, r.reason, r.content) for r in rejects] == [
        (8, "Expected 20 cells, found 21.", lines[7]),
        (10, "Expected 20 cells, found 19.", lines[9]),
    ]


def test_parquet_columns_with_odd_names_are_read_by_them(settings: Settings, folder: Path) -> None:
    path = folder / f"{GREEN.stem}.parquet"
    write_column(path, COLUMNS["passenger_count"], pyarrow.array([1, 2, 3]))
    table = pyarrow.parquet.read_table(path)
    odd = {"VendorID": ' "vendor_id"', "passenger_count": "Passenger Count\t"}
    names = [odd.get(name, name.upper()) for name in table.column_names]
    pyarrow.parquet.write_table(table.rename_columns(names), path)
    staged = stage_from(folder, GREEN, settings)
    with duckdb.connect() as connection:
        assert read_rows(connection, staged).plain
        rows = rows_by_number(connection)
    assert [(rows[n]["VendorID"], rows[n]["passenger_count"]) for n in range(3)] == [
        (2, 1),
        (2, 2),
        (2, 3),
    ]


def test_decimal_commas_of_texts_do_not_change_parquet_numbers(
    settings: Settings, folder: Path
) -> None:
    path = folder / f"{GREEN.stem}.parquet"
    write_column(path, COLUMNS["fare_amount"], pyarrow.array(["12,50", "1,234", "1.234"]))
    table = pyarrow.parquet.read_table(path)
    table = table.append_column("trip_distance", pyarrow.array([1.234, 2.5, 3.0]))
    pyarrow.parquet.write_table(table, path)
    with duckdb.connect() as connection:
        read_rows(connection, stage_from(folder, GREEN, settings))
        rows = rows_by_number(connection)
    found = [(str(rows[n]["fare_amount"]), str(rows[n]["trip_distance"])) for n in range(3)]
    assert found == [("12.50", "1.23"), ("1.23", "2.50"), ("1234.00", "3.00")]
