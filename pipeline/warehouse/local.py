"""The local warehouse: one DuckDB file under FAREGROUND_HOME.

DuckDB lets one process at a time open the file. So it is opened for a `with` block only, and
within this process every block shares one database; each call works on a cursor of its own,
because threads sharing a connection get each other's answers.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb
import stamina

from pipeline import upgrades
from pipeline.download import StagedFile
from pipeline.errors import (
    FaregroundError,
    StorageError,
    UsageError,
    WarehouseBusy,
    WarehouseError,
)
from pipeline.sandbox import WAREHOUSE_TABLES, is_reading_warehouse
from pipeline.sandbox.vetting import MEND_QUERY, first_line, vet
from pipeline.settings import Settings, make_folder
from pipeline.sql import translate
from pipeline.trips import TripFile
from pipeline.warehouse import (
    Answer,
    FileRecord,
    LedgerEntry,
    LoadJob,
    Parameters,
    QueryResult,
    Watch,
)
from pipeline.warehouse.local_ledger import read_records, record_entry
from pipeline.warehouse.local_load import load_file
from pipeline.warehouse.local_schema import (
    SCHEMA_VERSION,
    keep_copy,
    older_version,
    prepare_schema,
)
from pipeline.warehouse.results import collect

_CACHE_BETWEEN_LOADS = "128MB"
_BATCH = 100_000  # rows of a read that are fetched at once


class _Opened:
    """The databases that are open in this process, each with the number of its users.

    DuckDB would share them by itself, but fails when one thread opens a file at the moment another
    closes it for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[tuple[Path, bool]] = Counter()
        self._connections: dict[tuple[Path, bool], duckdb.DuckDBPyConnection] = {}

    def acquire(
        self, key: tuple[Path, bool], connect: Callable[[], duckdb.DuckDBPyConnection]
    ) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if key not in self._connections:
                self._connections[key] = connect()
            self._users[key] += 1
            return self._connections[key]

    def release(self, key: tuple[Path, bool]) -> None:
        with self._lock:
            self._users[key] -= 1
            if not self._users[key]:
                self._connections.pop(key).close()


_OPENED = _Opened()


class LocalWarehouse:
    """A DuckDB file; see `Warehouse` for what its methods promise."""

    name = "local"

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        """Name the warehouse under these settings; entering the `with` block opens it.

        `read_only` is for a process that only looks: several may do so at once, nothing can be
        written, and SQL can reach neither files nor the network. A warehouse that does not exist
        yet then looks empty, and is not created.
        """
        self._settings = settings
        self._path = settings.warehouse_path
        self._read_only = read_only
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._loading = threading.Lock()

    def __enter__(self) -> Self:
        if not self._read_only:
            make_folder(self._path.parent)
        try:
            self._connection = _OPENED.acquire(self._key(), self._connect)
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
            _OPENED.release(self._key())

    def records(self) -> dict[TripFile, FileRecord]:
        with self._cursor() as cursor:
            return read_records(cursor)

    def upload(self, staged: StagedFile, watch: Watch) -> None:
        pass  # DuckDB reads it where it is

    def load(self, staged: StagedFile, job: LoadJob, watch: Watch) -> LedgerEntry:
        # Two transactions that merge the same file would conflict at commit: one at a time.
        with self._loading:
            try:
                with self._cursor() as cursor:
                    return load_file(cursor, staged, job, watch, self._settings.max_rejected_share)
            finally:
                self._trim_cache()

    def record(self, entry: LedgerEntry) -> None:
        with self._cursor() as cursor:
            record_entry(cursor, entry)

    def query(self, sql: str, *, limit: int) -> QueryResult:
        with self._cursor() as cursor:
            vet(cursor, sql, WAREHOUSE_TABLES)
            cursor.execute("SET python_enable_replacements = false")
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                cursor.execute(sql)
                columns = tuple(column[0] for column in cursor.description or [])
                rows = cursor.fetchmany(limit + 1)
            except duckdb.Error as error:
                raise UsageError(
                    f"The query cannot run: {first_line(error)}", cure=MEND_QUERY
                ) from None
            finally:
                cursor.execute("ROLLBACK")
        return QueryResult(columns, rows[:limit], truncated=len(rows) > limit)

    def read(self, sql: str, parameters: Parameters | None = None) -> Answer:
        ours = translate(sql)
        started = time.perf_counter()
        with self._cursor() as cursor:
            # Counting by pairs of zones then goes without a hash table, twice as fast.
            cursor.execute("SET perfect_ht_threshold = 18")
            try:
                found = cursor.sql(ours, params=dict(parameters or {})).to_arrow_reader(_BATCH)
                table = collect(found, found.schema)
            except duckdb.Error as error:
                raise WarehouseError(
                    f"The warehouse could not be read: {first_line(error)}",
                    cure="Try again; if it happens twice, python -m pipeline doctor looks for "
                    "the cause.",
                ) from error
        return Answer(table, ours, time.perf_counter() - started)

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> None:  # noqa: ARG002
        return None  # reading one's own disk is free

    def checkpoint(self) -> None:
        """Bring everything that was committed into the one file, leaving its log empty."""
        with self._cursor() as cursor:
            cursor.execute("CHECKPOINT")

    def _trim_cache(self) -> None:
        """Make DuckDB let go of the blocks it cached, or memory grows with every month loaded."""
        with contextlib.suppress(duckdb.Error, FaregroundError), self._cursor() as cursor:
            # In use right now by a query, it would be refused, and nothing is lost.
            cursor.execute(f"SET memory_limit = '{_CACHE_BETWEEN_LOADS}'")
            cursor.execute("SET memory_limit = $limit", {"limit": self._settings.memory_limit})

    def _key(self) -> tuple[Path, bool]:
        return self._path.resolve(), self._read_only

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._connection is None:
            raise WarehouseError(
                "The warehouse is used outside its with block.", cure="Open it with a with block."
            )
        with self._connection.cursor() as cursor, _translated(self._path):
            # Counting progress is what query_progress needs; printing it would spoil stdout.
            cursor.execute("SET enable_progress_bar_print = false")
            cursor.execute("SET enable_progress_bar = true")
            cursor.execute("SET progress_bar_time = 0")
            yield cursor

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = self._open()
        before = None if self._read_only else older_version(connection)
        if before is not None:
            upgrades.begin(self._path, before, SCHEMA_VERSION)
            with _translated(self._path):
                connection.execute("CHECKPOINT")
            connection.close()
            keep_copy(self._path)
            connection = self._open()
        return connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self._settings.memory_limit,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
        }
        path = str(self._path)
        if self._read_only:
            config["enable_external_access"] = False
            if self._path.exists():
                config["access_mode"] = "READ_ONLY"
            else:
                path = ":memory:"
        for attempt in stamina.retry_context(
            on=WarehouseBusy,
            attempts=None,
            timeout=self._patience(),
            wait_initial=0.05,
            wait_max=0.25,
        ):
            with attempt, _translated(self._path):
                return duckdb.connect(path, config=config)
        raise AssertionError  # the loop returns or raises

    def _patience(self) -> float:
        """Return how long to wait for whoever holds the file, in seconds."""
        # A query in the app's SQL box is ours: it ends in time, or is stopped.
        ours = self._settings.query_seconds if is_reading_warehouse() else 0
        return self._settings.busy_wait_seconds + ours


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about the file and the disk into ours; let all others pass."""
    try:
        yield
    except duckdb.Error as error:
        translation = _translate(path, error)
        if translation is None:
            raise
        raise translation from error


# What DuckDB passes on from the operating system when a file cannot grow or be written.
_FULL = ("No space left", "File too large", "Disk quota")
_READ_ONLY = ("Permission denied", "Read-only file system")
_DAMAGE = (
    duckdb.IOException,
    duckdb.ConnectionException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
)


def _translate(path: Path, error: duckdb.Error) -> FaregroundError | None:
    text = str(error)
    if any(words in text for words in _FULL):
        return StorageError(
            f"The disk of {path} is full; what was loaded before is as it was.",
            cure="Free some space and run the backfill again.",
        )
    if any(words in text for words in _READ_ONLY):
        return StorageError(
            f"{path} cannot be written.", cure="Set FAREGROUND_HOME to a folder you may write to."
        )
    if "Conflicting lock" in text:
        pid = re.search(r"PID (\d+)", text)
        return WarehouseBusy(
            f"{path} is in use by another process{f' (pid {pid[1]})' if pid else ''}.",
            cure="Wait for its run to end, or cancel it there, and try again.",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError(
            f"DuckDB was given too little memory for what is asked of {path}.",
            cure="Raise FAREGROUND_MEMORY_LIMIT, for example to 2GB.",
        )
    if "different configuration" in text:
        return WarehouseBusy(
            f"{path} is open in this process with other settings.",
            cure="Close what uses it, or restart the app.",
        )
    if "database has been invalidated" in text:
        return WarehouseError(
            f"DuckDB closed {path} after the error before this one.",
            cure="Mend that error's cause, then restart and run the backfill again.",
        )
    if isinstance(error, _DAMAGE):
        return WarehouseError(
            f"{path} cannot be read: {first_line(error)}",
            cure="Make it anew from the staged files: python -m pipeline rebuild. "
            "The damaged file is kept beside it.",
        )
    return None
