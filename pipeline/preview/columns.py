"""Read the column names and types of a local file that may not be a trip file, and of its table."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sized
from contextlib import suppress
from pathlib import Path

import duckdb

from pipeline.core.columns import Type
from pipeline.core.sql import literal_path
from pipeline.files.offers import Format
from pipeline.preview.schema import TEXT

_HEADER_BYTES = 64 * 1024

_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_NUMBERS = re.compile(r"DOUBLE|FLOAT|DECIMAL.*")
_TIMES = re.compile(r"DATE|TIMESTAMP.*")


def read_columns(path: Path, format: Format) -> tuple[tuple[str, str], ...]:
    """Return the name and type of each column of a file; empty when its header is unreadable.

    Columns of a CSV file have the type `text`.
    """
    if format == "parquet":
        with suppress(duckdb.Error), duckdb.connect() as connection:
            connection.execute(
                "DESCRIBE SELECT * FROM read_parquet($path)", {"path": literal_path(path)}
            )
            return tuple((str(row[0]), str(row[1]).strip('"')) for row in connection.fetchall())
        return ()
    line = b""
    opened = gzip.open if format == "csv.gz" else open
    with suppress(OSError, EOFError, zlib.error), opened(path, "rb") as file:
        line = file.readline(_HEADER_BYTES)
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    names = next(csv.reader(io.StringIO(text)), []) if text.isprintable() else []
    return tuple((name, TEXT) for name in names)


def own_names(columns: Sized) -> list[str]:
    """Return an SQL name for each column of the file; names in the file are never used in SQL."""
    return [f"c{number}" for number in range(len(columns))]


def logical_types(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[tuple[str, str], ...]
) -> list[Type]:
    """Return what each column is shown as: a time that Python lacks, such as year 99999, as text.

    Python's years are 1 to 9999, and it has no infinite time.

    Args:
        table: The name of the file's table, a constant of ours.
        columns: The name and DuckDB type of each of its columns.
    """
    types = [_logical_type(kind) for _, kind in columns]
    times = [number for number, type in enumerate(types) if type == "TIMESTAMP"]
    if not times:
        return types
    names = own_names(columns)
    checks = ", ".join(
        f"bool_or({names[number]} IS NOT NULL AND coalesce("
        f"year(TRY_CAST({names[number]} AS TIMESTAMP)) NOT BETWEEN 1 AND 9999, true))"
        for number in times
    )
    row = connection.execute(
        f"SELECT {checks} FROM {table} AS given({', '.join(names)})"
    ).fetchone()
    assert row is not None  # an aggregate always returns a row
    for number, is_beyond in zip(times, row, strict=True):
        if is_beyond:
            types[number] = "STRING"
    return types


def _logical_type(kind: str) -> Type:
    if _INTEGERS.fullmatch(kind):
        return "INT64"
    if _NUMBERS.fullmatch(kind):
        return "NUMERIC"
    return "TIMESTAMP" if _TIMES.fullmatch(kind) else "STRING"
