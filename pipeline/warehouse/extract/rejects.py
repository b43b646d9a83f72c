"""Find the rows of a trip file that cannot be read, and where in the file they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from pipeline.core.cells import show_text
from pipeline.core.columns import Type
from pipeline.core.errors import TripFileError
from pipeline.core.sql import literal_path, statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.careful import FileReading, UnreadableColumn
from pipeline.warehouse.extract.lines import (
    ALL_QUOTED,
    CONTENT_LENGTH,
    ENDS_WITHIN,
    GOES_ON,
    REPEATED_HEADER,
    WITHIN_CELL,
    WRONG_COUNT,
    numbered_lines,
)

_WRITTEN: dict[Type, str] = {
    "INT64": "whole numbers",
    "NUMERIC": "numbers with a decimal point, such as 12.50",
    "TIMESTAMP": "times such as 2020-04-01 08:05:00, as text or as parquet timestamps",
    "STRING": "letters and digits without quotes",
}

_CURES = {  # by the first words of a line's reason
    WRONG_COUNT: "Export it again with a name in the header for each cell of a line, and with "
    "quotes around cells that have commas in them",
    ENDS_WITHIN: "Fetch the file again: it is not whole",
    GOES_ON: "Export it again without line breaks in its cells",
    WITHIN_CELL: "Export it again without line breaks in its cells",
    ALL_QUOTED: "Export it again with quotes around single cells, not around lines",
    REPEATED_HEADER: "Keep the header in the first line only",
}


@dataclass(frozen=True)
class Reject:
    """A row that cannot be loaded.

    Attributes:
        line: Its line in the published file, from 1; its row number in a parquet file, from 1.
        reason: Which cell does not fit, or what is wrong with the line.
        content: The line as staged, or the cells as JSON, cut to 1,000 characters; None where there
            is none.
    """

    line: int
    reason: str
    content: str | None


def take_rejects(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, reading: FileReading, max_share: float
) -> list[Reject]:
    """Delete the rows that do not fit their columns from `incoming`; return the file's rejects.

    Raises TripFileError when more than `max_share` (0 to 1) of the file's rows are rejected.
    """
    if reading.plain:
        return []
    ((read, misfits),) = cursor.execute(
        "SELECT count(*), count(reject_reason) FROM incoming"
    ).fetchall()
    unread = _count_unread(cursor, staged)
    if read + unread != staged.data_lines:
        raise TripFileError(
            f"{staged.file} has {staged.data_lines:,} data lines, but {read:,} rows were read and "
            f"{unread:,} lines are not rows; nothing was changed.",
            cure="Fetch it again, or take the month from another source.",
        )
    if misfits + unread == 0:
        return []
    too_many = misfits + unread > max_share * staged.data_lines
    # A file that fails shows three examples; of one that loads, all rejects are stored.
    limit = 3 if too_many else None
    rejects = _unread_lines(cursor, staged, limit)
    rejects += _misfit_rows(cursor, staged, limit)
    if too_many and rejects:
        if reading.unreadable:
            raise _column_error(staged, reading.unreadable[0])
        raise _rows_error(staged, misfits, unread, max_share, rejects)
    cursor.execute("DELETE FROM incoming WHERE reject_reason IS NOT NULL")
    return rejects


def sorted_by_line(rejects: list[Reject]) -> list[Reject]:
    """Return the rejects in the order of the file."""
    return sorted(rejects, key=lambda reject: reject.line)


def _column_error(staged: StagedFile, unreadable: UnreadableColumn) -> TripFileError:
    name, kind = unreadable.column.name, unreadable.file_type
    return TripFileError(
        f"{staged.file}: no cell of {name} can be read. In the file it is {kind}, for example "
        f"{show_text(unreadable.text)}, which {unreadable.reason}.",
        cure=f"Write {name} as {_WRITTEN[unreadable.column.type]}.",
    )


def _rows_error(
    staged: StagedFile, misfits: int, unread: int, max_share: float, rejects: list[Reject]
) -> TripFileError:
    where = "row" if staged.format == "parquet" else "line"
    examples = "; ".join(
        f"{where} {r.line}: {r.reason.removesuffix('.')}" for r in sorted_by_line(rejects)[:3]
    )
    cure = (
        "Take the month from another source. To load it without these lines, raise "
        "FAREGROUND_MAX_REJECTED_SHARE."
    )
    if misfits:
        cure = (
            "Correct these cells, or take the month from another source; docs/loading.md says how "
            "cells may be written."
        )
    elif cures := [
        cure for r in rejects for words, cure in _CURES.items() if r.reason.startswith(words)
    ]:
        cure = f"{cures[0]}; or take the month from another source."
    return TripFileError(
        f"{staged.file}: {misfits + unread:,} of {staged.data_lines:,} rows cannot be read, "
        f"more than the {max_share:.1%} allowed; {examples}.",
        cure=cure,
    )


def _count_unread(cursor: duckdb.DuckDBPyConnection, staged: StagedFile) -> int:
    if staged.format == "parquet":
        return 0
    ((unread,),) = cursor.execute("SELECT count(*) FROM unread_lines").fetchall()
    return int(unread)


def _unread_lines(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int | None
) -> list[Reject]:
    if staged.format == "parquet":
        return []
    sql = "SELECT line, reason, content FROM unread_lines ORDER BY line LIMIT $limit"
    return [Reject(*row) for row in cursor.execute(sql, {"limit": limit}).fetchall()]


def _misfit_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int | None
) -> list[Reject]:
    reasons = dict(
        cursor.execute(
            "SELECT rowid, reject_reason FROM incoming WHERE reject_reason IS NOT NULL "
            "ORDER BY rowid LIMIT $limit",
            {"limit": limit},
        ).fetchall()
    )
    if not reasons:
        return []
    if staged.format == "parquet":
        located = dict(_locate_parquet_rows(cursor, staged, list(reasons)))
    else:
        unread = {line for (line,) in cursor.execute("SELECT line FROM unread_lines").fetchall()}
        located = dict(_locate_rows(staged, set(reasons), unread))
    return [Reject(located[row][0], reason, located[row][1]) for row, reason in reasons.items()]


def _locate_parquet_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, rows: list[int]
) -> Iterator[tuple[int, tuple[int, str | None]]]:
    """Yield the number from 1 and the cells, as JSON, of the n-th rows (n counts from 0)."""
    values = {"path": literal_path(staged.path), "rows": rows}
    for row, content in cursor.execute(statement("duckdb/select_parquet_rows"), values).fetchall():
        yield row, (row + 1, content)


def _locate_rows(
    staged: StagedFile, rows: set[int], unread: set[int]
) -> Iterator[tuple[int, tuple[int, str | None]]]:
    """Yield the line number and text of the n-th rows that were read (n counts from 0).

    The lines that are rows are `incoming`, in order.
    """
    row = -1
    for line in numbered_lines(staged):
        if line.number in unread:
            continue
        row += 1
        if row in rows:
            text = line.text[:CONTENT_LENGTH].encode("utf-8", "replace").decode()
            yield row, (line.number, text)
            if row == max(rows):
                return
