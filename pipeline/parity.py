"""Whether two places hold the same trips: the two warehouses, or a warehouse and staging.

Both sides answer the same GoogleSQL (sql/parity). A file is first compared by a few figures; only
where those differ are rows fetched, a bounded number at a time. The staged file takes part as a
warehouse of its own, made of that file alone in a temporary folder.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from pipeline.cancel import Cancel
from pipeline.errors import TripFileError, UsageError
from pipeline.settings import Settings, make_folder
from pipeline.sources import FORMATS
from pipeline.sql import statement
from pipeline.staging import StagedFile, recall, staged_path
from pipeline.trips import COLUMNS, Color, Column, TripFile
from pipeline.verify import verify
from pipeline.warehouse import (
    FileRecord,
    LedgerEntry,
    LoadJob,
    Parameters,
    Warehouse,
    Watch,
    open_warehouse,
)

_ROWS_AT_ONCE = 400_000  # of each side, while the rows that differ are looked for

State = Literal["equal", "different", "unchecked"]


@dataclass(frozen=True)
class Summary:
    """A file's rows in a few figures.

    Attributes:
        total_amount: Sum over the rows, in dollars.
        ids: Fingerprint of all unique_row_id, whatever the order of the rows.
        contents: The same of everything the rows say.
        buckets: The figures by first byte of unique_row_id, in hex.
    """

    rows: int
    total_amount: Decimal
    ids: str
    contents: str
    buckets: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class RowDifference:
    """A row that is not the same: how often it is on each side (mostly 0 or 1), and where it is on
    both, the columns that differ with their values there."""

    unique_row_id: str
    our_times: int
    their_times: int
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Comparison:
    """One file on two sides. `different_rows` is how many there are in all, of which some are
    listed in `differences`."""

    file: TripFile
    state: State
    reason: str
    ours: Summary | None = None
    theirs: Summary | None = None
    different_rows: int = 0
    differences: tuple[RowDifference, ...] = ()


def choose_files(
    loaded: Iterable[TripFile], colors: Iterable[Color], first: str, last: str
) -> list[TripFile]:
    """Return those of the loaded files that have these colors and months ("" for any).

    Raises UsageError when none are left.
    """
    kept = set(colors)
    chosen = [
        file
        for file in sorted(set(loaded))
        if file.color in kept
        and (not first or str(file.month) >= first)
        and (not last or str(file.month) <= last)
    ]
    if not chosen:
        raise UsageError(
            "No loaded file is in this selection, so nothing can be verified.",
            cure="`python -m pipeline status` lists what is loaded.",
        )
    return chosen


def loaded_entries(warehouse: Warehouse) -> dict[TripFile, LedgerEntry]:
    """Return the entry of the rows each file has in the warehouse."""
    records: Mapping[TripFile, FileRecord] = warehouse.records()
    return {file: record.loaded for file, record in records.items() if record.loaded}


def compare_warehouses(
    ours: Warehouse, theirs: Warehouse, file: TripFile, limit: int, note: Callable[[str], None]
) -> Comparison:
    """Compare a file's rows in two warehouses and list at most `limit` that differ.

    `note` gets sentences about how the reading went. Raises WarehouseError.
    """
    our, their = (_Side(warehouse, file, note) for warehouse in (ours, theirs))
    a, b = our.summary(), their.summary()
    apart = [name for name in sorted({*a.buckets, *b.buckets})
             if a.buckets.get(name) != b.buckets.get(name)]  # fmt: skip
    if not apart:
        return Comparison(file, "equal", "", a, b)
    total, found = 0, list[tuple[str, int, int]]()
    for buckets in _batches(apart, a, b):
        rows = _compare_rows(our.rows(buckets), their.rows(buckets))
        total += len(rows)
        found += rows[: limit - len(found)]
    differences = _list_differences(file, found, our, their)
    return Comparison(file, "different", f"{total:,} rows differ", a, b, total, differences)


def found_once(entry: LedgerEntry, name: str) -> Comparison:
    """Return the comparison of a file that only the warehouse of this name has loaded."""
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
    """Compare a file's rows in a warehouse with its staged file, which is read again for that.

    A file that is not staged any more, or is staged in another version than was loaded, is
    unchecked. Raises WarehouseError, StorageError, Cancelled.
    """
    file = entry.file
    staged = _find_staged(file, settings)
    if staged is None:
        return Comparison(file, "unchecked", "it is not staged any more")
    if staged.sha256 != entry.sha256:
        reason = "staging holds another version of it than was loaded"
        return Comparison(file, "unchecked", reason)
    try:
        with _staged_warehouse(staged, settings, cancel) as theirs:
            return compare_warehouses(warehouse, theirs, file, limit, note)
    except TripFileError as error:
        return Comparison(file, "unchecked", str(error))


class _Side:
    """One file in one warehouse."""

    def __init__(self, warehouse: Warehouse, file: TripFile, note: Callable[[str], None]) -> None:
        self._warehouse = warehouse
        self._file = file
        self._note = note

    def summary(self) -> Summary:
        rows = self._read("summarize_file").to_pylist()
        buckets = {
            row.pop("bucket"): (row.pop("trips"), round(row.pop("dollars") * 100), *row.values())
            for row in rows
        }
        count = sum(figures[0] for figures in buckets.values())
        cents = sum(figures[1] for figures in buckets.values())
        ids, contents = (
            hashlib.sha256(repr([(name, *figures[part]) for name, figures in buckets.items()])
                           .encode()).hexdigest()[:32]
            for part in (slice(2, 5), slice(5, 8))
        )  # fmt: skip
        return Summary(count, Decimal(cents) / 100, ids, contents, buckets)

    def rows(self, buckets: list[str]) -> Any:
        return self._read("select_rows", buckets=buckets)

    def cells(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        found = self._read("select_columns", ids=ids).to_pylist() if ids else []
        return {row.pop("id"): row for row in found}

    def _read(self, name: str, **parameters: Any) -> Any:
        sql = statement(f"parity/{name}", **table_identifiers(self._file.color))
        bound: Parameters = {"filename": self._file.filename, **parameters}
        answer = self._warehouse.read(sql, bound)
        if answer.note:
            self._note(answer.note)
        return answer.table


def _batches(buckets: list[str], a: Summary, b: Summary) -> Iterator[list[str]]:
    """Yield buckets in groups that hold a bounded number of rows, or a single one."""
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
    import duckdb

    with duckdb.connect() as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        return connection.execute(statement("duckdb/compare_rows")).fetchall()


def _list_differences(
    file: TripFile, found: list[tuple[str, int, int]], our: _Side, their: _Side
) -> tuple[RowDifference, ...]:
    both = [id for id, our_times, their_times in found if our_times and their_times]
    a, b = our.cells(both), their.cells(both)
    names = [column.name for column in COLUMNS[file.color]]
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
        for id, our_times, their_times in found
    )


def _wall_clock(value: Any) -> Any:
    """Return a time without the zone that BigQuery's has; anything else as it is."""
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def _find_staged(file: TripFile, settings: Settings) -> StagedFile | None:
    for format in FORMATS:
        remembered = recall(staged_path(file, format, settings), format)
        if remembered is not None:
            return remembered[0]
    return None


@contextmanager
def _staged_warehouse(
    staged: StagedFile, settings: Settings, cancel: Cancel
) -> Iterator[Warehouse]:
    """Check the staged bytes once more and yield a warehouse that holds nothing but them."""
    file = staged.file
    limit = int(settings.max_unpacked_gib * 2**30)
    facts = verify(staged.path, file, staged.format, str(staged.path), limit, cancel)
    if facts.sha256 != staged.sha256:
        raise TripFileError(
            f"{staged.path} is not what was staged: its checksum is another one.",
            cure="Run the backfill with --force; it fetches the file again.",
        )
    make_folder(settings.home)
    with tempfile.TemporaryDirectory(prefix="verify-", dir=settings.home) as folder:
        alone = settings.model_copy(update={"home": type(settings.home)(folder)})
        with open_warehouse("local", alone) as warehouse:
            warehouse.name = "staging"
            warehouse.load(staged, LoadJob("verify", str(staged.path)), Watch(cancel))
            yield warehouse


@cache
def table_identifiers(color: Color) -> dict[str, str]:
    """Return what the statements in sql/parity may name, by placeholder."""
    columns = COLUMNS[color]
    # Engines print NUMERIC differently: amounts are hashed as cents, times as microseconds.
    cells = [f"COALESCE({_text(column)}, '')" for column in columns]
    return {
        "table": color.table,
        "columns": ", ".join(column.name for column in columns),
        "content": "CONCAT({})".format(", '|', ".join(cells)),
    }


def _text(column: Column) -> str:
    name = column.name
    if column.type == "STRING":
        return name
    if column.type == "NUMERIC":
        name = f"CAST(ROUND({name} * 100) AS INT64)"
    elif column.type == "TIMESTAMP":
        name = f"UNIX_MICROS({name})"
    return f"CAST({name} AS STRING)"
