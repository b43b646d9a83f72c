"""Compute statistics of each column of a previewed file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pipeline.core.columns import Column
from pipeline.core.sql import statement
from pipeline.preview.rows import fetch_dicts

BINS = 24
FREQUENT = 5


@dataclass(frozen=True)
class Histogram:
    """Row counts in equal ranges from `low` to `high`.

    The first and last range include the values beyond them. `low` and `high` are datetimes for a
    time column (New York wall-clock time, naive) and numbers for other columns.
    """

    low: object
    high: object
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ColumnProfile:
    """Statistics of one column.

    Attributes:
        nulls: Rows without a value.
        distinct: Number of different values, exact.
        low, high: Smallest and largest value; None for a column without values.
        quartiles: The 25 %, 50 % and 75 % discrete quantiles; empty for text.
        histogram: None for text, and for a column without values.
        frequent: The most frequent values and their row counts, for text and integers only.
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
        """Share of rows without a value, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


def profile_columns(
    connection: duckdb.DuckDBPyConnection,
    columns: Iterable[Column],
    rows: int,
    table: str = "trips",
) -> tuple[ColumnProfile, ...]:
    """Return the statistics of each column of a table, in the order given.

    Args:
        columns: Columns whose names are constants of ours.
        rows: Number of rows in the table.
        table: Its name, a constant of ours.
    """
    return tuple(_profile(connection, column, rows, table) for column in columns)


def _profile(
    connection: duckdb.DuckDBPyConnection, column: Column, rows: int, table: str
) -> ColumnProfile:
    names = {"column": column.name, "table": table}
    (row,) = fetch_dicts(connection, statement("duckdb/profile_column", **names), {})
    statistics: dict[str, Any] = dict(row)
    quantiles = statistics["quantiles"] or []
    histogram = None
    if quantiles and column.type != "STRING":
        low, high = quantiles[0], quantiles[-1]
        if column.type == "INT64" and statistics["high"] - statistics["low"] < BINS:
            low, high = statistics["low"], statistics["high"]  # one bar for each code
        histogram = _count_bins(connection, column, low, high, table)
    frequent: tuple[tuple[object, int], ...] = ()
    if column.type in ("STRING", "INT64"):
        connection.execute(statement("duckdb/select_frequent", **names), {"limit": FREQUENT})
        frequent = tuple((value, count) for value, count in connection.fetchall())
    return ColumnProfile(
        column.name,
        column.type,
        rows,
        statistics["nulls"],
        statistics["different"],
        statistics["low"],
        statistics["high"],
        () if column.type == "STRING" else tuple(quantiles[1:4]),
        histogram,
        frequent,
    )


def _count_bins(
    connection: duckdb.DuckDBPyConnection, column: Column, low: Any, high: Any, table: str
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
        statement("duckdb/count_bins", column=column.name, number=number, table=table),
        {"low": first, "width": width, "bins": bins},
    )
    counts = dict(connection.fetchall())
    return Histogram(low, high, tuple(counts.get(bin, 0) for bin in range(bins)))


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()  # DuckDB's epoch() takes naive times as UTC
