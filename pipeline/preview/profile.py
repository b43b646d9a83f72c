"""Each column of a previewed file in figures, counted over the rows as they would load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipeline.preview.rows import fetch_dicts
from pipeline.sql import statement
from pipeline.trips import COLUMNS, Color, Column

BINS = 24
FREQUENT = 5


@dataclass(frozen=True)
class Histogram:
    """Rows in equal ranges from `low` to `high`; what lies outside is in the first and last one.

    For times both are moments, for anything else numbers.
    """

    low: object
    high: object
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnProfile:
    """One column of the rows looked at.

    Attributes:
        nulls, distinct: Rows without a value, and how many different values the others have;
            both are exact.
        low, high: The smallest and largest value; None where there is none.
        quartiles: The 25 %, 50 % and 75 % quantiles, values that occur; of texts none.
        frequent: The most frequent values with their rows, of texts and whole numbers only.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int
    low: object
    high: object
    quartiles: tuple[object, ...]
    histogram: Histogram | None
    frequent: tuple[tuple[object, int], ...]

    @property
    def null_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


def profile_columns(
    connection: duckdb.DuckDBPyConnection, color: Color, rows: int
) -> tuple[ColumnProfile, ...]:
    """Return the profile of each column of `trips`, which holds `rows` rows of this color."""
    return tuple(_profile(connection, column, rows) for column in COLUMNS[color])


def _profile(connection: duckdb.DuckDBPyConnection, column: Column, rows: int) -> ColumnProfile:
    (found,) = fetch_dicts(connection, statement("duckdb/profile_column", column=column.name), {})
    figures: dict[str, Any] = dict(found)
    quantiles = figures["quantiles"] or []
    histogram = None
    if quantiles and column.type != "STRING":
        low, high = quantiles[0], quantiles[-1]
        if column.type == "INT64" and figures["high"] - figures["low"] < BINS:
            low, high = figures["low"], figures["high"]  # a bar for each code, rare ones too
        histogram = _count_bins(connection, column, low, high)
    frequent: tuple[tuple[object, int], ...] = ()
    if column.type in ("STRING", "INT64"):
        connection.execute(
            statement("duckdb/select_frequent", column=column.name), {"limit": FREQUENT}
        )
        frequent = tuple((value, count) for value, count in connection.fetchall())
    return ColumnProfile(
        column.name,
        column.type,
        rows,
        figures["nulls"],
        figures["different"],
        figures["low"],
        figures["high"],
        () if column.type == "STRING" else tuple(quantiles[1:4]),
        histogram,
        frequent,
    )


def _count_bins(
    connection: duckdb.DuckDBPyConnection, column: Column, low: Any, high: Any
) -> Histogram:
    is_time = column.type == "TIMESTAMP"
    first, last = (_seconds(low), _seconds(high)) if is_time else (float(low), float(high))
    if column.type == "INT64" and last - first < BINS:
        bins, width = int(last - first) + 1, 1.0
    elif last > first:
        bins, width = BINS, (last - first) / BINS
    else:
        bins, width = 1, 1.0
    number = f"epoch({column.name})" if is_time else f"CAST({column.name} AS DOUBLE)"
    connection.execute(
        statement("duckdb/count_bins", column=column.name, number=number),
        {"low": first, "width": width, "bins": bins},
    )
    counts = dict(connection.fetchall())
    return Histogram(low, high, tuple(counts.get(bin, 0) for bin in range(bins)))


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()  # as DuckDB's epoch() counts
