"""Open DuckDB files: share connections, wait for locks, and recover from a power cut.

For every backend that keeps its tables in a DuckDB file.
"""

from __future__ import annotations

import glob
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.core import upgrades
from pipeline.core.errors import StorageError, WarehouseBusy, WarehouseError
from pipeline.core.regular_file import BROKEN_LINK_CURE, describe_irregular
from pipeline.core.retry import retry_context
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.damage import cut_damaged_log, log_path
from pipeline.warehouse.duckdb_errors import connection_translated

# How much of the disk a query or a load may fill. DuckDB's own bound is nine tenths of the disk.
_SPILL_LIMIT = "20GB"


DatabaseKey = tuple[Path, bool, bool]
"""Path, read-only flag, and whether an empty database replaces a file that does not exist."""


class OpenDatabases:
    """The databases that are open in this process, with the number of blocks that use each.

    DuckDB shares databases by itself, but fails when one thread opens a file at the moment in which
    another closes it for the last time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[DatabaseKey] = Counter()
        self._connections: dict[DatabaseKey, duckdb.DuckDBPyConnection] = {}

    def acquire(
        self, key: DatabaseKey, connect: Callable[[], duckdb.DuckDBPyConnection]
    ) -> duckdb.DuckDBPyConnection:
        """Return the connection of a database, opened by `connect` for its first user."""
        with self._lock:
            if key not in self._connections:
                self._connections[key] = connect()
            self._users[key] += 1
            return self._connections[key]

    def release(self, key: DatabaseKey) -> None:
        """Close a database when its last user releases it."""
        with self._lock:
            self._users[key] -= 1
            if not self._users[key]:
                self._connections.pop(key).close()


OPEN_DATABASES = OpenDatabases()


def open_file(
    path: Path,
    settings: Settings,
    wait_seconds: float,
    *,
    read_only: bool = False,
    shown: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file.

    Args:
        wait_seconds: How long to wait for a process that has the file open.
        read_only: Whether nothing can be written. A file that does not exist is then not made; the
            connection leads to an empty database in memory.
        shown: The path that errors name, by default that of the file.

    Raises:
        WarehouseBusy: Another process still has the file open.
        StorageError: The disk is full, or the folder cannot be written.
        WarehouseError: The file cannot be read, or is none: a pipe, or a link without its target.
    """
    require_regular(shown or path)
    if "?" in str(path):  # DuckDB takes what follows it for options
        raise StorageError(
            f"The folder {path.parent} has a question mark in its name, which DuckDB cannot open.",
            cure="Set FAREGROUND_HOME to a folder without one.",
        )
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "TimeZone": "UTC",
        "autoinstall_known_extensions": False,
        "max_temp_directory_size": _SPILL_LIMIT,
    }
    in_memory = read_only and not path.exists()
    if not in_memory:
        config["temp_directory"] = str(spill_folder(path))
    if read_only:
        config["enable_external_access"] = False
        if not in_memory:
            config["access_mode"] = "READ_ONLY"
    else:
        # Of new files only: one that exists keeps the format it has.
        config["storage_compatibility_version"] = settings.storage_version
    for attempt in retry_context(
        on=WarehouseBusy, attempts=None, timeout=wait_seconds, wait_initial=0.05, wait_max=0.25
    ):
        with attempt, connection_translated(shown or path):
            try:
                return duckdb.connect(":memory:" if in_memory else str(path), config=config)
            except duckdb.Error as error:
                if in_memory or not _repair_log(path, error):
                    raise
                return duckdb.connect(str(path), config=config)
    raise AssertionError  # the loop returns or raises


def require_regular(path: Path) -> None:
    """Raise WarehouseError if a DuckDB file or its log is a pipe, or a link without its target.

    DuckDB would wait for ever for a pipe, and a warehouse whose disk is not mounted would look
    empty.
    """
    for file in (path, log_path(path.resolve())):
        if what := describe_irregular(file):
            cure = (
                BROKEN_LINK_CURE
                if file.is_symlink()
                else "Move it away; `python -m pipeline rebuild` loads the staged files again."
            )
            raise WarehouseError(f"{file} is {what}.", cure=cure)


def _repair_log(path: Path, error: duckdb.Error) -> bool:
    try:
        done = cut_damaged_log(path.resolve(), error)  # DuckDB's log is beside the target
    except OSError:
        return False  # where nothing can be written, DuckDB's error says more
    if done:
        upgrades.begin(path, done)
    return bool(done)


def spill_folder(path: Path) -> Path:
    """Return where this process spills: processes that read the same file must not share files."""
    return path.with_name(f"{path.name}.tmp-{os.getpid()}")


def remove_spill_of_others(path: Path) -> None:
    """Remove what killed processes spilled; whoever may write has the file for itself."""
    for folder in path.parent.glob(f"{glob.escape(path.name)}.tmp*"):
        if folder != spill_folder(path):
            shutil.rmtree(folder, ignore_errors=True)


def defined_functions(path: Path) -> list[str]:
    """Return the names of the SQL functions that a DuckDB file defines, by name.

    Nothing in the file is run. Raises WarehouseError when it cannot be read.
    """
    with open_untrusted(path) as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal ORDER BY 1"
        ).fetchall()
    return [str(name) for (name,) in rows]


@contextmanager
def open_untrusted(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an untrusted DuckDB file read-only, with access to other files and extensions disabled.

    Raises WarehouseError when it cannot be read.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
    }
    with (
        connection_translated(path),
        duckdb.connect(str(path), read_only=True, config=config) as connection,
    ):
        yield connection
