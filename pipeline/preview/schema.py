"""Compare a file's columns with those of its production table, and explain each difference.

The module does no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.core.column_names import match_columns, unknown_columns
from pipeline.core.columns import Column
from pipeline.core.datasets import Dataset

ColumnStatus = Literal["as expected", "cast", "other spelling", "missing", "not yet", "extra"]

# The type of every column of a csv file.
TEXT = "text"
# The type that parquet gives to a column without values.
EMPTY = "null"

# How the TLC's parquet files of most years store each logical type; other types get a note.
_EXPECTED_TYPES = {
    "INT64": ("text", "bigint", "integer", "smallint", "int64", "int32"),
    "NUMERIC": ("text", "double", "float", "decimal"),
    "STRING": ("text", "varchar", "string", "large_string"),
    "TIMESTAMP": ("text", "timestamp"),
}
_DECIMAL_TYPES = ("double", "float", "decimal")


@dataclass(frozen=True)
class SchemaColumn:
    """One column of the file, of the table, or of both.

    Attributes:
        name: The production table's name; for an extra column, the file's.
        type: The logical type in the table; None for an extra column.
        file_name: The file's spelling of the name; None when the file lacks the column.
        file_type: The type in the file, `text` in a csv; None when the file lacks the column.
        note: What the difference means for a load; empty when there is none.
    """

    name: str
    type: str | None
    file_name: str | None
    file_type: str | None
    status: ColumnStatus
    note: str = ""


def compare_schema(
    dataset: Dataset, columns: Sequence[tuple[str, str]]
) -> tuple[SchemaColumn, ...]:
    """Match the columns of a table with those of a file.

    Args:
        columns: Name and type of each column of the file.

    Returns:
        The table's columns in their order, then the columns that only the file has.
    """
    header = tuple(name for name, _ in columns)
    types = dict(columns)
    file_names = match_columns(dataset, header)
    expected = [_compare(column, file_names.get(column.name), types) for column in dataset.columns]
    extra = [
        SchemaColumn(
            name, None, name, types[name], "extra", "Not a column of the table; it is not loaded."
        )
        for name in unknown_columns(dataset, header)
    ]
    return (*expected, *extra)


def _compare(column: Column, file_name: str | None, types: dict[str, str]) -> SchemaColumn:
    if file_name is None:
        status, note = _missing_status(column)
        return SchemaColumn(column.name, column.type, None, None, status, note)
    file_type = types[file_name]
    status, note = _type_status(column, file_type)
    if file_name != column.name:
        spelling_note = (
            f"Spelled {file_name} in the file; case, blanks and underscores do not count."
        )
        status, note = (
            "other spelling" if status == "as expected" else status,
            f"{spelling_note} {note}",
        )
    return SchemaColumn(column.name, column.type, file_name, file_type, status, note.strip())


def _missing_status(column: Column) -> tuple[ColumnStatus, str]:
    if column.identity and not column.optional:
        return "missing", "The row identity needs it: without it the file cannot be loaded."
    if column.fee:
        return "not yet", "A fee that only newer files have; loaded as NULL."
    return "missing", "Loaded as NULL."


def _type_status(column: Column, file_type: str) -> tuple[ColumnStatus, str]:
    stored = file_type.lower()
    if stored.startswith(_EXPECTED_TYPES[column.type]):
        return "as expected", ""
    if stored == EMPTY:
        return "cast", "The column is empty throughout, so the file gives it no type; all NULL."
    if column.type == "INT64" and stored.startswith(_DECIMAL_TYPES):
        return "cast", (
            "A whole number stored as a decimal one, as in years in which empty cells needed that; "
            "1.0 is read as 1, and a value with a fraction is rejected."
        )
    if column.type == "NUMERIC":
        return "cast", "An amount stored as another type in this year; cast to two decimals."
    return "cast", f"Stored as another type; cast; values that are not {column.type} are rejected."
