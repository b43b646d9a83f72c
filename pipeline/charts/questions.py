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
    """A chart: the name of its statement, its title, and the sums that can answer it, if any.

    `keys` and `sums` are the columns that its statement uses, of `_KEYS` and `_SUMS`; none where
    only the sums are ever asked. `only` is a condition on the trips that it is about.
    """

    name: str
    title: str
    origin: Origin
    keys: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    only: str = ""


# What trips are grouped by for the charts, as GoogleSQL with a color's own columns to fill in. The
# distributions are by cell here: putting the few different cells into steps afterwards takes less
# time than rounding each trip's.
_AIRPORTS = "(1, 132, 138)"  # Newark, JFK, LaGuardia
_KEYS = {
    "pickup_day": "DATE({pickup})",
    "pickup_hour": "EXTRACT(HOUR FROM {pickup})",
    "payment_type": "payment_type",
    "PULocationID": "PULocationID",
    "DOLocationID": "DOLocationID",
    "fare_amount": "fare_amount",
    "trip_distance": "trip_distance",
    "airport": f"IF(PULocationID IN {_AIRPORTS}, PULocationID, DOLocationID)",
    "began_there": f"COALESCE(PULocationID IN {_AIRPORTS}, FALSE)",
}

# What is added up of them. The inner parentheses are for sqlglot, which would lose them.
_MICROS = "UNIX_MICROS({dropoff}) - UNIX_MICROS({pickup})"
_TIMED = (
    f"{_MICROS} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
    f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}"
)
_SUMS = {
    "total_amount": "SUM(total_amount)",
    "fare_amount": "SUM(fare_amount)",
    "tip_amount": "SUM(tip_amount)",
    "trip_distance": "SUM(trip_distance)",
    "fares": "COUNT(fare_amount)",
    "distances": "COUNT(trip_distance)",
    "timed_miles": f"SUM(IF({_TIMED}, trip_distance, NULL))",
    "timed_seconds": f"SUM(IF({_TIMED}, DIV(({_MICROS}), 1000000), NULL))",
}

_DAY, _HOUR, _PAID = "pickup_day", "pickup_hour", "payment_type"
_DOLLARS = ("total_amount",)
CHARTS = {
    chart.name: chart
    for chart in (
        Chart("count", "Trips left", "trip_summary"),
        Chart("figures", "Figures", "trip_summary", (_DAY, _PAID), tuple(_SUMS)),
        Chart("over_time", "Trips and revenue over time", "trip_summary", (_DAY,), _DOLLARS),
        Chart("week_hours", "Trips by weekday and hour", "trip_summary", (_DAY, _HOUR), _DOLLARS),
        Chart("payments", "How trips were paid", "trip_summary", (_DAY, _PAID)),
        Chart(
            "tips",
            "Card tips by hour",
            "trip_summary",
            (_HOUR, _PAID),
            ("tip_amount", "fare_amount"),
            "payment_type = 1",
        ),
        Chart("colors", "Yellow against green", "trip_summary", (_HOUR,), _DOLLARS),
        Chart("fares", "Fares", "trips", ("fare_amount",)),
        Chart("distances", "Distances", "trips", ("trip_distance",)),
        Chart("zones", "Busiest pickup zones", "zone_summary", ("PULocationID",), _DOLLARS),
        Chart(
            "pairs",
            "Busiest ways from zone to zone",
            "trips",
            ("PULocationID", "DOLocationID"),
            _DOLLARS,
        ),
        Chart(
            "airports",
            "Airport trips",
            "trips",
            ("airport", "began_there", _DAY),
            _DOLLARS,
            f"(PULocationID IN {_AIRPORTS} OR DOLocationID IN {_AIRPORTS})",
        ),
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
        trips, parameters = _select_trips(chart, filters, target)
    else:
        day = "pickup_day" if origin == "trip_summary" else "pickup_month"
        found = summary_conditions(filters, day)
        trips = f"(\n    SELECT *\n    FROM {origin}{found.where('    ')}\n)"
        parameters = found.parameters
    sql = statement(f"charts/{name}", trips=trips, grain=GRAINS[grain], weekday=WEEKDAY)
    return Question(chart, sql, parameters, origin)


def find_origin(chart: Chart, filters: Filters) -> Origin:
    """Return what can answer a chart under these filters: the sums if they can, or the trips."""
    if filters.minimum_miles is not None or filters.dropoffs:
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
        ("zones", ("zones", "dropoffs")),
        ("distance", ("minimum_miles",)),
    ):
        then = replace(now, **{field: getattr(filters, field) for field in fields})
        if then != now:
            now = then
            yield name, now


def _select_trips(chart: Chart, filters: Filters, target: str) -> tuple[str, dict[str, Scalar]]:
    """Return sums of the trips of all colors as one table, with the columns of the summaries.

    Each color's trips are added up before they are put together: a table's own statistics then
    let DuckDB count without a hash table, and nothing is worked out that the chart does not use.
    """
    parameters: dict[str, Scalar] = {}
    parts = []
    for color in filters.colors:
        table = _table(color, target)
        found = trip_conditions(filters, color, table.begin, table.end)
        if chart.only:
            found.add(chart.only)
        parameters |= found.parameters
        times = {"pickup": color.pickup, "dropoff": color.dropoff}
        columns = [
            f"'{color}' AS color",
            *(f"{_KEYS[key].format_map(times)} AS {key}" for key in chart.keys),
            "COUNT(*) AS trips",
            *(f"{_SUMS[name].format_map(times)} AS {name}" for name in chart.sums),
        ]
        listed = ",\n        ".join(columns)
        grouped = f"\n    GROUP BY {', '.join(chart.keys)}" if chart.keys else ""
        where = found.where("    ")
        parts.append(f"    SELECT\n        {listed}\n    FROM {table.name}{where}{grouped}")
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
