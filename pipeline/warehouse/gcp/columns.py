"""SQL fragments that fill in the placeholders of the statements in sql/bigquery.

They read plain cells only, as `extract/cells.py` does: rows and ids must be the same. A file with
any other cell is loaded from a plain copy. All are made of the constants in `pipeline.core`: no
text of a file or a person gets into them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pipeline.core.column_names import match_columns
from pipeline.core.columns import Column, Type
from pipeline.core.datasets import Dataset
from pipeline.warehouse.measures import has_amount

TYPES: dict[Type, str] = {
    "INT64": "INT64",
    "STRING": "STRING",
    "NUMERIC": "NUMERIC(9, 2)",
    "TIMESTAMP": "TIMESTAMP",
}

# The limits of the DuckDB types SMALLINT, for whole numbers, and DECIMAL(9,2), for amounts. NUMERIC
# has nine decimals, like the DECIMAL(16,9) as which DuckDB reads amounts.
_SMALLEST, _LARGEST = -32768, 32767
_LARGEST_AMOUNT = "NUMERIC '9999999.99'"
_WIDE = {"INT64": "NUMERIC", "NUMERIC": "NUMERIC", "TIMESTAMP": "TIMESTAMP", "STRING": "STRING"}


@cache
def table_identifiers(dataset: Dataset) -> dict[str, str]:
    """Return the placeholders of all statements about a dataset's table."""
    columns = dataset.columns
    others = [column.name for column in columns if not column.identity]
    return {
        "table": dataset.table,
        "checksum": _checksum(dataset),
        "pickup": dataset.pickup,
        "columns": ", ".join(column.name for column in columns),
        "column_definitions": ",\n    ".join(define_column(column) for column in columns),
        "incoming_columns": ", ".join(f"incoming.{column.name}" for column in columns),
        "change_columns": ", ".join(f"changes.{column.name}" for column in columns),
        "assignments": ", ".join(f"{name} = changes.{name}" for name in others),
        "others_differ": " OR ".join(
            f"loaded.{name} IS DISTINCT FROM incoming.{name}" for name in others
        ),
    }


@cache
def extract_identifiers(
    dataset: Dataset, header: tuple[str, ...], parquet: bool = False, plain_copy: bool = False
) -> dict[str, str]:
    """Return the placeholders of extract_file for a file with this header.

    Args:
        parquet: Whether the cells are parquet values; else they are texts.
        plain_copy: Whether the file is a plain copy, in which flags may be any word.
    """
    columns = dataset.columns
    ours = match_columns(dataset, header)
    cells = ", ".join(_cell(column, ours.get(column.name), parquet) for column in columns)
    lost = " ".join(
        f"WHEN {column.name} IS NOT NULL AND NOT ({_is_plain(column, parquet)})"
        f" THEN '{column.name}'"
        for column in columns
        if not (plain_copy and column.type == "STRING")
    )
    bad = " ".join(
        f"WHEN {condition} THEN '{column.name}'"
        for column in columns
        if (condition := _does_not_fit(column))
    )
    empty = " AND ".join(f"{column.name} IS NULL" for column in columns)
    amounts = [column.name for column in columns if column.type == "NUMERIC"]
    return {
        "cells": cells,
        "wide_columns": ", ".join(
            f"SAFE_CAST({column.name} AS {_WIDE[column.type]}) AS {column.name}"
            for column in columns
        ),
        "lost_column": f"CASE {lost} END",
        "stored_columns": ", ".join(f"{_cast(column)} AS {column.name}" for column in columns),
        "bad_column": f"CASE {bad} WHEN {empty} THEN 'all columns' END",
        "rounded": " OR ".join(f"COALESCE(ROUND({name}, 2) <> {name}, FALSE)" for name in amounts)
        or "FALSE",
        "identity": ", ".join(column.name for column in columns if column.identity),
        "others_nulls_first": ", ".join(
            f"{column.name} ASC NULLS FIRST" for column in columns if not column.identity
        ),
        "identity_text": _identity_text(columns),
    }


def csv_columns(dataset: Dataset, header: tuple[str, ...]) -> str:
    """Return the column definitions of an external table over a CSV, all of type STRING."""
    ours = match_columns(dataset, header)
    name_at = {header.index(spelled): name for name, spelled in ours.items()}
    return ", ".join(f"{name_at.get(i, f'unknown_{i}')} STRING" for i in range(len(header)))


def months_condition(dataset: Dataset, months: Iterable[int]) -> str:
    """Return a condition that the pickups of `loaded` lie in these months.

    It consists of constants, because BigQuery prunes partitions by nothing else. Consecutive months
    become one range.

    Args:
        months: Numbers such as 202004, with 0 for rows without a pickup.
    """
    pickup = f"loaded.{dataset.pickup}"
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


def define_column(column: Column) -> str:
    """Return the definition of a column of trips, for CREATE TABLE and ADD COLUMN."""
    text = column.description.replace("'", "\\'")
    return f"{column.name} {TYPES[column.type]} OPTIONS (description = '{text}')"


def _cell(column: Column, spelled: str | None, parquet: bool) -> str:
    if spelled is None:
        return f"CAST(NULL AS STRING) AS {column.name}"
    # BigQuery matches names without regard to case. It reads an empty cell as "", which means NULL.
    text = f"CAST({column.name} AS STRING)" if parquet else column.name
    if column.is_code:
        text = f"TRIM({text}, ' ')"
    return f"NULLIF({text}, '') AS {column.name}"


def _cast(column: Column) -> str:
    name = column.name
    if column.type == "INT64":
        return f"SAFE_CAST(ROUND({name}, 0) AS INT64)"
    if column.type == "NUMERIC":
        return f"ROUND({name}, 2)"
    return name


def _is_plain(column: Column, parquet: bool) -> str:
    """Return a condition that SAFE_CAST reads a text as the grammar of cells does."""
    name = column.name
    if column.flag:
        return f"{name} IN ('N', 'Y')"
    matches = f"REGEXP_CONTAINS({name}, r'^({_PLAIN[column.type]})$')"
    if column.type == "STRING":
        return matches
    fits = f"SAFE_CAST({name} AS {_WIDE[column.type]}) IS NOT NULL"
    # A parquet value prints in more ways, such as 1e-05.
    return fits if parquet else f"{matches} AND {fits}"


_PLAIN: dict[Type, str] = {
    "INT64": r"-?[0-9]{1,5}([.]0{1,9})?",
    "NUMERIC": r"-?([0-9]{1,7}([.][0-9]{0,9})?|[.][0-9]{1,9})",
    "TIMESTAMP": r"(19|[2-9][0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}"
    r" ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?",
    "STRING": r"[A-Za-z0-9]{0,49}[0-9][A-Za-z0-9]{0,49}",
}


def _does_not_fit(column: Column) -> str:
    name = column.name
    if column.type == "INT64":  # 1.0 is a whole number, 1.7 is not
        return f"ROUND({name}, 0) <> {name} OR {name} NOT BETWEEN {_SMALLEST} AND {_LARGEST}"
    if column.type == "NUMERIC":
        return f"ABS(ROUND({name}, 2)) > {_LARGEST_AMOUNT}"
    return ""


def _identity_text(columns: tuple[Column, ...]) -> str:
    return _joined(["@filename", *_identity_parts(columns), "CAST(ordinal AS STRING)"])


def _checksum(dataset: Dataset) -> str:
    """Return what is added up of each row for reconciliation, as `portable_checksum` does."""
    if has_amount(dataset):
        return "total_amount"
    digest = f"TO_HEX(MD5({_joined(_identity_parts(dataset.columns))}))"
    return f"CAST(CONCAT('0x', SUBSTR({digest}, 1, 8)) AS INT64)"


def _identity_parts(columns: tuple[Column, ...]) -> list[str]:
    return [
        f"COALESCE(CAST({_printable(column)} AS STRING), '')"
        for column in columns
        if column.identity
    ]


def _printable(column: Column) -> str:
    return f"UNIX_MICROS({column.name})" if column.type == "TIMESTAMP" else column.name


def _joined(parts: list[str]) -> str:
    return "CONCAT({})".format(", '|', ".join(parts))
