"""The columns that an estimate counts are those that Google's own analyzer finds in a query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from pipeline.answers.truths.templates import TEMPLATES, identifiers
from pipeline.charts import CHARTS, build_query
from pipeline.charts.queries import Query, find_rollup
from pipeline.core.datasets import DATASETS, YELLOW_TAXIS
from pipeline.core.sql import statement
from pipeline.warehouse.scan import Layout, estimate
from tests.support.chart_cases import FILTERS
from tests.support.table_sizes import all_tables
from tests.warehouse.gcp.test_sql import make_analyzer, parameter_types, tables_of

DAYS = [date(2020, 4, 1) + timedelta(days=number) for number in range(61)]  # April and May
pytestmark = pytest.mark.timeout(600)  # each analyzer is compiled once, which may take minutes

TABLES = all_tables(dict.fromkeys(DAYS, 1000))
TYPES = {str: "STRING", int: "INT64", date: "DATE", datetime: "TIMESTAMP", Decimal: "NUMERIC"}


@cache
def chart_queries() -> tuple[Query, ...]:
    """The queries of all charts, each once, under filters that use every rollup and the trips."""
    queries = (
        build_query(chart, filters, "gcp", "week")
        for filters in FILTERS.values()
        for chart in CHARTS.values()
        if find_rollup(chart, filters, "gcp") or not chart.by_file
    )
    return tuple({(q.sql, repr(q.parameters)): q for q in queries}.values())


def analyzed_columns(statement: Any) -> dict[str, set[str]]:
    """The columns that a statement uses, by table, as the analyzer resolved it."""
    columns: dict[str, set[str]] = {}
    for node in _walk(statement):
        if type(node).__name__ == "ResolvedTableScan":
            used = {column.name for column in node.column_list}
            columns.setdefault(node.table.name, set()).update(used)
    return columns


def _walk(tree: Any) -> Iterator[Any]:
    unvisited = [tree]
    while unvisited:
        node = unvisited.pop()
        if isinstance(node, list | tuple):
            unvisited.extend(node)
        elif is_dataclass(node):
            yield node
            unvisited.extend(getattr(node, each.name) for each in fields(node))


def estimated_columns(query: Query) -> dict[str, set[str]]:
    found = estimate(query.sql, TABLES, parameters=query.parameters)
    assert not found.uncounted, query.sql
    return {scan.table: set(scan.columns) for scan in found.scans}


def parameters() -> dict[str, str]:
    queries = chart_queries()
    types = {n: TYPES[type(value)] for q in queries for n, value in q.parameters.items()}
    return parameter_types() | types


def our_tables() -> dict[str, dict[str, str]]:
    return {
        table: columns
        for dataset in DATASETS.values()
        for table, columns in tables_of(dataset).items()
    }


@pytest.fixture(scope="module")
def analyzer() -> Any:
    return make_analyzer(our_tables(), parameters().items())


def test_no_column_is_counted_that_the_analyzer_does_not_find_in_a_chart(analyzer: Any) -> None:
    for query in chart_queries():
        found = analyzed_columns(analyzer.analyze_statement(query.sql))
        counted = estimated_columns(query)
        assert counted.keys() == found.keys(), query.sql
        assert all(columns <= found[table] for table, columns in counted.items()), query.sql


def test_charts_need_no_column_that_is_not_counted() -> None:
    """The analyzer accepts each query over tables that have no other columns.

    That is more than it lists as referenced: it keeps all columns of `SELECT * FROM rollup`.
    """
    types, tables = parameters(), our_tables()
    for query in chart_queries():
        counted = {
            table: {"unused": "BOOL"} | {column: tables[table][column] for column in columns}
            for table, columns in estimated_columns(query).items()
        }
        used = {name: kind for name, kind in types.items() if f"@{name}" in query.sql}
        assert make_analyzer(counted, used.items()).analyze_statement(query.sql) is not None


@pytest.mark.parametrize("name", TEMPLATES)
def test_columns_of_every_truth_are_those_of_the_analyzer(name: str, analyzer: Any) -> None:
    sql = statement(f"truths/{TEMPLATES[name].sql}", **identifiers(YELLOW_TAXIS))
    expected = analyzed_columns(analyzer.analyze_statement(sql))
    assert estimated_columns(Query(sql, {})) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM yellow_tripdata",
        "SELECT * EXCEPT (extra) REPLACE (VendorID + mta_tax AS VendorID) FROM yellow_tripdata",
        "SELECT y.extra, (SELECT MAX(g.ehail_fee) FROM green_tripdata g WHERE "
        "g.PULocationID = y.PULocationID) FROM yellow_tripdata y",
        "SELECT VendorID FROM yellow_tripdata WHERE TRUE QUALIFY ROW_NUMBER() OVER "
        "(PARTITION BY PULocationID ORDER BY extra) = 1",
        "SELECT COUNT(*) FROM yellow_tripdata JOIN green_tripdata USING (VendorID, payment_type)",
        "WITH a AS (SELECT VendorID AS v FROM yellow_tripdata UNION ALL SELECT trip_type FROM "
        "green_tripdata) SELECT v, COUNT(*) FROM a JOIN rejects ON line = v GROUP BY v",
        "SELECT TO_JSON_STRING(t) FROM rejects AS t",
        "SELECT VendorID FROM yellow_tripdata WHERE PULocationID IN "
        "(SELECT DOLocationID FROM green_tripdata)",
    ],
)
def test_columns_of_sql_as_people_write_it_are_those_of_the_analyzer(
    sql: str, analyzer: Any
) -> None:
    expected = analyzed_columns(analyzer.analyze_statement(sql))
    assert estimated_columns(Query(sql, {})) == expected


def test_month_in_a_chart_reads_the_partitions_of_that_month_only() -> None:
    trips = build_query(CHARTS["routes"], FILTERS["miles of a month"], "gcp", "week")
    found = estimate(trips.sql, TABLES, Layout("DAY"), parameters=trips.parameters)
    assert {scan.table: (scan.read, scan.partitions) for scan in found.scans} == {
        dataset.table: (30, 61) for dataset in DATASETS.values()
    }
