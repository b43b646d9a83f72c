"""The loading rules: what "exactly once" means, on small files of our own.

Every test here runs against both warehouses, unless it says otherwise: what a test promises is what
the `Warehouse` Protocol promises.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import Cancelled, TripFileError
from pipeline.plan import Policy
from pipeline.settings import Settings
from pipeline.trips import COLUMNS, Color, Month, TripFile
from pipeline.warehouse import LoadJob, LoadStep, Watch
from tests.files import (
    GREEN,
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

LOCAL = pytest.mark.parametrize("either_settings", ["local"], indirect=True)  # too slow elsewhere


@pytest.fixture
def settings(either_settings: Settings) -> Settings:
    """Every test of this file is about both warehouses."""
    return either_settings


def test_both_production_tables_have_the_courses_columns_and_types(
    settings: Settings, folder: Path
) -> None:
    for file in (GREEN, YELLOW):
        put_trips(folder, file, [trip(file)])
        load(folder, file, settings)
        with warehouse(settings) as opened:
            found = opened.query(f"SELECT * FROM {file.color.table}", limit=1)
        assert found.columns == (
            "unique_row_id",
            "filename",
            *(c.name for c in COLUMNS[file.color]),
        )
        row = dict(zip(found.columns, found.rows[0], strict=True))
        assert isinstance(row["unique_row_id"], bytes)
        assert (row["VendorID"], row["total_amount"]) == (2, Decimal("9.30"))
        prefix = "lpep" if file == GREEN else "tpep"
        assert row[f"{prefix}_pickup_datetime"] == datetime(2020, 4, 1, 8)


def test_a_first_load_inserts_every_row(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in range(1, 11)])
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.inserted, entry.updated, entry.deleted) == (10, 10, 0, 0)
    assert entry.total_amount == Decimal("93.00")


def test_a_trip_and_its_void_are_both_kept_under_ids_of_their_own(
    settings: Settings, folder: Path
) -> None:
    void = trip(GREEN, fare_amount="-8", total_amount="-9.3")
    put_trips(folder, GREEN, [trip(GREEN), void])
    load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == ["-9.30", "9.30"]
    ((ids,),) = rows(settings, "SELECT count(DISTINCT unique_row_id) FROM green_tripdata")
    assert ids == 2


def test_unique_row_id_is_the_md5_of_the_identity_and_ordinal(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, VendorID=None)])
    load(folder, GREEN, settings)
    pickup, dropoff = 1585728000_000000, 1585728750_000000  # 2020-04-01 08:00:00 and 08:12:30
    text = f"green_tripdata_2020-04.csv||{pickup}|{dropoff}|42|41|1"
    ((found,),) = rows(settings, "SELECT unique_row_id FROM green_tripdata")
    assert found == hashlib.md5(text.encode()).digest()


def test_a_corrected_fare_is_an_update_that_keeps_its_id(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    before = rows(settings, "SELECT unique_row_id FROM green_tripdata ORDER BY 1")
    put_trips(folder, GREEN, [trip(GREEN, total_amount="99.99"), trip(GREEN, PULocationID="7")])
    entry = load(folder, GREEN, settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (0, 1, 0, 1)
    assert amounts(settings, GREEN) == ["9.30", "99.99"]
    assert rows(settings, "SELECT unique_row_id FROM green_tripdata ORDER BY 1") == before


def test_new_rows_are_inserted_and_vanished_ones_deleted(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in (1, 2, 3)])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, PULocationID=zone) for zone in (2, 3, 4, 5)])
    entry = load(folder, GREEN, settings)
    assert (entry.inserted, entry.updated, entry.deleted, entry.unchanged) == (2, 0, 1, 2)
    found = rows(settings, "SELECT PULocationID FROM green_tripdata ORDER BY 1")
    assert found == [(2,), (3,), (4,), (5,)]


def test_rows_of_other_files_are_never_touched(settings: Settings, folder: Path) -> None:
    may = TripFile(Color.GREEN, Month(2020, 5))
    put_trips(folder, GREEN, [trip(GREEN)])
    # The other month holds the very same trip, as strays do: it stays that file's own.
    put_trips(folder, may, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    load(folder, may, settings)
    put_trips(folder, GREEN, [])
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.deleted) == (0, 1)
    assert len(amounts(settings, may)) == 2


def test_strays_outside_the_month_are_kept(settings: Settings, folder: Path) -> None:
    stray = trip(GREEN, pickup="2008-12-31 23:00:00", dropoff="2041-01-01 00:00:00")
    put_trips(folder, GREEN, [trip(GREEN), stray])
    assert load(folder, GREEN, settings).rows == 2


def test_a_month_from_another_format_replaces_its_rows_and_never_doubles_them(
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
    found = rows(settings, "SELECT filename, VendorID FROM green_tripdata")
    assert found == [("green_tripdata_2020-04.csv", 1)]
    assert entry.address == str(other / "green_tripdata_2020-04.parquet")


def test_a_reject_of_a_parquet_file_is_kept_with_its_row_and_cells(
    settings: Settings, folder: Path
) -> None:
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


def test_parquet_types_of_any_year_and_extra_fees_load_the_same(
    settings: Settings, folder: Path
) -> None:
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


def test_columns_load_by_name_whatever_their_order_and_case(
    settings: Settings, folder: Path
) -> None:
    names = header(Color.GREEN)
    put_trips(folder, GREEN, [trip(GREEN, tip_amount="1.23")])
    load(folder, GREEN, settings)
    shuffled = random.Random(1).sample(names, len(names))
    content = csv_bytes(GREEN, [trip(GREEN, tip_amount="1.23")], shuffled)
    first, _, rest = content.partition(b"\n")
    put(folder, GREEN, first.lower() + b"\n" + rest)
    entry = load(folder, GREEN, settings)
    assert entry.unchanged == 1
    assert (entry.inserted, entry.updated, entry.deleted) == (0, 0, 0)


def test_a_missing_column_is_null_with_a_warning_and_an_unknown_one_reported(
    settings: Settings, folder: Path
) -> None:
    names = [name for name in header(Color.GREEN) if name != "tip_amount"]
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


@LOCAL  # tests/gcp has these cells in one file
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
def test_amounts_of_more_than_two_decimals_round_half_away_from_zero_and_are_counted(
    settings: Settings, folder: Path, cell: str, stored: str, rounded: int
) -> None:
    put_trips(folder, GREEN, [trip(GREEN, total_amount=cell)])
    entry = load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == [stored]
    assert entry.rounded == rounded


@LOCAL
@given(st.decimals("-999999", "999999", places=4))
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_rounding_agrees_with_decimal_arithmetic(
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
    ("fare_amount", "$8"),
    ("total_amount", "12345678.90"),
    ("total_amount", "9999999.999"),
    ("total_amount", "9999999.995"),
    ("total_amount", "-9999999.995"),
    ("store_and_fwd_flag", "N\0"),
    ("VendorID", "\0"),
]


@LOCAL  # tests/gcp has these cells in one file
@pytest.mark.parametrize(("column", "cell"), BAD_CELLS)
@pytest.mark.parametrize("ending", ["csv.gz", "csv"])
def test_a_row_that_cannot_be_cast_is_a_reject_with_its_line_and_reason(
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


def test_bad_utf8_and_ragged_lines_are_rejects(settings: Settings, folder: Path) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(400)]).split(b"\n")
    lines[10] = lines[10].replace(b",N,", b",\xff\xfe,")
    lines[20] = b"2,2020-04-01 08:00:00"
    lines[30] += b",surplus,cells"
    put(folder, GREEN, b"\n".join(lines))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (397, 3)
    assert rows(settings, "SELECT line FROM rejects ORDER BY line") == [(11,), (21,), (31,)]


def test_a_quote_that_never_closes_rejects_its_own_line_only(
    settings: Settings, folder: Path
) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(200)]).split(b"\n")
    lines[10] = lines[10].replace(b",N,", b',"N,')
    put(folder, GREEN, b"\n".join(lines))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (199, 1)
    assert rows(settings, "SELECT line FROM rejects") == [(11,)]


def test_too_many_rejects_fail_the_file_and_change_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    put_trips(
        folder, GREEN, [trip(GREEN, VendorID="x" if n % 50 == 0 else "1") for n in range(500)]
    )
    with pytest.raises(TripFileError, match=r"10 of 500 rows cannot be read.*line 2"):
        load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == ["9.30"]


def test_rejects_of_an_earlier_version_go_when_the_file_is_mended(
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
def test_line_ends_of_any_kind_load_the_same(
    settings: Settings, folder: Path, newline: str, ending: str
) -> None:
    trips = [trip(GREEN, PULocationID=n) for n in range(1, 6)]
    put(folder, GREEN, csv_bytes(GREEN, trips, newline=newline), ending)
    assert load(folder, GREEN, settings).rows == 5


def test_mixed_line_ends_and_blank_lines_load_every_row(settings: Settings, folder: Path) -> None:
    lines = csv_bytes(GREEN, [trip(GREEN, PULocationID=n) for n in range(1, 10)]).splitlines()
    ends = [b"\n", b"\r\n", b"\n\n", b"\n", b"\r\n\r\n", b"\n"]
    put(folder, GREEN, b"".join(line + ends[i % 6] for i, line in enumerate(lines)))
    assert load(folder, GREEN, settings).rows == 9


def test_a_line_break_inside_quotes_does_not_reconcile_and_changes_nothing(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, store_and_fwd_flag="N\nN")])
    with pytest.raises(TripFileError, match="data lines"):
        load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == []


def test_a_header_without_rows_is_a_month_without_trips(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [])
    assert load(folder, GREEN, settings).rows == 0


# To Google Cloud, merge, reconciliation and commit are one job.
STEPS: list[LoadStep] = ["extract", "compare", "merge", "reconcile", "commit"]


@pytest.mark.parametrize("step", STEPS)
def test_a_cancel_at_any_step_leaves_the_file_as_it_was(
    settings: Settings, folder: Path, step: LoadStep
) -> None:
    if target(settings) == "gcp" and step in ("reconcile", "commit"):
        pytest.skip("part of the merge")
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    staged = stage_from(folder, GREEN, settings)
    watch = Watch()
    steps: list[str] = []

    def press(begun: LoadStep, _fraction: Any) -> None:
        steps.append(begun)
        if begun == step:
            watch.cancel.set()

    with warehouse(settings) as opened:
        watch = Watch(watch.cancel, press)
        if step == "commit":  # too late: the commit goes through whole
            opened.load(staged, LoadJob("r", "s"), watch)
        else:
            with pytest.raises(Cancelled):
                opened.load(staged, LoadJob("r", "s"), watch)
    assert steps[-1] == step
    assert amounts(settings, GREEN) == (["1.00"] if step == "commit" else ["9.30", "9.30"])


def test_a_cancel_stops_a_statement_in_the_middle(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, (trip(GREEN, PULocationID=n % 250) for n in range(300_000)))
    staged = stage_from(folder, GREEN, settings)
    watch = Watch()

    def press_soon(_step: LoadStep, _fraction: Any) -> None:
        threading.Timer(0.05, watch.cancel.set).start()

    with warehouse(settings) as opened, pytest.raises(Cancelled):
        opened.load(staged, LoadJob("r", "s"), Watch(watch.cancel, press_soon))
    assert amounts(settings, GREEN) == []


# The property: whatever sequence of versions a file goes through, the table equals the newest.

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
    """The changing columns in table order, NULL first: how ordinals are given."""
    names = [c.name for c in COLUMNS[file.color] if c.name in ("total_amount", "tip_amount")]
    return tuple((row[n] is not None, Decimal(row[n] or 0)) for n in names)


def _numbered(file: TripFile, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    numbered: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in sorted(rows, key=lambda row: _others(file, row)):
        seen[_identity(row)] += 1
        numbered[(*_identity(row), seen[_identity(row)])] = _others(file, row)
    return numbered


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(versions)
@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=SHARED)
def test_after_any_of_many_sequences_the_tables_equal_the_newest_files(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence[Version]
) -> None:
    run_sequence(tmp_path_factory.mktemp("property"), sequence)


@given(versions)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=SHARED)
def test_after_any_sequence_of_versions_the_tables_equal_the_newest_files(
    tmp_path_factory: pytest.TempPathFactory, sequence: Sequence[Version]
) -> None:
    run_sequence(tmp_path_factory.mktemp("property"), sequence)


def run_sequence(root: Path, sequence: Sequence[Version]) -> None:
    """Put each version in place, run a backfill, and check its counts; at the end, the tables."""
    settings = Settings(home=root / "home")
    (root / "source").mkdir()
    newest: dict[TripFile, list[dict[str, Any]]] = {}
    with warehouse(settings):  # kept open: the backfills share it and need not reopen it
        for number, (file, trips, policy) in enumerate(sequence):
            content = csv_bytes(file, [trip(file, **row) for row in trips])
            put(root / "source", file, content + b"\n" * number)  # no two versions alike in bytes
            before = _numbered(file, newest.get(file, []))
            after = _numbered(file, trips)
            state, files = backfill(settings, request(root / "source", file, policy=policy))
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
            found = rows(
                settings,
                "SELECT VendorID::VARCHAR, PULocationID::VARCHAR, total_amount::VARCHAR,"
                f" tip_amount::VARCHAR FROM {file.color.table} WHERE filename = '{file}'",
            )
            names = ("VendorID", "PULocationID", "total_amount", "tip_amount")
            assert Counter(found) == Counter(tuple(row[n] for n in names) for row in trips)
            ((ids,),) = rows(
                settings, f"SELECT count(DISTINCT unique_row_id) FROM {file.color.table}"
            )
            assert ids == len(trips)
        # Again, nothing changes: every file is skipped.
        files = backfill(settings, request(root / "source", *newest, policy=Policy.ALL))[1]
        assert {outcome.state for f, outcome in files.items() if f in newest} == {"skipped"}
