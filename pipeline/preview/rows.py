"""Extract the rows of a previewed file into a temporary database with the loader's statements.

A preview therefore predicts a load exactly: both use the same reader, casts, rejects and ordinals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, StorageError, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.cells import row_identifiers
from pipeline.warehouse.extract.notes import CellNote
from pipeline.warehouse.extract.reader import read_rows, take_out_rejects
from pipeline.warehouse.extract.rejects import Reject

DATABASE = "preview.duckdb"
EXAMPLES = 20  # example rows of each finding


@dataclass(frozen=True)
class Extraction:
    """The result of extracting a file's rows.

    Attributes:
        rows: Rows in the table `trips`, which a load would accept.
        rejected: Rows that a load would write to `rejects`.
        rejects: The first EXAMPLES of these, ordered by line.
        problem: Why a load would fail, such as too many rejects; empty when it would not.
        notes: How cells were read that are not written as the TLC writes them.
    """

    rows: int
    rejected: int
    rejects: tuple[Reject, ...]
    problem: str = ""
    notes: tuple[CellNote, ...] = ()


@contextmanager
def preview_database(
    folder: Path, settings: Settings, cancel: Cancel
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a new database in `folder`; setting `cancel` interrupts its statements.

    Raises from the block:
        Cancelled: `cancel` was set.
        StorageError: The disk is full, or the folder cannot be written.
        TripFileError: The rows need more memory than the settings allow.
    """
    try:
        with duckdb.connect(
            str(folder / DATABASE),
            config={"memory_limit": settings.memory_limit, "temp_directory": str(folder / "spill")},
        ) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET autoinstall_known_extensions = false")
            with cancel.calling(connection.interrupt):
                yield connection
    except duckdb.InterruptException:
        raise Cancelled from None
    except (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException) as error:
        raise StorageError(
            f"The preview cannot be stored in {folder}: {str(error).splitlines()[0]}",
            cure="Set TMPDIR to a folder on a disk with room.",
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise TripFileError(
            "The file needs more memory than DuckDB was given.",
            cure="Raise FAREGROUND_MEMORY_LIMIT, for example to 2GB.",
        ) from error


def extract_rows(
    connection: duckdb.DuckDBPyConnection, staged: StagedFile, settings: Settings
) -> Extraction:
    """Create the table `trips` with the rows that a load of this file would accept.

    Too many rejected rows make `Extraction.problem`, not an error, so that a preview still shows
    the rest. Raises TripFileError when the file cannot be read.
    """
    rejects: list[Reject] = []
    problem = ""
    reading = read_rows(connection, staged)
    try:
        rejects = take_out_rejects(connection, staged, reading, settings.max_rejected_share)
    except TripFileError as error:  # too many rejects
        problem = str(error)
    identifiers = row_identifiers(staged.file.dataset)
    if problem:
        connection.execute("DELETE FROM incoming WHERE reject_reason IS NOT NULL")
        connection.execute(statement("duckdb/number_ordinals", **identifiers))
    connection.execute(statement("duckdb/keep_trips", **identifiers))
    connection.execute("DROP TABLE incoming")
    rows = fetch_value(connection, "SELECT count(*) FROM trips")
    return Extraction(
        rows,
        staged.data_lines - rows if problem else len(rejects),
        tuple(sorted(rejects, key=lambda reject: reject.line)[:EXAMPLES]),
        problem,
        reading.notes,
    )


def fetch_value(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Return the integer of a statement that selects one."""
    row = connection.execute(sql).fetchone()
    assert row is not None  # an aggregate always returns a row
    return int(row[0])


def fetch_dicts(
    connection: duckdb.DuckDBPyConnection, sql: str, values: dict[str, object]
) -> tuple[dict[str, object], ...]:
    """Return the rows of a statement, each as values by column name.

    Args:
        values: Values of the statement's `$name` parameters.
    """
    connection.execute(sql, values)
    names = [column[0] for column in connection.description or []]
    return tuple(dict(zip(names, row, strict=True)) for row in connection.fetchall())


def select_first_rows(
    connection: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int
) -> tuple[dict[str, object], ...]:
    """Return the first `limit` rows of `trips` with the production table's columns, by name."""
    columns = ", ".join(column.name for column in staged.file.dataset.columns)
    return fetch_dicts(
        connection,
        statement("duckdb/select_finding", columns=columns, predicate="true"),
        {"limit": limit},
    )
