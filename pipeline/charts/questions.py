"""The statement behind each chart, over the sums or the trips it is asked of. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.charts.filters import WEEKDAY, Filters, summary_conditions, trip_conditions
from pipeline.sql import statement
from pipeline.trips import FARTHEST_TIMED, LONGEST_TIMED, SHORTEST_TIMED, Color
from pipeline.warehouse import Scalar

Origin = Literal["trip_summary", "zone_summary", "trips"]

# What a period of a chart over time is, and what GoogleSQL calls it; its weeks begin on Monday.
GRAINS = {"day": "DAY", "week": "ISOWEEK", "month": "MONTH"}


@dataclass(frozen=True)
class Chart:
    """A chart: the name of its statement, its title, and the sums that can answer it, if any."""

    name: str
    title: str
    origin: Origin


CHARTS = {
    chart.name: chart
    for chart in (
        Chart("count", "Trips left", "trip_summary"),
        Chart("figures", "Figures", "trip_summary"),
        Chart("over_time", "Trips and revenue over time", "trip_summary"),
        Chart("week_hours", "Trips by weekday and hour", "trip_summary"),
        Chart("payments", "How trips were paid", "trip_summary"),
        Chart("tips", "Card tips by hour", "trip_summary"),
        Chart("colors", "Yellow against green", "trip_summary"),
        Chart("fares", "Fares", "trips"),
        Chart("distances", "Distances", "trips"),
        Chart("zones", "Busiest pickup zones", "zone_summary"),
        Chart("pairs", "Busiest ways from zone to zone", "trips"),
        Chart("airports", "Airport trips", "trips"),
        Chart("coverage", "What is loaded", "trip_summary"),
        Chart("strays", "Strays", "trip_summary"),
    )
}


@dataclass(frozen=True)
class Question:
    """What a chart asks of a warehouse: GoogleSQL, the values of its @parameters, and of what."""

    chart: Chart
    sql: str
    parameters: dict[str, Scalar]
    origin: Origin


def pose(name: str, filters: Filters, target: str, grain: str = "day") -> Question:
    """Return what a chart asks of this target's warehouse (`local` or `gcp`).

    Args:
        name: One of CHARTS.
        grain: One of GRAINS, for the charts over time.
    """
    chart = CHARTS[name]
    origin = find_origin(chart, filters)
    if origin == "trips":
        trips, parameters = _select_trips(filters, target)
    else:
        day = "pickup_day" if origin == "trip_summary" else "pickup_month"
        found = summary_conditions(filters, day)
        trips = f"(\n    SELECT *\n    FROM {origin}{found.where('    ')}\n)"
        parameters = found.parameters
    sql = statement(f"charts/{name}", trips=trips, grain=GRAINS[grain], weekday=WEEKDAY)
    return Question(chart, sql, parameters, origin)


def find_origin(chart: Chart, filters: Filters) -> Origin:
    """Return what can answer a chart under these filters: the sums if they can, or the trips."""
    if filters.minimum_miles is not None:
        return "trips"
    by_hour = bool(filters.weekdays or filters.hours)
    if chart.origin == "zone_summary" and (by_hour or not filters.whole_months):
        return "trips"
    if chart.origin == "trip_summary" and filters.zones:
        return "trips"
    return chart.origin


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
        ("zones", ("zones",)),
        ("distance", ("minimum_miles",)),
    ):
        then = replace(now, **{field: getattr(filters, field) for field in fields})
        if then != now:
            now = then
            yield name, now


def _select_trips(filters: Filters, target: str) -> tuple[str, dict[str, Scalar]]:
    """Return the trips of all colors as one table, with the columns of the summaries."""
    parameters: dict[str, Scalar] = {}
    parts = []
    for color in filters.colors:
        table = _table(color, target)
        found = trip_conditions(filters, color, table.begin, table.end)
        parameters |= found.parameters
        micros = f"UNIX_MICROS({color.dropoff}) - UNIX_MICROS({color.pickup})"
        timed = (
            f"{micros} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
            f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}"
        )
        columns = [
            f"'{color}' AS color",
            f"DATE({color.pickup}) AS pickup_day",
            f"EXTRACT(HOUR FROM {color.pickup}) AS pickup_hour",
            "payment_type",
            "PULocationID",
            "DOLocationID",
            "1 AS trips",
            "total_amount",
            "fare_amount",
            "tip_amount",
            "trip_distance",
            "IF(fare_amount IS NULL, 0, 1) AS fares",
            "IF(trip_distance IS NULL, 0, 1) AS distances",
            f"IF({timed}, trip_distance, NULL) AS timed_miles",
            # The inner parentheses are for sqlglot, which would lose them.
            f"IF({timed}, DIV(({micros}), 1000000), NULL) AS timed_seconds",
        ]
        listed = ",\n        ".join(columns)
        parts.append(f"    SELECT\n        {listed}\n    FROM {table.name}{found.where('    ')}")
    union = "\n    UNION ALL\n".join(parts)
    return f"(\n{union}\n)", parameters


@dataclass(frozen=True)
class _Table:
    """Where a color's trips are, and the month of a trip's file as expressions: from, and before.

    Locally the month is a number beside the filename, because taking it from the text costs more
    than the rest of a statement (18 M trips: 1.2 s), and times have no zone.
    """

    name: str
    begin: str
    end: str


def _table(color: Color, target: str) -> _Table:
    if target == "local":
        first = "DATE(DIV(file_month, 100), MOD(file_month, 100), 1)"
        begin = f"CAST({first} AS DATETIME)"
        return _Table(f"storage.{color.table}", begin, f"DATE_ADD({first}, INTERVAL 1 MONTH)")
    first = "PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7))"
    end = f"TIMESTAMP(DATE_ADD({first}, INTERVAL 1 MONTH))"
    return _Table(color.table, f"TIMESTAMP({first})", end)
