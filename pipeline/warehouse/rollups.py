"""Define the rollups: the pre-aggregated tables behind the charts. Pure: no I/O.

A rollup counts the trips of each file by some keys and adds up some of their columns. A load writes
the rollups of its file in its own transaction, from the rows that it writes to the trip table.

The SQL expressions here serve every warehouse. The placeholders in them (`{pickup}`, `{month}`,
`{timed}` and so on) stand for what the warehouses write differently; `trip_expressions` of each
warehouse's `columns` module fills them in.

Those that are made from a finer rollup exist in the local warehouse only: they save tenths of a
second, which BigQuery needs for any query, and each would be billed as a table of its own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.core.trips import MOST_MILES

Type = Literal["DATE", "INT64", "NUMERIC", "BOOL"]

AIRPORTS = "(1, 132, 138)"  # the zones of Newark, JFK and LaGuardia
AT_AIRPORTS = f"(PULocationID IN {AIRPORTS} OR DOLocationID IN {AIRPORTS})"
HALF_MILES = (
    "CASE WHEN trip_distance < 0 THEN -1 WHEN trip_distance >= 30 THEN 30"
    " ELSE FLOOR(trip_distance * 2) / 2 END"
)
ABSURD = f"(trip_distance < 0 OR trip_distance > {MOST_MILES})"


@dataclass(frozen=True)
class RollupColumn:
    """A column of rollups.

    Attributes:
        name: The name of the column in every rollup that has it.
        type: Its type in GoogleSQL.
        sql: The expression over trips that gives its value.
        description: What the column holds; stored in the warehouse as the column's comment.
        values: About how many different values of a key one month has; 1 for a sum.
        finer: Another key from whose values those of this key follow, or nothing.
    """

    name: str
    type: Type
    sql: str
    description: str
    values: int = 1
    finer: str = ""


def _by_name(*columns: RollupColumn) -> dict[str, RollupColumn]:
    return {column.name: column for column in columns}


# Fares and distances are rounded down to the bins of the charts, and capped at their ends.
KEYS = _by_name(
    RollupColumn(
        "pickup_day", "DATE", "CAST({pickup} AS DATE)", "Day of the pickups in New York", 31
    ),
    RollupColumn(
        "pickup_month",
        "DATE",
        "{month}",
        "First day of the month of the pickups",
        1,
        finer="pickup_day",
    ),
    RollupColumn(
        "weekday",
        "INT64",
        "{weekday}",
        "Day of the week of the pickups, 0 for Monday",
        7,
        finer="pickup_day",
    ),
    RollupColumn(
        "pickup_hour", "INT64", "EXTRACT(HOUR FROM {pickup})", "Hour of the pickups, 0 to 23", 24
    ),
    RollupColumn("payment_type", "INT64", "payment_type", "How the trips were paid", 6),
    RollupColumn("PULocationID", "INT64", "PULocationID", "Zone of the pickups", 265),
    RollupColumn(
        "airport",
        "INT64",
        f"CASE WHEN PULocationID IN {AIRPORTS} THEN PULocationID ELSE DOLocationID END",
        "Zone of the airport; of the first one for trips between two",
        3,
    ),
    RollupColumn(
        "began_there",
        "BOOL",
        f"COALESCE(PULocationID IN {AIRPORTS}, FALSE)",
        "Whether the trips began at the airport",
        2,
    ),
    RollupColumn(
        "fare_amount",
        "NUMERIC",
        "CASE WHEN fare_amount < 0 THEN -1 WHEN fare_amount >= 100 THEN 100"
        " ELSE FLOOR(fare_amount) END",
        "Whole dollars; -1 for all below $0, 100 for all from $100",
        102,
    ),
    RollupColumn(
        "trip_distance",
        "NUMERIC",
        "{half_miles}",
        "Half miles; -1 for all below 0, 30 for all from 30 miles",
        62,
    ),
)

SUMS = _by_name(
    RollupColumn("trips", "INT64", "COUNT(*)", "How many trips"),
    RollupColumn("total_amount", "NUMERIC", "SUM(total_amount)", "Sum, in dollars"),
    RollupColumn("fare_amount", "NUMERIC", "SUM(fare_amount)", "Sum, in dollars"),
    RollupColumn("tip_amount", "NUMERIC", "SUM(tip_amount)", "Sum, in dollars"),
    RollupColumn("trip_distance", "NUMERIC", "SUM(trip_distance)", "Sum, in miles"),
    RollupColumn("fares", "INT64", "COUNT(fare_amount)", "Trips whose fare_amount is known"),
    RollupColumn(
        "distances", "INT64", "COUNT(trip_distance)", "Trips whose trip_distance is known"
    ),
    RollupColumn(
        "absurd_miles",
        "NUMERIC",
        f"SUM(CASE WHEN {ABSURD} THEN trip_distance END)",
        f"Miles of the trips of less than 0 or more than {MOST_MILES} miles",
    ),
    RollupColumn(
        "absurd_distances",
        "INT64",
        f"COUNT(CASE WHEN {ABSURD} THEN 1 END)",
        f"Trips of less than 0 or more than {MOST_MILES} miles",
    ),
    RollupColumn(
        "timed_miles",
        "NUMERIC",
        "SUM(CASE WHEN {timed} THEN trip_distance END)",
        "Miles of the trips that took 1 minute to 6 hours and 0.01 to 200 miles",
    ),
    RollupColumn(
        "timed_seconds",
        "INT64",
        "SUM(CASE WHEN {timed} THEN {seconds} END)",
        "Seconds of the trips that took 1 minute to 6 hours and 0.01 to 200 miles",
    ),
)


# Every rollup is by these, too.
FILE_KEYS = ("filename", "color", "stray")


@dataclass(frozen=True)
class Rollup:
    """A table that counts the trips of each file by some keys and adds up some of their columns.

    Attributes:
        name: The name of the table.
        label: The keys in words, for people.
        keys: The columns that trips are grouped by, beside FILE_KEYS; of KEYS. One of them is the
            day or the month of pickup.
        sums: The columns that hold counts and sums, of SUMS.
        only: A condition on trips, in SQL: the rollup is about those that meet it.
        parent: The finer rollup from which the local warehouse makes this one, or nothing if it is
            made from trips.
        local: Whether the rollup exists in the local warehouse only.
    """

    name: str
    label: str
    keys: tuple[str, ...]
    sums: tuple[str, ...] = ("trips",)
    only: str = ""
    parent: str = ""
    local: bool = False

    @property
    def rows_per_month(self) -> int:
        """The most rows that one month of one color is likely to have in the table."""
        return math.prod(KEYS[key].values for key in self.keys)

    def has(self, key: str) -> bool:
        """Return whether the values of a key can be read from the table, or follow from it."""
        keys = {*FILE_KEYS, *self.keys}
        return key in keys or (key in KEYS and KEYS[key].finer in keys)

    def identifiers(
        self, expressions: Mapping[str, str], *, parent: str = "", first: int = 1
    ) -> dict[str, str]:
        """Return the identifiers for the `fill_rollup` statement of a warehouse, by placeholder.

        Args:
            expressions: What the warehouse writes for `{pickup}` and the other placeholders.
            parent: The finer rollup that the statement reads, or nothing if it reads trips.
            first: The position, from 1, of the first key in the columns of the inner SELECT.
        """
        parent_keys = ROLLUPS[parent].keys if parent else ()
        keys = [
            key if key in parent_keys else f"{KEYS[key].sql.format_map(expressions)} AS {key}"
            for key in self.keys
        ]
        if parent:
            sums = [f"SUM({name}) AS {name}" for name in self.sums]
        else:
            sums = [f"{SUMS[name].sql.format_map(expressions)} AS {name}" for name in self.sums]
        return {
            "rollup": self.name,
            "keys": ", ".join(self.keys),
            "sums": ", ".join(self.sums),
            "key_expressions": ",\n        ".join(keys),
            "sum_expressions": ",\n        ".join(sums),
            "positions": ", ".join(str(first + number) for number in range(len(keys))),
            "when": "pickup_day" if "pickup_day" in self.keys else "pickup_month",
            "where": f"\n    WHERE {self.only}" if self.only and not parent else "",
        }


# Rollups of earlier versions, which answered the filter by distance. The trips do that in half a
# second (of 9 M; docs/performance.md), and each load is faster without them.
FORMER_ROLLUPS = (
    "day_mile_summary",
    "slot_mile_summary",
    "zone_mile_summary",
    "airport_mile_summary",
    "fare_mile_summary",
)

_ALL_SUMS = tuple(SUMS)
_AMOUNTS = ("trips", "total_amount", "fare_amount", "tip_amount")
ROLLUPS = {
    rollup.name: rollup
    for rollup in (
        Rollup(
            "trip_summary",
            "day, hour and payment",
            ("pickup_day", "pickup_hour", "payment_type"),
            _ALL_SUMS,
        ),
        Rollup(
            "day_summary",
            "day and payment",
            ("pickup_day", "payment_type"),
            _ALL_SUMS,
            parent="trip_summary",
            local=True,
        ),
        Rollup(
            "slot_summary",
            "month, weekday, hour and payment",
            ("pickup_month", "weekday", "pickup_hour", "payment_type"),
            _AMOUNTS,
            parent="trip_summary",
            local=True,
        ),
        Rollup(
            "zone_summary",
            "month, zone and payment",
            ("pickup_month", "PULocationID", "payment_type"),
            ("trips", "total_amount"),
        ),
        Rollup(
            "airport_summary",
            "day, airport and payment",
            ("pickup_day", "airport", "began_there", "payment_type"),
            ("trips", "total_amount"),
            only=AT_AIRPORTS,
        ),
        Rollup(
            "fare_summary",
            "month, fare and payment",
            ("pickup_month", "fare_amount", "payment_type"),
        ),
        Rollup(
            "distance_summary",
            "month, distance and payment",
            ("pickup_month", "trip_distance", "payment_type"),
        ),
    )
}


def rollup_digest() -> str:
    """Return a digest of all rollup definitions: it differs when a column or an expression does.

    A warehouse whose rollups were computed by other definitions computes them again.
    """
    definitions = [
        (
            rollup.name,
            rollup.only,
            [(KEYS[name].name, KEYS[name].type, KEYS[name].sql) for name in rollup.keys],
            [(SUMS[name].name, SUMS[name].type, SUMS[name].sql) for name in rollup.sums],
        )
        for rollup in ROLLUPS.values()
    ]
    return hashlib.sha256(repr(definitions).encode()).hexdigest()[:16]
