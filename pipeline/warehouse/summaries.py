"""The sums that every load writes beside the trips, from which charts are drawn. Pure: no I/O.

A summary counts the trips of each file by some keys, and adds up some of their columns. It is
written in the transaction of the load, from the same rows. Expressions are for both warehouses;
what these say differently (`{pickup}`, `{month}`, `{timed}`, ...) is filled in by
`local_columns.trip_expressions` and `google_columns.trip_expressions`.

Those by half miles answer for trips of at least so many. They, and most of those that are added up
from others, are kept locally only: they save tenths of seconds, and BigQuery would bill and wait as
for trips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.trips import MOST_MILES

Type = Literal["DATE", "INT64", "NUMERIC", "BOOL"]

AIRPORTS = "(1, 132, 138)"  # the zones of Newark, JFK and LaGuardia
AT_AIRPORTS = f"(PULocationID IN {AIRPORTS} OR DOLocationID IN {AIRPORTS})"
HALF_MILES = (
    "CASE WHEN trip_distance < 0 THEN -1 WHEN trip_distance >= 30 THEN 30"
    " ELSE FLOOR(trip_distance * 2) / 2 END"
)
ABSURD = f"(trip_distance < 0 OR trip_distance > {MOST_MILES})"


@dataclass(frozen=True)
class Field:
    """A column of summaries: its type in GoogleSQL, its expression over trips, what it says."""

    name: str
    type: Type
    sql: str
    description: str


def _by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


# Fares and distances are rounded down to what the distributions show, and beyond their ends.
KEYS = _by_name(
    Field("pickup_day", "DATE", "CAST({pickup} AS DATE)", "Day of the pickups in New York"),
    Field("pickup_month", "DATE", "{month}", "First day of the month of the pickups"),
    Field("weekday", "INT64", "{weekday}", "Day of the week of the pickups, 0 for Monday"),
    Field("pickup_hour", "INT64", "EXTRACT(HOUR FROM {pickup})", "Hour of the pickups, 0 to 23"),
    Field("payment_type", "INT64", "payment_type", "How the trips were paid"),
    Field("PULocationID", "INT64", "PULocationID", "Zone of the pickups"),
    Field(
        "airport",
        "INT64",
        f"CASE WHEN PULocationID IN {AIRPORTS} THEN PULocationID ELSE DOLocationID END",
        "Zone of the airport; of the first one for trips between two",
    ),
    Field(
        "began_there",
        "BOOL",
        f"COALESCE(PULocationID IN {AIRPORTS}, FALSE)",
        "Whether the trips began at the airport",
    ),
    Field(
        "fare_amount",
        "NUMERIC",
        "CASE WHEN fare_amount < 0 THEN -1 WHEN fare_amount >= 100 THEN 100"
        " ELSE FLOOR(fare_amount) END",
        "Whole dollars; -1 for all below $0, 100 for all from $100",
    ),
    Field(
        "trip_distance",
        "NUMERIC",
        "{half_miles}",
        "Half miles; -1 for all below 0, 30 for all from 30 miles",
    ),
    # The same, under a name that leaves trip_distance to the sum.
    Field(
        "half_miles",
        "NUMERIC",
        "{half_miles}",
        "Distance in half miles; -1 for all below 0, 30 for all from 30 miles",
    ),
)

SUMS = _by_name(
    Field("trips", "INT64", "COUNT(*)", "How many trips"),
    Field("total_amount", "NUMERIC", "SUM(total_amount)", "Sum, in dollars"),
    Field("fare_amount", "NUMERIC", "SUM(fare_amount)", "Sum, in dollars"),
    Field("tip_amount", "NUMERIC", "SUM(tip_amount)", "Sum, in dollars"),
    Field("trip_distance", "NUMERIC", "SUM(trip_distance)", "Sum, in miles"),
    Field("fares", "INT64", "COUNT(fare_amount)", "Trips whose fare_amount is known"),
    Field("distances", "INT64", "COUNT(trip_distance)", "Trips whose trip_distance is known"),
    Field(
        "absurd_miles",
        "NUMERIC",
        f"SUM(CASE WHEN {ABSURD} THEN trip_distance END)",
        f"Miles of the trips of less than 0 or more than {MOST_MILES} miles",
    ),
    Field(
        "absurd_distances",
        "INT64",
        f"COUNT(CASE WHEN {ABSURD} THEN 1 END)",
        f"Trips of less than 0 or more than {MOST_MILES} miles",
    ),
    Field(
        "timed_miles",
        "NUMERIC",
        "SUM(CASE WHEN {timed} THEN trip_distance END)",
        "Miles of the trips that took 1 minute to 6 hours and 0.01 to 200 miles",
    ),
    Field(
        "timed_seconds",
        "INT64",
        "SUM(CASE WHEN {timed} THEN {seconds} END)",
        "Seconds of the trips that took 1 minute to 6 hours and 0.01 to 200 miles",
    ),
)


@dataclass(frozen=True)
class Summary:
    """A table of sums.

    Attributes:
        name: Of the table.
        words: What it is by, for people, beside the file.
        keys: Of KEYS, one of them the day or the month of pickup.
        sums: Of SUMS.
        only: A condition on the trips it is about.
        of: The finer summary that it is added up from locally, instead of from trips.
        local: Whether it is kept locally only.
    """

    name: str
    words: str
    keys: tuple[str, ...]
    sums: tuple[str, ...] = ("trips",)
    only: str = ""
    of: str = ""
    local: bool = False

    def identifiers(
        self, expressions: Mapping[str, str], *, of: str = "", first: int = 1
    ) -> dict[str, str]:
        """Return what the statement that fills this summary is filled in with, by placeholder.

        Args:
            expressions: What a warehouse calls `{pickup}` and the like.
            of: The finer summary that it is added up from, if it is.
            first: Which column of the inner SELECT, from 1, is the first key.
        """
        finer = SUMMARIES[of].keys if of else ()
        keys = [
            key if key in finer else f"{KEYS[key].sql.format_map(expressions)} AS {key}"
            for key in self.keys
        ]
        counted = [f"{SUMS[name].sql.format_map(expressions)} AS {name}" for name in self.sums]
        added = [f"SUM({name}) AS {name}" for name in self.sums]
        return {
            "summary": self.name,
            "keys": ", ".join(self.keys),
            "sums": ", ".join(self.sums),
            "key_expressions": ",\n        ".join(keys),
            "sum_expressions": ",\n        ".join(added if of else counted),
            "positions": ", ".join(str(first + number) for number in range(len(keys))),
            "when": "pickup_day" if "pickup_day" in self.keys else "pickup_month",
            "where": f"\n    WHERE {self.only}" if self.only and not of else "",
        }


_ALL = tuple(SUMS)
_TAKEN = ("trips", "total_amount", "fare_amount", "tip_amount")
SUMMARIES = {
    summary.name: summary
    for summary in (
        Summary(
            "trip_summary",
            "day, hour and payment",
            ("pickup_day", "pickup_hour", "payment_type"),
            _ALL,
        ),
        Summary(
            "day_summary",
            "day and payment",
            ("pickup_day", "payment_type"),
            _ALL,
            of="trip_summary",
            local=True,
        ),
        Summary(
            "slot_summary",
            "month, weekday, hour and payment",
            ("pickup_month", "weekday", "pickup_hour", "payment_type"),
            _TAKEN,
            of="trip_summary",
            local=True,
        ),
        Summary(
            "day_mile_summary",
            "day, distance and payment",
            ("pickup_day", "half_miles", "payment_type"),
            _ALL,
            local=True,
        ),
        Summary(
            "slot_mile_summary",
            "month, weekday, hour, distance and payment",
            ("pickup_month", "weekday", "pickup_hour", "half_miles", "payment_type"),
            _TAKEN,
            local=True,
        ),
        Summary(
            "zone_mile_summary",
            "month, zone, distance and payment",
            ("pickup_month", "PULocationID", "half_miles", "payment_type"),
            ("trips", "total_amount"),
            local=True,
        ),
        Summary(
            "zone_summary",
            "month, zone and payment",
            ("pickup_month", "PULocationID", "payment_type"),
            ("trips", "total_amount"),
            of="zone_mile_summary",
        ),
        Summary(
            "airport_mile_summary",
            "day, airport, distance and payment",
            ("pickup_day", "airport", "began_there", "half_miles", "payment_type"),
            ("trips", "total_amount"),
            only=AT_AIRPORTS,
            local=True,
        ),
        Summary(
            "airport_summary",
            "day, airport and payment",
            ("pickup_day", "airport", "began_there", "payment_type"),
            ("trips", "total_amount"),
            only=AT_AIRPORTS,
            of="airport_mile_summary",
        ),
        Summary(
            "fare_mile_summary",
            "month, fare, distance and payment",
            ("pickup_month", "fare_amount", "half_miles", "payment_type"),
            local=True,
        ),
        Summary(
            "fare_summary",
            "month, fare and payment",
            ("pickup_month", "fare_amount", "payment_type"),
            of="fare_mile_summary",
        ),
        Summary(
            "distance_summary",
            "month, distance and payment",
            ("pickup_month", "trip_distance", "payment_type"),
            of="fare_mile_summary",
        ),
    )
}
