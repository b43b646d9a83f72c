"""Remove one loaded trip file from DuckDB, in one transaction."""

from __future__ import annotations

import contextlib

import duckdb

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.warehouse.local.columns import table_identifiers
from pipeline.warehouse.rollups import ROLLUPS


def remove_file(cursor: duckdb.DuckDBPyConnection, file: TripFile, source: str) -> int | None:
    """Delete the rows, rollups, rejects and ledger entries of a file in one transaction."""
    filename = {"filename": file.filename}
    cursor.execute("BEGIN")
    try:
        loaded = cursor.execute(statement("duckdb/select_loaded"), filename).fetchone()
        if loaded is None or loaded[0] != source:
            cursor.execute("ROLLBACK")
            return None
        delete_rows = statement("duckdb/delete_file", **table_identifiers(file.dataset))
        cursor.execute(delete_rows, {"file_month": file.month.number})
        for name in (*ROLLUPS, "rejects"):
            cursor.execute(f"DELETE FROM {name} WHERE filename = $filename", filename)
        cursor.execute(statement("duckdb/delete_loads"), {**filename, "source": source})
        cursor.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a COMMIT that failed has ended the transaction
            cursor.execute("ROLLBACK")
        raise
    return int(loaded[1] or 0)
