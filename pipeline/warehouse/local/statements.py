"""The statements that load one trip file into DuckDB; `local/load.py` runs them.

Their texts are in sql/duckdb, except for a few short ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.core.sql import statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.parquet import ParquetColumn
from pipeline.warehouse.extract.statements import ExtractStatements
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.local.columns import table_identifiers
from pipeline.warehouse.local.ledger import entry_statement
from pipeline.warehouse.local.rollups import incoming_statements
from pipeline.warehouse.statements import LoadStep, Statement


class LocalStatements:
    """The statements of one load of a staged file, each built when it is asked for."""

    def __init__(
        self, staged: StagedFile, parquet: Mapping[str, ParquetColumn] | None = None
    ) -> None:
        """Take the columns of a parquet file, which only reading it needs."""
        file = staged.file
        self._staged = staged
        self._parquet = parquet
        self._identifiers = table_identifiers(file.dataset)
        self._file: dict[str, Any] = {"file_month": file.month.number}

    def whole_load(self, entry: LedgerEntry, *, loaded: bool) -> list[Statement]:
        """Return the statements in the order of a load without rejects.

        Args:
            entry: The ledger entry to write.
            loaded: Whether the table has rows of this file.
        """
        changes = [self.compare_file(), self.merge_file()] if loaded else [self.insert_file()]
        return [
            *ExtractStatements(self._staged, self._parquet).without_rejects(),
            self.begin(),
            self.find_file(),
            *changes,
            self.select_totals(),
            *incoming_statements(self._staged.file),
            self.delete_rejects(),
            entry_statement(entry),
            self.commit(),
        ]

    def begin(self) -> Statement:
        """Begin the transaction."""
        return Statement("merge", "begin", "BEGIN")

    def find_file(self) -> Statement:
        """Find out whether the table has rows of this file."""
        return self._named("merge", "find_file", self._file)

    def insert_file(self) -> Statement:
        """Insert all rows, if the file was never loaded."""
        return self._named("merge", "insert_file", self._file)

    def compare_file(self) -> Statement:
        """Create the temporary table `changes`: what differs from the last load."""
        return self._named("compare", "compare_file", self._file)

    def merge_file(self) -> Statement:
        """Apply `changes` to the table."""
        return self._named("merge", "merge_file", self._file)

    def select_totals(self) -> Statement:
        """Add up rows and dollars or a checksum, both as read and in the table."""
        return self._named("reconcile", "select_totals", self._file)

    def delete_rejects(self) -> Statement:
        """Delete the rejects of an earlier load."""
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
