"""A partition is skipped only if no row of it can meet the query's conditions."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.warehouse.scan import Layout, TableSizes, estimate
from pipeline.warehouse.scan.pruning import Partition

FIRST = datetime(2023, 12, 20)
TIMES = st.integers(0, 100 * 24).map(lambda hours: FIRST + timedelta(hours=hours))
ROWS: list[datetime | None] = [FIRST + timedelta(hours=7 * number) for number in range(330)]
ROWS.append(None)


def _constants() -> st.SearchStrategy[str]:
    forms = ("TIMESTAMP '{0}'", "CAST('{0}' AS TIMESTAMP)", "DATE '{1}'", "('{0}')", "'{1}'")
    shifted = ("DATE '{1}' + INTERVAL 3 DAY", "DATE '{1}' - INTERVAL 1 MONTH")
    return st.tuples(st.sampled_from((*forms, *shifted)), TIMES).map(
        lambda drawn: drawn[0].format(drawn[1], drawn[1].date())
    )


def _leaves() -> st.SearchStrategy[str]:
    operands = st.sampled_from(("moment", "CAST(moment AS DATE)", "date_trunc('month', moment)"))
    comparisons = st.sampled_from(("<", "<=", ">", ">=", "=", "<>"))
    one = _constants()
    return st.one_of(
        st.tuples(operands, comparisons, one).map(" ".join),
        st.tuples(one, comparisons, operands).map(" ".join),
        st.tuples(operands, one, one).map(lambda p: f"{p[0]} BETWEEN {p[1]} AND {p[2]}"),
        st.tuples(operands, one, one).map(lambda p: f"{p[0]} IN ({p[1]}, {p[2]})"),
        st.sampled_from(
            ("moment IS NULL", "moment IS NOT NULL", "number % 3 = 0", "TRUE", "moment < later")
        ),
    )


CONDITIONS = st.recursive(
    _leaves(),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} AND {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
        inner.map(lambda condition: f"NOT ({condition})"),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def events() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE events (moment TIMESTAMP, later TIMESTAMP, number INTEGER)")
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, ?)",
        [(at, FIRST + timedelta(days=50), number) for number, at in enumerate(ROWS)],
    )
    return connection


def _sizes() -> TableSizes:
    days = Counter(None if at is None else at.date() for at in ROWS)
    columns = dict.fromkeys(("moment", "later", "number"), 8 * len(ROWS))
    return TableSizes("events", len(ROWS), columns, Layout("DAY"), "moment", dict(days))


@settings(max_examples=80, deadline=None)
@given(condition=CONDITIONS, part=st.sampled_from(("DAY", "MONTH")))
def test_no_partition_with_a_matching_row_is_skipped(
    events: duckdb.DuckDBPyConnection, condition: str, part: str
) -> None:
    matching = events.execute(f"SELECT moment FROM events WHERE {condition}").fetchall()
    sizes = _sizes()
    layout = Layout("DAY" if part == "DAY" else "MONTH")
    partitions = {
        None if at is None else Partition.around(at.date(), layout.partitions or "DAY")
        for (at,) in matching
    }
    needed = sum(sizes.partitions(layout)[partition] for partition in partitions)
    sql = f"SELECT number FROM events WHERE {condition}"
    scan = estimate(sql, {"events": sizes}, layout, dialect="duckdb").scans[0]
    assert scan.read >= len(partitions)
    assert scan.processed >= 8 * needed


@settings(max_examples=40, deadline=None)
@given(first=TIMES, hours=st.integers(1, 40 * 24))
def test_range_of_times_reads_exactly_the_days_that_it_touches(first: datetime, hours: int) -> None:
    end = first + timedelta(hours=hours)
    sql = f"SELECT number FROM events WHERE moment >= '{first}' AND moment < '{end}'"
    sizes = _sizes()
    touched = {
        day
        for day in sizes.days
        if day is not None and first.date() <= day <= (end - timedelta(microseconds=1)).date()
    }
    scan = estimate(sql, {"events": sizes}, dialect="duckdb").scans[0]
    assert scan.read == len(touched)


def test_partitions_end_with_the_calendar() -> None:
    assert Partition.around(date(9999, 12, 5), "MONTH").last == date.max
    assert Partition.around(date(2024, 2, 5), "MONTH").last == date(2024, 2, 29)
