"""The sums from which charts are drawn, kept in step with the trips of each file.

They are made from the rows at hand when a file is loaded, which are the file's rows in the table
once the load commits. Everything happens within the cursor's transaction.
"""

from __future__ import annotations

import duckdb

from pipeline.sql import statement
from pipeline.trips import TripFile
from pipeline.warehouse.local_columns import trip_expressions
from pipeline.warehouse.statements import Statement
from pipeline.warehouse.summaries import KEYS, SUMMARIES, SUMS, Type

_LOADED_ROWS = "(SELECT * FROM storage.{table} WHERE file_month = $file_month)"
_FINER_ROWS = "(SELECT * FROM {table} WHERE filename = $filename)"
_TYPES: dict[Type, tuple[str, str]] = {  # of keys, and of sums
    "DATE": ("DATE", "DATE"),
    "INT64": ("SMALLINT", "BIGINT"),
    "NUMERIC": ("DECIMAL(9, 2)", "DECIMAL(18, 2)"),
    "BOOL": ("BOOLEAN", "BOOLEAN"),
}


def make_summaries(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of the sums, empty."""
    for summary in SUMMARIES.values():
        keys = [KEYS[name] for name in summary.keys]
        sums = [SUMS[name] for name in summary.sums]
        cursor.execute(
            statement(
                "duckdb/create_summary",
                summary=summary.name,
                words=summary.words,
                key_definitions=",\n    ".join(f"{key.name} {_TYPES[key.type][0]}" for key in keys),
                sum_definitions=",\n    ".join(f"{one.name} {_TYPES[one.type][1]}" for one in sums),
            )
        )
        for field in (*keys, *sums):
            text = field.description.replace("'", "''")
            cursor.execute(f"COMMENT ON COLUMN {summary.name}.{field.name} IS '{text}'")


def summarize_incoming(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the sums of this file by those of the temporary table `incoming`."""
    _execute(cursor, incoming_statements(file))


def incoming_statements(file: TripFile) -> list[Statement]:
    """Return the statements of `summarize_incoming`, in order."""
    return _statements(file, "incoming")


def summarize_loaded(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the sums of this file by those of its rows in the production table."""
    _execute(cursor, _statements(file, _LOADED_ROWS.format(table=file.color.table)))


def _execute(cursor: duckdb.DuckDBPyConnection, statements: list[Statement]) -> None:
    for one in statements:
        cursor.execute(one.sql, dict(one.values))


def _statements(file: TripFile, rows: str) -> list[Statement]:
    values: dict[str, object] = {
        "filename": file.filename,
        "first_day": file.month.first_day,
        "next_month": file.month.plus(1).first_day,
    }
    made: list[Statement] = []
    for summary in SUMMARIES.values():
        forget = f"DELETE FROM {summary.name} WHERE filename = $filename"
        named = {"filename": file.filename}
        made.append(Statement("reconcile", f"delete_{summary.name}", forget, named))
        asked = dict(values)
        if not summary.of and rows != "incoming":
            asked["file_month"] = file.month.number
        if summary.of:  # a summary has no pickups, and its half miles are worked out
            expressions = trip_expressions(file.color, "pickup_day") | {"half_miles": "half_miles"}
        else:
            expressions = trip_expressions(file.color, file.color.pickup)
        identifiers = summary.identifiers(expressions, of=summary.of)
        identifiers["rows"] = _FINER_ROWS.format(table=summary.of) if summary.of else rows
        sql = statement("duckdb/fill_summary", color=file.color.value, **identifiers)
        made.append(Statement("reconcile", f"fill_{summary.name}", sql, asked))
    return made
