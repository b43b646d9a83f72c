"""Reading and writing the local warehouse's ledger."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import duckdb

from pipeline.sql import statement
from pipeline.trips import TripFile
from pipeline.warehouse import FileRecord, LedgerEntry
from pipeline.warehouse.statements import Statement


def record_entry(cursor: duckdb.DuckDBPyConnection, entry: LedgerEntry) -> None:
    """Append one entry, within the cursor's transaction if it has one."""
    recorded = entry_statement(entry)
    cursor.execute(recorded.sql, dict(recorded.values))


def entry_statement(entry: LedgerEntry) -> Statement:
    """Return the statement that appends one entry."""
    file = entry.file
    values: dict[str, Any] = asdict(entry)
    del values["file"]
    values |= {"filename": file.filename, "color": file.color.value, "month": str(file.month)}
    return Statement("reconcile", "record_entry", statement("duckdb/record_entry"), values)


def read_records(cursor: duckdb.DuckDBPyConnection) -> dict[TripFile, FileRecord]:
    """Return what the ledger knows of each file that was ever tried."""
    cursor.execute(statement("duckdb/select_ledger"))
    names = [column[0] for column in cursor.description or []]
    records: dict[TripFile, FileRecord] = {}
    for row in cursor.fetchall():  # in the order they were written
        entry = _entry(dict(zip(names, row, strict=True)))
        before = records.get(entry.file)
        loaded = entry if entry.state == "loaded" else before.loaded if before else None
        records[entry.file] = FileRecord(latest=entry, loaded=loaded)
    return records


def _entry(row: dict[str, Any]) -> LedgerEntry:
    file = TripFile.parse(row.pop("filename"))
    for name in ("entry", "color", "month"):
        del row[name]
    return LedgerEntry(file=file, **row)
