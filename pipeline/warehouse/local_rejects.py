"""Rows of a trip file that cannot be cast: counted, kept in `rejects`, and shown by example."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

import duckdb

from pipeline.download import StagedFile
from pipeline.errors import TripFileError
from pipeline.sql import statement
from pipeline.warehouse.local_statements import LocalStatements, execute
from pipeline.warehouse.statements import Statement

_CONTENT_LENGTH = 1000  # characters of a rejected line that are kept


@dataclass(frozen=True)
class Reject:
    """A row that was not loaded; `line` counts from 1 (see sql/duckdb/create_warehouse.sql)."""

    line: int
    reason: str
    content: str | None


def take_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, max_share: float
) -> list[Reject]:
    """Remove from `incoming` what does not fit its column, and return all rejects of the file.

    Raises TripFileError when more than `max_share` (0 to 1) of the file's rows are rejected.
    """
    statements = LocalStatements(staged)
    read = _one(cursor, statements.count_read())
    misfits = _one(cursor, statements.count_misfits())
    unread = staged.data_lines - read if staged.format != "parquet" else 0
    if misfits + unread == 0:
        return []
    too_many = misfits + unread > max_share * staged.data_lines
    # Enough to show what is wrong when the file fails; all of them when they are kept.
    limit = 3 if too_many else None
    rejects = _unread_lines(cursor, staged, limit) + _misfit_rows(cursor, staged, limit)
    if too_many and rejects:
        examples = "; ".join(f"line {r.line}: {r.reason}" for r in sorted_by_line(rejects)[:3])
        raise TripFileError(
            f"{staged.file}: {misfits + unread:,} of {staged.data_lines:,} rows cannot be read, "
            f"more than the {max_share:.1%} allowed; {examples.removesuffix('.')}.",
            cure="Check the file at its source, or raise FAREGROUND_MAX_REJECTED_SHARE.",
        )
    cursor.execute("DELETE FROM incoming WHERE bad_column IS NOT NULL")
    return rejects


def save_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, run_id: str, rejects: list[Reject]
) -> None:
    """Replace the file's rows in `rejects` by these, within the cursor's transaction."""
    filename = staged.file.filename
    execute(cursor, LocalStatements(staged).delete_rejects())
    now = datetime.now(UTC).replace(tzinfo=None)
    if rejects:
        cursor.executemany(
            statement("duckdb/record_reject"),
            [(filename, r.line, r.reason, r.content, run_id, now) for r in sorted_by_line(rejects)],
        )


def sorted_by_line(rejects: list[Reject]) -> list[Reject]:
    """Return the rejects in the order of the file."""
    return sorted(rejects, key=lambda reject: reject.line)


def _unread_lines(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int | None
) -> list[Reject]:
    if staged.format == "parquet":
        return []
    rows = cursor.execute(statement("duckdb/select_unread_lines"), {"limit": limit}).fetchall()
    return [Reject(line, reason, content) for line, reason, content in rows]


def _misfit_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int | None
) -> list[Reject]:
    columns = dict(
        cursor.execute(
            "SELECT rowid, bad_column FROM incoming WHERE bad_column IS NOT NULL "
            "ORDER BY rowid LIMIT $limit",
            {"limit": limit},
        ).fetchall()
    )
    if not columns:
        return []
    if staged.format == "parquet":
        located = dict(_locate_parquet_rows(cursor, staged, list(columns)))
    else:
        unread = {line for (line,) in cursor.execute("SELECT line FROM reject_errors").fetchall()}
        located = dict(_locate_rows(staged, set(columns), unread))
    return [
        Reject(located[row][0], f"{column} has a value that does not fit it", located[row][1])
        for row, column in columns.items()
    ]


def _locate_parquet_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, rows: list[int]
) -> Iterator[tuple[int, tuple[int, str | None]]]:
    """Yield the number from 1 and the cells, as JSON, of the n-th rows (n counts from 0)."""
    values = {"path": str(staged.path), "rows": rows}
    for row, content in cursor.execute(statement("duckdb/select_parquet_rows"), values).fetchall():
        yield row, (row + 1, content)


def _locate_rows(
    staged: StagedFile, rows: set[int], unread: set[int]
) -> Iterator[tuple[int, tuple[int, str | None]]]:
    """Yield the line number and text of the n-th rows that were read (n counts from 0).

    The reader skips blank lines and those it rejected; what is left is `incoming`, in order.
    """
    row = -1
    with (
        _open_unpacked(staged) as binary,
        io.TextIOWrapper(binary, encoding="utf-8", errors="replace") as text,
    ):
        for line, content in enumerate(text, start=1):
            if line == 1 or line in unread or not content.rstrip("\n"):
                continue
            row += 1
            if row in rows:
                yield row, (line, content.rstrip("\n")[:_CONTENT_LENGTH])
                if row == max(rows):
                    return


def _open_unpacked(staged: StagedFile) -> BinaryIO:
    if staged.format == "csv.gz":
        return cast("BinaryIO", gzip.open(staged.path, "rb"))
    return staged.path.open("rb")


def _one(cursor: duckdb.DuckDBPyConnection, counting: Statement) -> int:
    row = execute(cursor, counting).fetchone()
    assert row is not None  # an aggregate always gives a row
    return int(row[0])
