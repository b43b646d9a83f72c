"""Compare the trips of two warehouses, or of a warehouse and the staged files, row by row.

Both sides run the same GoogleSQL (sql/parity). A file is first compared by a few figures. Rows are
read only where these differ, a bounded number at a time. A staged file is compared by loading it
into a warehouse of its own in a temporary folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.errors import TripFileError, UsageError
from pipeline.core.home import make_folder
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.files.reverify import reverify
from pipeline.files.staging import StagedFile, find_staged
from pipeline.ops.fingerprints import FileFingerprint, WarehouseFile
from pipeline.ops.meaning import ExpectedRow, sample_rows
from pipeline.warehouse import LoadJob, LoadMonitor, Warehouse
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.registry import DEFAULT_TARGET, open_warehouse

_ROWS_AT_ONCE = 400_000  # rows that are read of each side at a time

ComparisonState = Literal["equal", "different", "unchecked"]


@dataclass(frozen=True)
class RowDifference:
    """A row that differs between two sides.

    Attributes:
        our_times, their_times: How often each side has the row, mostly 0 or 1.
        columns: The columns that differ, with the value on each side, of a row that both have.
    """

    unique_row_id: str
    our_times: int
    their_times: int
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Comparison:
    """The comparison of one file on two sides.

    Attributes:
        reason: Why the file is different or unchecked; "" for an equal one.
        different_rows: How many rows differ in all.
        differences: The first of these.
    """

    file: TripFile
    state: ComparisonState
    reason: str
    ours: FileFingerprint | None = None
    theirs: FileFingerprint | None = None
    different_rows: int = 0
    differences: tuple[RowDifference, ...] = ()


def choose_files(
    loaded: Iterable[TripFile], datasets: Iterable[Dataset], first: str, last: str
) -> list[TripFile]:
    """Return the loaded files of these datasets and months.

    Args:
        first, last: Months such as 2020-04; "" for no limit.

    Raises UsageError when there are none.
    """
    chosen_datasets = set(datasets)
    chosen = [
        file
        for file in sorted(set(loaded))
        if file.dataset in chosen_datasets
        and (not first or str(file.month) >= first)
        and (not last or str(file.month) <= last)
    ]
    if not chosen:
        raise UsageError(
            "This selection has no loaded file to verify.",
            cure="`python -m pipeline status` lists what is loaded.",
        )
    return chosen


def loaded_entries(warehouse: Warehouse) -> dict[TripFile, LedgerEntry]:
    """Return the ledger entry of the rows that each file has in a warehouse."""
    records: Mapping[TripFile, FileRecord] = warehouse.records()
    return {file: record.loaded for file, record in records.items() if record.loaded}


def compare_warehouses(
    ours: Warehouse, theirs: Warehouse, file: TripFile, limit: int, note: Callable[[str], None]
) -> Comparison:
    """Compare a file's rows in two warehouses, and list the first rows that differ.

    Args:
        limit: How many rows to list at most.
        note: Called with a sentence about how reading went, if there is something to say.

    Raises WarehouseError.
    """
    our, their = (WarehouseFile(warehouse, file, note) for warehouse in (ours, theirs))
    a, b = our.fingerprint(), their.fingerprint()
    different_buckets = [
        name
        for name in sorted({*a.buckets, *b.buckets})
        if a.buckets.get(name) != b.buckets.get(name)
    ]
    if not different_buckets:
        return Comparison(file, "equal", "", a, b)
    total, listed = 0, list[tuple[str, int, int]]()
    for buckets in _batches(different_buckets, a, b):
        rows = _compare_rows(our.rows(buckets), their.rows(buckets))
        total += len(rows)
        listed += rows[: limit - len(listed)]
    differences = _list_differences(file, listed, our, their)
    return Comparison(file, "different", f"{total:,} rows differ", a, b, total, differences)


def found_once(entry: LedgerEntry, name: str) -> Comparison:
    """Return the comparison of a file that is loaded in only one warehouse, of this name."""
    reason = f"only {name} has it"
    return Comparison(entry.file, "different", reason, different_rows=entry.rows or 0)


def compare_staged(
    warehouse: Warehouse,
    entry: LedgerEntry,
    settings: Settings,
    limit: int,
    note: Callable[[str], None],
    cancel: Cancel,
) -> Comparison:
    """Compare a file's rows in a warehouse with its staged file, which is read again.

    A file is unchecked when it is no longer staged, or another version of it is. Raises
    WarehouseError, StorageError and Cancelled.
    """
    file = entry.file
    staged = find_staged(file, settings)
    if staged is None:
        return Comparison(file, "unchecked", "it is no longer staged")
    if staged.source_sha256 != entry.sha256:
        reason = "the staged version is not the loaded one"
        return Comparison(file, "unchecked", reason)
    try:
        with _staged_warehouse(staged, settings, cancel) as theirs:
            comparison = compare_warehouses(warehouse, theirs, file, limit, note)
    except TripFileError as error:
        return Comparison(file, "unchecked", str(error))
    return check_meaning(comparison, warehouse, entry, settings, limit, note, cancel)


def check_meaning(
    comparison: Comparison,
    warehouse: Warehouse,
    entry: LedgerEntry,
    settings: Settings,
    limit: int,
    note: Callable[[str], None],
    cancel: Cancel,
) -> Comparison:
    """Compare a sample of the staged file's rows, read by the grammar of cells, with a warehouse.

    Returns the comparison as it is where both agree, where it is no equal one, and where the file
    that was loaded is not staged any more. Raises WarehouseError and Cancelled.
    """
    staged = find_staged(entry.file, settings)
    if comparison.state != "equal" or staged is None or staged.source_sha256 != entry.sha256:
        return comparison
    expected = sample_rows(staged, cancel)
    loaded = WarehouseFile(warehouse, entry.file, note)
    cells = loaded.cells([id for row in expected for id in row.ids()])
    wrong = [difference for row in expected if (difference := _compare_meaning(row, cells))]
    if not wrong:
        return comparison
    reason = f"{len(wrong):,} of {len(expected):,} sampled rows differ from the file"
    listed = tuple(wrong[:limit])
    return replace(
        comparison,
        state="different",
        reason=reason,
        different_rows=len(wrong),
        differences=listed,
    )


def _compare_meaning(row: ExpectedRow, cells: Mapping[str, Any]) -> RowDifference | None:
    """Return how the rows of an identity differ from the one expected; None if one is equal."""
    ids = row.ids()
    candidates = [cells[id] for id in ids if id in cells]
    differences = [
        {
            name: (_wall_clock(candidate[name]), value)
            for name, value in row.cells.items()
            if _wall_clock(candidate[name]) != value
        }
        for candidate in candidates
    ]
    if not all(differences) or len(candidates) == len(ids):  # there may be more of this identity
        return None
    return RowDifference(ids[0], len(candidates), 1, min(differences, key=len, default={}))


def _batches(buckets: list[str], a: FileFingerprint, b: FileFingerprint) -> Iterator[list[str]]:
    """Yield buckets in groups of at most _ROWS_AT_ONCE rows; a larger bucket comes alone."""
    group: list[str] = []
    rows = 0
    for name in buckets:
        size = max(side.buckets.get(name, (0,))[0] for side in (a, b))
        if group and rows + size > _ROWS_AT_ONCE:
            yield group
            group, rows = [], 0
        group.append(name)
        rows += size
    yield group


def _compare_rows(ours: Any, theirs: Any) -> list[tuple[str, int, int]]:
    """Return the id of each row that differs, and how often each side has it."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        return connection.execute(statement("duckdb/compare_rows")).fetchall()


def _list_differences(
    file: TripFile, rows: list[tuple[str, int, int]], our: WarehouseFile, their: WarehouseFile
) -> tuple[RowDifference, ...]:
    """Return rows that differ, each with the cells that do."""
    both = [id for id, our_times, their_times in rows if our_times and their_times]
    a, b = our.cells(both), their.cells(both)
    names = [column.name for column in file.dataset.columns]
    return tuple(
        RowDifference(
            id,
            our_times,
            their_times,
            {
                name: (_wall_clock(a[id][name]), _wall_clock(b[id][name]))
                for name in names
                if id in a and id in b and _wall_clock(a[id][name]) != _wall_clock(b[id][name])
            },
        )
        for id, our_times, their_times in rows
    )


def _wall_clock(value: Any) -> Any:
    """Return a time without the zone that BigQuery adds to it, and any other value as it is."""
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


@contextmanager
def _staged_warehouse(
    staged: StagedFile, settings: Settings, cancel: Cancel
) -> Iterator[Warehouse]:
    """Verify the staged bytes again, and yield a temporary warehouse that holds only this file."""
    verified = reverify(staged, settings, cancel)
    if verified is None:
        raise TripFileError(
            f"{staged.path} changed after it was staged: its checksum differs.",
            cure="Run the backfill with --force; it downloads the file again.",
        )
    make_folder(settings.home)
    with ScratchFolder(settings.home) as folder:
        temporary = settings.model_copy(update={"home": type(settings.home)(folder)})
        with open_warehouse(DEFAULT_TARGET, temporary) as warehouse:
            warehouse.load(verified, LoadJob("verify", str(staged.path)), LoadMonitor(cancel))
            yield warehouse
