"""Export trips to one DuckDB file, for dbt and other programs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.core.errors import Cancelled, StorageError, UsageError
from pipeline.core.regular_file import describe_irregular
from pipeline.core.scratch import ScratchFolder
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.warehouse import Warehouse
from pipeline.warehouse.damage import log_path
from pipeline.warehouse.duckdb_errors import not_written
from pipeline.warehouse.exports import ExportTarget, Owner, load_key, writing
from pipeline.warehouse.ledger import LedgerEntry

# DuckDB's own, and that of the notes about what was exported.
_RESERVED = ("temp", "system", "pg_catalog", "information_schema", "fareground")

_COURSE_TYPES = {
    "INT64": "BIGINT",
    "STRING": "VARCHAR",
    "NUMERIC": "DOUBLE",
    "TIMESTAMP": "TIMESTAMP",
}


@contextmanager
def open_duckdb(
    target: Path, schema: str, owner: Owner, settings: Settings
) -> Iterator[ExportTarget]:
    """Open a DuckDB file as the target of an export, and create it if it is missing.

    Raises UsageError for a schema or a file that cannot be one, and StorageError.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", schema) or schema.lower() in _RESERVED:
        raise UsageError(
            f"{schema!r} cannot be a schema.",
            cure="Choose another name, of letters, digits and underscores.",
        )
    if target.name in ("", ":memory:") or "?" in str(target):
        raise UsageError(f"{str(target)!r} is not the name of a file.", cure="Name a DuckDB file.")
    with writing(target):
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} is not a file.", cure="Name a DuckDB file.")
        # DuckDB would read another kind of file as a table, and throw away what is written to it.
        if target.exists() and target.stat().st_size and not _is_duckdb(target):
            raise UsageError(f"{target} is not a DuckDB file.", cure="Export to another file.")
        # DuckDB reads it at once, and would wait for ever for somebody to write to a pipe.
        if kind := describe_irregular(log_path(target)):
            raise UsageError(f"{log_path(target)} is {kind}.", cure="Remove it.")
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(
            str(target),
            config={
                "storage_compatibility_version": settings.storage_version,
                "memory_limit": settings.memory_limit,
                "TimeZone": "UTC",
                "autoinstall_known_extensions": False,
            },
        )
    except duckdb.Error as error:
        is_locked = "Conflicting lock" in str(error)
        raise StorageError(
            f"{target} cannot be opened as a DuckDB file: {str(error).splitlines()[0]}",
            cure="Close the program that has it open, or export to another file."
            if is_locked
            else "Export to another file.",
        ) from None
    with ScratchFolder() as scratch, connection:
        _refuse_warehouse(connection, target)
        file = _DatabaseFile(connection, target, schema, Path(scratch) / "trips.parquet")
        file.claim(owner)
        yield file


def _is_duckdb(path: Path) -> bool:
    """Return whether a file begins as DuckDB's do (https://duckdb.org/docs/internals/storage)."""
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _refuse_warehouse(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Raise UsageError if the target of an export is a Fareground warehouse."""
    tables = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = $ledger"
    if connection.execute(tables, {"ledger": "load_ledger"}).fetchall():
        raise UsageError(
            f"{target} is a warehouse of Fareground, not an export.", cure="Export to another file."
        )


class _DatabaseFile:
    """A table for each dataset in one schema, and a table of what they were written from."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, path: Path, schema: str, parquet: Path
    ) -> None:
        self._connection = connection
        self._path = path
        self._schema = schema
        self._parquet = parquet
        (name,) = self._execute("SELECT current_database()").fetchall()[0]
        self._catalog = '"' + name.replace('"', '""') + '"'
        self._notes = f"{self._catalog}.fareground.exported_files"
        self._execute(f'CREATE SCHEMA IF NOT EXISTS {self._catalog}."{schema}"')
        self._execute(f"CREATE SCHEMA IF NOT EXISTS {self._catalog}.fareground")
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._notes} "
            "(schema_name VARCHAR, filename VARCHAR, load VARCHAR)"
        )
        rows = self._execute(
            f"SELECT filename, load FROM {self._notes} WHERE schema_name = $schema",
            {"schema": schema},
        ).fetchall()
        self._loads: dict[TripFile, str] = {}
        for filename, load in rows:
            with suppress(UsageError):
                self._loads[TripFile.parse(filename)] = load
        # People may change or drop the tables: what is counted is what is there.
        self._rows = {
            file: rows for dataset in DATASETS.values() for file, rows in self._count(dataset)
        }

    def claim(self, owner: Owner) -> None:
        """Record the owner of the schema; raise UsageError if another warehouse owns it."""
        owners = f"{self._catalog}.fareground.owners"
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {owners} (schema_name VARCHAR PRIMARY KEY, owner VARCHAR)"
        )
        rows = self._execute(
            f"SELECT owner FROM {owners} WHERE schema_name = $schema", {"schema": self._schema}
        ).fetchall()
        for (noted,) in rows:
            owner.require(noted, self._path, "Export to another file or --schema.")
        self._execute(
            f"INSERT OR REPLACE INTO {owners} VALUES ($schema, $owner)",
            {"schema": self._schema, "owner": str(owner)},
        )

    def files(self) -> Collection[TripFile]:
        return list(self._loads)

    def is_current(self, entry: LedgerEntry) -> bool:
        return (
            self._loads.get(entry.file) == load_key(entry)
            and self._rows.get(entry.file, 0) == entry.rows
        )

    def write(self, warehouse: Warehouse, entry: LedgerEntry, cancel: Cancel) -> None:
        try:
            warehouse.write_parquet(entry.file, self._parquet, cancel)
            with self._transaction():
                self._create_table(entry.file.dataset)
                self._delete(entry.file)
                self._execute(
                    f"INSERT INTO {self._table(entry.file.dataset)} BY NAME "
                    "SELECT $filename AS filename, * FROM read_parquet($parquet)",
                    {"filename": entry.file.filename, "parquet": str(self._parquet)},
                    cancel,
                )
                self._execute(
                    f"INSERT INTO {self._notes} VALUES ($schema, $filename, $load)",
                    {
                        "schema": self._schema,
                        "filename": entry.file.filename,
                        "load": load_key(entry),
                    },
                )
            self._loads[entry.file] = load_key(entry)
        finally:
            with suppress(OSError):
                self._parquet.unlink(missing_ok=True)

    def remove(self, file: TripFile) -> None:
        with self._transaction():
            self._delete(file)
        del self._loads[file]

    def _count(self, dataset: Dataset) -> list[tuple[TripFile, int]]:
        """Return the rows of each exported file of a dataset."""
        if "filename" not in self._columns(dataset):
            return []
        sql = f"SELECT filename, count(*) FROM {self._table(dataset)} GROUP BY ALL"
        counts = dict(self._execute(sql).fetchall())
        files = (file for file in self._loads if file.dataset == dataset)
        return [(file, counts.get(file.filename, 0)) for file in files]

    def _columns(self, dataset: Dataset) -> set[str]:
        """Return the columns of a table in lower case, none where it is missing."""
        rows = self._execute(
            "SELECT lower(column_name) FROM duckdb_columns() WHERE database_name = "
            "current_database() AND schema_name = $schema AND table_name = $table",
            {"schema": self._schema, "table": dataset.table},
        ).fetchall()
        return {name for (name,) in rows}

    def _delete(self, file: TripFile) -> None:
        if file not in self._loads:
            return
        names = {"filename": file.filename}
        if "filename" in self._columns(file.dataset):
            self._execute(
                f"DELETE FROM {self._table(file.dataset)} WHERE filename = $filename", names
            )
        self._execute(
            f"DELETE FROM {self._notes} WHERE schema_name = $schema AND filename = $filename",
            names | {"schema": self._schema},
        )

    def _create_table(self, dataset: Dataset) -> None:
        """Create the table, or add the columns that it lacks; refuse one that is not an export."""
        existing = self._columns(dataset)
        if existing and not any(file.dataset == dataset for file in self._loads):
            rows = self._execute(f"SELECT 1 FROM {self._table(dataset)} LIMIT 1").fetchall()
            if rows:
                raise UsageError(
                    f"{self._path} has a table {self._schema}.{dataset.table} that no export made.",
                    cure="Export to another file or --schema, or drop that table.",
                )
            self._execute(f"DROP TABLE {self._table(dataset)}")
            existing = set()
        columns = {"unique_row_id": "BLOB", "filename": "VARCHAR"} | {
            column.name: _COURSE_TYPES[column.type] for column in dataset.columns
        }
        if not existing:
            definitions = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
            self._execute(f"CREATE TABLE {self._table(dataset)} ({definitions})")
            return
        for name, type_ in columns.items():
            if name.lower() not in existing:
                self._execute(f"ALTER TABLE {self._table(dataset)} ADD COLUMN {name} {type_}")

    def _table(self, dataset: Dataset) -> str:
        assert dataset in DATASETS.values()
        return f'{self._catalog}."{self._schema}".{dataset.table}'

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _execute(
        self, sql: str, values: Mapping[str, str] | None = None, cancel: Cancel | None = None
    ) -> duckdb.DuckDBPyConnection:
        return execute(self._connection, sql, values or {}, cancel or Cancel(), self._path)


def execute(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    values: Mapping[str, str],
    cancel: Cancel,
    target: Path,
) -> duckdb.DuckDBPyConnection:
    """Run a statement of an export; raises StorageError, which names the target, and Cancelled."""
    with cancel.calling(connection.interrupt):
        try:
            return connection.execute(sql, dict(values))
        except duckdb.InterruptException:
            raise Cancelled from None
        except duckdb.Error as error:
            raise not_written(target, error, "export to another place") from None
