"""Build the query of a chart under filters, over a rollup or over the trips. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.charts.catalog import Chart
from pipeline.charts.filters import (
    Conditions,
    Filters,
    rollup_conditions,
    trip_conditions,
    weekday_expression,
)
from pipeline.core.datasets import Dataset
from pipeline.core.sql import statement
from pipeline.warehouse import Scalar
from pipeline.warehouse.measures import MEASURES, with_measures
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.rollups import KEYS, SUMS, Rollup

# The lengths of periods in charts over time, and their names in GoogleSQL. Weeks begin on Monday.
GRAINS = {"day": "DAY", "week": "ISOWEEK", "month": "MONTH"}

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
    """

    chart: Chart
    rollup: Rollup | None = None

    @property
    def table_label(self) -> str:
        """What the query reads, in words: "the trips", or a rollup with its keys."""
        return f"the rollup by {self.rollup.label}" if self.rollup else "the trips"


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
        conditions = rollup_conditions(filters, rollup)
        rows = f"(\n    SELECT *\n    FROM {rollup.name}{conditions.where('    ')}\n)"
        sql = _fill_in(chart, rows, weekday_expression(rollup), grain)
        return ChartQuery(sql, conditions.parameters, chart, rollup)
    if chart.by_file:
        raise ValueError(f"no rollup can answer the chart {chart.name!r} under {filters}")
    trips = _group_trips(filters, target, chart.keys, chart.sums, chart.only)
    sql = _fill_in(chart, trips.sql, weekday_expression(None), grain)
    return ChartQuery(sql, trips.parameters, chart)


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
