"""Copy a trip file with every cell in plain form, for a warehouse with a reader of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import Dataset
from pipeline.core.errors import Cancelled
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import literal_path, statement
from pipeline.files.staging import StagedFile
from pipeline.warehouse.extract.cells import portable_checksum, row_identifiers, time_limits
from pipeline.warehouse.extract.parquet import ParquetColumn, is_fast, read_parquet_columns
from pipeline.warehouse.extract.reader import extract
from pipeline.warehouse.extract.rejects import Reject


@dataclass(frozen=True)
class PlainCopy:
    """A copy of a trip file with the rows that can be loaded, and the rejects of that file.

    Attributes:
        staged: The copy, a csv.gz with our names of the columns.
        rounded: Rows whose amounts had more than two decimals; in the copy they have two.
        checksum: The sum that a load reconciles; see `portable_checksum`.
    """

    staged: StagedFile
    rejects: list[Reject]
    rows: int
    rounded: int
    checksum: Decimal


def write_plain_copy(
    staged: StagedFile,
    folder: Path,
    settings: Settings,
    cancel: Cancel,
    on_note: Callable[[str], None],
) -> PlainCopy:
    """Read a staged file, and write the copy into a folder.

    Raises TripFileError as `extract` does, and Cancelled.
    """
    dataset = staged.file.dataset
    path = folder / f"{staged.file.stem}.plain.csv.gz"
    with _database(settings, cancel) as connection:
        share = settings.max_rejected_share
        rejects = extract(connection, staged, share, on_note, cancel.check)
        ((rows, rounded, checksum),) = connection.execute(
            f"SELECT count(*), count(*) FILTER (rounded), {portable_checksum(dataset)}"
            " FROM incoming"
        ).fetchall()
        copying = statement("duckdb/copy_plain", columns=row_identifiers(dataset)["columns"])
        connection.execute(copying, {"path": str(path)})
    with path.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256")
    copy = replace(
        staged,
        path=path,
        format="csv.gz",
        bytes=path.stat().st_size,
        sha256=digest.hexdigest(),
        header=tuple(column.name for column in dataset.columns),
        data_lines=rows,
        carriage_returns=False,
        unpacked=None,
    )
    return PlainCopy(copy, rejects, rows, rounded, Decimal(checksum))


def has_plain_types(staged: StagedFile, settings: Settings, cancel: Cancel) -> bool:
    """Whether the columns of a parquet file have the names and types that every engine knows.

    False, too, where they cannot be read. Raises TripFileError for a type without single values,
    and Cancelled.
    """
    dataset = staged.file.dataset
    with _database(settings, cancel) as connection:
        try:
            columns = read_parquet_columns(connection, staged)
            return (
                is_fast(dataset, columns)
                and all(
                    column.spelled.lower() == name.lower() and column.type != "TIMESTAMP_NS"
                    for name, column in columns.items()
                )
                and not _has_times_outside(connection, staged, dataset, columns)
            )
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return False


def _has_times_outside(
    connection: duckdb.DuckDBPyConnection,
    staged: StagedFile,
    dataset: Dataset,
    columns: dict[str, ParquetColumn],
) -> bool:
    """Whether a time is in a year that no timestamp of BigQuery has."""
    named = ", ".join(f"{column.name} AS {name}" for name, column in columns.items())
    outside = time_limits(dataset)["outside"]
    ((any_outside,),) = connection.execute(
        f"SELECT {outside} FROM (SELECT {named} FROM read_parquet($path))",
        {"path": literal_path(staged.path)},
    ).fetchall()
    return bool(any_outside)


@contextmanager
def _database(settings: Settings, cancel: Cancel) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory; setting `cancel` interrupts its statements."""
    with ScratchFolder() as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory_limit,
            "temp_directory": spill,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            try:
                with cancel.calling(connection.interrupt):
                    yield connection
            except duckdb.InterruptException:
                raise Cancelled from None
