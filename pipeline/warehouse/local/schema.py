"""The tables of the local warehouse: create them, and bring those of earlier versions forward.

Columns are compared with their definitions, so a column that is added to a dataset, a new dataset
and a changed rollup need no new schema version. SCHEMA_VERSION counts the changes that such a
comparison cannot see; before one of those, the warehouse is copied.

Whatever changes, it changes in one transaction, and only forward.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb

from pipeline.core import upgrades
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.errors import StorageError, WarehouseError
from pipeline.core.sql import statement
from pipeline.core.trips import Month, TripFile
from pipeline.files.staging import size_in_words
from pipeline.warehouse.local.columns import (
    define_column,
    derived_columns,
    table_identifiers,
)
from pipeline.warehouse.local.rollups import make_rollups, roll_up_loaded
from pipeline.warehouse.rollups import FORMER_ROLLUPS, ROLLUPS, rollup_digest

SCHEMA_VERSION = 5
_OLDEST = 1  # the oldest version that can be brought forward

_PREPARING = threading.Lock()

# Columns that came after version 1 to tables that no dataset defines, each with its type.
_LATER_COLUMNS = {
    "main.load_ledger": {"unknown_columns": "VARCHAR", "unpacked_bytes": "BIGINT"},
    "storage.schema_version": {"rollups": "VARCHAR"},
}


def prepare_schema(cursor: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    """Create the tables of a new warehouse, or bring those of an earlier one up to date.

    With `read_only` an earlier warehouse stays as it is: its trips and ledger can be read.

    Raises:
        WarehouseError: The warehouse is newer than this version, too old, or not Fareground's.
    """
    with _PREPARING:
        version = read_version(cursor)
        if version is None:
            if _read_tables(cursor):
                raise WarehouseError(
                    f"{path} is a DuckDB database, but not one of Fareground's.",
                    cure="Move it away, or set FAREGROUND_HOME to another folder.",
                )
            _in_transaction(cursor, lambda: _create(cursor))
        elif not _OLDEST <= version <= SCHEMA_VERSION:
            raise WarehouseError(
                f"{path} has schema version {version}; this version of Fareground needs "
                f"{SCHEMA_VERSION}.",
                cure="Update Fareground to the version that wrote it."
                if version > SCHEMA_VERSION
                else "Rebuild it from the staged files: python -m pipeline rebuild.",
            )
        elif not read_only:
            rollups_differ = version < SCHEMA_VERSION or _read_digest(cursor) != rollup_digest()
            if rollups_differ or _missing_columns(cursor):
                if version == SCHEMA_VERSION and rollups_differ:
                    upgrades.begin(path, f"Recomputing the rollups of {path}.")
                _in_transaction(cursor, lambda: _bring_forward(cursor, version, rollups_differ))


def older_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version of an open warehouse that `prepare_schema` would bring forward, if so."""
    version = read_version(connection)
    return version if version is not None and _OLDEST <= version < SCHEMA_VERSION else None


def keep_copy(path: Path) -> Path:
    """Copy a closed warehouse beside itself, before it is brought forward; return the copy.

    It must not be open in this process: closing any descriptor of the file drops DuckDB's lock on
    it. Raises StorageError when there is no room for the copy.
    """
    copy = copy_name(path)
    partial = copy.with_name(f"{copy.name}.partial")
    try:
        copy_closed(path, partial)
        partial.replace(copy)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"{path} needs an upgrade, and could not be copied before it: {error.strerror}.",
            cure=f"Free {size_in_words(path.stat().st_size)} in {path.parent} and try again.",
        ) from None
    return copy


def copy_name(path: Path, storage_version: str | None = None) -> Path:
    """Return where a warehouse is kept as it was before an upgrade.

    Args:
        path: The warehouse's file.
        storage_version: The DuckDB format it is converted to, None for an upgrade of its schema.
    """
    change = storage_version or f"version-{SCHEMA_VERSION}"
    return path.with_name(f"{path.stem}-before-{change}{path.suffix}")


def copy_closed(path: Path, target: Path) -> None:
    """Copy a warehouse that is not open in this process, in one consistent state.

    Raises OSError.
    """
    state = None
    while state != _file_state(path):  # another process may have written meanwhile
        state = _file_state(path)
        shutil.copyfile(path, target)
    with target.open("r+b") as copy:
        os.fsync(copy.fileno())


def _file_state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_version(cursor: duckdb.DuckDBPyConnection) -> int | None:
    """Return the schema version, or None where the tables are missing or not Fareground's."""
    try:
        row = cursor.execute("SELECT version FROM storage.schema_version").fetchone()
    except duckdb.CatalogException:
        return None
    return int(row[0]) if row else 0


def _read_digest(cursor: duckdb.DuckDBPyConnection) -> str | None:
    row = cursor.execute("SELECT rollups FROM storage.schema_version").fetchone()
    return row[0] if row else None


def _read_tables(cursor: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of all tables and views, as `schema.table`."""
    cursor.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_columns() WHERE NOT internal"
    )
    return {name for (name,) in cursor.fetchall()}


def _read_columns(cursor: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Return the column names of a table in lower case, none where it does not exist.

    Asking `duckdb_columns()` would take 30 ms each time a warehouse is opened, this takes 1.
    """
    try:
        cursor.execute(f"FROM {table} LIMIT 0")
    except duckdb.CatalogException:
        return set()
    return {column[0].lower() for column in cursor.description or ()}


def _missing_columns(cursor: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return the definitions of the columns that each table lacks, by `schema.table`.

    A table that does not exist lacks all its columns.
    """
    defined = {
        f"storage.{dataset.table}": {c.name: define_column(c) for c in dataset.columns}
        for dataset in DATASETS.values()
    }
    for name, columns in _LATER_COLUMNS.items():
        defined[name] = {column: f"{column} {type_}" for column, type_ in columns.items()}
    existing = {name: _read_columns(cursor, name) for name in defined}
    missing = {
        name: [
            definition
            for column, definition in columns.items()
            if column.lower() not in existing[name]
        ]
        for name, columns in defined.items()
    }
    return {name: definitions for name, definitions in missing.items() if definitions}


def _create(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(statement("duckdb/create_warehouse"))
    cursor.execute(
        "INSERT INTO storage.schema_version VALUES (?, ?)", [SCHEMA_VERSION, rollup_digest()]
    )
    for dataset in DATASETS.values():
        _create_table(cursor, dataset)
    make_rollups(cursor)


def _create_table(cursor: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    cursor.execute(statement("duckdb/create_table", **table_identifiers(dataset)))
    _create_view(cursor, dataset)


def _create_view(cursor: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    cursor.execute(statement("duckdb/create_view", **table_identifiers(dataset)))
    for column in dataset.columns:
        text = column.description.replace("'", "''")
        cursor.execute(f"COMMENT ON COLUMN {dataset.table}.{column.name} IS '{text}'")


def _bring_forward(cursor: duckdb.DuckDBPyConnection, version: int, rollups_differ: bool) -> None:
    """Add what the tables lack, and compute the rollups again where their definition changed."""
    tables = _read_tables(cursor)
    for dataset in DATASETS.values():
        if f"storage.{dataset.table}" not in tables:
            _create_table(cursor, dataset)
    missing = _missing_columns(cursor)
    for name, definitions in missing.items():
        for definition in definitions:
            cursor.execute(f"ALTER TABLE {name} ADD COLUMN {definition}")
    for dataset in DATASETS.values():
        if version < 4:
            _store_anew(cursor, dataset)
        elif f"storage.{dataset.table}" in missing:
            _create_view(cursor, dataset)
    if rollups_differ:
        _compute_rollups(cursor)
        cursor.execute(
            "UPDATE storage.schema_version SET version = ?, rollups = ?",
            [SCHEMA_VERSION, rollup_digest()],
        )


def _store_anew(cursor: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Write the trips of a version before 4 again, which stored other things beside them."""
    older = f"older_{dataset.table}"
    cursor.execute(f"DROP VIEW {dataset.table}")
    cursor.execute(f"ALTER TABLE storage.{dataset.table} RENAME TO {older}")
    _create_table(cursor, dataset)
    names = table_identifiers(dataset) | {
        "older": older,
        "derived_columns": derived_columns(dataset, "file_month"),
    }
    cursor.execute(statement("duckdb/copy_table", **names))
    cursor.execute(f"DROP TABLE storage.{older}")


def _compute_rollups(cursor: duckdb.DuckDBPyConnection) -> None:
    """Replace all rollups by new ones, computed from the trips file by file."""
    for name in (*ROLLUPS, *FORMER_ROLLUPS):
        cursor.execute(f"DROP TABLE IF EXISTS {name}")
    make_rollups(cursor)
    for dataset in DATASETS.values():
        cursor.execute(f"SELECT DISTINCT file_month FROM storage.{dataset.table} ORDER BY ALL")
        for (number,) in cursor.fetchall():
            roll_up_loaded(cursor, TripFile(dataset, Month(number // 100, number % 100)))


def _in_transaction(cursor: duckdb.DuckDBPyConnection, change: Callable[[], None]) -> None:
    cursor.execute("BEGIN")
    try:
        change()
        cursor.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a COMMIT that failed has ended the transaction
            cursor.execute("ROLLBACK")
        raise
