"""Answer several charts from one scan of the trips, whose result is held in memory."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import duckdb

from pipeline.charts.queries import SCANNED, ChartQuery, Query, SharedScan
from pipeline.core.sql import translate
from pipeline.warehouse import Warehouse
from pipeline.warehouse.results import QueryResult, collect

MAX_TRIPS = 1_000_000  # held in memory, at 95 bytes each; more trips are grouped
_BATCH_ROWS = 100_000


def run_scan(scan: SharedScan, warehouse: Warehouse) -> QueryResult:
    """Run a shared scan and return its result.

    The result holds the trips if there are at most MAX_TRIPS of them, otherwise their groups, or
    their number if groups cannot answer the chart. Its seconds include those of counting.

    Raises what `Warehouse.read` raises.
    """
    count = _read(warehouse, scan.count)
    few = count.table["trips"][0].as_py() <= MAX_TRIPS
    query = scan.trips if few else scan.rollup
    if query is None:
        return count
    result = _read(warehouse, query)
    return replace(result, seconds=count.seconds + result.seconds)


def query_scan(query: ChartQuery, scanned: QueryResult, warehouse: Warehouse) -> QueryResult:
    """Return the result of a chart's query from that of its scan.

    Its SQL is the statement that returns the same rows without the scan, its seconds are those of
    both steps. If the scan cannot answer the chart, the warehouse does.

    Args:
        query: A query with a `scan`.
        scanned: The result of `run_scan` for this scan.
        warehouse: The warehouse that the scan read.
    """
    assert query.scan
    grouped = "trips" in scanned.table.column_names
    chart_query = query.scan.chart_of_rollup if grouped else query.scan.chart_of_trips
    if chart_query is None:
        return _read(warehouse, query)
    started = time.perf_counter()
    with _memory().cursor() as cursor:
        cursor.register(SCANNED, scanned.table)  # visible to this cursor only
        relation = cursor.sql(translate(chart_query.sql), params=dict(chart_query.parameters))
        batches = relation.to_arrow_reader(_BATCH_ROWS)
        table = collect(batches, batches.schema)
    seconds = scanned.seconds + time.perf_counter() - started
    return QueryResult(table, translate(query.sql), seconds)


def _read(warehouse: Warehouse, query: Query) -> QueryResult:
    return warehouse.read(query.sql, query.parameters)


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Return the connection to DuckDB in memory, which reads nothing from outside."""
    return duckdb.connect(
        ":memory:", config={"enable_external_access": False, "autoinstall_known_extensions": False}
    )
