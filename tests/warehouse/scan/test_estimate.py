"""The bytes that BigQuery would bill, by its published rules."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from pipeline.core.errors import UsageError
from pipeline.warehouse.scan import (
    LAYOUTS,
    MEBIBYTE,
    Layout,
    compare_layouts,
    estimate,
    mebibytes,
)
from tests.support.table_sizes import all_tables, table_of

ROWS = 20_332_093  # yellow trips of January to June 2024, as the course's homework has them
FIRST = date(2024, 1, 1)
DAYS = {FIRST + timedelta(days=number): ROWS // 182 for number in range(182)}
DAYS[FIRST] += ROWS - sum(DAYS.values())
TABLES = all_tables(DAYS)
INT64 = 8 * ROWS

PICKUP = "tpep_pickup_datetime"
FIFTEEN_DAYS = f"{PICKUP} BETWEEN '2024-03-01' AND '2024-03-15'"
FIFTEEN = 15 * (ROWS // 182)


def columns(sql: str, dialect: str = "bigquery") -> dict[str, set[str]]:
    """The columns that are counted, by table."""
    found = estimate(sql, TABLES, dialect=dialect)
    return {scan.table: set(scan.columns) for scan in found.scans}


@pytest.mark.parametrize(
    ("sql", "figure"),
    [
        ("SELECT PULocationID FROM yellow_tripdata", "155.12 MiB"),
        ("SELECT PULocationID, DOLocationID FROM yellow_tripdata", "310.24 MiB"),
        ("SELECT COUNT(*) FROM yellow_tripdata", "0 bytes"),
        (f"SELECT COUNT({PICKUP}) FROM `p.ny.yellow_tripdata` LIMIT 1", "155.12 MiB"),
    ],
)
def test_estimate_gives_the_known_answers_of_the_homework(sql: str, figure: str) -> None:
    assert estimate(sql, TABLES).figure == figure


def test_filter_on_15_days_reads_the_share_of_those_days_with_daily_partitions() -> None:
    sql = f"SELECT DISTINCT VendorID FROM yellow_tripdata WHERE {FIFTEEN_DAYS}"
    assert estimate(sql, TABLES, Layout()).processed == 2 * INT64
    assert estimate(sql, TABLES, Layout("DAY")).processed == 2 * 8 * FIFTEEN
    march = 31 * (ROWS // 182)
    assert estimate(sql, TABLES, Layout("MONTH")).processed == 2 * 8 * march
    assert estimate(sql, TABLES).processed == 2 * 8 * march  # as Fareground loads it
    assert estimate(sql, TABLES, Layout(external=True)).processed == 2 * INT64


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("VendorID", 8),
        ("total_amount", 16),
        ("tpep_pickup_datetime", 8),
        ("store_and_fwd_flag", 12),
        ("unique_row_id", 12),
    ],
)
def test_bytes_of_a_column_follow_its_type(kind: str, size: int) -> None:
    assert estimate(f"SELECT {kind} FROM yellow_tripdata", TABLES).processed == size * ROWS


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT y.vendorid FROM yellow_tripdata AS y", {"VendorID"}),
        ("WITH t AS (SELECT * FROM yellow_tripdata) SELECT VendorID FROM t", {"VendorID"}),
        ("SELECT COUNT(*) FROM (SELECT * FROM yellow_tripdata)", set()),
        ("WITH t AS (SELECT extra FROM yellow_tripdata) SELECT 1", None),
        (
            "SELECT VendorID FROM yellow_tripdata QUALIFY ROW_NUMBER() OVER "
            "(PARTITION BY PULocationID ORDER BY extra) = 1",
            {"VendorID", "PULocationID", "extra"},
        ),
        (
            "SELECT VendorID FROM yellow_tripdata GROUP BY VendorID HAVING SUM(extra) > 1 "
            "ORDER BY MAX(mta_tax)",
            {"VendorID", "extra", "mta_tax"},
        ),
        (
            "SELECT a.VendorID FROM yellow_tripdata a JOIN yellow_tripdata b USING (PULocationID)",
            {"VendorID", "PULocationID"},
        ),
        ("SELECT t FROM yellow_tripdata AS t", set(TABLES["yellow_tripdata"].columns)),
        (
            "SELECT * EXCEPT (extra) REPLACE (VendorID + mta_tax AS VendorID) FROM yellow_tripdata",
            set(TABLES["yellow_tripdata"].columns) - {"extra"},
        ),
        (
            "SELECT VendorID FROM yellow_tripdata UNION ALL SELECT extra FROM yellow_tripdata",
            {"VendorID", "extra"},
        ),
        (
            "SELECT 1 FROM yellow_tripdata y WHERE EXISTS (SELECT * FROM yellow_tripdata z "
            "WHERE z.VendorID = y.extra)",
            {"VendorID", "extra"},
        ),
    ],
)
def test_only_used_columns_are_counted(sql: str, expected: set[str] | None) -> None:
    assert columns(sql) == ({} if expected is None else {"yellow_tripdata": expected})
    assert estimate(sql, TABLES).bound == ""


def test_tables_of_joins_and_correlated_subqueries_are_counted_each_by_itself() -> None:
    sql = """
        SELECT y.extra, (SELECT MAX(g.ehail_fee) FROM green_tripdata g
                         WHERE g.PULocationID = y.PULocationID)
        FROM yellow_tripdata y LEFT JOIN rejects USING (filename)"""
    assert columns(sql) == {
        "yellow_tripdata": {"extra", "PULocationID", "filename"},
        "green_tripdata": {"ehail_fee", "PULocationID"},
        "rejects": {"filename"},
    }


def test_a_column_that_is_referenced_twice_is_counted_once() -> None:
    twice = "SELECT a.VendorID FROM yellow_tripdata a JOIN yellow_tripdata b USING (VendorID)"
    assert estimate(twice, TABLES).processed == INT64
    months = (
        f"SELECT VendorID FROM yellow_tripdata WHERE {PICKUP} < '2024-01-11' UNION ALL "
        f"SELECT VendorID FROM yellow_tripdata WHERE {PICKUP} < '2024-01-21'"
    )
    rows = sum(rows for day, rows in DAYS.items() if day < date(2024, 1, 21))
    assert estimate(months, TABLES, Layout("DAY")).processed == 2 * 8 * rows


def test_each_referenced_table_is_billed_at_least_10_mib_and_whole_ones() -> None:
    small = {name: table_of(name, {FIRST: 1000}) for name in ("yellow_tripdata", "green_tripdata")}
    both = "SELECT y.VendorID, g.VendorID FROM yellow_tripdata y, green_tripdata g"
    assert estimate(both, small).processed == 16_000
    assert estimate(both, small).billed == 20 * MEBIBYTE
    assert estimate("SELECT COUNT(*) FROM yellow_tripdata", small).billed == 0
    large = estimate("SELECT VendorID FROM yellow_tripdata", TABLES)
    assert large.billed == 156 * MEBIBYTE
    assert large.dollars(6.25) == pytest.approx(156 / 2**20 * 6.25)


@pytest.mark.parametrize(
    ("condition", "days"),
    [
        (f"{PICKUP} >= TIMESTAMP('2024-03-01') AND {PICKUP} < TIMESTAMP '2024-03-04'", 3),
        (f"DATE({PICKUP}) BETWEEN DATE '2024-03-01' AND '2024-03-03'", 3),
        (f"CAST({PICKUP} AS DATE) IN ('2024-03-01', '2024-05-01')", 2),
        (f"DATE({PICKUP}) = DATE(2024, 3, 1)", 1),
        (f"DATE({PICKUP}) != '2024-03-01'", 181),
        (f"NOT {PICKUP} < CAST('2024-06-30' AS TIMESTAMP)", 1),
        (f"{PICKUP} < '2024-01-02' OR {PICKUP} >= '2024-06-30'", 2),
        (f"{PICKUP} < '2024-01-02' OR extra > 1", 182),
        (f"{PICKUP} >= DATE_SUB(DATE '2024-07-01', INTERVAL 1 MONTH)", 30),
        (f"{PICKUP} >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)", 2),
        (f"{PICKUP} >= @first", 28),
        (f"{PICKUP} IS NULL", 0),
        (f"{PICKUP} IS NOT NULL AND extra = 1", 182),
        (f"'2024-01-02 12:00:00+00' > {PICKUP}", 2),
    ],
)
def test_partitions_are_skipped_by_comparisons_with_constants(condition: str, days: int) -> None:
    found = estimate(
        f"SELECT VendorID FROM yellow_tripdata WHERE {condition}",
        TABLES,
        Layout("DAY"),
        parameters={"first": date(2024, 6, 3)},
        now=datetime(2024, 6, 30, 12),
    )
    assert found.scans[0].read == days
    assert found.bound == ""


@pytest.mark.parametrize(
    "condition",
    [
        f"EXTRACT(YEAR FROM {PICKUP}) = 2024",
        f"TIMESTAMP_TRUNC({PICKUP}, MONTH) = '2024-03-01'",
        f"DATE({PICKUP}, 'America/New_York') = '2024-03-01'",
        f"{PICKUP} > tpep_dropoff_datetime",
        f"{PICKUP} > (SELECT MAX(finished_at) FROM load_ledger)",
        f"{PICKUP} >= @unknown",
        f"FORMAT_TIMESTAMP('%Y', {PICKUP}) = '2024'",
    ],
)
def test_filter_that_cannot_be_told_skips_nothing_and_is_named(condition: str) -> None:
    sql = f"SELECT VendorID FROM yellow_tripdata WHERE {condition}"
    found = estimate(sql, TABLES)
    trips = next(scan for scan in found.scans if scan.table == "yellow_tripdata")
    assert trips.read == trips.partitions
    assert found.figure.startswith("at most ")
    assert any(PICKUP in note and "skipped no partition" in note for note in found.limits)
    assert estimate(sql, TABLES, Layout()).bound == ""  # without partitions nothing is unclear


def test_filter_on_a_simple_subquery_skips_partitions_of_its_table() -> None:
    sql = f"WITH t AS (SELECT * FROM yellow_tripdata) SELECT VendorID FROM t WHERE {FIFTEEN_DAYS}"
    assert estimate(sql, TABLES, Layout("DAY")).scans[0].read == 15


def test_condition_of_an_outer_join_skips_partitions_of_the_joined_side_only() -> None:
    sql = f"""
        SELECT a.VendorID, g.VendorID FROM yellow_tripdata a LEFT JOIN green_tripdata g
        ON a.VendorID = g.VendorID AND a.{PICKUP} < '2024-01-02'
           AND g.lpep_pickup_datetime < '2024-01-02'"""
    read = {scan.table: scan.read for scan in estimate(sql, TABLES, Layout("DAY")).scans}
    assert read == {"yellow_tripdata": 182, "green_tripdata": 1}
    where = " WHERE g.lpep_pickup_datetime IS NULL OR g.lpep_pickup_datetime < '2024-01-02'"
    plain = "SELECT a.VendorID, g.VendorID FROM yellow_tripdata a LEFT JOIN green_tripdata g USING"
    found = estimate(f"{plain} (VendorID){where}", TABLES, Layout("DAY"))
    assert [scan.read for scan in found.scans] == [182, 182]  # absent rows meet it, too


@pytest.mark.parametrize(
    ("sql", "bound", "word"),
    [
        ("SELECT VendorID FROM yellow_tripdata, some_view", "at least", "some_view"),
        ("SELECT * FROM `ny.yellow_tripdata_*`", "at least", "stands for"),
        ("SELECT * FROM ny.INFORMATION_SCHEMA.TABLES", "at least", "10 MB"),
        ("SELECT p.ny.tax(extra) FROM yellow_tripdata", "at least", "function"),
        ("SELECT nothing FROM yellow_tripdata", "at most", "nothing"),
        (
            "SELECT * FROM yellow_tripdata PIVOT (SUM(extra) FOR VendorID IN (1, 2))",
            "at most",
            "PIVOT",
        ),
        ("SELECT VendorID FROM yellow_tripdata WHERE filename = 'x'", "at most", "clustered"),
    ],
)
def test_what_cannot_be_told_is_said(sql: str, bound: str, word: str) -> None:
    found = estimate(sql, TABLES)
    assert found.bound == bound
    assert any(word in note for note in found.notes)


def test_unknown_column_counts_every_column() -> None:
    every = TABLES["yellow_tripdata"].columns
    assert columns("SELECT nothing FROM yellow_tripdata") == {"yellow_tripdata": set(every)}


@pytest.mark.parametrize(
    "sql", ["DROP TABLE yellow_tripdata", "SELECT 1; SELECT 2", "SELEC", "", "SUMMARIZE rejects"]
)
def test_other_statements_than_one_select_are_refused(sql: str) -> None:
    with pytest.raises(UsageError):
        estimate(sql, TABLES, dialect="duckdb")


@pytest.mark.parametrize(
    "sql", ["SELECT " + "(" * 2900 + "1" + ")" * 2900, "SELECT '" + "x" * 30_000 + "'"]
)
def test_hostile_sql_is_refused_with_an_error_for_people(sql: str) -> None:
    with pytest.raises(UsageError):
        estimate(sql, TABLES)


DOUBLING = ", ".join(f"c{number} + c{number} AS c{number + 1}" for number in range(40))
NEARLY = ("SELECT a FROM yellow_tripdata, (CASE [1, 2]) AS a", "END FROM yellow_tripdata SELECT 1")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT VendorID AS c0, {DOUBLING} FROM yellow_tripdata",
        "SELECT 1 FROM yellow_tripdata WHERE " + " AND ".join(["extra = 2"] * 400),
        "SELECT * FROM " + ", ".join(f"yellow_tripdata t{number}" for number in range(100)),
    ],
)
def test_query_that_expands_to_much_more_takes_a_moment(sql: str) -> None:
    assert "VendorID" in columns(sql, "duckdb")["yellow_tripdata"] or "extra = 2" in sql


def test_too_many_joins_are_refused() -> None:
    sql = "SELECT * FROM " + ", ".join(f"yellow_tripdata t{number}" for number in range(150))
    with pytest.raises(UsageError, match="joins"):
        estimate(sql, TABLES)


@pytest.mark.parametrize("sql", NEARLY)
def test_sql_that_the_parser_trips_over_is_refused_without_a_word_on_stderr(
    sql: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError):
        estimate(sql, TABLES, dialect="duckdb")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "sql",
    ["SELECT PULocationID FROM `p.ny.yellow_tripdata`", "FROM yellow_tripdata SELECT PULocationID"],
)
def test_query_in_the_other_dialect_is_estimated_too(sql: str) -> None:
    for dialect in ("bigquery", "duckdb"):
        assert estimate(sql, TABLES, dialect=dialect).processed == INT64


@pytest.mark.parametrize(
    "first",
    [
        "DATE_SUB(DATE '2024-07-01', INTERVAL 1 MONTH)",
        "DATE_ADD(DATE '2024-05-01', INTERVAL 1 MONTH)",
        "TIMESTAMP(DATE(2024, 6, 1))",
    ],
)
def test_dates_of_bigquery_skip_partitions_whichever_dialect_is_read_first(first: str) -> None:
    sql = f"SELECT VendorID FROM yellow_tripdata WHERE {PICKUP} >= {first}"
    for dialect in ("bigquery", "duckdb"):
        found = estimate(sql, TABLES, Layout("DAY"), dialect=dialect)
        assert (found.scans[0].read, found.bound) == (30, "")


def test_layouts_begin_with_the_table_as_it_is_and_differ_by_partitions() -> None:
    found = compare_layouts(f"SELECT VendorID FROM yellow_tripdata WHERE {FIFTEEN_DAYS}", TABLES)
    assert list(found) == list(LAYOUTS)
    read = [each.scans[0].read for each in found.values()]
    assert read == [1, 1, 1, 15, 1, 15]


def test_sizes_are_written_as_mib() -> None:
    assert [mebibytes(size) for size in (0, 1000, 10_486, INT64)] == [
        "0 bytes",
        "1,000 bytes",
        "0.01 MiB",
        "155.12 MiB",
    ]
