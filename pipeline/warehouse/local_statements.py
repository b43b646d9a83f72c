"""The statements that load one trip file into DuckDB; `local_load` runs them.

The texts are in sql/duckdb, filled in here; a few short ones stand here whole.
"""

from __future__ import annotations

from typing import Any

import duckdb

from pipeline.sql import statement
from pipeline.staging import StagedFile
from pipeline.warehouse import LedgerEntry, LoadStep
from pipeline.warehouse.local_columns import (
    csv_identifiers,
    parquet_identifiers,
    table_identifiers,
)
from pipeline.warehouse.local_ledger import entry_statement
from pipeline.warehouse.local_summary import incoming_statements
from pipeline.warehouse.statements import Statement


class LocalStatements:
    """The statements of one staged file, each made when it is asked for."""

    def __init__(self, staged: StagedFile) -> None:
        file = staged.file
        self._staged = staged
        self._identifiers = table_identifiers(file.color)
        self._file: dict[str, Any] = {"file_month": file.month.number}

    def whole_load(self, entry: LedgerEntry, *, loaded: bool) -> list[Statement]:
        """Return all of them in the order of a load without rejects.

        Args:
            entry: What will be written to the ledger.
            loaded: Whether the table holds rows of this file.
        """
        changes = [self.compare_file(), self.merge_file()] if loaded else [self.insert_file()]
        return [
            self.extract(),
            *([self.find_open_quote()] if self._staged.format != "parquet" else []),
            self.count_read(),
            self.count_misfits(),
            self.number_ordinals(),
            self.begin(),
            self.find_file(),
            *changes,
            self.select_totals(),
            *incoming_statements(self._staged.file),
            self.delete_rejects(),
            entry_statement(entry),
            self.commit(),
        ]

    def extract(self, quote: str = '"') -> Statement:
        """Read the file into the temporary table `incoming`; an empty `quote` means none."""
        staged = self._staged
        path = str(staged.unpacked or staged.path)
        color, header = staged.file.color, staged.header
        if staged.format == "parquet":
            sql = statement("duckdb/extract_parquet", **parquet_identifiers(color, header))
            return Statement("extract", "extract_parquet", sql, {"path": path})
        sql = statement("duckdb/extract_csv", **csv_identifiers(color, header))
        # Mixed line ends are only read when DuckDB is not strict.
        values = {"path": path, "strict": not staged.carriage_returns, "quote": quote}
        return Statement("extract", "extract_csv", sql, values)

    def find_open_quote(self) -> Statement:
        """Look for a quote that swallowed the lines behind it."""
        sql = "SELECT 1 FROM reject_errors WHERE error_type = 'UNQUOTED VALUE' LIMIT 1"
        return Statement("extract", "find_open_quote", sql)

    def count_read(self) -> Statement:
        """Count the rows that were read."""
        return Statement("extract", "count_read", "SELECT count(*) FROM incoming")

    def count_misfits(self) -> Statement:
        """Count the rows with a cell that does not fit its column."""
        sql = "SELECT count(*) FROM incoming WHERE bad_column IS NOT NULL"
        return Statement("extract", "count_misfits", sql)

    def number_ordinals(self) -> Statement:
        """Number the rows of one identity."""
        return self._named("extract", "number_ordinals")

    def begin(self) -> Statement:
        """Begin the transaction."""
        return Statement("merge", "begin", "BEGIN")

    def find_file(self) -> Statement:
        """Ask whether the table holds rows of this file."""
        return self._named("merge", "find_file", self._file)

    def insert_file(self) -> Statement:
        """Insert all rows: the first load."""
        return self._named("merge", "insert_file", self._file)

    def compare_file(self) -> Statement:
        """Find what changed since the last load, as the temporary table `changes`."""
        return self._named("compare", "compare_file", self._file)

    def merge_file(self) -> Statement:
        """Insert, update and delete what changed."""
        return self._named("merge", "merge_file", self._file)

    def select_totals(self) -> Statement:
        """Add up rows and dollars, as read and in the table."""
        return self._named("reconcile", "select_totals", self._file)

    def delete_rejects(self) -> Statement:
        """Forget the rejects of an earlier load."""
        sql = "DELETE FROM rejects WHERE filename = $filename"
        return Statement(
            "reconcile", "delete_rejects", sql, {"filename": self._staged.file.filename}
        )

    def commit(self) -> Statement:
        """Commit the transaction."""
        return Statement("commit", "commit", "COMMIT")

    def _named(self, step: LoadStep, name: str, values: dict[str, Any] | None = None) -> Statement:
        sql = statement(f"duckdb/{name}", **self._identifiers)
        return Statement(step, name, sql, values or {})


def execute(cursor: duckdb.DuckDBPyConnection, sent: Statement) -> duckdb.DuckDBPyConnection:
    """Run a statement on a cursor and return the cursor, to fetch from."""
    return cursor.execute(sent.sql, dict(sent.values))
