"""The sums from which charts are drawn, kept in step with the trips of each file.

They are made from the rows at hand when a file is loaded, which are the file's rows in the table
once the load commits. Everything happens within the cursor's transaction.
"""

from __future__ import annotations

import duckdb

from pipeline.sql import statement
from pipeline.trips import TripFile
from pipeline.warehouse.local_columns import summary_identifiers

_LOADED_ROWS = (
    "(SELECT * FROM storage.{table} WHERE file_month = $file_month AND filename = $filename)"
)


def summarize_incoming(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the sums of this file by those of the temporary table `incoming`."""
    _summarize(cursor, file, "incoming")


def summarize_loaded(cursor: duckdb.DuckDBPyConnection, file: TripFile) -> None:
    """Replace the sums of this file by those of its rows in the production table."""
    _summarize(cursor, file, _LOADED_ROWS.format(table=file.color.table))


def _summarize(cursor: duckdb.DuckDBPyConnection, file: TripFile, rows: str) -> None:
    values: dict[str, object] = {
        "filename": file.filename,
        "first_day": file.month.first_day,
        "next_month": file.month.plus(1).first_day,
    }
    if rows != "incoming":
        values["file_month"] = file.month.year * 100 + file.month.month
    for kind in ("trip", "zone"):
        cursor.execute(
            f"DELETE FROM {kind}_summary WHERE filename = $filename", {"filename": file.filename}
        )
        sql = statement(f"duckdb/summarize_{kind}s", rows=rows, **summary_identifiers(file.color))
        cursor.execute(sql, values)
