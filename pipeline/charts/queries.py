"""Build the query of a chart under filters, over a rollup or over the trips. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.charts.catalog import COUNT, Chart
from pipeline.charts.filters import (
    Conditions,
    Filters,
    rollup_conditions,
    scanned_trip_conditions,
    trip_conditions,
    weekday_expression,
)
from pipeline.core.datasets import Dataset
from pipeline.core.sql import statement
from pipeline.warehouse import Scalar
from pipeline.warehouse.dialect import DERIVED_COLUMNS, DERIVED_EXPRESSIONS
from pipeline.warehouse.measures import MEASURES, with_measures
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.rollups import KEYS, ROLLUPS, SUMS, Rollup

# The lengths of periods in charts over time, and their names in GoogleSQL. Weeks begin on Monday.
GRAINS = {"day": "DAY", "week": "ISOWEEK", "month": "MONTH"}

# The result of a shared scan, as a table in the queries over it.
SCANNED = "scanned_trips"
_SCANNED_COLUMNS = ("pickup_day", "PULocationID", "DOLocationID", *MEASURES, "timed_seconds")
# Most charts can be answered from its keys, so it is what a shared scan makes of many trips.
_SCAN_ROLLUP = ROLLUPS["trip_summary"]

# Trips are grouped by the exact values of these columns. Rounding the few groups to the bins of a
# chart afterwards takes less time than rounding every trip.
_EXACT_KEYS = {"DOLocationID", *MEASURES}


@dataclass(frozen=True)
class Query:
    """A statement in GoogleSQL and the values of its @parameters."""

    sql: str
    parameters: dict[str, Scalar]


@dataclass(frozen=True)
class ChartQuery(Query):
    """The query of a chart under filters.

    Attributes:
        chart: The chart that the rows are for.
        rollup: The rollup that the query reads, or None if it reads the trips.
        scan: How to get the same rows from a scan that several charts share, if that is possible.
    """

    chart: Chart
    rollup: Rollup | None = None
    scan: SharedScan | None = None

    @property
    def rank(self) -> int:
        """The place of the query in the order in which to run several: 0 first, 2 last.

        Rollups answer at once. Queries over the rollup of a shared scan come next. The others may
        each need a scan of their own, which takes as long as the shared one.
        """
        if self.rollup:
            return 0
        return 1 if self.scan and self.scan.chart_of_rollup else 2

    @property
    def table_label(self) -> str:
        """What the query reads, in words: "the trips", or a rollup with its keys."""
        return f"the rollup by {self.rollup.label}" if self.rollup else "the trips"


@dataclass(frozen=True)
class SharedScan:
    """How to answer a chart from one scan of the trips that also serves other charts.

    Attributes:
        count: Counts the trips that the scan would return.
        trips: Returns these trips, with the columns that charts need.
        chart_of_trips: The chart's query over these trips, as the table SCANNED.
        rollup: Groups the trips by the keys of `trip_summary`, which is smaller.
        chart_of_rollup: The chart's query over these groups, as the table SCANNED.

    `rollup` and `chart_of_rollup` are None if the groups cannot answer the chart.
    """

    count: Query
    trips: Query
    chart_of_trips: Query
    rollup: Query | None = None
    chart_of_rollup: Query | None = None


def build_query(chart: Chart, filters: Filters, target: str, grain: str = "day") -> ChartQuery:
    """Return the query of a chart under filters.

    Args:
        chart: A row of the catalog.
        filters: The trips that the chart is about.
        target: The name of the warehouse that will run the query.
        grain: The length of the periods of charts over time, one of GRAINS.

    Raises ValueError for a chart by file under filters that only trips can answer.
    """
    rollup = find_rollup(chart, filters, target)
    if rollup:
        query = _query_rollup(chart, rollup.name, rollup, rollup_conditions(filters, rollup), grain)
        return ChartQuery(query.sql, query.parameters, chart, rollup)
    if chart.by_file:
        raise ValueError(f"no rollup can answer the chart {chart.name!r} under {filters}")
    trips = _group_trips(filters, target, chart.keys, chart.sums, chart.only)
    sql = _fill_in(chart, trips.sql, weekday_expression(None), grain)
    scan = _share_scan(chart, filters, target, grain)
    return ChartQuery(sql, trips.parameters, chart, scan=scan)


def find_rollup(chart: Chart, filters: Filters, target: str) -> Rollup | None:
    """Return the smallest rollup that can answer a chart under filters, or None if none can."""
    keys = filters.needed_keys()
    if keys is None:
        return None
    existing = find_backend(target).rollups
    for rollup in chart.rollups:
        if rollup.name in existing and all(rollup.has(key) for key in keys):
            return rollup
    return None


def filter_steps(filters: Filters) -> Iterator[tuple[str, Filters]]:
    """Yield the filters added one after the other, each with its name.

    Counting the trips of each shows how many the filter added last leaves. Filters that do not
    restrict anything are left out, except the first, and the one that leaves out strays.
    """
    step = Filters(strays=True, datasets=filters.datasets, left_out=filters.left_out)
    yield "colors", step
    if not filters.strays:
        step = replace(step, strays=False)
        yield "strays left out", step
    for name, fields in (
        ("days", ("first", "last")),
        ("weekdays and hours", ("weekdays", "hours")),
        ("payment", ("payments",)),
        ("zones", ("zones", "dropoffs")),
        ("distance", ("minimum_miles",)),
    ):
        narrowed = replace(step, **{field: getattr(filters, field) for field in fields})
        if narrowed != step:
            step = narrowed
            yield name, step


def _fill_in(chart: Chart, table: str, weekday: str, grain: str) -> str:
    """Return the SQL of a chart over a table or subquery."""
    name = f"charts/{chart.sql or chart.name}"
    return statement(name, trips=table, grain=GRAINS[grain], weekday=weekday)


def _query_rollup(
    chart: Chart, table: str, rollup: Rollup, conditions: Conditions, grain: str
) -> Query:
    """Return the query of a chart over a table that has the columns of a rollup."""
    rows = f"(\n    SELECT *\n    FROM {table}{conditions.where('    ')}\n)"
    sql = _fill_in(chart, rows, weekday_expression(rollup), grain)
    return Query(sql, conditions.parameters)


def _share_scan(chart: Chart, filters: Filters, target: str, grain: str) -> SharedScan | None:
    """Return how a chart can be answered from a shared scan, or None if it cannot.

    The scan applies the filters that need the trips themselves, such as some zones or distances.
    Those by payment, weekday and hour can be applied to its result, so that it stays of use when
    they change. Where a warehouse bills by the columns that a query reads, charts share nothing.
    """
    backend = find_backend(target)
    has_derived_columns = all(backend.trip_table(dataset).stored for dataset in filters.datasets)
    if backend.is_billed or not has_derived_columns or not chart.keys:
        return None
    scanned = replace(filters, payments=(), weekdays=(), hours=())
    count = build_query(COUNT, scanned, target)
    scan = SharedScan(
        count=Query(count.sql, count.parameters),
        trips=_select_trips(scanned, target),
        chart_of_trips=_query_scanned_trips(chart, filters, grain),
    )
    if _SCAN_ROLLUP not in chart.rollups:
        return scan
    rest = Filters(
        payments=filters.payments, weekdays=filters.weekdays, hours=filters.hours, strays=True
    )
    conditions = rollup_conditions(rest, _SCAN_ROLLUP)
    groups = _group_trips(scanned, target, _SCAN_ROLLUP.keys, _SCAN_ROLLUP.sums[1:])
    return replace(
        scan,
        rollup=Query(f"SELECT *\nFROM {groups.sql}", groups.parameters),
        chart_of_rollup=_query_rollup(chart, SCANNED, _SCAN_ROLLUP, conditions, grain),
    )


def _select_trips(filters: Filters, target: str) -> Query:
    """Return the query for the trips of a shared scan, with the columns that charts need."""
    parameters: dict[str, Scalar] = {}
    selects = []
    for dataset in filters.datasets:
        trips = _trips_of(dataset, filters, target)
        parameters |= trips.conditions.parameters
        hour = KEYS["pickup_hour"].sql.format_map(trips.expressions)
        selects.append(
            f"SELECT '{dataset}' AS color, {hour} AS pickup_hour, {', '.join(_SCANNED_COLUMNS)}\n"
            f"FROM {trips.table}{trips.conditions.where()}"
        )
    return Query("\nUNION ALL\n".join(selects), parameters)


def _query_scanned_trips(chart: Chart, filters: Filters, grain: str) -> Query:
    """Return the query of a chart over trips that `_select_trips` returned."""
    conditions = scanned_trip_conditions(filters)
    columns = {*DERIVED_COLUMNS, "color", "pickup_hour"}
    trips = _Trips(SCANNED, conditions, DERIVED_EXPRESSIONS, columns)
    groups = _group(trips, ("color", *chart.keys), chart.sums, chart.only)
    sql = _fill_in(chart, f"(\n{groups}\n)", weekday_expression(None), grain)
    return Query(sql, conditions.parameters)


def _group_trips(
    filters: Filters, target: str, keys: Collection[str], sums: Collection[str], only: str = ""
) -> Query:
    """Return a subquery that groups trips of all datasets, with the columns of a rollup.

    Each dataset is grouped by itself before the groups are put together. The statistics of a single
    table let DuckDB count without a hash table.
    """
    parameters: dict[str, Scalar] = {}
    selects = []
    for dataset in filters.datasets:
        trips = _trips_of(dataset, filters, target)
        selects.append(_group(trips, keys, sums, only, constants=(f"'{dataset}' AS color",)))
        parameters |= trips.conditions.parameters
    union = "\n    UNION ALL\n".join(selects)
    return Query(f"(\n{union}\n)", parameters)


def _group(
    trips: _Trips,
    keys: Collection[str],
    sums: Collection[str],
    only: str,
    constants: Collection[str] = (),
) -> str:
    """Return a SELECT that groups trips by keys.

    Args:
        trips: The trips to read.
        keys: The columns to group by. One that follows from a finer key is left to the chart's
            query, because working it out for each group takes less time than for each trip.
        sums: The columns of `rollups.SUMS` to add up, beside the number of trips.
        only: A further condition on the trips, or an empty text.
        constants: Columns, with their names, that have the same value in all rows.
    """
    if only:
        trips.conditions.add(only)
    grouped = [KEYS[key].finer or key if key in KEYS else key for key in keys]
    columns = [
        *constants,
        *(_key_column(key, trips) for key in grouped),
        *(f"{SUMS[name].sql.format_map(trips.expressions)} AS {name}" for name in ("trips", *sums)),
    ]
    listed = ",\n        ".join(columns)
    group_by = f"\n    GROUP BY {', '.join(grouped)}" if grouped else ""
    where = trips.conditions.where("    ")
    return f"    SELECT\n        {listed}\n    FROM {trips.table}{where}{group_by}"


def _key_column(key: str, trips: _Trips) -> str:
    if key in _EXACT_KEYS or key in trips.columns:
        return key
    if key not in KEYS:
        raise ValueError(
            f"no chart can group trips by {key!r}: add the column to MEASURES in "
            "pipeline/warehouse/measures.py, or the key to KEYS in pipeline/warehouse/rollups.py"
        )
    return f"{KEYS[key].sql.format_map(trips.expressions)} AS {key}"


@dataclass(frozen=True)
class _Trips:
    """The trips of a dataset.

    Attributes:
        table: The table that holds them.
        conditions: The conditions on them.
        expressions: What the warehouse writes for the placeholders in expressions of `rollups`.
        columns: Keys that the table stores, so that they need no expression.
    """

    table: str
    conditions: Conditions
    expressions: Mapping[str, str]
    columns: Collection[str] = ()


def _trips_of(dataset: Dataset, filters: Filters, target: str) -> _Trips:
    table = find_backend(target).trip_table(dataset)
    conditions = trip_conditions(filters, dataset, table)
    rows = with_measures(dataset, table.name)
    return _Trips(rows, conditions, table.expressions, table.stored)
