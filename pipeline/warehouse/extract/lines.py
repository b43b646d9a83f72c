"""Separate the lines of a csv that are rows from those that are not.

DuckDB can list the lines that it rejects, but stores an error with a copy of the line for each cell
that is missing or too many: a line of 80 kB takes gigabytes. Here each line is looked at by itself.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

import duckdb

from pipeline.core.datasets import normalize_name
from pipeline.files.staging import StagedFile, storage_errors

CONTENT_LENGTH = 1000  # characters of a rejected line that are stored

WRONG_COUNT = "Expected"  # begins the reason of a line that has too few or too many cells

_BATCH = 10_000  # lines between two checks


def write_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, copy: Path, check: Callable[[], object]
) -> None:
    """Copy the lines of a csv that are rows, and fill the table `unread_lines` with all others.

    A row has a cell for each column of the header; `_count_cells` tells the exception. A quoted
    cell ends on its line.

    Args:
        copy: The file to write: UTF-8, with a header and with newlines only.
        check: Called now and then; raises Cancelled.

    Raises StorageError when the copy cannot be written.
    """
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE unread_lines (line BIGINT, reason VARCHAR, content VARCHAR)"
    )
    width = len(staged.header)
    usual = _count_cells(staged, check)
    separators = width - 1 if usual == width else -1
    unread: list[tuple[int, str, str]] = []
    with storage_errors(copy), copy.open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out, lineterminator="\n").writerow
        write(staged.header)
        for number, line in numbered_lines(staged):
            if number % _BATCH == 0:
                check()
                _insert(cursor, unread)
            if '"' not in line and line.count(",") == separators and line.isascii():
                out.write(f"{line}\n")
                continue
            try:
                cells = split_row(line)
            except ValueError as error:
                unread.append((number, str(error), line[:CONTENT_LENGTH]))
                continue
            if len(cells) != usual:
                reason = f"{WRONG_COUNT} {usual} cells, found {len(cells)}."
                unread.append((number, reason, line[:CONTENT_LENGTH]))
            elif width > 1:
                write([*cells, *[""] * (width - usual)][:width])
            else:  # the writer would quote an empty cell
                out.write(f"{line}\n")
    _insert(cursor, unread)


def _count_cells(staged: StagedFile, check: Callable[[], object]) -> int:
    """Return how many cells a row has: as many as the header, unless all rows agree on another.

    That is more cells where those behind the last column are empty in every row, as in the TLC's
    files of 2016, or fewer where the last columns of the header have no name. If some rows alone
    have an empty cell too many, a comma within another cell may have shifted the values.
    """
    width = len(staged.header)
    named = max(n for n, name in enumerate(staged.header, start=1) if normalize_name(name))
    usual = width
    for number, line in numbered_lines(staged):
        if number % _BATCH == 0:
            check()
        try:
            cells = split_row(line)
        except ValueError:
            continue
        count = len(cells)
        if count < named:  # a line such as "(297 rows)"
            continue
        if count == width or usual not in (width, count) or any(map(str.strip, cells[width:])):
            return width
        usual = count
    return usual


def split_row(line: str) -> list[str]:
    """Return the cells of a line of a csv; raise ValueError with the reason why it has none."""
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("The line is not text in UTF-8.") from None
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True, skipinitialspace=True))
    except csv.Error as error:
        if "field larger" in str(error):
            raise ValueError("A cell is longer than 128 KiB.") from None
        raise ValueError("A quote is in the wrong place.") from None


def numbered_lines(staged: StagedFile) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line after the header that is not blank.

    The header is line 1. Bytes that are not UTF-8 become surrogates.
    """
    with _open_text(staged) as text:
        for number, line in enumerate(text, start=1):
            content = line.removesuffix("\n")
            if number > 1 and content:
                yield number, content


@contextmanager
def _open_text(staged: StagedFile) -> Iterator[TextIO]:
    source = staged.unpacked or staged.path
    is_packed = staged.format == "csv.gz" and staged.unpacked is None
    # With `newline` None, \r and \r\n end a line, too.
    opened = gzip.open if is_packed else open
    with opened(source, "rt", encoding="utf-8", errors="surrogateescape", newline=None) as text:
        yield cast("TextIO", text)


def _insert(cursor: duckdb.DuckDBPyConnection, unread: list[tuple[int, str, str]]) -> None:
    """Move lines into the table `unread_lines`."""
    import pyarrow

    if not unread:
        return
    lines, reasons, contents = zip(*unread, strict=True)
    shown = [content.encode("utf-8", "replace").decode() for content in contents]
    batch = pyarrow.table({"line": lines, "reason": reasons, "content": shown})
    cursor.register("unread_batch", batch)
    cursor.execute("INSERT INTO unread_lines SELECT * FROM unread_batch")
    cursor.unregister("unread_batch")
    unread.clear()
