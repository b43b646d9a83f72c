"""Read a trip file cell by cell, by the grammar in `pipeline.core.cells`.

DuckDB's own reader is several times faster, and reads the cells that the TLC publishes as the
grammar does. This one is for files in which it met anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipeline.core.cells import (
    BLANKS,
    Conventions,
    Note,
    Reading,
    canonical_text,
    find_conventions,
    read_cell,
    show_text,
)
from pipeline.core.columns import Column
from pipeline.core.scratch import ScratchFolder
from pipeline.core.sql import statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.cells import is_plain
from pipeline.warehouse.extract.lines import write_rows
from pipeline.warehouse.extract.notes import CellNote
from pipeline.warehouse.extract.parquet import ParquetColumn
from pipeline.warehouse.extract.statements import ExtractStatements, execute

if TYPE_CHECKING:
    import pyarrow

_BATCH = 50_000  # texts that Python reads at once


@dataclass(frozen=True)
class UnreadableColumn:
    """A column of which no cell can be read.

    Attributes:
        file_type: Its type in a parquet file; text in a csv.
        text: One of its cells.
        reason: Why that one cannot be read.
    """

    column: Column
    file_type: str
    text: str
    reason: str


@dataclass(frozen=True)
class FileReading:
    """How a file was read into `incoming`.

    Attributes:
        plain: Whether DuckDB's own reader read all of it, so that it has no rejects.
        unreadable: Columns of which no cell can be read.
    """

    plain: bool = True
    notes: tuple[CellNote, ...] = ()
    unreadable: tuple[UnreadableColumn, ...] = ()


def read_carefully(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    check: Callable[[], object],
    parquet: Mapping[str, ParquetColumn] | None = None,
) -> FileReading:
    """Read a file into the temporary table `incoming`, with the reason of each rejected row.

    Args:
        check: Called now and then; raises Cancelled.
        parquet: The columns of a parquet file, by our names; None for a csv.
    """
    statements = ExtractStatements(staged, parquet)
    if parquet is None:
        _read_csv_cells(cursor, staged, statements, check)
    else:
        execute(cursor, statements.read_parquet_cells())
    numbers = {name for name, column in (parquet or {}).items() if column.is_number}
    tallies = _read_spellings(cursor, staged, numbers, check)
    spelled = [place for place, tally in tallies.items() if tally.cells]
    execute(cursor, statements.extract_cells(spelled))
    columns = staged.file.dataset.columns
    unreadable = tuple(
        UnreadableColumn(
            columns[place],
            parquet[columns[place].name].type if parquet else "text",
            *tally.rejected_example,
        )
        for place, tally in tallies.items()
        if tally.rejected_example and not tally.read
    )
    notes = [note for place, tally in tallies.items() for note in tally.notes(columns[place].name)]
    notes += _zone_notes(cursor, parquet or {})
    cursor.execute("DROP TABLE cells")
    cursor.execute("DROP TABLE spellings")
    return FileReading(False, tuple(notes), unreadable)


_Spelling = tuple[str, str | None, bool, str | None]  # text, value, rounded, reason


@dataclass
class _Tally:
    """How the other spellings of one column were read, in figures.

    Attributes:
        conventions: How the file writes dates and numbers.
        cells: Cells that are not plain.
        read: Cells that have a value, plain ones included.
        kinds: Cells, example and zones of each kind of note.
        rejected_example: The text of a rejected cell and its reason; None without one.
    """

    cells: int = 0
    read: int = 0
    conventions: Conventions = field(default_factory=Conventions)
    kinds: dict[Note, tuple[int, str, str | None, set[str]]] = field(default_factory=dict)
    rejected_example: tuple[str, str] | None = None

    def read_cell(self, column: Column, text: str, cells: int) -> _Spelling:
        """Read a text that so many cells have, and count what there is to say about it."""
        reading = read_cell(column, text, self.conventions)
        value = None if reading.value is None else canonical_text(reading.value)
        self._add(text, cells, reading, value)
        shown = show_text(text.strip(BLANKS))
        reason = f"{column.name}: {shown} {reading.reason}" if reading.reason else None
        return text, value, reading.rounded, reason

    def _add(self, text: str, cells: int, reading: Reading, value: str | None) -> None:
        self.cells += cells
        self.read += cells if value is not None else 0
        if reading.reason and (self.rejected_example is None or text < self.rejected_example[0]):
            self.rejected_example = text, reading.reason
        for kind in reading.notes:
            count, example, example_value, zones = self.kinds.get(kind, (0, text, value, set()))
            if text < example:  # DuckDB returns the texts in any order
                example, example_value = text, value
            if kind == "zone":
                zones.add(reading.zone)
            self.kinds[kind] = count + cells, example, example_value, zones

    def notes(self, column: str) -> Iterator[CellNote]:
        telling = {
            "month first": self.conventions.telling_date,
            "day first": self.conventions.telling_date,
            "decimal comma": self.conventions.telling_number,
            "thousands separators": self.conventions.telling_number,
        }
        for kind, (cells, text, value, zones) in self.kinds.items():
            shown_by = telling.get(kind, "")
            yield CellNote(column, kind, cells, text, value, tuple(sorted(zones)), shown_by)


def _read_csv_cells(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    statements: ExtractStatements,
    check: Callable[[], object],
) -> None:
    """Create the tables `cells` and `unread_lines`."""
    with ScratchFolder() as folder:
        copy = Path(folder) / "rows.csv"
        write_rows(cursor, staged, copy, check)
        execute(cursor, statements.read_csv_cells(copy))


def _read_spellings(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    numbers: Collection[str],
    check: Callable[[], object],
) -> dict[int, _Tally]:
    """Fill the table `spellings`; return a tally of each column of the file, by its place.

    Args:
        numbers: Columns whose cells are numbers, not texts, in the file.
    """
    present = {name for (name, *_) in cursor.execute("DESCRIBE cells").fetchall()}
    columns = staged.file.dataset.columns
    others = {
        place: _select_spellings(cursor, column)
        for place, column in enumerate(columns)
        if column.name in present
    }
    cursor.execute(statement("duckdb/create_spellings"))
    written = {n: texts for n, texts in others.items() if columns[n].name not in numbers}
    conventions = _find_conventions(cursor, columns, written)
    tallies = {}
    for place, texts in others.items():
        column = columns[place]
        tally = _Tally(conventions=conventions if place in written else Conventions())
        for batch in texts.to_batches(_BATCH):
            check()
            rows = [
                tally.read_cell(column, text, cells)
                for text, cells in zip(*batch.to_pydict().values(), strict=True)
            ]
            _insert_spellings(cursor, place, rows)
        if tally.rejected_example and not tally.read:
            sql = f"SELECT count({column.name}) FROM cells"
            ((cells,),) = cursor.execute(sql).fetchall()
            tally.read = cells - tally.cells
        tallies[place] = tally
    return tallies


def _select_spellings(cursor: duckdb.DuckDBPyConnection, column: Column) -> pyarrow.Table:
    names = {"column": column.name, "plain": is_plain(column, column.name)}
    return cursor.sql(statement("duckdb/select_spellings", **names)).to_arrow_table()


def _find_conventions(
    cursor: duckdb.DuckDBPyConnection,
    columns: tuple[Column, ...],
    others: Mapping[int, pyarrow.Table],
) -> Conventions:
    def cells(places: Iterable[int]) -> Iterator[tuple[Column, str]]:
        # In batches, because a file may have millions of different times.
        for place in places:
            for batch in others[place].to_batches(_BATCH):
                for text in batch.column(0).to_pylist():
                    yield columns[place], text

    numbers = [place for place in others if columns[place].type in ("INT64", "NUMERIC")]
    points: list[tuple[Column, str]] = []
    # Numbers that a cast reads may tell that the file has decimal points.
    if any(_may_have_comma(text) for _, text in cells(numbers)):
        for column in (columns[place] for place in numbers):
            plain = is_plain(column, column.name)
            ((text,),) = cursor.execute(
                f"SELECT max({column.name}) FROM cells"
                f" WHERE contains({column.name}, '.') AND {plain}"
            ).fetchall()
            points += [(column, text)] if text else []
    return find_conventions(chain(cells(others), points))


def _may_have_comma(text: str) -> bool:
    """Return whether a number may be of a file with decimal commas: 4,50 or 1.234.567."""
    return "," in text or text.count(".") > 1


def _insert_spellings(cursor: duckdb.DuckDBPyConnection, place: int, rows: list[_Spelling]) -> None:
    import pyarrow

    text, value, rounded, reason = zip(*rows, strict=True)
    batch = pyarrow.table(
        {
            "place": pyarrow.array([place] * len(rows), pyarrow.int32()),
            "text": pyarrow.array(text, pyarrow.string()),
            "value": pyarrow.array(value, pyarrow.string()),
            "rounded": pyarrow.array(rounded, pyarrow.bool_()),
            "reason": pyarrow.array(reason, pyarrow.string()),
        }
    )
    cursor.register("spelling_batch", batch)
    cursor.execute("INSERT INTO spellings SELECT * FROM spelling_batch")
    cursor.unregister("spelling_batch")


def _zone_notes(
    cursor: duckdb.DuckDBPyConnection, parquet: Mapping[str, ParquetColumn]
) -> Iterator[CellNote]:
    """Yield a note on each column whose zone the parquet file names, not its cells."""
    for name, column in parquet.items():
        if column.zone:
            sql = f"SELECT count({name}), min({name}) FROM cells"
            ((cells, text),) = cursor.execute(sql).fetchall()
            if cells:
                yield CellNote(name, "zone", cells, text, text, (column.zone,))
