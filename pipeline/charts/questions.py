"""The statement behind each chart, over the sums or the trips it is asked of. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.charts.catalog import CHARTS, Chart
from pipeline.charts.filters import (
    Conditions,
    Filters,
    google_trip_conditions,
    local_trip_conditions,
    picked_conditions,
    summary_conditions,
    weekday_of,
)
from pipeline.sql import statement
from pipeline.trips import Color
from pipeline.warehouse import Scalar
from pipeline.warehouse.google_columns import trip_expressions
from pipeline.warehouse.local_columns import DERIVED_TYPES
from pipeline.warehouse.summaries import KEYS, SUMMARIES, SUMS, Summary

# What a period of a chart over time is, and what GoogleSQL calls it; its weeks begin on Monday.
GRAINS = {"day": "DAY", "week": "ISOWEEK", "month": "MONTH"}
TRIPS = "trips"  # what a chart is asked of where no summary can answer it


# Trips are grouped by the very cell here: putting the few different cells into steps afterwards
# takes less time than rounding each trip's.
_CELLS = {"DOLocationID", "fare_amount", "trip_distance"}
PICKED = "picked_trips"
_SUMS = SUMMARIES["trip_summary"]  # whose keys most charts can be asked of
_COLUMNS = (
    "pickup_day",
    "payment_type",
    "PULocationID",
    "DOLocationID",
    "total_amount",
    "fare_amount",
    "tip_amount",
    "trip_distance",
    "timed_seconds",
)
_LOCAL = {"timed": "timed_seconds IS NOT NULL", "seconds": "timed_seconds"}


@dataclass(frozen=True)
class Question:
    """What a chart asks of a warehouse: GoogleSQL, and the values of its @parameters.

    `origin` is what is asked: the name of a summary, or TRIPS. `shared` is another way to the
    same answer, which is shorter where several charts take it.
    """

    chart: Chart
    sql: str
    parameters: dict[str, Scalar]
    origin: str
    shared: Shared | None = None

    @property
    def rank(self) -> int:
        """0 for what is answered at once, 1 from what charts share, 2 perhaps by a look of its own.

        A look at the trips takes as long as all that others share.
        """
        if self.origin != TRIPS:
            return 0
        return 1 if self.shared and self.shared.of_sums else 2

    @property
    def of_what(self) -> str:
        """What is asked, in words."""
        summary = SUMMARIES.get(self.origin)
        return f"the sums by {summary.words}" if summary else "the trips"


@dataclass(frozen=True)
class Asked:
    """A statement in GoogleSQL, and the values of its @parameters."""

    sql: str
    parameters: dict[str, Scalar]


@dataclass(frozen=True)
class Shared:
    """How a chart is asked of what several charts have in common: the picked trips, or their sums.

    Attributes:
        count: How many trips are picked.
        trips: Fetches them, with the columns that charts need.
        sums: Adds them up, with the columns of `trip_summary`.
        of_trips: What this chart asks of the trips, as a table named PICKED.
        of_sums: What it asks of the sums, as a table named PICKED.

    `sums` and `of_sums` are None where they cannot answer the chart.
    """

    count: Asked
    trips: Asked
    of_trips: Asked
    sums: Asked | None = None
    of_sums: Asked | None = None


def pose(name: str, filters: Filters, target: str, grain: str = "day") -> Question:
    """Return what a chart asks of this target's warehouse (`local` or `gcp`).

    Args:
        name: One of CHARTS.
        grain: One of GRAINS, for the charts over time.
    """
    chart = CHARTS[name]
    summary = find_summary(chart, filters, target)
    if summary:
        found = summary_conditions(filters, summary)
        return Question(
            chart,
            _ask_summary(chart, summary.name, summary, found, grain),
            found.parameters,
            summary.name,
        )
    trips, parameters = _select_trips(
        filters, target, keys=chart.keys, sums=chart.sums, only=chart.only
    )
    sql = _ask(chart, trips, weekday_of(None), grain)
    return Question(chart, sql, parameters, TRIPS, _find_shared(chart, filters, target, grain))


def _ask(chart: Chart, trips: str, weekday: str, grain: str) -> str:
    return statement(f"charts/{chart.name}", trips=trips, grain=GRAINS[grain], weekday=weekday)


def _ask_summary(chart: Chart, table: str, summary: Summary, found: Conditions, grain: str) -> str:
    rows = f"(\n    SELECT *\n    FROM {table}{found.where('    ')}\n)"
    return _ask(chart, rows, weekday_of(summary), grain)


def _find_shared(chart: Chart, filters: Filters, target: str, grain: str) -> Shared | None:
    """Return how a chart is asked of what others are asked of, too, if it can be.

    What is picked is what only trips can tell: some zones, some distance. Payment, weekday and
    hour can be told afterwards. BigQuery bills for the columns that a chart reads, so there each
    chart is asked by itself.
    """
    if target != "local" or not chart.keys:
        return None
    picked = replace(filters, payments=(), weekdays=(), hours=())
    count = pose("count", picked, target)
    shared = Shared(
        Asked(count.sql, count.parameters),
        _fetch_trips(picked),
        _ask_picked(chart, filters, grain),
    )
    if _SUMS.name not in chart.summaries:
        return shared
    rest = Filters(
        payments=filters.payments, weekdays=filters.weekdays, hours=filters.hours, strays=True
    )
    found = summary_conditions(rest, _SUMS)
    of_sums = Asked(_ask_summary(chart, PICKED, _SUMS, found, grain), found.parameters)
    return replace(shared, sums=_sum_trips(picked, target), of_sums=of_sums)


def _sum_trips(filters: Filters, target: str) -> Asked:
    trips, parameters = _select_trips(filters, target, keys=_SUMS.keys, sums=_SUMS.sums[1:])
    return Asked(f"SELECT *\nFROM {trips}", parameters)


def _fetch_trips(filters: Filters) -> Asked:
    parameters: dict[str, Scalar] = {}
    parts = []
    for color in filters.colors:
        trips = _trips(color, filters, "local")
        parameters |= trips.conditions.parameters
        hour = KEYS["pickup_hour"].sql.format_map(trips.expressions)
        columns = ", ".join(_COLUMNS)
        parts.append(
            f"SELECT '{color}' AS color, {hour} AS pickup_hour, {columns}\n"
            f"FROM {trips.table}{trips.conditions.where()}"
        )
    return Asked("\nUNION ALL\n".join(parts), parameters)


def _ask_picked(chart: Chart, filters: Filters, grain: str) -> Asked:
    """Return what a chart asks of trips that `_fetch_trips` fetched."""
    found = picked_conditions(filters)
    trips = _Trips(PICKED, found, _LOCAL, {*DERIVED_TYPES, "color", "pickup_hour"})
    rows = _sum_up(trips, ("color", *chart.keys), chart.sums, chart.only)
    return Asked(_ask(chart, f"(\n{rows}\n)", weekday_of(None), grain), found.parameters)


def find_summary(chart: Chart, filters: Filters, target: str) -> Summary | None:
    """Return the smallest summary that can answer a chart under these filters, if any can."""
    if filters.dropoffs or not filters.half_miles:
        return None
    apart = filters.minimum_miles is not None
    for name in chart.summaries:
        summary = SUMMARIES[name]
        keys = set(summary.keys)
        if (
            (target == "local" or not summary.local)
            and (not apart or keys & {"half_miles", "trip_distance"})
            and (filters.whole_months or "pickup_day" in keys)
            and (not filters.zones or "PULocationID" in keys)
            and (not filters.hours or "pickup_hour" in keys)
            and (not filters.weekdays or keys & {"pickup_day", "weekday"})
        ):
            return summary
    return None


def steps(filters: Filters) -> Iterator[tuple[str, Filters]]:
    """Yield the filters added one after the other, each with its name: how many trips each leaves.

    Those that do not restrict anything are left out, except the first and the strays'.
    """
    everything = Filters(strays=True)
    now = replace(everything, colors=filters.colors)
    yield "colors", now
    if not filters.strays:
        now = replace(now, strays=False)
        yield "strays left out", now
    for name, fields in (
        ("days", ("first", "last")),
        ("weekdays and hours", ("weekdays", "hours")),
        ("payment", ("payments",)),
        ("zones", ("zones", "dropoffs")),
        ("distance", ("minimum_miles",)),
    ):
        then = replace(now, **{field: getattr(filters, field) for field in fields})
        if then != now:
            now = then
            yield name, now


def _select_trips(
    filters: Filters,
    target: str,
    *,
    keys: Collection[str],
    sums: Collection[str],
    only: str = "",
) -> tuple[str, dict[str, Scalar]]:
    """Return sums of the trips of all colors as one table, with the columns of the summaries.

    Each color's trips are added up before they are put together: a table's own statistics then
    let DuckDB count without a hash table, and nothing is worked out that the chart does not use.
    """
    parameters: dict[str, Scalar] = {}
    parts = []
    for color in filters.colors:
        trips = _trips(color, filters, target)
        parts.append(_sum_up(trips, keys, sums, only, first=(f"'{color}' AS color",)))
        parameters |= trips.conditions.parameters
    union = "\n    UNION ALL\n".join(parts)
    return f"(\n{union}\n)", parameters


def _sum_up(
    trips: _Trips,
    keys: Collection[str],
    sums: Collection[str],
    only: str,
    first: Collection[str] = (),
) -> str:
    """Return sums of trips by some keys, with `first` columns that are the same in all rows."""
    if only:
        trips.conditions.add(only)
    columns = [
        *first,
        *(
            key
            if key in _CELLS or key in trips.columns
            else f"{KEYS[key].sql.format_map(trips.expressions)} AS {key}"
            for key in keys
        ),
        *(f"{SUMS[name].sql.format_map(trips.expressions)} AS {name}" for name in ("trips", *sums)),
    ]
    listed = ",\n        ".join(columns)
    grouped = f"\n    GROUP BY {', '.join(keys)}" if keys else ""
    where = trips.conditions.where("    ")
    return f"    SELECT\n        {listed}\n    FROM {trips.table}{where}{grouped}"


@dataclass(frozen=True)
class _Trips:
    """A color's trips: where they are, conditions on them, and the expressions of `summaries`.

    `columns` are stored with them: of a local trip, what would take half of a statement's time.
    """

    table: str
    conditions: Conditions
    expressions: Mapping[str, str]
    columns: Collection[str] = ()


def _trips(color: Color, filters: Filters, target: str) -> _Trips:
    expressions = trip_expressions(color)
    if target != "local":
        return _Trips(color.table, google_trip_conditions(filters, color), expressions)
    conditions = local_trip_conditions(filters, color)
    return _Trips(f"storage.{color.table}", conditions, expressions | _LOCAL, DERIVED_TYPES)
