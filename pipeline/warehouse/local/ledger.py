"""Reading and writing the local warehouse's ledger."""

from __future__ import annotations

import duckdb

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.warehouse.ledger import FileRecord, LedgerEntry, records_by_file
from pipeline.warehouse.statements import Statement


def record_entry(cursor: duckdb.DuckDBPyConnection, entry: LedgerEntry) -> None:
    """Append one entry, within the cursor's transaction if it has one."""
    recorded = entry_statement(entry)
    cursor.execute(recorded.sql, dict(recorded.values))


def entry_statement(entry: LedgerEntry) -> Statement:
    """Return the statement that appends one entry."""
    sql = statement("duckdb/record_entry")
    return Statement("reconcile", "record_entry", sql, entry.to_row())


def read_records(cursor: duckdb.DuckDBPyConnection) -> dict[TripFile, FileRecord]:
    """Return what the ledger says of each trip file that was ever tried."""
    cursor.execute(statement("duckdb/select_ledger"))
    names = [column[0] for column in cursor.description or []]
    return records_by_file(dict(zip(names, row, strict=True)) for row in cursor.fetchall())
