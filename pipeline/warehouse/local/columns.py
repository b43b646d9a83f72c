"""SQL fragments that fill in the placeholders of the local warehouse's statements in sql/duckdb.

All are made of the constants in `pipeline.core`: no text of a file or a person gets into them.
"""

from __future__ import annotations

from functools import cache

from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset
from pipeline.core.trips import FARTHEST_TIMED, LONGEST_TIMED, SHORTEST_TIMED
from pipeline.warehouse.dialect import DERIVED_COLUMNS
from pipeline.warehouse.extract.cells import identity_text, row_identifiers, stored_type
from pipeline.warehouse.rollups import HALF_MILES

# Stored with each trip, and left out of the view that people query: charts over 18 M trips take
# half the time when these need not be computed.
DERIVED_TYPES = dict(zip(DERIVED_COLUMNS, ("DATE", "BOOLEAN", "SMALLINT"), strict=True))


def derived_columns(dataset: Dataset, file_month: str) -> str:
    """Return the derived columns as expressions of a SELECT from trips.

    Args:
        file_month: An expression for the month of their file, such as 202004.
    """
    expressions = trip_expressions(dataset, dataset.pickup)
    first_day = f"make_date({file_month} // 100, {file_month} % 100, 1)"
    return (
        f"CAST({dataset.pickup} AS DATE) AS pickup_day,\n    "
        f"coalesce({dataset.pickup} < {first_day}"
        f" OR {dataset.pickup} >= {first_day} + INTERVAL 1 MONTH, true) AS stray,\n    "
        f"CASE WHEN {expressions['timed']} THEN {expressions['seconds']} END AS timed_seconds"
    )


@cache
def table_identifiers(dataset: Dataset) -> dict[str, str]:
    """Return the placeholders of all statements about a dataset's table."""
    columns = dataset.columns
    others = [column.name for column in columns if not column.identity]
    filename = _filename(dataset)
    return row_identifiers(dataset) | {
        "table": dataset.table,
        "loaded_rows": f"storage.{dataset.table} WHERE file_month = $file_month",
        "column_definitions": ", ".join(define_column(column) for column in columns),
        "filename": filename,
        "identity_text": identity_text(dataset, filename),
        "change_columns": ", ".join(f"changes.{column.name}" for column in columns),
        "assignments": ", ".join(f"{name} = changes.{name}" for name in (*others, *DERIVED_TYPES)),
        "derived": ", ".join(DERIVED_TYPES),
        "derived_columns": derived_columns(dataset, "$file_month"),
        "derived_definitions": ", ".join(
            _define(name, type_) for name, type_ in DERIVED_TYPES.items()
        ),
        "derived_changes": ", ".join(f"changes.{name}" for name in DERIVED_TYPES),
    }


@cache
def trip_expressions(dataset: Dataset, pickup: str) -> dict[str, str]:
    """Return the DuckDB expressions that fill in the placeholders of `rollups`.

    Args:
        pickup: The column with the time or the day of the pickup.
    """
    micros = f"epoch_us({dataset.dropoff}) - epoch_us({dataset.pickup})"
    return {
        "pickup": pickup,
        # Nearly all pickups lie in the file's month; comparing is faster than truncating.
        "month": f"CASE WHEN {pickup} >= $first_day AND {pickup} < $next_month THEN $first_day"
        f" ELSE CAST(date_trunc('month', {pickup}) AS DATE) END",
        "weekday": f"isodow({pickup}) - 1",
        "half_miles": HALF_MILES,
        "seconds": f"({micros}) // 1000000",
        "timed": f"{micros} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
        f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}"
        if dataset.has("trip_distance")
        else "FALSE",
    }


def define_column(column: Column) -> str:
    """Return the definition of a column of trips, for CREATE TABLE and ADD COLUMN."""
    return _define(column.name, stored_type(column))


def _define(name: str, type_: str) -> str:
    # What DuckDB would choose; trying the alternatives takes a tenth of the time to write trips.
    packed = "" if type_ in ("VARCHAR", "BOOLEAN") else " USING COMPRESSION bitpacking"
    return f"{name} {type_}{packed}"


def _filename(dataset: Dataset) -> str:
    # Not stored, because computing it from the month is faster than reading it.
    return (
        f"strftime(make_date(file_month // 100, file_month % 100, 1), '{dataset.table}_%Y-%m.csv')"
    )
