"""What loading a file would change, row by row, without changing anything.

The rows that are loaded now are read from the warehouse into a database of their own; there the
loader's own statements extract the file and compare the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from pipeline.cancel import Cancel
from pipeline.errors import UsageError
from pipeline.preview.rows import EXAMPLES, fetch_dicts, working
from pipeline.preview.subject import Subject, make_temporary
from pipeline.settings import Settings
from pipeline.sql import statement
from pipeline.staging import StagedFile
from pipeline.trips import COLUMNS, Color, TripFile
from pipeline.warehouse import LOADER_VERSION, LedgerEntry, Warehouse, Watch
from pipeline.warehouse.local_columns import table_identifiers
from pipeline.warehouse.local_load import extract

if TYPE_CHECKING:
    import pyarrow

# Rows that are read from the warehouse at a time; as Arrow they take some 200 bytes each.
ROWS_AT_ONCE = 1_000_000

Change = Literal["inserted", "updated", "deleted"]
Row = Mapping[str, object]


@dataclass(frozen=True)
class ChangedRow:
    """A row that a load would change; `cells` are the columns that differ in an updated one."""

    change: Change
    cells: tuple[str, ...]
    before: Row | None
    after: Row | None


@dataclass(frozen=True)
class Difference:
    """What a load of the file would do to its production table.

    Attributes:
        loaded: The ledger's entry of the rows that are there now; None when there are none.
        same_bytes: They were loaded from these very bytes: a backfill would skip the file.
        rows: Rows of the file in the table afterwards; of them `inserted` and `updated` are new or
            changed, and `unchanged` are as before. `deleted` ones are gone.
        rejected: Rows that would go to `rejects`.
        amount_before, amount_after: Sums of total_amount, in dollars.
        cells: In how many of the updated rows each column differs, without those that do nowhere.
        examples: The first rows of each kind.
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
    amount_before: Decimal
    amount_after: Decimal
    cells: tuple[tuple[str, int], ...] = ()
    examples: tuple[ChangedRow, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether the table's rows would stay as they are."""
        return self.inserted == self.updated == self.deleted == 0


def find_difference(
    subject: Subject, warehouse: Warehouse, settings: Settings, cancel: Cancel
) -> Difference:
    """Compare the whole file with what the warehouse holds of it; nothing is written there.

    Raises UsageError for a subject that is not there whole, TripFileError where a load would fail,
    WarehouseError when the warehouse cannot be read, Cancelled when `cancel` was set.
    """
    staged = subject.staged
    if staged is None or not subject.whole:
        raise UsageError(
            f"{subject.file} is not here whole, so it cannot be compared.",
            cure="Fetch the whole file first.",
        )
    record = warehouse.records().get(subject.file)
    loaded = record.loaded if record else None
    if loaded and loaded.sha256 == staged.sha256 and loaded.loader_version == LOADER_VERSION:
        return _unchanged(loaded)
    cancel.check()
    names = _identifiers(subject.file.color)
    with (
        make_temporary() as folder,
        working(Path(folder), settings, cancel) as connection,
    ):
        _lay_out(connection, staged.file, names, _read_loaded(warehouse, loaded, cancel))
        rejects = extract(connection, staged, Watch(cancel), settings.max_rejected_share)
        month = {"file_month": staged.file.month.number}
        connection.execute(statement("duckdb/compare_file", **names), month)
        return _summarize(connection, staged, loaded, len(rejects), names)


def _unchanged(loaded: LedgerEntry) -> Difference:
    rows, amount = loaded.rows or 0, loaded.total_amount or Decimal(0)
    rejected = loaded.rejected or 0
    return Difference(loaded.file, loaded, True, rows, 0, 0, 0, rows, rejected, amount, amount)


def _identifiers(color: Color) -> dict[str, str]:
    columns = COLUMNS[color]
    differs = "loaded.{0} IS DISTINCT FROM changes.{0}"
    return table_identifiers(color) | {
        "pickup": color.pickup,
        "loaded_columns": ", ".join(
            f"CAST({column.name} AS {column.local_type}) AS {column.name}" for column in columns
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
    """Yield the rows that are loaded, in parts that memory holds whatever the month."""
    if loaded is None:
        return
    select = statement("bigquery/select_file", **_identifiers(loaded.file.color))
    parts = (loaded.rows or 0) // ROWS_AT_ONCE + 1
    for part in range(parts):
        cancel.check()
        yield warehouse.read(
            select, {"filename": loaded.file.filename, "parts": parts, "part": part}
        ).table


def _lay_out(
    connection: duckdb.DuckDBPyConnection,
    file: TripFile,
    names: dict[str, str],
    loaded: Iterator[pyarrow.Table],
) -> None:
    """Make a table like the local warehouse's, holding the rows of this file as they are now."""
    connection.execute("CREATE SCHEMA storage")
    connection.execute(statement("duckdb/create_table", **names))
    empty = f"SELECT {names['columns']}, ordinal FROM storage.{names['table']} LIMIT 0"
    connection.execute(f"CREATE TEMP TABLE incoming AS {empty}")
    for rows in loaded:
        connection.register("loaded_rows", rows)
        connection.execute(statement("duckdb/copy_loaded", **names))
        connection.unregister("loaded_rows")
    # The same rows get the same ordinals, whoever numbers them.
    connection.execute(statement("duckdb/number_ordinals", **names))
    month = {"file_month": file.month.number}
    connection.execute(statement("duckdb/insert_file", **names), month)


def _summarize(
    connection: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    loaded: LedgerEntry | None,
    rejected: int,
    names: dict[str, str],
) -> Difference:
    counts = connection.execute(statement("duckdb/count_changes", **names)).fetchone()
    totals = connection.execute(
        f"SELECT (SELECT coalesce(sum(total_amount), 0) FROM storage.{names['table']}),"
        " count(*), coalesce(sum(total_amount), 0) FROM incoming"
    ).fetchone()
    assert counts is not None  # aggregates always give a row
    assert totals is not None
    inserted, updated, deleted, *cells = counts
    before, rows, after = totals
    columns = [column.name for column in COLUMNS[staged.file.color]]
    return Difference(
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


def _changed_row(row: Row, columns: list[str]) -> ChangedRow:
    change = row["change"]
    before = {name: row[f"before_{name}"] for name in columns}
    after = {name: row[f"after_{name}"] for name in columns}
    if change == "inserted":
        return ChangedRow("inserted", (), None, after)
    if change == "deleted":
        return ChangedRow("deleted", (), before, None)
    cells = tuple(name for name in columns if before[name] != after[name])
    return ChangedRow("updated", cells, before, after)
