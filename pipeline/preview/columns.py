"""The columns of a file on this machine as it has them, whatever they are."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from contextlib import suppress
from pathlib import Path

import duckdb

from pipeline.preview.schema import TEXT
from pipeline.sources import Format

_HEADER_BYTES = 64 * 1024


def read_columns(path: Path, format: Format) -> tuple[tuple[str, str], ...]:
    """Return a file's columns as it has them, whatever they are; none where they are unreadable."""
    if format == "parquet":
        with suppress(duckdb.Error), duckdb.connect() as connection:
            connection.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(path)})
            return tuple((str(row[0]), str(row[1]).strip('"')) for row in connection.fetchall())
        return ()
    line = b""
    opened = gzip.open if format == "csv.gz" else open
    with suppress(OSError, EOFError, zlib.error), opened(path, "rb") as file:
        line = file.readline(_HEADER_BYTES)
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    names = next(csv.reader(io.StringIO(text)), []) if text.isprintable() else []
    return tuple((name, TEXT) for name in names)
