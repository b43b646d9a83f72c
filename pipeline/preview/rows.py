"""The rows of a previewed file, extracted as a load would extract them, in a database of their own.

What a preview says is therefore what a load does: the same reader, casts, rejects and ordinals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.cancel import Cancel
from pipeline.errors import Cancelled, StorageError, TripFileError
from pipeline.settings import Settings
from pipeline.sql import statement
from pipeline.staging import StagedFile
from pipeline.trips import COLUMNS
from pipeline.warehouse import Watch
from pipeline.warehouse.local_columns import table_identifiers
from pipeline.warehouse.local_load import read_rows, take_out_rejects
from pipeline.warehouse.local_rejects import Reject

DATABASE = "preview.duckdb"
EXAMPLES = 20  # rows of each kind that are shown


@dataclass(frozen=True)
class Extraction:
    """What came of reading a file's rows.

    Attributes:
        rows: Rows that were read and fit; they are in the table `trips`.
        rejected: Rows that a load would put into `rejects`.
        rejects: The first of those.
        problem: Why a load would fail all the same; empty when it would not.
    """

    rows: int
    rejected: int
    rejects: tuple[Reject, ...]
    problem: str = ""


@contextmanager
def working(
    folder: Path, settings: Settings, cancel: Cancel
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the preview's database in `folder` for the block, which `cancel` interrupts.

    Raises Cancelled, and StorageError when there is no room for it.
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
    except duckdb.IOException as error:
        raise StorageError(
            f"The preview cannot be kept in {folder}: {str(error).splitlines()[0]}",
            cure="Set TMPDIR to a folder on a disk with room.",
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise TripFileError(
            "The file needs more memory than DuckDB was given.",
            cure="Raise FAREGROUND_MEMORY_LIMIT, for example to 2GB.",
        ) from error


def extract_rows(
    connection: duckdb.DuckDBPyConnection, staged: StagedFile, settings: Settings, cancel: Cancel
) -> Extraction:
    """Fill the table `trips` with the rows that a load of this file would load."""
    rejects: list[Reject] = []
    problem = ""
    read_rows(connection, staged)
    try:
        rejects = take_out_rejects(connection, staged, Watch(cancel), settings.max_rejected_share)
    except TripFileError as error:  # too many rejects: a load fails here, a preview shows the rest
        problem = str(error)
    identifiers = table_identifiers(staged.file.color)
    if problem:
        connection.execute("DELETE FROM incoming WHERE bad_column IS NOT NULL")
        connection.execute(statement("duckdb/number_ordinals", **identifiers))
    connection.execute(statement("duckdb/keep_trips", **identifiers))
    connection.execute("DROP TABLE incoming")
    rows = fetch_value(connection, "SELECT count(*) FROM trips")
    return Extraction(
        rows,
        staged.data_lines - rows if problem else len(rejects),
        tuple(sorted(rejects, key=lambda reject: reject.line)[:EXAMPLES]),
        problem,
    )


def fetch_value(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Return the one number that a statement gives."""
    row = connection.execute(sql).fetchone()
    assert row is not None  # an aggregate always gives a row
    return int(row[0])


def fetch_dicts(
    connection: duckdb.DuckDBPyConnection, sql: str, values: dict[str, object]
) -> tuple[dict[str, object], ...]:
    """Return the rows that a statement gives, each by column name."""
    connection.execute(sql, values)
    names = [column[0] for column in connection.description or []]
    return tuple(dict(zip(names, row, strict=True)) for row in connection.fetchall())


def first_rows(
    connection: duckdb.DuckDBPyConnection, staged: StagedFile, limit: int
) -> tuple[dict[str, object], ...]:
    """Return the first rows of `trips`, the table's columns only."""
    columns = ", ".join(column.name for column in COLUMNS[staged.file.color])
    return fetch_dicts(
        connection,
        statement("duckdb/select_finding", columns=columns, predicate="true"),
        {"limit": limit},
    )
