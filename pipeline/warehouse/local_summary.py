"""The sums from which charts are drawn, kept in step with the trips of each file.

They are made from the rows at hand when a file is loaded, which are the file's rows in the table
once the load commits. Everything happens within the cursor's transaction.
"""

from __future__ import annotations

import duckdb

from pipeline.sql import statement
from pipeline.trips import TripFile
from pipeline.warehouse.local_columns import summary_identifiers
from pipeline.warehouse.statements import Statement

_LOADED_ROWS = (
    "(SELECT * FROM storage.{table} WHERE file_month = $file_month AND filename = $filename)"
)


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
    if rows != "incoming":
        values["file_month"] = file.month.year * 100 + file.month.month
    made: list[Statement] = []
    for kind in ("trip", "zone"):
        forget = f"DELETE FROM {kind}_summary WHERE filename = $filename"
        named = {"filename": file.filename}
        made.append(Statement("reconcile", f"delete_{kind}_summary", forget, named))
        sql = statement(f"duckdb/summarize_{kind}s", rows=rows, **summary_identifiers(file.color))
        made.append(Statement("reconcile", f"summarize_{kind}s", sql, values))
    return made
