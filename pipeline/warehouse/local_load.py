"""Loading one staged trip file locally: extract, compare, merge, reconcile, commit.

The statements are made in `local_statements`; this module runs them. A file's first load is a
plain insert; only a file that is there already pays for a comparison.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from pipeline.download import StagedFile
from pipeline.errors import Cancelled, TripFileError
from pipeline.trips import COLUMNS, match_columns, unknown_columns
from pipeline.warehouse import LedgerEntry, LoadJob, LoadStep, Watch
from pipeline.warehouse.local_ledger import record_entry
from pipeline.warehouse.local_rejects import Reject, save_rejects, take_rejects
from pipeline.warehouse.local_statements import LocalStatements, execute
from pipeline.warehouse.local_summary import summarize_incoming


def load_file(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    job: LoadJob,
    watch: Watch,
    max_rejected_share: float,
) -> LedgerEntry:
    """Load one file; `Warehouse.load` says what that promises.

    Args:
        cursor: A cursor used for nothing else; the temporary tables go when it is closed.
        max_rejected_share: Above this share of rejected rows (0 to 1) the file fails.
    """
    started = time.monotonic()
    for sentence in header_notes(staged):
        watch.on_note(sentence)
    try:
        with watch.cancel.calling(cursor.interrupt):
            _begin(cursor, watch, "extract")
            rejects = extract(cursor, staged, watch, max_rejected_share)
            statements = LocalStatements(staged)
            execute(cursor, statements.begin())
            change = _apply(cursor, statements, watch)
            _begin(cursor, watch, "reconcile")
            totals = _reconcile(cursor, staged, len(rejects))
            summarize_incoming(cursor, staged.file)
            save_rejects(cursor, staged, job.run_id, rejects)
            entry = LedgerEntry.of_load(
                staged,
                job,
                change,
                seconds=time.monotonic() - started,
                rows=totals.rows,
                rejected=len(rejects),
                rounded=totals.rounded,
                total_amount=totals.total_amount,
            )
            record_entry(cursor, entry)
        # No longer interruptible: from here the commit either happens whole or not at all.
        _begin(cursor, watch, "commit")
        execute(cursor, statements.commit())
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):  # there may be no transaction yet, or any more
            cursor.execute("ROLLBACK")
        if isinstance(error, duckdb.InterruptException):
            raise Cancelled from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise TripFileError(
                f"{staged.file} needs more memory than DuckDB was given.",
                cure="Raise FAREGROUND_MEMORY_LIMIT, for example to 2GB.",
            ) from error
        raise
    return entry


def _begin(cursor: duckdb.DuckDBPyConnection, watch: Watch, step: LoadStep) -> None:
    watch.cancel.check()

    def fraction() -> float | None:
        try:
            percent = cursor.query_progress()  # -1 when DuckDB cannot tell
        except duckdb.Error:  # asked in the instant in which the load ended and closed the cursor
            return None
        return percent / 100 if percent >= 0 else None

    watch.on_step(step, fraction)


def header_notes(staged: StagedFile) -> Iterator[str]:
    """Say which columns are missing or unknown; the file loads all the same."""
    color = staged.file.color
    present = match_columns(color, staged.header)
    missing = [c.name for c in COLUMNS[color] if c.name not in present and not c.fee]
    if missing:
        yield f"warning: no column {', '.join(missing)} in the file; loaded as NULL"
    unknown = unknown_columns(color, staged.header)
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in unknown[:10])
        yield f"warning: unknown column {shown} in the file; not loaded"


def extract(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, watch: Watch, max_rejected_share: float
) -> list[Reject]:
    """Read the staged file into the temporary table `incoming` and return its rejects."""
    read_rows(cursor, staged)
    return take_out_rejects(cursor, staged, watch, max_rejected_share)


def read_rows(cursor: duckdb.DuckDBPyConnection, staged: StagedFile) -> None:
    """Read the staged file into the temporary table `incoming`.

    Raises TripFileError when the pages of a parquet file are not what its footer says.
    """
    statements = LocalStatements(staged)
    try:
        execute(cursor, statements.extract())
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        # An IOException that does not name the file is about the disk.
        disk = isinstance(error, duckdb.IOException) and str(staged.path) not in str(error)
        if staged.format != "parquet" or disk:
            raise
        reason = str(error).replace(str(staged.path), staged.path.name).splitlines()[0]
        raise TripFileError(
            f"{staged.file} from {staged.address} is damaged: its parquet pages cannot be read "
            f"({reason}).",
            cure="Take the month from another source.",
        ) from error
    if staged.format != "parquet" and execute(cursor, statements.find_open_quote()).fetchone():
        # It swallowed the lines behind it: read quotes as letters, which rejects that line.
        cursor.execute("DELETE FROM reject_errors")
        execute(cursor, statements.extract(quote=""))


def take_out_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, watch: Watch, max_rejected_share: float
) -> list[Reject]:
    """Take the rejects out of `incoming`, number what is left, and return the rejects.

    Raises TripFileError when there are too many of them.
    """
    rejects = take_rejects(cursor, staged, max_rejected_share)
    if rejects:
        watch.on_note(f"warning: {len(rejects):,} rows rejected; see the table rejects")
    execute(cursor, LocalStatements(staged).number_ordinals())
    return rejects


def _apply(
    cursor: duckdb.DuckDBPyConnection, statements: LocalStatements, watch: Watch
) -> Counter[str]:
    """Make the table hold the incoming rows; return how many were inserted, updated, deleted."""
    if execute(cursor, statements.find_file()).fetchone() is None:
        _begin(cursor, watch, "merge")
        row = execute(cursor, statements.insert_file()).fetchone()
        return Counter(inserted=int(row[0]) if row else 0)
    _begin(cursor, watch, "compare")
    execute(cursor, statements.compare_file())
    _begin(cursor, watch, "merge")
    actions = execute(cursor, statements.merge_file()).fetchall()
    words = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
    return Counter(words[action] for (action,) in actions)


@dataclass(frozen=True)
class _Totals:
    rows: int
    rounded: int
    total_amount: Decimal


def _reconcile(cursor: duckdb.DuckDBPyConnection, staged: StagedFile, rejected: int) -> _Totals:
    """Compare the file, what was read and what the table holds; raise TripFileError on a gap."""
    row = execute(cursor, LocalStatements(staged).select_totals()).fetchone()
    assert row is not None  # aggregates always give a row
    table_rows, table_amount, read_rows, read_amount, rounded = row
    if staged.data_lines != read_rows + rejected:
        raise TripFileError(
            f"{staged.file} has {staged.data_lines:,} data lines, but {read_rows:,} rows were "
            f"read and {rejected:,} rejected; nothing was changed.",
            cure="Look for line breaks inside quotes in the file, or fetch it again.",
        )
    if (table_rows, table_amount) != (read_rows, read_amount):
        raise TripFileError(
            f"{staged.file} does not reconcile: {read_rows:,} rows and ${read_amount:,} read, "
            f"{table_rows:,} rows and ${table_amount:,} in the table; nothing was changed.",
            cure="Run the backfill again; if it happens twice, report it with this message.",
        )
    return _Totals(rows=table_rows, rounded=int(rounded), total_amount=table_amount)
