"""Compare a trip file with its rows in the warehouse, and count what a load would change.

The loaded rows are copied into a temporary DuckDB database. The statements of a load extract
the file there and compare the two, so that the counts are those of a load. The warehouse is only
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.errors import UsageError
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.preview.rows import EXAMPLES, fetch_dicts, preview_database
from pipeline.preview.subject import Subject
from pipeline.warehouse import Warehouse
from pipeline.warehouse.extract.cells import row_identifiers, stored_type
from pipeline.warehouse.extract.reader import extract
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.measures import has_amount

if TYPE_CHECKING:
    import pyarrow

# Rows read from the warehouse at a time; a row takes about 200 bytes in Arrow's memory.
ROWS_AT_ONCE = 1_000_000

Change = Literal["inserted", "updated", "deleted"]
RowValues = Mapping[str, object]


@dataclass(frozen=True)
class ChangedRow:
    """A row that a load would change.

    Attributes:
        cells: The columns that differ in an updated row; empty for other changes.
        before: The row in the table, by column name; None for an inserted row.
        after: The row of the file, by column name; None for a deleted row.
    """

    change: Change
    cells: tuple[str, ...]
    before: RowValues | None
    after: RowValues | None


@dataclass(frozen=True)
class FileDiff:
    """The changes that a load of a file would make to its production table.

    Attributes:
        loaded: The ledger entry of the file's rows in the table; None when it has none.
        same_bytes: The rows were loaded from the same bytes, so a backfill would skip the file.
        rows: Rows of the file in the table after the load: inserted, updated and unchanged ones.
        deleted: Rows in the table that the file no longer has.
        rejected: Rows that a load would write to `rejects`.
        amount_before, amount_after: Sums of total_amount in dollars; None without that column.
        cells: Columns that differ in any updated row, each with the number of such rows.
        examples: The first rows of each kind of change.
    """

    file: TripFile
    loaded: LedgerEntry | None
    same_bytes: bool
    rows: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    rejected: int
    amount_before: Decimal | None
    amount_after: Decimal | None
    cells: tuple[tuple[str, int], ...] = ()
    examples: tuple[ChangedRow, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether a load would change no row of the table."""
        return self.inserted == self.updated == self.deleted == 0


def diff_file(
    subject: Subject, warehouse: Warehouse, settings: Settings, cancel: Cancel
) -> FileDiff:
    """Compare a whole file with its rows in the warehouse, which is only read.

    Raises:
        UsageError: The subject holds only the first rows of its file.
        TripFileError: A load of the file would fail.
        WarehouseError: The warehouse cannot be read.
        Cancelled: `cancel` was set.
    """
    staged = subject.staged
    if staged is None or not subject.whole:
        raise UsageError(
            f"{subject.file} is not downloaded completely, so it cannot be compared.",
            cure="Fetch the whole file first.",
        )
    record = warehouse.records().get(subject.file)
    loaded = record.loaded if record else None
    if loaded and loaded.sha256 == staged.source_sha256 and loaded.is_current:
        return _same_bytes_diff(loaded)
    cancel.check()
    names = _statement_names(subject.file.dataset)
    with (
        ScratchFolder() as folder,
        preview_database(Path(folder), settings, cancel) as connection,
    ):
        _create_loaded_table(
            connection, staged.file.dataset, _read_loaded(warehouse, loaded, cancel)
        )
        rejects = extract(connection, staged, settings.max_rejected_share)
        connection.execute(statement("duckdb/compare_file", **names))
        return _count_changes(connection, staged, loaded, len(rejects), names)


def _same_bytes_diff(loaded: LedgerEntry) -> FileDiff:
    rows, amount = loaded.rows or 0, loaded.total_amount
    rejected = loaded.rejected or 0
    return FileDiff(loaded.file, loaded, True, rows, 0, 0, 0, rows, rejected, amount, amount)


def _statement_names(dataset: Dataset) -> dict[str, str]:
    columns = dataset.columns
    differs = "loaded.{0} IS DISTINCT FROM changes.{0}"
    return row_identifiers(dataset) | {
        "table": dataset.table,
        "pickup": dataset.pickup,
        "loaded_rows": "loaded",
        "loaded_columns": ", ".join(
            f"CAST({column.name} AS {stored_type(column)}) AS {column.name}" for column in columns
        ),
        "cell_counts": ", ".join(
            f"count(*) FILTER (changes.change = 'updated' AND {differs.format(column.name)})"
            for column in columns
        ),
        "before_and_after": ", ".join(
            f"loaded.{column.name} AS before_{column.name},"
            f" changes.{column.name} AS after_{column.name}"
            for column in columns
        ),
    }


def _read_loaded(
    warehouse: Warehouse, loaded: LedgerEntry | None, cancel: Cancel
) -> Iterator[pyarrow.Table]:
    """Yield the file's rows in the table, ROWS_AT_ONCE at a time: a month may not fit in memory."""
    if loaded is None:
        return
    select = statement("bigquery/select_file", **_statement_names(loaded.file.dataset))
    parts = (loaded.rows or 0) // ROWS_AT_ONCE + 1
    for part in range(parts):
        cancel.check()
        yield warehouse.read(
            select, {"filename": loaded.file.filename, "parts": parts, "part": part}
        ).table


def _create_loaded_table(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, parts: Iterator[pyarrow.Table]
) -> None:
    """Create the temporary table `loaded` and fill it with the loaded rows of this file."""
    names = _statement_names(dataset)
    definitions = ", ".join(f"{column.name} {stored_type(column)}" for column in dataset.columns)
    connection.execute(f"CREATE TEMP TABLE incoming ({definitions}, ordinal INTEGER)")
    for part in parts:
        connection.register("loaded_rows", part)
        connection.execute(statement("duckdb/copy_loaded", **names))
        connection.unregister("loaded_rows")
    # Ordinals depend on the rows alone, so numbering them again gives the warehouse's ordinals.
    connection.execute(statement("duckdb/number_ordinals", **names))
    connection.execute("ALTER TABLE incoming RENAME TO loaded")


def _count_changes(
    connection: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    loaded: LedgerEntry | None,
    rejected: int,
    names: dict[str, str],
) -> FileDiff:
    counts = connection.execute(statement("duckdb/count_changes", **names)).fetchone()
    has_dollars = has_amount(staged.file.dataset)
    amount = "coalesce(sum(total_amount), 0)" if has_dollars else "max(NULL)"
    totals = connection.execute(
        f"SELECT (SELECT {amount} FROM loaded), count(*), {amount} FROM incoming"
    ).fetchone()
    assert counts is not None  # an aggregate always returns a row
    assert totals is not None
    inserted, updated, deleted, *cells = counts
    before, rows, after = totals
    columns = [column.name for column in staged.file.dataset.columns]
    return FileDiff(
        staged.file,
        loaded,
        False,
        rows,
        inserted,
        updated,
        deleted,
        rows - inserted - updated,
        rejected,
        before,
        after,
        tuple((name, count) for name, count in zip(columns, cells, strict=True) if count),
        tuple(
            _changed_row(row, columns)
            for row in fetch_dicts(
                connection, statement("duckdb/select_changes", **names), {"limit": EXAMPLES}
            )
        ),
    )


def _changed_row(row: RowValues, columns: list[str]) -> ChangedRow:
    change = row["change"]
    before = {name: row[f"before_{name}"] for name in columns}
    after = {name: row[f"after_{name}"] for name in columns}
    if change == "inserted":
        return ChangedRow("inserted", (), None, after)
    if change == "deleted":
        return ChangedRow("deleted", (), before, None)
    cells = tuple(name for name in columns if before[name] != after[name])
    return ChangedRow("updated", cells, before, after)
