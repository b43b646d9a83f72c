"""The column lists and expressions that the statements in sql/bigquery are filled in with.

The counterpart of `local_columns`, rule by rule: both must give the same rows, rejects and ids.
Everything here is made of the constants in `trips.py` and of names checked in `google_place`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pipeline.trips import (
    COLUMNS,
    FARTHEST_TIMED,
    LONGEST_TIMED,
    SHORTEST_TIMED,
    Color,
    Column,
    Type,
    match_columns,
)
from pipeline.warehouse.summaries import HALF_MILES

TYPES: dict[Type, str] = {
    "INT64": "INT64",
    "STRING": "STRING",
    "NUMERIC": "NUMERIC(9, 2)",
    "TIMESTAMP": "TIMESTAMP",
}

# As local_columns: whole numbers are read as DECIMAL(9,4) and kept as SMALLINT, amounts kept as
# DECIMAL(9,2). NUMERIC has nine decimals, like the DECIMAL(16,9) amounts are read as there.
_SMALLEST, _LARGEST = -32768, 32767
_LARGEST_AMOUNT = "NUMERIC '9999999.99'"
_WIDE = {"INT64": "NUMERIC", "NUMERIC": "NUMERIC", "TIMESTAMP": "TIMESTAMP", "STRING": "STRING"}


@cache
def table_identifiers(color: Color) -> dict[str, str]:
    """Return what every statement about this color's table may name, by placeholder."""
    columns = COLUMNS[color]
    others = [column.name for column in columns if not column.identity]
    return {
        "table": color.table,
        "pickup": color.pickup,
        "columns": ", ".join(column.name for column in columns),
        "column_definitions": ",\n    ".join(_define(column) for column in columns),
        "incoming_columns": ", ".join(f"incoming.{column.name}" for column in columns),
        "change_columns": ", ".join(f"changes.{column.name}" for column in columns),
        "assignments": ", ".join(f"{name} = changes.{name}" for name in others),
        "others_differ": " OR ".join(
            f"loaded.{name} IS DISTINCT FROM incoming.{name}" for name in others
        ),
    }


@cache
def trip_expressions(color: Color) -> dict[str, str]:
    """Return what the expressions of `summaries` are filled in with, in GoogleSQL."""
    micros = f"UNIX_MICROS({color.dropoff}) - UNIX_MICROS({color.pickup})"
    return {
        "pickup": color.pickup,
        "month": f"DATE_TRUNC(CAST({color.pickup} AS DATE), MONTH)",
        # 0 is Monday, as 1900-01-01 was: the engines number weekdays each in their own way.
        "weekday": f"MOD(DATE_DIFF(CAST({color.pickup} AS DATE), DATE '1900-01-01', DAY), 7)",
        "half_miles": HALF_MILES,
        # The inner parentheses are for sqlglot, which the emulator uses and which would lose them.
        "seconds": f"DIV(({micros}), 1000000)",
        "timed": f"{micros} BETWEEN {SHORTEST_TIMED * 10**6} AND {LONGEST_TIMED * 10**6}"
        f" AND trip_distance > 0 AND trip_distance <= {FARTHEST_TIMED}",
    }


@cache
def extract_identifiers(color: Color, header: tuple[str, ...], parquet: bool) -> dict[str, str]:
    """Return what extract_file needs for a file with these columns, in the file's own order."""
    columns = COLUMNS[color]
    ours = match_columns(color, header)
    cells = ", ".join(_cell(column, ours.get(column.name), parquet) for column in columns)
    lost = " ".join(
        f"WHEN {column.name} IS NOT NULL AND SAFE_CAST({column.name} AS {_WIDE[column.type]})"
        f" IS NULL THEN '{column.name}'"
        for column in columns
    )
    bad = " ".join(f"WHEN {_does_not_fit(column)} THEN '{column.name}'" for column in columns)
    amounts = [column.name for column in columns if column.type == "NUMERIC"]
    return {
        "cells": cells,
        "wide_columns": ", ".join(
            f"SAFE_CAST({column.name} AS {_WIDE[column.type]}) AS {column.name}"
            for column in columns
        ),
        "lost_column": f"CASE {lost} END",
        "stored_columns": ", ".join(f"{_cast(column)} AS {column.name}" for column in columns),
        "bad_column": f"CASE {bad} END",
        "rounded": " OR ".join(f"COALESCE(ROUND({name}, 2) <> {name}, FALSE)" for name in amounts),
        "identity": ", ".join(column.name for column in columns if column.identity),
        "others_nulls_first": ", ".join(
            f"{column.name} ASC NULLS FIRST" for column in columns if not column.identity
        ),
        "identity_text": _identity_text(columns),
    }


def csv_columns(color: Color, header: tuple[str, ...]) -> str:
    """Return the columns of an external table over a CSV with this header, all of them text."""
    ours = match_columns(color, header)
    name_at = {header.index(spelled): name for name, spelled in ours.items()}
    return ", ".join(f"{name_at.get(i, f'unknown_{i}')} STRING" for i in range(len(header)))


def months_condition(color: Color, months: Iterable[int]) -> str:
    """Return a condition on `loaded` that holds for pickups in these months (202004), in constants.

    0 stands for rows without a pickup. Months that follow each other become one range.
    """
    pickup = f"loaded.{color.pickup}"
    ordered = sorted(set(months))
    parts = [f"{pickup} IS NULL"] if 0 in ordered else []
    ranges: list[list[int]] = []
    for month in ordered:
        if month and ranges and _next(ranges[-1][1]) == month:
            ranges[-1][1] = month
        elif month:
            ranges.append([month, month])
    for first, last in ranges:
        end = f" AND {pickup} < {_literal(_next(last))}" if last < 999912 else ""
        parts.append(f"({pickup} >= {_literal(first)}{end})")
    return " OR ".join(parts) or "FALSE"


def _next(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89


def _literal(month: int) -> str:
    return f"TIMESTAMP '{month // 100:04}-{month % 100:02}-01 00:00:00+00'"


def _define(column: Column) -> str:
    text = column.description.replace("'", "\\'")
    return f"{column.name} {TYPES[column.type]} OPTIONS (description = '{text}')"


def _cell(column: Column, spelled: str | None, parquet: bool) -> str:
    if spelled is None:
        return f"CAST(NULL AS STRING) AS {column.name}"
    # BigQuery finds the file's spelling of a name without regard to case. An empty cell of a text
    # column is an empty text to BigQuery, and nothing to us.
    text = f"CAST({column.name} AS STRING)" if parquet else column.name
    return f"NULLIF({text}, '') AS {column.name}"


def _cast(column: Column) -> str:
    name = column.name
    if column.type == "INT64":
        return f"SAFE_CAST(ROUND({name}, 0) AS INT64)"
    if column.type == "NUMERIC":
        return f"ROUND({name}, 2)"
    return name


def _does_not_fit(column: Column) -> str:
    name = column.name
    if column.type == "INT64":  # 1.0 is a whole number, 1.7 is not
        return (
            f"ROUND({name}, 4) <> ROUND({name}, 0)"
            f" OR ROUND({name}, 0) NOT BETWEEN {_SMALLEST} AND {_LARGEST}"
        )
    if column.type == "NUMERIC":
        return f"ABS(ROUND({name}, 2)) > {_LARGEST_AMOUNT}"
    if column.type == "STRING":  # a control character, quote or replaced byte is damage
        codes = "CODE_POINTS_TO_STRING([0])", "'\"'", "CODE_POINTS_TO_STRING([65533])"
        return " OR ".join(f"STRPOS({name}, {code}) > 0" for code in codes)
    return "FALSE"


def _identity_text(columns: tuple[Column, ...]) -> str:
    parts = ["@filename"]
    for column in columns:
        if column.identity:
            value = f"UNIX_MICROS({column.name})" if column.type == "TIMESTAMP" else column.name
            parts.append(f"COALESCE(CAST({value} AS STRING), '')")
    return "CONCAT({})".format(", '|', ".join([*parts, "CAST(ordinal AS STRING)"]))
