"""The format in which DuckDB stores the warehouse, and the conversion of a file in a newer one.

A DuckDB opens files of its own and of earlier formats only. DuckDB 2.0 writes 2.0 by default, so
DBeaver, Metabase, dbt and the DuckDB of today could not open the warehouse; `v1.2.0` has the same
size, loads as fast within 4 % of the processor time, and DuckDB 1.2 and later open it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from pipeline.core.errors import StorageError, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.files.staging import size_in_words
from pipeline.warehouse.damage import log_path
from pipeline.warehouse.duckdb_errors import translated

_LEAVE = "set FAREGROUND_STORAGE_VERSION=v2.0.0 to leave the file as it is"
_REPORTED_ROWS = 1_000_000  # a table of fewer is copied within a second


def newer_format(connection: duckdb.DuckDBPyConnection, settings: Settings) -> str | None:
    """Return the format of an open warehouse, such as `v2.0.0`, if it is newer than the setting."""
    row = connection.execute(
        "SELECT tags['storage_version'] FROM duckdb_databases() "
        "WHERE database_name = current_database()"
    ).fetchone()
    stored = str(row[0]).rstrip("+") if row and row[0] else settings.storage_version
    return stored if _number(stored) > _number(settings.storage_version) else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def convert(path: Path, backup: Path, settings: Settings, report: Callable[[str], None]) -> None:
    """Write a closed warehouse again in the format of the settings, and keep the file it was.

    The new file takes the place of the old one when it is complete and on disk. Killed before, the
    warehouse is as it was. No other process can write to it meanwhile.

    Args:
        path: The warehouse's file, checkpointed and not open in this process.
        backup: Where the old file is kept.
        settings: Name the format and DuckDB's memory limit.
        report: Is called before a large table is copied, with its name and number of rows.

    Raises:
        StorageError: The disk has no room for the second file.
        WarehouseError: The file cannot be read.
    """
    partial = path.with_name(f"{path.name}.converting")
    needed, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed * 1.1:
        raise StorageError(
            f"{path} cannot be converted to DuckDB {settings.storage_version}: the disk has "
            f"{size_in_words(free)} free.",
            cure=f"Free {size_in_words(needed * 1.1)}, or {_LEAVE}.",
        )
    _discard(partial)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(partial.with_name(f"{partial.name}.tmp")),
        "TimeZone": "UTC",
        "autoinstall_known_extensions": False,
    }
    try:
        with translated(path), duckdb.connect(config=config) as connection:
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS older (READ_ONLY)")
            quoted = str(partial).replace("'", "''")
            connection.execute(
                f"ATTACH '{quoted}' AS newer (STORAGE_VERSION '{settings.storage_version}')"
            )
            connection.execute("COPY FROM DATABASE older TO newer (SCHEMA)")
            tables = connection.execute(
                "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() "
                "WHERE database_name = 'older' ORDER BY ALL"
            ).fetchall()
            for schema, table, size in tables:
                if size >= _REPORTED_ROWS:
                    report(f"{table}, {size:,} rows")
                name = f"{_quoted(schema)}.{_quoted(table)}"
                connection.execute(f"INSERT INTO newer.{name} FROM older.{name}")
            connection.execute("CHECKPOINT newer")
            connection.execute("DETACH newer")
            with partial.open("r+b") as written:
                os.fsync(written.fileno())
            # DuckDB still has the old file open, so no other process can write to it.
            _replace(path, partial, backup)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be converted to DuckDB {settings.storage_version}: "
            f"{error.filename or backup}: {error.strerror}.",
            cure=f"Free {size_in_words(needed * 1.1)} in {path.parent}, move a folder of that name "
            f"away, or {_LEAVE}.",
        ) from None
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be converted to DuckDB {settings.storage_version}, and is unchanged: "
            f"{str(error).splitlines()[0]}",
            cure=f"Move tables that are not Fareground's to another file, or {_LEAVE}.",
        ) from None
    finally:
        _discard(partial)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _replace(path: Path, partial: Path, backup: Path) -> None:
    backup.unlink(missing_ok=True)
    try:
        os.link(path, backup)
    except OSError:  # a file system without links
        shutil.copyfile(path, backup)
    partial.replace(path)


def _discard(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    partial.unlink(missing_ok=True)
    log_path(partial).unlink(missing_ok=True)
    shutil.rmtree(partial.with_name(f"{partial.name}.tmp"), ignore_errors=True)
