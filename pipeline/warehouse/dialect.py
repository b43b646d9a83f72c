"""How SQL over trips is written for a warehouse.

Charts, truths and comparisons are written once, in GoogleSQL, for every warehouse; each translates
them for its engine (`Warehouse.read`). A `TripTable` says what differs beyond that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.core.datasets import Dataset
from pipeline.core.trips import FARTHEST_TIMED, LONGEST_TIMED, SHORTEST_TIMED
from pipeline.warehouse.rollups import HALF_MILES


@dataclass(frozen=True)
class TripTable:
    """Where a warehouse keeps the trips of one dataset, for statements that read them.

    Attributes:
        name: The table to read from.
        expressions: GoogleSQL for the placeholders of `rollups` ({pickup}, {month}, ...).
        stored: Columns that are stored beside the published ones (`DERIVED_COLUMNS`); where they
            are, statements read them instead of computing them.
        month_number: The column with the number of the file's month, such as 202004, where it
            stands for the file; empty where trips have a `filename`.
    """

    name: str
    expressions: Mapping[str, str]
    stored: Collection[str] = ()
    month_number: str = ""


DERIVED_COLUMNS = ("pickup_day", "stray", "timed_seconds")
"""What charts ask of trips again and again, and a warehouse may therefore store with each trip."""

DERIVED_EXPRESSIONS = {"timed": "timed_seconds IS NOT NULL", "seconds": "timed_seconds"}
"""Expressions for the placeholders of `rollups` where DERIVED_COLUMNS are stored."""


@cache
def trip_expressions(dataset: Dataset) -> dict[str, str]:
    """Return the GoogleSQL expressions that fill in the placeholders of `rollups`."""
    micros = f"UNIX_MICROS({dataset.dropoff}) - UNIX_MICROS({dataset.pickup})"
    return {
        "pickup": dataset.pickup,
        # Translated for DuckDB, DATE_TRUNC returns a timestamp.
        "month": f"CAST(DATE_TRUNC(CAST({dataset.pickup} AS DATE), MONTH) AS DATE)",
        # 1900-01-01 was a Monday, so 0 is Monday; engines disagree on how to number weekdays.
        "weekday": f"MOD(DATE_DIFF(CAST({dataset.pickup} AS DATE), DATE '1900-01-01', DAY), 7)",
        "half_miles": HALF_MILES,
        # sqlglot, which the emulator uses, would drop the parentheses if there were only one pair.
        "seconds": f"DIV(({micros}), 1000000)",
        "timed": f"{micros} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
        f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}"
        if dataset.has("trip_distance")
        else "FALSE",
    }
