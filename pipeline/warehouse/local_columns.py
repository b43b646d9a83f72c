"""The column lists and expressions that the statements in sql/duckdb are filled in with.

Everything here is made of the constants in `trips.py`: no text of a file or a person gets in.
"""

from __future__ import annotations

from functools import cache

from pipeline.trips import (
    COLUMNS,
    FARTHEST_TIMED,
    LONGEST_TIMED,
    SHORTEST_TIMED,
    Color,
    Column,
    match_columns,
)
from pipeline.warehouse.summaries import HALF_MILES

# Numbers are read this wide before they are cast to what is stored (`Column.local_type`):
# DECIMAL(16,9) has the same seven digits before the point as DECIMAL(9,2), and nine after it.
_WIDE_TYPES = {
    "INT64": "DECIMAL(9,4)",
    "NUMERIC": "DECIMAL(16,9)",
    "STRING": "VARCHAR",
    "TIMESTAMP": "TIMESTAMP",
}


# What charts ask of trips again and again is worked out once, when they are written, and stored
# beside them, out of sight: 18 M trips are asked for their figures in half the time.
DERIVED_TYPES = {
    "pickup_day": "DATE",
    "stray": "BOOLEAN",
    "timed_seconds": "SMALLINT",
}


def derived_columns(color: Color, file_month: str) -> str:
    """Return the DERIVED_TYPES of a color's trips, as the columns of a SELECT from them.

    Args:
        file_month: An expression for the month of their file, such as 202004.
    """
    expressions = trip_expressions(color, color.pickup)
    first_day = f"make_date({file_month} // 100, {file_month} % 100, 1)"
    return (
        f"CAST({color.pickup} AS DATE) AS pickup_day,\n    "
        f"coalesce({color.pickup} < {first_day}"
        f" OR {color.pickup} >= {first_day} + INTERVAL 1 MONTH, true) AS stray,\n    "
        f"CASE WHEN {expressions['timed']} THEN {expressions['seconds']} END AS timed_seconds"
    )


_LARGEST_AMOUNT = "9999999.994999999"  # with nine decimals: what still rounds to DECIMAL(9,2)


@cache
def table_identifiers(color: Color) -> dict[str, str]:
    """Return what every statement about this color's table may name, by placeholder."""
    columns = COLUMNS[color]
    identity = [column.name for column in columns if column.identity]
    others = [column.name for column in columns if not column.identity]
    return {
        "derived": ", ".join(DERIVED_TYPES),
        "derived_columns": derived_columns(color, "$file_month"),
        "derived_definitions": ", ".join(
            _define(name, type_) for name, type_ in DERIVED_TYPES.items()
        ),
        "derived_changes": ", ".join(f"changes.{name}" for name in DERIVED_TYPES),
        "table": color.table,
        "columns": ", ".join(column.name for column in columns),
        "column_definitions": ", ".join(
            _define(column.name, column.local_type) for column in columns
        ),
        "identity": ", ".join(identity),
        "filename": _filename(color),
        "identity_text": _identity_text(color),
        "others_nulls_first": ", ".join(f"{name} NULLS FIRST" for name in others),
        "same_identity": " AND ".join(
            f"loaded.{name} IS NOT DISTINCT FROM incoming.{name}" for name in identity
        ),
        "others_differ": " OR ".join(
            f"loaded.{name} IS DISTINCT FROM incoming.{name}" for name in others
        ),
        "incoming_columns": ", ".join(f"incoming.{column.name}" for column in columns),
        "change_columns": ", ".join(f"changes.{column.name}" for column in columns),
        "assignments": ", ".join(f"{name} = changes.{name}" for name in (*others, *DERIVED_TYPES)),
    }


@cache
def trip_expressions(color: Color, pickup: str) -> dict[str, str]:
    """Return what the expressions of `summaries` are filled in with.

    Args:
        pickup: The column that says when a trip began: a time, or a day.
    """
    micros = f"epoch_us({color.dropoff}) - epoch_us({color.pickup})"
    return {
        "pickup": pickup,
        # Nearly all pickups lie in the file's month, which is compared and not computed.
        "month": f"CASE WHEN {pickup} >= $first_day AND {pickup} < $next_month THEN $first_day"
        f" ELSE CAST(date_trunc('month', {pickup}) AS DATE) END",
        "weekday": f"isodow({pickup}) - 1",
        "half_miles": HALF_MILES,
        "seconds": f"({micros}) // 1000000",
        "timed": f"{micros} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
        f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}",
    }


def csv_identifiers(color: Color, header: tuple[str, ...]) -> dict[str, str]:
    """Return what extract_csv needs for a file with this header, in the file's own order."""
    ours = match_columns(color, header)
    name_at = {header.index(spelled): name for name, spelled in ours.items()}
    wide = {column.name: _WIDE_TYPES[column.type] for column in COLUMNS[color]}
    file_columns = ", ".join(
        f"'{name_at[i]}': '{wide[name_at[i]]}'" if i in name_at else f"'unknown_{i}': 'VARCHAR'"
        for i in range(len(header))
    )
    return {"file_columns": f"{{{file_columns}}}", **_stored(color, frozenset(ours))}


def parquet_identifiers(color: Color, header: tuple[str, ...]) -> dict[str, str]:
    """Return what extract_parquet needs for a file with these columns.

    DuckDB finds the file's spelling of a name without regard to case.
    """
    present = frozenset(match_columns(color, header))
    columns = [column for column in COLUMNS[color] if column.name in present]
    wide_columns = ", ".join(
        f"TRY_CAST({column.name} AS {_WIDE_TYPES[column.type]}) AS {column.name}"
        for column in columns
    )
    lost = " ".join(
        f"WHEN {column.name} IS NOT NULL"
        f" AND TRY_CAST({column.name} AS {_WIDE_TYPES[column.type]}) IS NULL"
        f" THEN '{column.name}'"
        for column in columns
    )
    return {
        "wide_columns": wide_columns,
        "lost_column": f"CASE {lost} END",
        **_stored(color, present),
    }


def _define(name: str, type_: str) -> str:
    # What DuckDB chooses in the end anyway; trying the others is a tenth of writing the trips.
    packed = "" if type_ in ("VARCHAR", "BOOLEAN") else " USING COMPRESSION bitpacking"
    return f"{name} {type_}{packed}"


def _filename(color: Color) -> str:
    # Not stored: it follows from the month, and is made of it faster than it is read.
    return f"strftime(make_date(file_month // 100, file_month % 100, 1), '{color.table}_%Y-%m.csv')"


def _identity_text(color: Color) -> str:
    # Integers print the same on every engine; times are therefore written as microseconds.
    parts = [_filename(color)]
    for column in COLUMNS[color]:
        if column.identity:
            value = f"epoch_us({column.name})" if column.type == "TIMESTAMP" else column.name
            parts.append(f"coalesce(CAST({value} AS VARCHAR), '')")
    return f"concat_ws('|', {', '.join(parts)}, ordinal)"


def _stored(color: Color, present: frozenset[str]) -> dict[str, str]:
    columns = COLUMNS[color]
    kept = [column for column in columns if column.name in present]
    amounts = [column for column in kept if column.type == "NUMERIC"]
    # Comparing with what is stored would say the same, and take twice as long.
    rounded = " OR ".join(f"{column.name} % 0.01 <> 0" for column in amounts)
    bad = " ".join(f"WHEN {_does_not_fit(column)} THEN '{column.name}'" for column in kept)
    return {
        "stored_columns": ", ".join(
            f"{_cast(column) if column in kept else f'NULL::{column.local_type}'} AS {column.name}"
            for column in columns
        ),
        "bad_column": f"CASE {bad} END",
        "rounded": f"coalesce({rounded or 'false'}, false)",
    }


def _cast(column: Column) -> str:
    if column.type in ("INT64", "NUMERIC"):
        return f"TRY_CAST({column.name} AS {column.local_type})"
    return column.name


def _does_not_fit(column: Column) -> str:
    name = column.name
    if column.type == "INT64":  # 1.0 is a whole number, 1.7 is not
        return f"{name} IS NOT NULL AND {_cast(column)} IS DISTINCT FROM {name}"
    if column.type == "NUMERIC":  # 9999999.995 rounds to more digits than are stored
        return f"{name} NOT BETWEEN -{_LARGEST_AMOUNT} AND {_LARGEST_AMOUNT}"
    if column.type == "STRING":  # a flag is a letter: a control character or quote is damage
        damaged = f"contains({name}, chr(0)) OR contains({name}, '\"')"
        return f"{name} <> 'N' AND {name} <> 'Y' AND ({damaged})"  # nearly all are one of those
    return "false"
