"""Read a staged trip file with DuckDB: every row that can be loaded, numbered, and the rejects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import duckdb

from pipeline.core.column_names import match_columns, superseded_columns, unknown_columns
from pipeline.core.errors import TripFileError
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.careful import FileReading, read_carefully
from pipeline.warehouse.extract.parquet import (
    ParquetColumn,
    is_fast,
    read_parquet_columns,
)
from pipeline.warehouse.extract.rejects import Reject, take_rejects
from pipeline.warehouse.extract.statements import ExtractStatements, execute


def _ignore(_note: str) -> None: ...


def _check_nothing() -> None: ...


def header_notes(staged: StagedFile) -> Iterator[str]:
    """Yield a warning for the columns that the file lacks, and for those that nobody knows."""
    dataset = staged.file.dataset
    present = match_columns(dataset, staged.header)
    missing = [c.name for c in dataset.columns if c.name not in present and not c.fee]
    if missing:
        yield f"warning: no column {', '.join(missing)} in the file; loaded as NULL"
    unknown = unknown_columns(dataset, staged.header)
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in unknown[:10])
        yield f"warning: unknown column {shown} in the file; not loaded"
    for name, other in superseded_columns(dataset, staged.header).items():
        yield f"warning: column {name!r} in the file is not loaded: {other!r} is read in its place"


def extract(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    max_rejected_share: float,
    on_note: Callable[[str], None] = _ignore,
    check: Callable[[], object] = _check_nothing,
) -> list[Reject]:
    """Read a staged file into the temporary table `incoming` and return its rejects.

    Args:
        max_rejected_share: Above this share of rejected rows (0 to 1) the file fails.
        on_note: Called with a sentence for the file's log.
        check: Called now and then; raises Cancelled.

    Raises TripFileError when the file cannot be read or too many of its rows are rejected.
    """
    reading = read_rows(cursor, staged, check)
    return take_out_rejects(cursor, staged, reading, max_rejected_share, on_note)


def read_rows(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    check: Callable[[], object] = _check_nothing,
) -> FileReading:
    """Read a staged file into the temporary table `incoming`, rows that do not fit included.

    DuckDB's own reader reads the file. Where it meets a cell that is not plain, all is read again
    by the grammar of cells.

    Raises TripFileError when a parquet file cannot be read, or the staged file is gone.
    """
    try:
        return _read_rows(cursor, staged, check)
    except (duckdb.IOException, FileNotFoundError) as error:
        path = staged.unpacked or staged.path
        if path.exists():
            raise
        raise TripFileError(
            f"{path} was removed from staging before it could be loaded.",
            cure="Run the backfill again; it fetches the file.",
        ) from error


def _read_rows(
    cursor: duckdb.DuckDBPyConnection, staged: StagedFile, check: Callable[[], object]
) -> FileReading:
    if staged.format != "parquet":
        _require_filled(cursor, staged)
        return FileReading() if _is_plain(cursor, staged) else read_carefully(cursor, staged, check)
    try:
        columns = read_parquet_columns(cursor, staged)
        if is_fast(staged.file.dataset, columns) and _is_plain(cursor, staged, columns):
            return FileReading()
        return read_carefully(cursor, staged, check, columns)
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        raise  # about the statement, not about the bytes of the file
    except duckdb.Error as error:
        if not staged.path.exists():
            raise
        # DuckDB raises IOException for a full disk too, without an error number; only one about
        # the file names it.
        if isinstance(error, duckdb.IOException) and str(staged.path) not in str(error):
            raise
        reason = str(error).replace(str(staged.path), staged.path.name).splitlines()[0]
        raise TripFileError(
            f"{staged.file} from {staged.address} is damaged: its parquet pages cannot be read "
            f"({reason}).",
            cure="Take the month from another source.",
        ) from error


def is_direct(staged: StagedFile) -> bool:
    """Return whether the header of a file has each column of the dataset at most once.

    Otherwise only `extract` can tell whether the right one is read.
    """
    return not superseded_columns(staged.file.dataset, staged.header)


def _require_filled(cursor: duckdb.DuckDBPyConnection, staged: StagedFile) -> None:
    """Require values in the column that is read if a csv header names one column twice.

    Raises TripFileError if it is empty in a row in which the other one is not.
    """
    for other, read in superseded_columns(staged.file.dataset, staged.header).items():
        counted = ExtractStatements(staged).count_superseded(read, other)
        ((rows,),) = execute(cursor, counted).fetchall()
        if rows:
            raise TripFileError(
                f"{staged.file} from {staged.address} has two columns for one: in {rows:,} row"
                f"{'' if rows == 1 else 's'} "
                f"{read!r}, which is read, is empty, and {other!r} is not.",
                cure="Delete the column with less values from the file.",
            )


def _is_plain(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    columns: Mapping[str, ParquetColumn] | None = None,
) -> bool:
    """Read a file with DuckDB's typed reader; return whether all its cells are plain."""
    # DuckDB drops empty cells behind the last column. Where a comma within a cell is not quoted,
    # such a cell is a value, and those before it stand in the wrong columns.
    if staged.surplus_commas:
        return False
    statements = ExtractStatements(staged, columns)
    try:
        execute(cursor, statements.extract())
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        if columns is not None:
            raise
        return False
    ((rows, misfits, outside, rounded),) = execute(cursor, statements.check_rows()).fetchall()
    if misfits or outside or rows != staged.data_lines:
        return False
    if columns and rounded:
        return not execute(cursor, statements.find_half_cents()).fetchall()
    return True


def take_out_rejects(
    cursor: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    reading: FileReading,
    max_rejected_share: float,
    on_note: Callable[[str], None] = _ignore,
) -> list[Reject]:
    """Delete the rejects from `incoming` and return them; number the ordinals of the other rows.

    Raises TripFileError when there are too many of them.
    """
    for note in reading.notes:
        on_note(f"warning: {note.sentence()}")
    rejects = take_rejects(cursor, staged, reading, max_rejected_share)
    if rejects:
        on_note(f"warning: {len(rejects):,} rows rejected; see the table rejects")
    execute(cursor, ExtractStatements(staged).number_ordinals())
    return rejects
