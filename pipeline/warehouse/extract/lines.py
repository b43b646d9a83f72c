"""Separate the lines of a csv that are rows from those that are not.

DuckDB can list the lines that it rejects, but stores an error with a copy of the line for each cell
that is missing or too many: a line of 80 kB takes gigabytes. Here each line is looked at by itself.
"""

from __future__ import annotations

import csv
import gzip
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO, cast

import duckdb

from pipeline.core.column_names import normalize_name
from pipeline.core.errors import TripFileError
from pipeline.core.storage_errors import storage_errors
from pipeline.files.header import lacking_columns
from pipeline.files.staging import StagedFile

CONTENT_LENGTH = 1000  # characters of a rejected line that are stored

# The first words of the reasons why a line is not a row.
WRONG_COUNT = "Expected"
ENDS_WITHIN = "The file ends within this line"
GOES_ON = "A cell in quotes goes on"
WITHIN_CELL = "The line is within a cell in quotes"
ALL_QUOTED = "The whole line is in quotes"
REPEATED_HEADER = "The line repeats the header"

_BATCH = 10_000  # lines between two checks
_MOST_LINES = 1000  # that a cell in quotes may go on, before its quote counts as not closed


class CsvLine(NamedTuple):
    """One physical line of a csv file, with its position.

    Attributes:
        number: Its number in the published file, from 1.
        text: Its text without the line end. Bytes that are not UTF-8 are surrogates.
        is_whole: Whether a line end follows it.
    """

    number: int
    text: str
    is_whole: bool = True


def write_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, copy: Path, check: Callable[[], object]
) -> None:
    """Copy the lines of a csv that are rows, and fill the table `unread_lines` with all others.

    A row has a cell for each column of the header; `_count_cells` tells the exception. It is on one
    line: those over which a cell in quotes goes on are no rows, whatever they look like.

    Args:
        copy: The file to write: UTF-8, with a header and with newlines only.
        check: Called now and then; raises Cancelled.

    Raises StorageError when the copy cannot be written, TripFileError for a second header of other
    columns.
    """
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE unread_lines (line BIGINT, reason VARCHAR, content VARCHAR)"
    )
    width = len(staged.header)
    usual = _count_cells(staged, check)
    separators = width - 1 if usual == width else -1
    names = frozenset(normalize_name(name) for name in staged.header)
    unread: list[tuple[int, str, str]] = []
    with storage_errors(copy), copy.open("w", encoding="utf-8", newline="") as out:
        write = csv.writer(out, lineterminator="\n").writerow
        write(staged.header)
        for count, group in enumerate(grouped_lines(numbered_lines(staged), usual)):
            if count % _BATCH == 0:
                check()
                _insert(cursor, unread)
            line, *others = group
            text = line.text
            if others:
                reason = f"{GOES_ON} to line {others[-1].number}; a row is on one line."
                unread.append((line.number, reason, text[:CONTENT_LENGTH]))
                within = f"{WITHIN_CELL} that begins on line {line.number}."
                unread += [(other.number, within, other.text[:CONTENT_LENGTH]) for other in others]
                continue
            first_cell = text.partition(",")[0]
            may_be_header = first_cell[:1].isalpha() and normalize_name(first_cell) in names
            if (
                '"' not in text
                and text.count(",") == separators
                and text.isascii()
                and not may_be_header
            ):
                out.write(f"{text}\n")
                continue
            try:
                cells = split_row(text)
                _require_row(cells, line, usual, staged)
            except ValueError as error:
                unread.append((line.number, str(error), text[:CONTENT_LENGTH]))
                continue
            if width > 1:
                write([*cells, *[""] * (width - usual)][:width])
            else:  # the writer would quote an empty cell
                out.write(f"{text}\n")
    _insert(cursor, unread)


def _require_row(cells: list[str], line: CsvLine, usual: int, staged: StagedFile) -> None:
    """Check that a line has the cells of a row.

    Raises ValueError with the reason for the table `rejects`, and TripFileError for a header of
    other columns: the cells below it would be read as those of the first header.
    """
    dataset, header = staged.file.dataset, staged.header
    if cells[0].strip()[:1].isalpha() and not lacking_columns(tuple(cells), dataset):
        if [normalize_name(cell) for cell in cells] == [normalize_name(name) for name in header]:
            raise ValueError(f"{REPEATED_HEADER}.")
        raise TripFileError(
            f"{staged.file} from {staged.address} has a second header with other columns, or in "
            f"another order, on line {line.number}: the cells below it do not stand where the "
            "first header says.",
            cure="Split the file there, bring both parts into the same columns, and join them "
            "under one header.",
        )
    if len(cells) == usual:
        return
    if not line.text.strip("\0"):
        raise ValueError("The line is zero bytes instead of text.")
    if len(cells) == 1 and len(split_row(cells[0])) == usual:
        raise ValueError(f"{ALL_QUOTED}.")
    if len(cells) < usual and not line.is_whole:
        raise ValueError(f"{ENDS_WITHIN}: {len(cells)} of {usual} cells are there.")
    raise ValueError(f"{WRONG_COUNT} {usual} cells, found {len(cells)}.")


def _count_cells(staged: StagedFile, check: Callable[[], object]) -> int:
    """Return how many cells a row has: as many as the header, unless all rows agree on another.

    That is more cells where those behind the last column are empty in every row, as in the TLC's
    files of 2016, or fewer where the last columns of the header have no name. If some rows alone
    have an empty cell too many, a comma within another cell may have shifted the values.
    """
    width = len(staged.header)
    named = max(n for n, name in enumerate(staged.header, start=1) if normalize_name(name))
    usual = width
    for line in numbered_lines(staged):
        if line.number % _BATCH == 0:
            check()
        try:
            cells = split_row(line.text)
        except ValueError:
            continue
        count = len(cells)
        if count < named:  # a line such as "(297 rows)"
            continue
        if count == width or usual not in (width, count) or any(map(str.strip, cells[width:])):
            return width
        usual = count
    return usual


def grouped_lines(lines: Iterator[CsvLine], cells: int) -> Iterator[list[CsvLine]]:
    """Group the lines of a csv into records: usually one line, several if a quoted cell spans them.

    Lines are grouped only if together they form a row of `cells` cells (RFC 4180, section 2.6). An
    unclosed or misplaced quote affects its own line only.

    Args:
        cells: How many cells a row has.
    """
    ahead: deque[CsvLine] = deque()

    def next_line() -> CsvLine | None:
        return ahead.popleft() if ahead else next(lines, None)

    while (line := next_line()) is not None:
        if '"' not in line.text:
            yield [line]
            continue
        taken: list[CsvLine] = []
        row = _read_across(line, islice(iter(next_line, None), _MOST_LINES), taken)
        if len(row) == cells:
            yield [line, *taken]
        else:
            ahead.extendleft(reversed(taken))
            yield [line]


def _read_across(line: CsvLine, following: Iterator[CsvLine], taken: list[CsvLine]) -> list[str]:
    """Parse the record that begins on a line, reading further lines while a quote is open.

    Returns the cells of the record, or [] if the quotes are malformed or never closed.

    Args:
        following: The next lines, none of which is read if the quotes of the line are closed.
        taken: Filled with those of them that were read.
    """

    def texts() -> Iterator[str]:
        yield f"{line.text}\n"
        for other in following:
            taken.append(other)
            yield f"{other.text}\n"

    try:
        return next(csv.reader(texts(), strict=True, skipinitialspace=True))
    except csv.Error:
        return []


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
        if "unexpected end" in str(error):
            raise ValueError("A quote is not closed.") from None
        raise ValueError("A quote is in the wrong place.") from None


def numbered_lines(staged: StagedFile) -> Iterator[CsvLine]:
    """Yield the non-blank lines after the header, as UTF-8 text with surrogates for other bytes.

    Their text is that of the staged file: of one with semicolons, the rewritten line.
    """
    with _open_text(staged) as text:
        header = 1 + (staged.original.lines_before if staged.original else 0)
        for number, line in enumerate(text, start=header):
            content = line.removesuffix("\n")
            if number > header and content:
                yield CsvLine(number, content, len(content) < len(line))


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
