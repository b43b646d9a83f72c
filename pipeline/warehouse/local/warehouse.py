"""The local warehouse: one DuckDB file under FAREGROUND_HOME.

DuckDB lets one process at a time open the file, so it is open for the duration of `with` blocks
only. All blocks of this process share one database. Each call uses a cursor of its own, because
threads that share a connection get each other's results.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb

from pipeline.core import upgrades
from pipeline.core.cancel import Cancel
from pipeline.core.errors import (
    Cancelled,
    FaregroundError,
    UsageError,
    WarehouseError,
)
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement, translate
from pipeline.core.trips import TripFile
from pipeline.files.staging import StagedFile
from pipeline.warehouse import LoadJob, LoadMonitor, Parameters, RowSet, queryable_tables
from pipeline.warehouse.damage import is_corruption
from pipeline.warehouse.duckdb_errors import not_written, translated
from pipeline.warehouse.duckdb_file import OPEN_DATABASES
from pipeline.warehouse.exports import OTHER_FOLDER, Owner, sync
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.local.database import connect
from pipeline.warehouse.local.ledger import read_records, record_entry
from pipeline.warehouse.local.load import load_file
from pipeline.warehouse.local.remove import remove_file
from pipeline.warehouse.local.schema import prepare_schema
from pipeline.warehouse.mirror import Mirror
from pipeline.warehouse.results import QueryResult, collect
from pipeline.warehouse.rollups import ROLLUPS
from pipeline.warehouse.sandbox import is_reading_warehouse
from pipeline.warehouse.sandbox.values import fetch_rows, unique_names
from pipeline.warehouse.sandbox.vetting import (
    MEND_QUERY,
    expand_show_tables,
    first_line,
    vet,
)

_CACHE_BETWEEN_LOADS = "128MB"
_BATCH_ROWS = 100_000  # rows that a read fetches at once


class LocalWarehouse:
    """A DuckDB file; `Warehouse` says what the methods promise."""

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        """Name the warehouse of these settings; entering the `with` block opens it.

        With `read_only` several processes may open it at once, nothing can be written, and SQL
        reaches neither files nor the network. A warehouse that does not exist then looks empty, and
        is not created.
        """
        self._settings = settings
        self._path = settings.warehouse_path
        self._read_only = read_only
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._loading = threading.Lock()
        self._mirror: Mirror | None = None
        if settings.mirror:
            owner = Owner("local", settings.home)
            self._mirror = Mirror(Path(settings.mirror), owner, settings.storage_version)

    def __enter__(self) -> Self:
        if not self._read_only:
            make_folder(self._path.parent)
        try:
            # Who opens the file after it is made must not share the empty one of earlier readers.
            stands_in = self._read_only and not self._path.exists()
            self._key = self._path.resolve(), self._read_only, stands_in
            self._connection = OPEN_DATABASES.acquire(self._key, self._connect)
            with self._cursor() as cursor:
                prepare_schema(cursor, self._path, read_only=self._read_only)
        except BaseException:
            self.__exit__()
            raise
        finally:
            upgrades.end(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection = None
            OPEN_DATABASES.release(self._key)

    def records(self) -> dict[TripFile, FileRecord]:
        with self._cursor() as cursor:
            return read_records(cursor)

    def upload(self, staged: StagedFile, monitor: LoadMonitor) -> None:
        pass  # DuckDB reads the file where it is staged

    def load(self, staged: StagedFile, job: LoadJob, monitor: LoadMonitor) -> LedgerEntry:
        # One load at a time: two transactions that merge the same file conflict at commit.
        with self._loading:
            try:
                with self._cursor() as cursor:
                    entry = load_file(
                        cursor, staged, job, monitor, self._settings.max_rejected_share
                    )
                if self._mirror is not None:
                    try:
                        # The rows are loaded, so that nobody may cancel what follows.
                        self._mirror.write(self, entry, Cancel())
                    except FaregroundError as error:
                        monitor.on_note(f"warning: the mirror lacks this load: {error}")
                return entry
            finally:
                self._trim_cache()

    def record(self, entry: LedgerEntry) -> None:
        with self._cursor() as cursor:
            record_entry(cursor, entry)

    def remove(self, file: TripFile, source: str) -> int | None:
        with self._loading:
            with self._cursor() as cursor:
                rows = remove_file(cursor, file, source)
            if rows is not None and self._mirror is not None:
                with contextlib.suppress(FaregroundError):  # the next backfill says what is wrong
                    self._mirror.remove(file)
            return rows

    def sync_mirror(self, on_note: Callable[[str], object]) -> None:
        if self._mirror is not None:
            with self._loading:
                try:
                    self._mirror.prepare()
                    sync(self._mirror, self)
                    self._mirror.publish()  # a killed process may not have done so
                except FaregroundError as error:
                    on_note(f"the mirror is not complete: {error}")

    def write_parquet(self, file: TripFile, path: Path, cancel: Cancel) -> None:
        sql = statement("duckdb/write_parquet", table=file.dataset.table)
        values = {"filename": file.filename, "path": str(path)}
        with self._cursor() as cursor, cancel.calling(cursor.interrupt):
            try:
                cursor.execute(sql, values)
            except duckdb.InterruptException:
                raise Cancelled from None
            except duckdb.IOException as error:
                if is_corruption(error):
                    raise  # `_cursor` says what to do about the warehouse
                raise not_written(path.parent, error, OTHER_FOLDER) from None

    def query(self, sql: str, *, limit: int) -> RowSet:
        with self._cursor() as cursor:
            sql = expand_show_tables(cursor, sql, queryable_tables(ROLLUPS))
            vet(cursor, sql, queryable_tables(ROLLUPS))
            cursor.execute("SET python_enable_replacements = false")
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                relation = cursor.sql(sql)
                columns = unique_names(relation.columns)
                rows = fetch_rows(relation, limit + 1)
            except duckdb.Error as error:
                if is_corruption(error):
                    raise  # `_cursor` says what to do about the file
                raise UsageError(
                    f"The query cannot run: {first_line(error)}", cure=MEND_QUERY
                ) from None
            finally:
                cursor.execute("ROLLBACK")
        return RowSet(columns, rows[:limit], truncated=len(rows) > limit)

    def read(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        translated_sql = translate(sql)
        started = time.perf_counter()
        with self._cursor() as cursor:
            # Lets DuckDB count routes without a hash table, in half the time.
            cursor.execute("SET perfect_ht_threshold = 18")
            try:
                result = cursor.sql(translated_sql, params=dict(parameters or {}))
                reader = result.to_arrow_reader(_BATCH_ROWS)
                table = collect(reader, reader.schema)
            except duckdb.Error as error:
                if is_corruption(error):
                    raise  # `_cursor` says what to do about the file
                raise WarehouseError(
                    f"The warehouse could not be read: {first_line(error)}",
                    cure="Try again; if it happens twice, python -m pipeline doctor looks for "
                    "the cause.",
                ) from error
        return QueryResult(table, translated_sql, time.perf_counter() - started)

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> None:  # noqa: ARG002
        return None  # nobody bills for reading a file of this machine

    def checkpoint(self) -> None:
        """Write everything that was committed into the database file, and empty its log."""
        with self._cursor() as cursor:
            cursor.execute("CHECKPOINT")

    def _trim_cache(self) -> None:
        """Make DuckDB drop cached blocks; without this, memory grows with every month loaded."""
        with contextlib.suppress(duckdb.Error, FaregroundError), self._cursor() as cursor:
            # Refused while a query uses more, which does no harm.
            cursor.execute(f"SET memory_limit = '{_CACHE_BETWEEN_LOADS}'")
            cursor.execute("SET memory_limit = $limit", {"limit": self._settings.memory_limit})

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._connection is None:
            raise WarehouseError(
                "The warehouse is used outside its with block.", cure="Open it with a with block."
            )
        with self._connection.cursor() as cursor, translated(self._path):
            # query_progress() needs the progress bar; printing it would spoil stdout.
            cursor.execute("SET enable_progress_bar_print = false")
            cursor.execute("SET enable_progress_bar = true")
            cursor.execute("SET progress_bar_time = 0")
            yield cursor

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return connect(self._settings, self._wait_seconds(), read_only=self._read_only)

    def _wait_seconds(self) -> float:
        """Return how long to wait for the process that holds the file."""
        # A query of the app's SQL box holds it for a limited time, and is worth waiting for.
        sandbox_seconds = self._settings.query_seconds if is_reading_warehouse() else 0
        return self._settings.busy_wait_seconds + sandbox_seconds
