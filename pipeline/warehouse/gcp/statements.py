"""The statements that load one trip file into BigQuery; `gcp/load.py` runs them.

Their texts are in sql/bigquery. Each is one job; the last one, the transaction, is a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse.gcp.columns import (
    csv_columns,
    extract_identifiers,
    months_condition,
    table_identifiers,
)
from pipeline.warehouse.gcp.ledger import PreviousLoad, entry_values, previous_load_statement
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.gcp.rollups import delete_rollups, fill_rollups
from pipeline.warehouse.gcp.stage import object_address
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.statements import LoadStep, Statement


class GoogleStatements:
    """The statements of one load of a staged file, each built when it is asked for.

    Attributes:
        own: The names of this load's own tables, by kind.
    """

    def __init__(
        self, location: CloudLocation, staged: StagedFile, nonce: str, *, plain_copy: bool = False
    ) -> None:
        """Name the tables of this load.

        Args:
            nonce: A word that no other load has.
            plain_copy: Whether `staged` is a plain copy of the trip file.
        """
        stem = staged.file.stem.replace("-", "_")
        kinds = ("external", "incoming", "changes", "rejected")
        self.own = {kind: f"load_{stem}_{nonce}_{kind}" for kind in kinds}
        self._location = location
        self._staged = staged
        self._plain_copy = plain_copy
        self._file: TripFile = staged.file
        self._identifiers = table_identifiers(staged.file.dataset) | self.own

    def whole_load(
        self, entry: LedgerEntry, previous: PreviousLoad, months: Iterable[int]
    ) -> list[Statement]:
        """Return the statements in the order of a load.

        Args:
            entry: The ledger entry to write, with the numbers of changed rows.
            previous: The newest load of the file before this one.
            months: The months of the pickups in the file, such as 202004, with 0 for none.
        """
        own = frozenset(months)
        condition = self.months(own, previous)
        compared = [self.compare_file(condition), self.count_changes()]
        return [
            previous_load_statement(self._file),
            self.create_external(),
            self.extract_file(),
            self.select_totals(),
            *(compared if previous.entry is not None else []),
            self.transaction(entry, previous, own, entry.total_amount),
        ]

    def create_external(self) -> Statement:
        """Define the staged object as an external table, without reading it."""
        staged = self._staged
        identifiers = {"uri": object_address(self._location, staged)}
        if staged.format == "parquet":
            return self._named("extract", "create_external_parquet", identifiers)
        identifiers["file_columns"] = csv_columns(self._file.dataset, staged.header)
        identifiers["compression"] = "compression = 'GZIP'," if staged.format == "csv.gz" else ""
        return self._named("extract", "create_external_csv", identifiers)

    def extract_file(self) -> Statement:
        """Read the staged object into the table `incoming`."""
        staged = self._staged
        identifiers = extract_identifiers(
            self._file.dataset, staged.header, staged.format == "parquet", self._plain_copy
        )
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

    def months(self, own: Iterable[int], previous: PreviousLoad) -> str:
        """Return the condition that limits the scan to the partitions of the file's pickups."""
        return months_condition(self._file.dataset, frozenset(own) | previous.months)

    def transaction(
        self,
        entry: LedgerEntry,
        previous: PreviousLoad,
        months: Iterable[int],
        checksum: Decimal | None,
    ) -> Statement:
        """Return the script that merges the rows, replaces rejects and rollups, reconciles and
        writes the ledger, all or nothing.

        Args:
            checksum: What select_totals added up.
        """
        own = frozenset(months)
        changed = (entry.inserted or 0) + (entry.updated or 0) + (entry.deleted or 0)
        merge = "insert_file" if previous.entry is None else "merge_file"
        names = ["take_turn", "require_previous_load"]
        names += [merge, "require_changes"] if changed else []
        names += ["delete_rejects"] if previous.rejected else []
        names += ["insert_rejects"] if entry.rejected else []
        names += ["require_totals"]
        identifiers = self._identifiers | {"months": self.months(own, previous)}
        statements = [statement(f"bigquery/{name}", **identifiers) for name in names]
        statements += delete_rollups() if previous.entry is not None else []
        read = f"SELECT @filename AS filename, * FROM {self.own['incoming']}"
        statements += fill_rollups(self._file.dataset, f"({read} WHERE bad_column IS NULL)")
        statements += [statement("bigquery/record_entry", **identifiers)]
        sql = "\n".join(["BEGIN TRANSACTION;", *statements, "COMMIT TRANSACTION;"])
        values = {
            "previous_entry": previous.entry,
            "changed_rows": changed,
            "checksum": checksum,
        }
        return Statement("merge", "transaction", sql, entry_values(entry, own) | values)

    def _named(
        self, step: LoadStep, name: str, identifiers: Mapping[str, str] | None = None
    ) -> Statement:
        sql = statement(f"bigquery/{name}", **self._identifiers | dict(identifiers or {}))
        values: dict[str, Any] = {"filename": self._file.filename}
        return Statement(step, name, sql, values)
