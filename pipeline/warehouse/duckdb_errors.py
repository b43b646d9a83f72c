"""Translate DuckDB's errors about the file and the disk into ours, each with a cure."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.core.errors import FaregroundError, StorageError, WarehouseBusy, WarehouseError
from pipeline.core.storage_errors import writing_cure
from pipeline.warehouse.damage import damage_error, is_corruption

# DuckDB gives no error number, but ends its message with the operating system's words for it.
_REASONS = {os.strerror(code): code for code in errno.errorcode}
_DISK_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT))
_NOT_WRITABLE = tuple(os.strerror(code) for code in (errno.EACCES, errno.EROFS))

# Errors of these classes are about a statement or its values, not about the file.
_ABOUT_STATEMENTS = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.NotSupportedError,
)
_ABOUT_FILE = (
    duckdb.IOException,
    duckdb.ConnectionException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about the warehouse's file into ours; all others pass."""
    try:
        yield
    except duckdb.Error as error:
        translated_error = translation(path, error)
        if translated_error is None:
            raise
        raise translated_error from error


@contextmanager
def connection_translated(path: Path) -> Iterator[None]:
    """Turn the errors of opening the warehouse's file into ours."""
    with translated(path):
        try:
            yield
        except duckdb.ConnectionException as error:
            raise WarehouseBusy(
                f"{path} is open in this process with other settings.",
                cure="Close what uses it, or restart the app.",
            ) from error


def is_disk_full(error: duckdb.Error) -> bool:
    """Return whether an error says that a disk has no room, or that a file may not grow."""
    return any(words in str(error) for words in _DISK_FULL)


def not_written(path: Path, error: duckdb.Error, instead: str) -> StorageError:
    """Return the error about a file for other programs that DuckDB could not write.

    Args:
        instead: What to do if its cause cannot be removed; follows "or".
    """
    text = str(error).splitlines()[0]
    code = next((code for words, code in _REASONS.items() if text.endswith(words)), None)
    return StorageError(
        f"{path} cannot be written: {text}", cure=f"{writing_cure(code)}, or {instead}."
    )


def translation(path: Path, error: duckdb.Error) -> FaregroundError | None:
    """Return the FaregroundError for a DuckDB error about the file; None for any other error."""
    if isinstance(error, _ABOUT_STATEMENTS):
        return None
    text = str(error)
    if is_disk_full(error):
        return StorageError(
            f"The disk of {path} is full; the loaded files did not change.",
            cure="Free some space and run the backfill again.",
        )
    if any(words in text for words in _NOT_WRITABLE):
        named = re.search(r'"(.+?)"', text)  # the file, or its log
        file = Path(named[1]) if named else path
        if os.access(file, os.F_OK) and not os.access(file, os.R_OK):
            return StorageError(f"{file} cannot be read.", cure="Make it readable.")
        return StorageError(
            f"{path} cannot be written.", cure="Set FAREGROUND_HOME to a folder you may write to."
        )
    if isinstance(error, duckdb.IOException) and "Conflicting lock" in text:
        holder = re.search(r"PID (\d+)", text)
        return WarehouseBusy(
            f"{path} is in use by another process{f' (pid {holder[1]})' if holder else ''}.",
            cure="Wait for its run to end, or cancel it there, and try again.",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError(
            f"DuckDB has too little memory for this work on {path}.",
            cure="Raise FAREGROUND_MEMORY_LIMIT, for example to 2GB.",
        )
    # The first fatal error and all that follow from it are of one class.
    if isinstance(error, duckdb.FatalException) and "has been invalidated" in text:
        return WarehouseError(
            f"DuckDB closed {path} after an earlier error.",
            cure="Fix the cause of that error, restart, and run the backfill again.",
        )
    if is_corruption(error) or isinstance(error, _ABOUT_FILE):
        return damage_error(path, error)
    return None
