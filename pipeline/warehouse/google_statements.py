"""The statements that load one trip file into BigQuery; `google_load` runs them.

The texts are in sql/bigquery. Each is one job; the last is a script, the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.sql import statement
from pipeline.staging import StagedFile
from pipeline.trips import TripFile
from pipeline.warehouse import LedgerEntry, LoadStep
from pipeline.warehouse.google_columns import (
    csv_columns,
    extract_identifiers,
    months_condition,
    table_identifiers,
)
from pipeline.warehouse.google_ledger import Base, base_statement, entry_values
from pipeline.warehouse.google_place import Place
from pipeline.warehouse.google_stage import object_address
from pipeline.warehouse.google_summary import delete_summaries, fill_summaries
from pipeline.warehouse.statements import Statement


class GoogleStatements:
    """The statements of one load of a staged file, each made when it is asked for.

    Attributes:
        own: The names of the tables that are this load's own, by kind.
    """

    def __init__(self, place: Place, staged: StagedFile, nonce: str) -> None:
        """`nonce` is a word that no other load has."""
        stem = staged.file.stem.replace("-", "_")
        kinds = ("external", "incoming", "changes", "rejected")
        self.own = {kind: f"load_{stem}_{nonce}_{kind}" for kind in kinds}
        self._place = place
        self._staged = staged
        self._file: TripFile = staged.file
        self._identifiers = table_identifiers(staged.file.color) | self.own

    def whole_load(self, entry: LedgerEntry, base: Base, months: Iterable[int]) -> list[Statement]:
        """Return all of them in the order of a load.

        Args:
            entry: What will be written to the ledger, with the counts of the change.
            base: The newest load before this one.
            months: Those of the pickups in the file (202004, 0 for none).
        """
        own = frozenset(months)
        condition = self.months(own, base)
        compared = [self.compare_file(condition), self.count_changes()]
        return [
            base_statement(self._file),
            self.create_external(),
            self.extract_file(),
            self.select_totals(),
            *(compared if base.entry is not None else []),
            self.transaction(entry, base, own),
        ]

    def create_external(self) -> Statement:
        """Make the staged object a table, without reading it."""
        staged = self._staged
        identifiers = {"uri": object_address(self._place, staged)}
        if staged.format == "parquet":
            return self._named("extract", "create_external_parquet", identifiers)
        identifiers["file_columns"] = csv_columns(self._file.color, staged.header)
        identifiers["compression"] = "compression = 'GZIP'," if staged.format == "csv.gz" else ""
        return self._named("extract", "create_external_csv", identifiers)

    def extract_file(self) -> Statement:
        """Read the staged object into the table `incoming`."""
        parquet = self._staged.format == "parquet"
        identifiers = extract_identifiers(self._file.color, self._staged.header, parquet)
        return self._named("extract", "extract_file", identifiers)

    def select_totals(self) -> Statement:
        """Count what was read."""
        return self._named("extract", "select_totals")

    def compare_file(self, months: str) -> Statement:
        """Find what changed since the last load, as the table `changes`."""
        return self._named("compare", "compare_file", {"months": months})

    def count_changes(self) -> Statement:
        """Count what changed."""
        return self._named("compare", "count_changes")

    def months(self, own: Iterable[int], base: Base) -> str:
        """Return the condition that keeps BigQuery in the partitions of the file's pickups."""
        return months_condition(self._file.color, frozenset(own) | base.months)

    def transaction(self, entry: LedgerEntry, base: Base, months: Iterable[int]) -> Statement:
        """Return the script that merges, keeps rejects, reconciles, adds up and tells the ledger,
        or does nothing of it."""
        own = frozenset(months)
        changed = (entry.inserted or 0) + (entry.updated or 0) + (entry.deleted or 0)
        merge = "insert_file" if base.entry is None else "merge_file"
        names = ["take_turn", "require_base"]
        names += [merge, "require_changes"] if changed else []
        names += ["delete_rejects"] if base.rejected else []
        names += ["insert_rejects"] if entry.rejected else []
        names += ["require_totals"]
        identifiers = self._identifiers | {"months": self.months(own, base)}
        statements = [statement(f"bigquery/{name}", **identifiers) for name in names]
        statements += delete_summaries() if base.entry is not None else []
        read = f"SELECT @filename AS filename, * FROM {self.own['incoming']}"
        statements += fill_summaries(self._file.color, f"({read} WHERE bad_column IS NULL)")
        statements += [statement("bigquery/record_entry", **identifiers)]
        sql = "\n".join(["BEGIN TRANSACTION;", *statements, "COMMIT TRANSACTION;"])
        values = {"base_entry": base.entry, "changed_rows": changed}
        return Statement("merge", "transaction", sql, entry_values(entry, own) | values)

    def _named(
        self, step: LoadStep, name: str, identifiers: Mapping[str, str] | None = None
    ) -> Statement:
        sql = statement(f"bigquery/{name}", **self._identifiers | dict(identifiers or {}))
        values: dict[str, Any] = {"filename": self._file.filename}
        return Statement(step, name, sql, values)
