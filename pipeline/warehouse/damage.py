"""Recognize a damaged DuckDB file, and open one whose write-ahead log is damaged.

DuckDB keeps a checksum for each block of a database and for each entry of its write-ahead log. It
raises an error of the base class `duckdb.Error` when one does not match, and of no other class.
"""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.core.errors import WarehouseError

CURE_DAMAGE = (
    "Rebuild it from the staged files: python -m pipeline rebuild. The damaged file is kept "
    "beside it."
)

_DAMAGED_ENTRY = re.compile(r"Corrupt WAL file: entry at byte position (\d+)")


def is_corruption(error: duckdb.Error) -> bool:
    """Return whether an error says that stored bytes do not match their checksum."""
    return type(error) is duckdb.Error


def damage_error(path: Path, error: duckdb.Error) -> WarehouseError:
    """Return the error for people about a database whose bytes cannot be read."""
    reason = str(error).splitlines()[0].rstrip(".")
    return WarehouseError(f"{path} cannot be read: {reason}.", cure=CURE_DAMAGE)


def log_path(database: Path) -> Path:
    """Return where DuckDB keeps the write-ahead log of a database."""
    return database.with_name(f"{database.name}.wal")


def cut_damaged_log(database: Path, error: duckdb.Error) -> str:
    """Cut the write-ahead log of a closed database before its damaged entry.

    After a power cut, the end of the log may be zeros or garbage: file systems may store the size
    of a file before its content. DuckDB ignores a log that ends too early, and refuses one whose
    end is damaged. Cut before the damage, the log holds the transactions before it, each whole.
    The whole log is kept beside the database.

    Args:
        database: The database file; no process has it open to write.
        error: What DuckDB raised when it opened the database.

    Returns:
        A sentence about what was done, "" where `error` does not say which entry is damaged.

    Raises:
        OSError: The folder cannot be written.
    """
    entry = _DAMAGED_ENTRY.search(str(error)) if is_corruption(error) else None
    log = log_path(database)
    if entry is None or not log.exists():
        return ""
    now = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    backup = log.with_name(f"{log.name}.damaged-{now}")
    cut = log.with_name(f"{log.name}.{secrets.token_hex(4)}")
    content = log.read_bytes()
    with cut.open("xb") as file:
        file.write(content[: int(entry[1])])
        os.fsync(file.fileno())
    backup.unlink(missing_ok=True)
    os.link(log, backup)
    cut.replace(log)  # at once, so that no process opens the database without its log
    return (
        f"{log} is damaged from byte {int(entry[1]):,} of {len(content):,} on, as after a power "
        "cut. The loads written there are undone; run their backfill again. "
        f"The damaged log is kept as {backup.name}."
    )
