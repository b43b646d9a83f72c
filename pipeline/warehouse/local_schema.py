"""The tables of the local warehouse: making them, and bringing older ones forward.

Versions only go forward, in one transaction however many steps that takes, after a copy of the file
was put beside it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb

from pipeline.errors import StorageError, WarehouseError
from pipeline.sql import statement
from pipeline.trips import COLUMNS, Color, Month, TripFile
from pipeline.warehouse.local_columns import derived_columns, table_identifiers
from pipeline.warehouse.local_summary import make_summaries, summarize_loaded
from pipeline.warehouse.summaries import SUMMARIES

SCHEMA_VERSION = 4
_OLDEST = 1  # the oldest that can be brought forward

_PREPARING = threading.Lock()


def prepare_schema(cursor: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    """Make the tables of a new warehouse, or bring those of an older one forward.

    With `read_only` an older warehouse is left as it is: its trips and ledger can be read. Raises
    WarehouseError for a newer one, one too old, and a database that is not ours.
    """
    with _PREPARING:
        version = read_version(cursor)
        if version is None:
            if _tables(cursor):
                raise WarehouseError(
                    f"{path} is a DuckDB database, but not one of Fareground's.",
                    cure="Move it away, or set FAREGROUND_HOME to another folder.",
                )
            _in_transaction(cursor, _create)
        elif not _OLDEST <= version <= SCHEMA_VERSION:
            raise WarehouseError(
                f"{path} has schema version {version}; this Fareground works with "
                f"{SCHEMA_VERSION}.",
                cure="Update Fareground to the version that wrote it."
                if version > SCHEMA_VERSION
                else "Make it anew from the staged files: python -m pipeline rebuild.",
            )
        elif version < SCHEMA_VERSION and not read_only:
            _in_transaction(cursor, _bring_forward)


def older_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version of an open warehouse that `prepare_schema` would bring forward, if so."""
    version = read_version(connection)
    return version if version is not None and _OLDEST <= version < SCHEMA_VERSION else None


def keep_copy(path: Path) -> Path:
    """Copy a closed warehouse beside itself, before it is brought forward; return the copy.

    The warehouse must not be open in this process: closing the copied file would drop the lock
    that keeps other processes out. Raises StorageError when there is no room for the copy.
    """
    kept = path.with_name(f"{path.stem}-before-version-{SCHEMA_VERSION}{path.suffix}")
    partial = kept.with_name(f"{kept.name}.partial")
    try:
        copy_closed(path, partial)
        partial.replace(kept)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"{path} must be brought to a newer version, and cannot be copied before that: "
            f"{error.strerror}.",
            cure=f"Free {path.stat().st_size / 1e6:,.0f} MB in {path.parent} and try again.",
        ) from None
    return kept


def copy_closed(path: Path, target: Path) -> None:
    """Copy a warehouse that is not open in this process, at one moment of it; raises OSError."""
    state = None
    while state != _state(path):  # another process may have written meanwhile
        state = _state(path)
        shutil.copyfile(path, target)
    with target.open("r+b") as copy:
        os.fsync(copy.fileno())


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def read_version(cursor: duckdb.DuckDBPyConnection) -> int | None:
    """Return the schema version, or None where the tables are not there or not ours."""
    if "storage.schema_version" not in _tables(cursor):
        return None
    row = cursor.execute("SELECT version FROM storage.schema_version").fetchone()
    return int(row[0]) if row else 0


def _tables(cursor: duckdb.DuckDBPyConnection) -> set[str]:
    found = cursor.execute("SELECT table_schema, table_name FROM information_schema.tables")
    return {f"{schema}.{name}" for schema, name in found.fetchall()}


def _create(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(statement("duckdb/create_warehouse"))
    cursor.execute("INSERT INTO storage.schema_version VALUES (?)", [SCHEMA_VERSION])
    for color in Color:
        _create_table(cursor, color)
    make_summaries(cursor)


def _create_table(cursor: duckdb.DuckDBPyConnection, color: Color) -> None:
    cursor.execute(statement("duckdb/create_table", **table_identifiers(color)))
    for column in COLUMNS[color]:
        text = column.description.replace("'", "''")
        cursor.execute(f"COMMENT ON COLUMN {color.table}.{column.name} IS '{text}'")


def _bring_forward(cursor: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of an older version ones of ours.

    Versions 2 and 3 changed sums only; version 4 stores other things beside the trips. So the
    trips are written anew, as they are, and all sums are made from them.
    """
    for name in SUMMARIES:
        cursor.execute(f"DROP TABLE IF EXISTS {name}")
    make_summaries(cursor)
    for color in Color:
        older = f"older_{color.table}"
        cursor.execute(f"DROP VIEW {color.table}")
        cursor.execute(f"ALTER TABLE storage.{color.table} RENAME TO {older}")
        _create_table(cursor, color)
        names = table_identifiers(color) | {
            "older": older,
            "derived_columns": derived_columns(color, "file_month"),
        }
        cursor.execute(statement("duckdb/copy_table", **names))
        cursor.execute(f"DROP TABLE storage.{older}")
        found = cursor.execute(f"SELECT DISTINCT file_month FROM storage.{color.table}").fetchall()
        for (number,) in sorted(found):
            summarize_loaded(cursor, TripFile(color, Month(number // 100, number % 100)))
    cursor.execute("UPDATE storage.schema_version SET version = ?", [SCHEMA_VERSION])


def _in_transaction(
    cursor: duckdb.DuckDBPyConnection, change: Callable[[duckdb.DuckDBPyConnection], None]
) -> None:
    cursor.execute("BEGIN")
    try:
        change(cursor)
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
