"""Load one staged trip file into DuckDB: extract, compare, merge, reconcile, commit.

`local/statements.py` builds the statements. The first load of a file is a plain insert; only later
ones pay for a comparison.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import duckdb

from pipeline.core.errors import Cancelled, TripFileError
from pipeline.core.sql import statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.extract.reader import extract, header_notes
from pipeline.warehouse.extract.rejects import Reject, sorted_by_line
from pipeline.warehouse.extract.statements import execute
from pipeline.warehouse.ledger import LedgerEntry
from pipeline.warehouse.local.ledger import record_entry
from pipeline.warehouse.local.rollups import roll_up_incoming
from pipeline.warehouse.local.statements import LocalStatements
from pipeline.warehouse.measures import describe_sum, has_amount
from pipeline.warehouse.statements import LoadStep


def load_file(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    job: LoadJob,
    monitor: LoadMonitor,
    max_rejected_share: float,
) -> LedgerEntry:
    """Load one file, as `Warehouse.load` promises.

    Args:
        cursor: Used for nothing else; closing it drops the temporary tables.
        max_rejected_share: Above this share of rejected rows (0 to 1) the file fails.
    """
    started = time.monotonic()
    for sentence in header_notes(staged):
        monitor.on_note(sentence)
    try:
        with monitor.cancel.calling(cursor.interrupt):
            _begin(cursor, monitor, "extract")
            check = monitor.cancel.check
            rejects = extract(cursor, staged, max_rejected_share, monitor.on_note, check)
            statements = LocalStatements(staged)
            execute(cursor, statements.begin())
            changes = _apply(cursor, statements, monitor)
            _begin(cursor, monitor, "reconcile")
            totals = _reconcile(cursor, staged, len(rejects))
            roll_up_incoming(cursor, staged.file)
            _save_rejects(cursor, staged, job.run_id, rejects)
            entry = LedgerEntry.of_load(
                staged,
                run_id=job.run_id,
                source=job.source,
                changes=changes,
                seconds=time.monotonic() - started,
                rows=totals.rows,
                rejected=len(rejects),
                rounded=totals.rounded,
                total_amount=totals.total_amount,
            )
            record_entry(cursor, entry)
        # Outside of the block above, so that cancelling no longer interrupts: a commit is atomic.
        _begin(cursor, monitor, "commit")
        execute(cursor, statements.commit())
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):  # there may be no open transaction
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


def _begin(cursor: duckdb.DuckDBPyConnection, monitor: LoadMonitor, step: LoadStep) -> None:
    monitor.cancel.check()

    def fraction() -> float | None:
        try:
            percent = cursor.query_progress()  # -1 when unknown
        except duckdb.Error:  # the load has just ended and closed the cursor
            return None
        return percent / 100 if percent >= 0 else None

    monitor.on_step(step, fraction)


def _apply(
    cursor: duckdb.DuckDBPyConnection, statements: LocalStatements, monitor: LoadMonitor
) -> Counter[str]:
    """Merge the rows of `incoming`; return how many were inserted, updated and deleted."""
    if execute(cursor, statements.find_file()).fetchone() is None:
        _begin(cursor, monitor, "merge")
        row = execute(cursor, statements.insert_file()).fetchone()
        return Counter(inserted=int(row[0]) if row else 0)
    _begin(cursor, monitor, "compare")
    execute(cursor, statements.compare_file())
    _begin(cursor, monitor, "merge")
    actions = execute(cursor, statements.merge_file()).fetchall()
    words = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
    return Counter(words[action] for (action,) in actions)


@dataclass(frozen=True)
class _LoadedRows:
    """The file's rows in the table, in figures; `rounded` have amounts that were rounded."""

    rows: int
    rounded: int
    total_amount: Decimal | None


def _reconcile(cursor: duckdb.DuckDBPyConnection, staged: StagedFile, rejected: int) -> _LoadedRows:
    """Compare the file's lines, the rows that were read and those in the table.

    Raises TripFileError when they differ.
    """
    row = execute(cursor, LocalStatements(staged).select_totals()).fetchone()
    assert row is not None  # an aggregate always returns a row
    table_rows, table_sum, read_rows, read_sum, rounded = row
    if staged.data_lines != read_rows + rejected:
        raise TripFileError(
            f"{staged.file} has {staged.data_lines:,} data lines, but {read_rows:,} rows were "
            f"read and {rejected:,} rejected; nothing was changed.",
            cure="Look for line breaks inside quotes in the file, or fetch it again.",
        )
    dataset = staged.file.dataset
    if (table_rows, table_sum) != (read_rows, read_sum):
        raise TripFileError(
            f"{staged.file} does not reconcile: {read_rows:,} rows and "
            f"{describe_sum(dataset, read_sum)} read, {table_rows:,} rows and "
            f"{describe_sum(dataset, table_sum)} in the table; nothing was changed.",
            cure="Run the backfill again; if it happens twice, report it with this message.",
        )
    amount = table_sum if has_amount(dataset) else None
    return _LoadedRows(rows=table_rows, rounded=int(rounded), total_amount=amount)


def _save_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, run_id: str, rejects: list[Reject]
) -> None:
    """Replace the file's rows in the table `rejects`, within the cursor's transaction."""
    filename = staged.file.filename
    execute(cursor, LocalStatements(staged).delete_rejects())
    now = datetime.now(UTC).replace(tzinfo=None)
    if rejects:
        cursor.executemany(
            statement("duckdb/record_reject"),
            [(filename, r.line, r.reason, r.content, run_id, now) for r in sorted_by_line(rejects)],
        )
