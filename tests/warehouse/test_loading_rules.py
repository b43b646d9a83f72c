"""The loading rules: what "exactly once" means, on small generated files.

Every test runs against both warehouses, unless it says otherwise: it tests the promises of the
`Warehouse` protocol.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import Cancelled, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.policy import Policy
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.statements import LoadStep
from tests.support.examples import examples
from tests.support.files import (
    GREEN,
    TARGETS,
    YELLOW,
    amounts,
    backfill,
    csv_bytes,
    header,
    load,
    put,
    put_parquet,
    put_trips,
    request,
    rows,
    stage_from,
    target,
    trip,
    warehouse,
)

LOCAL = pytest.mark.parametrize(
    "warehouse_settings", ["local"], indirect=True
)  # too slow on the emulator


@pytest.fixture
def settings(warehouse_settings: Settings) -> Settings:
    """Parametrize every test of this file by warehouse."""
    return warehouse_settings


def test_production_tables_have_course_columns_and_types(settings: Settings, folder: Path) -> None:
    for file in (GREEN, YELLOW):
        put_trips(folder, file, [trip(file)])
        load(folder, file, settings)
        with warehouse(settings) as opened:
            result = opened.query(f"SELECT * FROM {file.dataset.table}", limit=1)
        assert result.columns == (
            "unique_row_id",
            "filename",
            *(c.name for c in file.dataset.columns),
        )
        row = dict(zip(result.columns, result.rows[0], strict=True))
        assert isinstance(row["unique_row_id"], bytes)
        assert (row["VendorID"], row["total_amount"]) == (2, Decimal("9.30"))
        prefix = "lpep" if file == GREEN else "tpep"
        assert row[f"{prefix}_pickup_datetime"] == datetime(2020, 4, 1, 8)


def test_first_load_inserts_every_row(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in range(1, 11)])
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.inserted, entry.updated, entry.deleted) == (10, 10, 0, 0)
    assert entry.total_amount == Decimal("93.00")


def test_trip_and_its_void_are_loaded_with_different_ids(settings: Settings, folder: Path) -> None:
    void = trip(GREEN, fare_amount="-8", total_amount="-9.3")
    put_trips(folder, GREEN, [trip(GREEN), void])
    load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == ["-9.30", "9.30"]
    ((ids,),) = rows(settings, "SELECT count(DISTINCT unique_row_id) FROM green_tripdata")
    assert ids == 2


def test_unique_row_id_is_md5_of_identity_and_ordinal(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, VendorID=None)])
    load(folder, GREEN, settings)
    pickup, dropoff = 1585728000_000000, 1585728750_000000  # 2020-04-01 08:00:00 and 08:12:30
    text = f"green_tripdata_2020-04.csv||{pickup}|{dropoff}|42|41|1"
    ((row_id,),) = rows(settings, "SELECT unique_row_id FROM green_tripdata")
    assert row_id == hashlib.md5(text.encode()).digest()


def test_corrected_fare_is_update_with_same_id(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    before = rows(settings, "SELECT unique_row_id FROM green_tripdata ORDER BY 1")
    put_trips(folder, GREEN, [trip(GREEN, total_amount="99.99"), trip(GREEN, PULocationID="7")])
    entry = load(folder, GREEN, settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (0, 1, 0, 1)
    assert amounts(settings, GREEN) == ["9.30", "99.99"]
    assert rows(settings, "SELECT unique_row_id FROM green_tripdata ORDER BY 1") == before


def test_new_rows_are_inserted_and_vanished_rows_deleted(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in (1, 2, 3)])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in (2, 3, 4, 5)])
    entry = load(folder, GREEN, settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (2, 0, 1, 2)
    table_rows = rows(settings, "SELECT PULocationID FROM green_tripdata ORDER BY 1")
    assert table_rows == [(2,), (3,), (4,), (5,)]


def test_load_leaves_rows_of_other_files_unchanged(settings: Settings, folder: Path) -> None:
    may = TripFile(GREEN_TAXIS, Month(2020, 5))
    put_trips(folder, GREEN, [trip(GREEN)])
    # The other month holds the same trip as a stray; it belongs to its own file.
    put_trips(folder, may, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    load(folder, may, settings)
    put_trips(folder, GREEN, [])
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.deleted) == (0, 1)
    assert len(amounts(settings, may)) == 2


def test_strays_are_loaded_with_their_file(settings: Settings, folder: Path) -> None:
    stray = trip(GREEN, pickup="2008-12-31 23:00:00", dropoff="2041-01-01 00:00:00")
    put_trips(folder, GREEN, [trip(GREEN), stray])
    assert load(folder, GREEN, settings).rows == 2


def test_month_in_another_format_replaces_its_rows(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, VendorID="1"), trip(GREEN, VendorID=None)])
    load(folder, GREEN, settings)
    other = tmp_path / "parquet"
    other.mkdir()
    put_parquet(
        other,
        GREEN,
        "SELECT 1.0::DOUBLE AS VendorID, TIMESTAMP '2020-04-01 08:00:00' AS lpep_pickup_datetime,"
        " TIMESTAMP '2020-04-01 08:12:30' AS lpep_dropoff_datetime, 42::BIGINT AS PULocationID,"
        " 41::INTEGER AS DOLocationID, 9.3::DOUBLE AS total_amount, 'N' AS store_and_fwd_flag,"
        " 1::DOUBLE AS RatecodeID, 1::BIGINT AS passenger_count, 1.68::DOUBLE AS trip_distance,"
        " 8::DOUBLE AS fare_amount, 0.5::DOUBLE AS extra, 0.5::DOUBLE AS mta_tax,"
        " 0::DOUBLE AS tip_amount, 0::DOUBLE AS tolls_amount, NULL::INTEGER AS ehail_fee,"
        " 0.3::DOUBLE AS improvement_surcharge, 1::DOUBLE AS payment_type, 1::DOUBLE AS trip_type,"
        " 0::DOUBLE AS congestion_surcharge",
    )
    entry = load(other, GREEN, settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (0, 0, 1, 1)
    table_rows = rows(settings, "SELECT filename, VendorID FROM green_tripdata")
    assert table_rows == [("green_tripdata_2020-04.csv", 1)]
    assert entry.address == str(other / "green_tripdata_2020-04.parquet")


def test_reject_of_parquet_file_has_row_number_and_cells(settings: Settings, folder: Path) -> None:
    put_parquet(
        folder,
        GREEN,
        "SELECT TIMESTAMP '2020-04-01 08:00:00' AS lpep_pickup_datetime, "
        "TIMESTAMP '2020-04-01 08:12:30' AS lpep_dropoff_datetime, 42 AS PULocationID, "
        "41 AS DOLocationID, CASE WHEN n = 7 THEN 1.5 ELSE 2 END AS VendorID, "
        "n * 1.0 AS total_amount FROM range(300) AS numbers (n)",
    )
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (299, 1)
    ((line, reason, content),) = rows(settings, "SELECT line, reason, content FROM rejects")
    assert (line, "VendorID" in reason) == (8, True)
    assert json.loads(content)["VendorID"] == 1.5


def test_parquet_types_of_any_year_load_equal_rows(settings: Settings, folder: Path) -> None:
    put_parquet(
        folder,
        YELLOW,
        "SELECT i::INTEGER AS VendorID, TIMESTAMP_NS '2020-04-01 08:00:00' AS tpep_pickup_datetime,"
        " TIMESTAMP '2020-04-01 08:10:00' AS tpep_dropoff_datetime, i::DOUBLE AS PULocationID,"
        " i::UTINYINT AS DOLocationID, 10.1::FLOAT AS total_amount, 1.25 AS Airport_fee,"
        " 0.75 AS CBD_Congestion_Fee, 'x' AS surprise FROM range(1, 4) AS numbers (i)",
    )
    notes: list[str] = []
    entry = load(folder, YELLOW, settings, notes)
    assert entry.rows == 3
    assert entry.rejected == 0
    assert rows(
        settings,
        "SELECT DISTINCT airport_fee, cbd_congestion_fee, total_amount, fare_amount"
        " FROM yellow_tripdata",
    ) == [(Decimal("1.25"), Decimal("0.75"), Decimal("10.10"), None)]
    assert any("unknown column 'surprise'" in note for note in notes)
    assert any("no column passenger_count" in note for note in notes)


def test_columns_are_matched_by_name_in_any_order_and_case(
    settings: Settings, folder: Path
) -> None:
    names = header(GREEN_TAXIS)
    put_trips(folder, GREEN, [trip(GREEN, tip_amount="1.23")])
    load(folder, GREEN, settings)
    shuffled = random.Random(1).sample(names, len(names))
    content = csv_bytes(GREEN, [trip(GREEN, tip_amount="1.23")], shuffled)
    first, _, rest = content.partition(b"\n")
    put(folder, GREEN, first.lower() + b"\n" + rest)
    entry = load(folder, GREEN, settings)
    assert entry.unchanged == 1
    assert (entry.inserted, entry.updated, entry.deleted) == (0, 0, 0)


def test_missing_column_is_null_with_warning_and_unknown_column_reported(
    settings: Settings, folder: Path
) -> None:
    names = [name for name in header(GREEN_TAXIS) if name != "tip_amount"]
    names.insert(3, "'; DROP TABLE rejects; --")
    row = trip(GREEN) | {"'; DROP TABLE rejects; --": "x"}
    put(folder, GREEN, csv_bytes(GREEN, [row], names))
    notes: list[str] = []
    load(folder, GREEN, settings, notes)
    assert "warning: no column tip_amount in the file; loaded as NULL" in notes
    assert any(note.startswith("warning: unknown column") for note in notes)
    assert rows(settings, "SELECT tip_amount, total_amount FROM green_tripdata") == [
        (None, Decimal("9.30"))
    ]
    assert rows(settings, "SELECT count(*) FROM rejects") == [(0,)]


@LOCAL  # tests/warehouse/gcp has these cells in one file
@pytest.mark.parametrize(
    ("cell", "stored", "rounded"),
    [
        ("1.005", "1.01", 1),
        ("-1.005", "-1.01", 1),
        ("1.0049999", "1.00", 1),
        ("7.10", "7.10", 0),
        (".45", "0.45", 0),
        ("7", "7.00", 0),
        ("1e2", "100.00", 0),
        ("9999999.99", "9999999.99", 0),
        ("9999999.994999999", "9999999.99", 1),
        ("-9999999.994999999", "-9999999.99", 1),
    ],
)
def test_amounts_with_more_decimals_round_half_away_from_zero(
    settings: Settings, folder: Path, cell: str, stored: str, rounded: int
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, total_amount=cell)])
    entry = load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == [stored]
    assert entry.rounded == rounded


@LOCAL
@given(st.decimals("-999999", "999999", places=4))
@examples(20, 8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rounding_equals_decimal_arithmetic(
    settings: Settings, folder: Path, amount: Decimal
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, total_amount=str(amount))])
    entry = load(folder, GREEN, settings)
    expected = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert rows(settings, "SELECT total_amount FROM green_tripdata") == [(expected,)]
    assert entry.rounded == (expected != amount)


BAD_CELLS = [
    ("VendorID", "x"),
    ("VendorID", "1.7"),
    ("VendorID", "40000"),
    ("passenger_count", "one"),
    ("pickup", "yesterday"),
    ("pickup", "2020-02-30 00:00:00"),
    ("fare_amount", "8 €"),
    ("trip_distance", "$8"),
    ("total_amount", "12345678.90"),
    ("total_amount", "9999999.999"),
    ("total_amount", "9999999.995"),
    ("total_amount", "-9999999.995"),
    ("store_and_fwd_flag", "N\0"),
    ("VendorID", "\0"),
]


@LOCAL  # tests/warehouse/gcp has these cells in one file
@pytest.mark.parametrize(("column", "cell"), BAD_CELLS)
@pytest.mark.parametrize("ending", ["csv.gz", "csv"])
def test_unreadable_row_is_reject_with_line_and_reason(
    settings: Settings, folder: Path, column: str, cell: str, ending: str
) -> None:
    good = [trip(GREEN, PULocationID=n % 250) for n in range(200)]
    put_trips(folder, GREEN, [*good[:50], trip(GREEN, **{column: cell}), *good[50:]], ending)
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (200, 1)
    ((line, reason, content),) = rows(settings, "SELECT line, reason, content FROM rejects")
    assert line == 52  # the header is line 1
    assert column in reason or f"lpep_{column}_datetime" in reason
    assert content.count(",") == 19


def test_invalid_utf8_and_ragged_lines_are_rejects(settings: Settings, folder: Path) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(400)]).split(b"\n")
    lines[10] = lines[10].replace(b",N,", b",\xff\xfe,")
    lines[20] = b"2,2020-04-01 08:00:00"
    lines[30] += b",surplus,cells"
    put(folder, GREEN, b"\n".join(lines))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (397, 3)
    assert rows(settings, "SELECT line FROM rejects ORDER BY line") == [(11,), (21,), (31,)]


@pytest.mark.parametrize(
    ("header_end", "line_end"),
    [("", ","), ("\r\n", ',,""'), ("", ', ,"",'), (",", ""), (",, ", ""), (",", ",,")],
)
@pytest.mark.parametrize("tip", ["1.00", "NA"])
def test_nameless_cells_that_every_line_has_or_lacks_are_left_out(
    settings: Settings, folder: Path, header_end: str, line_end: str, tip: str
) -> None:
    trips = [trip(GREEN, PULocationID=n, tip_amount=tip) for n in range(200)]
    header, *lines = csv_bytes(GREEN, trips).decode().splitlines()
    text = "\n".join([header + header_end, *(line + line_end for line in lines)])
    put(folder, GREEN, text.encode())
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (200, 0)
    assert rows(settings, "SELECT DISTINCT tip_amount, trip_type FROM green_tripdata") == [
        (None if tip == "NA" else Decimal("1.00"), 1)
    ]


def test_comma_without_quotes_is_reject_though_last_cell_is_empty(
    settings: Settings, folder: Path
) -> None:
    trips = [
        trip(GREEN, PULocationID=n, trip_distance="1.50", congestion_surcharge="")
        for n in range(200)
    ]
    lines = csv_bytes(GREEN, trips).split(b"\n")
    lines[10] = lines[10].replace(b",1.50,", b",1,50,")
    put(folder, GREEN, b"\n".join(lines))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (199, 1)
    assert rows(settings, "SELECT line FROM rejects") == [(11,)]
    assert rows(settings, "SELECT DISTINCT trip_distance FROM green_tripdata") == [
        (Decimal("1.50"),)
    ]


def test_lines_that_all_have_another_count_are_refused_with_a_cure_that_keeps_them(
    settings: Settings, folder: Path
) -> None:
    header, *lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n) for n in range(9)]).split()
    put(folder, GREEN, b"\n".join([header, *(b"7," + line for line in lines)]))
    with pytest.raises(TripFileError, match="Expected 20 cells, found") as caught:
        load(folder, GREEN, settings)
    assert "MAX_REJECTED" not in str(caught.value)
    assert "a name in the header for each cell" in str(caught.value)


@pytest.mark.parametrize("blank", [",", ', ,""'])
def test_line_of_empty_cells_is_reject(settings: Settings, folder: Path, blank: str) -> None:
    text = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(200)]).decode()
    blank += "," * (19 - blank.count(","))
    put(folder, GREEN, f"{text}{blank}\n{blank}\n".encode())
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (200, 2)
    assert rows(settings, "SELECT line, reason FROM rejects ORDER BY line") == [
        (202, "The row has no value."),
        (203, "The row has no value."),
    ]


def test_unclosed_quote_rejects_only_its_line(settings: Settings, folder: Path) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(200)]).split(b"\n")
    lines[10] = lines[10].replace(b",N,", b',"N,')
    put(folder, GREEN, b"\n".join(lines))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (199, 1)
    assert rows(settings, "SELECT line FROM rejects") == [(11,)]


def test_too_many_rejects_fail_file_and_change_nothing(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    put_trips(
        folder, GREEN, [trip(GREEN, VendorID="x" if n % 50 == 0 else "1") for n in range(500)]
    )
    with pytest.raises(TripFileError, match=r"10 of 500 rows cannot be read.*line 2"):
        load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == ["9.30"]


def test_corrected_file_removes_rejects_of_earlier_version(
    settings: Settings, folder: Path
) -> None:
    good = [trip(GREEN, PULocationID=n % 250) for n in range(200)]
    put_trips(folder, GREEN, [*good, trip(GREEN, VendorID="x")])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [*good, trip(GREEN, VendorID="1")])
    assert load(folder, GREEN, settings).inserted == 1
    assert rows(settings, "SELECT * FROM rejects") == []


@LOCAL
@pytest.mark.parametrize("ending", ["csv.gz", "csv"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_line_ends_of_any_kind_load_equal_rows(
    settings: Settings, folder: Path, newline: str, ending: str
) -> None:
    trips = [trip(GREEN, PULocationID=n) for n in range(1, 6)]
    put(folder, GREEN, csv_bytes(GREEN, trips, newline=newline), ending)
    assert load(folder, GREEN, settings).rows == 5


def test_file_with_mixed_line_ends_and_blank_lines_loads_every_row(
    settings: Settings, folder: Path
) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n) for n in range(1, 10)]).splitlines()
    ends = [b"\n", b"\r\n", b"\n\n", b"\n", b"\r\n\r\n", b"\n"]
    put(folder, GREEN, b"".join(line + ends[i % 6] for i, line in enumerate(lines)))
    assert load(folder, GREEN, settings).rows == 9


def lenient(settings: Settings) -> Settings:
    """Settings of the same warehouse under which any number of rows may be rejected."""
    changed = settings.model_copy(update={"max_rejected_share": 1.0})
    TARGETS[changed.home] = target(settings)
    return changed


def test_trip_with_a_line_break_in_a_cell_is_rejected_with_both_its_lines(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, store_and_fwd_flag="N\nN")])
    with pytest.raises(TripFileError, match=r"2 of 3 rows .* goes on to line 4") as error:
        load(folder, GREEN, settings)
    assert "without line breaks" in error.value.cure
    assert amounts(settings, GREEN) == []
    assert load(folder, GREEN, lenient(settings)).rejected == 2
    assert amounts(settings, GREEN) == ["9.30"]


def test_lines_within_a_quoted_cell_are_no_trips_even_if_they_look_like_trips(
    settings: Settings, folder: Path
) -> None:
    names = [*header(GREEN_TAXIS), "note"]
    hidden = csv_bytes(GREEN, [trip(GREEN, PULocationID=7)], names).decode().splitlines()[1]
    trips = [trip(GREEN, PULocationID=n) for n in range(1, 4)]
    trips[1]["note"] = f"he said:\n{hidden}\n\nand left"
    put(folder, GREEN, csv_bytes(GREEN, trips, names))
    entry = load(folder, GREEN, lenient(settings))
    assert (entry.rows, entry.rejected) == (2, 3)
    zones = rows(settings, "SELECT PULocationID FROM green_tripdata ORDER BY 1")
    assert zones == [(1,), (3,)]
    assert rows(settings, "SELECT line, reason FROM rejects ORDER BY line") == [
        (3, "A cell in quotes goes on to line 6; a row is on one line."),
        (4, "The line is within a cell in quotes that begins on line 3."),
        (6, "The line is within a cell in quotes that begins on line 3."),
    ]


def test_two_stray_quotes_reject_their_lines_and_no_trips_between(
    settings: Settings, folder: Path
) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(400)]).split(b"\n")
    for number in (10, 20):
        lines[number] = lines[number].replace(b",N,", b',"N,')
    put(folder, GREEN, b"\n".join(lines))
    load(folder, GREEN, settings)
    rejected = [line for (line,) in rows(settings, "SELECT line FROM rejects ORDER BY line")]
    assert rejected == [11, 21]


@pytest.mark.parametrize(
    ("extra", "reason", "cure"),
    [
        (lambda lines: lines[0], "The line repeats the header.", "first line only"),
        (lambda lines: b'"' + lines[1] + b'"', "The whole line is in quotes.", "single cells"),
        (lambda lines: lines[1][:40], "The file ends within this line: ", "not whole"),
        (lambda lines: lines[1][:40] + b"\n", "Expected 20 cells, found ", "header for each cell"),
        (lambda _: b"\0" * 700, "The line is zero bytes instead of text.", "another source"),
    ],
    ids=["header", "quotes", "cut", "short", "zeros"],
)
def test_line_that_is_no_row_is_rejected_with_what_it_is(
    settings: Settings,
    folder: Path,
    extra: Callable[[list[bytes]], bytes],
    reason: str,
    cure: str,
) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n) for n in range(1, 4)]).splitlines()
    put(folder, GREEN, b"\n".join([*lines, extra(lines)]))
    with pytest.raises(TripFileError, match=re.escape(reason.rstrip(". "))) as error:
        load(folder, GREEN, settings)
    assert cure in error.value.cure
    assert load(folder, GREEN, lenient(settings)).rows == 3
    ((line, said),) = rows(settings, "SELECT line, reason FROM rejects")
    assert line == 5
    assert said.startswith(reason)


@pytest.mark.parametrize("change", ["order", "names"])
def test_second_header_of_other_columns_fails_the_file(
    settings: Settings, folder: Path, change: str
) -> None:
    trips = [trip(GREEN, PULocationID=n) for n in range(1, 150)]
    names = list(header(GREEN.dataset))
    if change == "order":
        fare, tip = names.index("fare_amount"), names.index("tip_amount")
        names[fare], names[tip] = names[tip], names[fare]
    else:
        names[-1] = "note"
    put(folder, GREEN, csv_bytes(GREEN, trips) + csv_bytes(GREEN, trips, names))
    with pytest.raises(
        TripFileError, match=r"second header with other columns.* line 151"
    ) as error:
        load(folder, GREEN, lenient(settings))
    assert "Split the file there" in error.value.cure


def test_decimal_points_that_a_cast_reads_contradict_a_rejected_number(
    settings: Settings, folder: Path
) -> None:
    trips = [trip(GREEN, trip_distance="2.345", fare_amount="12.50") for _ in range(200)]
    put_trips(folder, GREEN, [*trips, trip(GREEN, VendorID="192.168.001")])
    assert load(folder, GREEN, settings).rejected == 1
    assert rows(settings, "SELECT max(trip_distance) FROM green_tripdata") == [(Decimal("2.35"),)]
    put_trips(folder, GREEN, [*trips, trip(GREEN, fare_amount="1.234.567")])
    with pytest.raises(TripFileError, match="numbers of the file disagree"):
        load(folder, GREEN, settings)


@pytest.mark.timeout(60)
def test_line_of_40_000_cells_is_one_reject(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(300)])
    path = folder / f"{GREEN.stem}.csv.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content + b"1," * 40_000 + b"1\n"))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (300, 1)
    ((reason, length),) = rows(settings, "SELECT reason, length(content) FROM rejects")
    assert (reason, length) == ("Expected 20 cells, found 40001.", 1000)


def test_header_of_thousands_of_columns_is_refused(settings: Settings, folder: Path) -> None:
    names = [*header(GREEN_TAXIS), *(f"column_{n}" for n in range(4000))]
    put(folder, GREEN, csv_bytes(GREEN, [trip(GREEN)], names))
    with pytest.raises(TripFileError, match=r"has 4,020 columns"):
        load(folder, GREEN, settings)


def test_header_without_rows_loads_zero_trips(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [])
    assert load(folder, GREEN, settings).rows == 0


# In Google Cloud, merge, reconciliation and commit are one job.
STEPS: list[LoadStep] = ["extract", "compare", "merge", "reconcile", "commit"]


@pytest.mark.parametrize("step", STEPS)
def test_cancelled_load_leaves_table_unchanged(
    settings: Settings, folder: Path, step: LoadStep
) -> None:
    if target(settings) == "gcp" and step in ("reconcile", "commit"):
        pytest.skip("part of the merge")
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    staged = stage_from(folder, GREEN, settings)
    watch = LoadMonitor()
    steps: list[str] = []

    def press(begun: LoadStep, _fraction: Any) -> None:
        steps.append(begun)
        if begun == step:
            watch.cancel.set()

    with warehouse(settings) as opened:
        watch = LoadMonitor(watch.cancel, press)
        if step == "commit":  # too late: the commit completes
            opened.load(staged, LoadJob("r", "s"), watch)
        else:
            with pytest.raises(Cancelled):
                opened.load(staged, LoadJob("r", "s"), watch)
    assert steps[-1] == step
    assert amounts(settings, GREEN) == (["1.00"] if step == "commit" else ["9.30", "9.30"])


def test_cancel_interrupts_running_statement(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, (trip(GREEN, PULocationID=n % 250) for n in range(300_000)))
    staged = stage_from(folder, GREEN, settings)
    watch = LoadMonitor()

    def press_soon(_step: LoadStep, _fraction: Any) -> None:
        threading.Timer(0.05, watch.cancel.set).start()

    with warehouse(settings) as opened, pytest.raises(Cancelled):
        opened.load(staged, LoadJob("r", "s"), LoadMonitor(watch.cancel, press_soon))
    assert amounts(settings, GREEN) == []


# Property: after any sequence of versions of a file, the table equals the newest version.

few_trips = st.lists(
    st.fixed_dictionaries(
        {
            "VendorID": st.sampled_from(["1", "2", None]),
            "PULocationID": st.sampled_from(["7", "42"]),
            "total_amount": st.sampled_from(["9.30", "-9.30", "0.00", "12.55", None]),
            "tip_amount": st.sampled_from(["0.00", "1.00"]),
        }
    ),
    max_size=8,
)
versions = st.lists(
    st.tuples(st.sampled_from([GREEN, YELLOW]), few_trips, st.sampled_from(list(Policy)[1:])),
    min_size=1,
    max_size=6,
)


Version = tuple[TripFile, list[dict[str, Any]], Policy]
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["VendorID"], row["PULocationID"]


def _others(file: TripFile, row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the columns outside the identity in table order, NULL first: the order of ordinals."""
    names = [c.name for c in file.dataset.columns if c.name in ("total_amount", "tip_amount")]
    return tuple((row[n] is not None, Decimal(row[n] or 0)) for n in names)


def _numbered(file: TripFile, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    numbered: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    identity_counts: Counter[tuple[Any, ...]] = Counter()
    for row in sorted(rows, key=lambda row: _others(file, row)):
        identity_counts[_identity(row)] += 1
        numbered[(*_identity(row), identity_counts[_identity(row)])] = _others(file, row)
    return numbered


@pytest.mark.timeout(900)  # of a slow run
@given(versions)
@examples(300, 12, suppress_health_check=SHARED)
def test_tables_equal_newest_files_after_any_sequence(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence[Version]
) -> None:
    run_sequence(tmp_path_factory.mktemp("property"), sequence)


def run_sequence(root: Path, sequence: Sequence[Version]) -> None:
    """Run a backfill of each version and check its counts, then compare the tables."""
    settings = Settings(home=root / "home")
    (root / "source").mkdir()
    newest: dict[TripFile, list[dict[str, Any]]] = {}
    with warehouse(settings):  # open throughout, so that backfills share it
        for number, (file, trips, policy) in enumerate(sequence):
            content = csv_bytes(file, [trip(file, **row) for row in trips])
            put(
                root / "source", file, content + b"\n" * number
            )  # so that the bytes of versions differ
            before = _numbered(file, newest.get(file, []))
            after = _numbered(file, trips)
            # A file without trips replaces loaded ones only when it is forced.
            asked = request(root / "source", file, policy=policy, force=not trips)
            state, files = backfill(settings, asked)
            newest[file] = trips
            assert state == "succeeded", files
            shared = before.keys() & after.keys()
            updated = sum(before[key] != after[key] for key in shared)
            outcome = files[file]
            assert outcome.rows == len(trips)
            assert outcome.inserted == len(after.keys() - before.keys())
            assert outcome.deleted == len(before.keys() - after.keys())
            assert outcome.updated == updated
            assert outcome.unchanged == len(shared) - updated
        for file, trips in newest.items():
            table_rows = rows(
                settings,
                "SELECT VendorID::VARCHAR, PULocationID::VARCHAR, total_amount::VARCHAR,"
                f" tip_amount::VARCHAR FROM {file.dataset.table} WHERE filename = '{file}'",
            )
            names = ("VendorID", "PULocationID", "total_amount", "tip_amount")
            assert Counter(table_rows) == Counter(tuple(row[n] for n in names) for row in trips)
            ((ids,),) = rows(
                settings, f"SELECT count(DISTINCT unique_row_id) FROM {file.dataset.table}"
            )
            assert ids == len(trips)
        # A second run skips every file.
        files = backfill(settings, request(root / "source", *newest, policy=Policy.ALL))[1]
        assert {outcome.state for f, outcome in files.items() if f in newest} == {"skipped"}
