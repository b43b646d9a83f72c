"""A file's columns beside the ones of its production table, with the differences in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.trips import COLUMNS, Color, Column, match_columns, unknown_columns

Status = Literal["as expected", "cast", "other spelling", "missing", "not yet", "extra"]

# What a csv's cells are before they are read.
TEXT = "text"
# The type that parquet gives to a column without a single value.
EMPTY = "null"

# How the TLC's parquet stores each logical type in the years whose files need no remark; any other
# type is cast, and said to be.
_USUAL = {
    "INT64": ("text", "bigint", "integer", "smallint", "int64", "int32"),
    "NUMERIC": ("text", "double", "float", "decimal"),
    "STRING": ("text", "varchar", "string", "large_string"),
    "TIMESTAMP": ("text", "timestamp"),
}
_DECIMALS = ("double", "float", "decimal")


@dataclass(frozen=True)
class SchemaColumn:
    """One column of the file, of the table, or of both.

    Attributes:
        name: As the production table has it; of an extra column, as the file spells it.
        type: The logical type expected; None for an extra column.
        file_name: As the file spells it; None where it is missing.
        file_type: As the file has it; `text` in a csv.
        note: What the difference means for a load; empty where there is none.
    """

    name: str
    type: str | None
    file_name: str | None
    file_type: str | None
    status: Status
    note: str = ""


def compare_schema(color: Color, columns: Sequence[tuple[str, str]]) -> tuple[SchemaColumn, ...]:
    """Return the table's columns in its order beside the file's (name, type), then extra ones."""
    header = tuple(name for name, _ in columns)
    types = dict(columns)
    matched = match_columns(color, header)
    ours = [_compare(column, matched.get(column.name), types) for column in COLUMNS[color]]
    extra = [
        SchemaColumn(
            name, None, name, types[name], "extra", "Not a column of the table; it is not loaded."
        )
        for name in unknown_columns(color, header)
    ]
    return (*ours, *extra)


def _compare(column: Column, spelled: str | None, types: dict[str, str]) -> SchemaColumn:
    if spelled is None:
        status, note = _absence(column)
        return SchemaColumn(column.name, column.type, None, None, status, note)
    file_type = types[spelled]
    status, note = _difference(column, file_type)
    if spelled != column.name:
        words = f"Spelled {spelled} in the file; columns are matched without regard to case."
        status, note = "other spelling" if status == "as expected" else status, f"{words} {note}"
    return SchemaColumn(column.name, column.type, spelled, file_type, status, note.strip())


def _absence(column: Column) -> tuple[Status, str]:
    if column.identity:
        return "missing", "Without it trips cannot be told apart: the file cannot be loaded."
    if column.fee:
        return "not yet", "A fee that only newer files have; loaded as NULL."
    return "missing", "Loaded as NULL."


def _difference(column: Column, file_type: str) -> tuple[Status, str]:
    stored = file_type.lower()
    if stored.startswith(_USUAL[column.type]):
        return "as expected", ""
    if stored == EMPTY:
        return "cast", "The column is empty throughout, so the file gives it no type; all NULL."
    if column.type == "INT64" and stored.startswith(_DECIMALS):
        return "cast", (
            "A whole number stored as a decimal one, as in years in which empty cells needed that; "
            "1.0 is read as 1, and a value with a fraction is rejected."
        )
    if column.type == "NUMERIC":
        return "cast", "An amount stored as another type in this year; cast to two decimals."
    return "cast", f"Stored as another type; cast, and a value that is no {column.type} rejected."
