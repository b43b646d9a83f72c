"""Run SQL that a person wrote in a process of its own, which can be killed and can do no harm.

    result = run_query("SELECT count(*) FROM trips", Scope(database=path), settings, cancel)
    result.table  # pyarrow.Table

The process holds no secrets, opens its databases read-only, reaches no other file and no network,
and has limits on memory, time, rows and bytes; docs/decisions/20-sandbox-process.md says why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.cancel import Cancel
from pipeline.core.errors import FaregroundError, UsageError, WarehouseBusy

if TYPE_CHECKING:
    import pyarrow

    from pipeline.core.settings.settings import Settings
    from pipeline.files.offers import Format

ROW_CAP = 10_000
BYTES_CAP = 64 * 2**20

# Two queries run at a time, whoever asks; the others wait.
_slots = threading.BoundedSemaphore(2)
_POLL_SECONDS = 0.1  # how soon a waiting query notices that it was cancelled

_warehouse_readers = 0  # queries of this process that read a warehouse right now
_readers_lock = threading.Lock()

_ROOT = Path(__file__).parents[3]
_GRACE_SECONDS = 3.0  # for the process to start, and to stop by itself with a better message


@dataclass(frozen=True)
class Scope:
    """What a query may read.

    Attributes:
        database: A preview's database.
        database_table: The table of it that may be read.
        file: The previewed file itself, as the view `file`, every csv cell as text.
        warehouse: The DuckDB file of a warehouse.
        warehouse_tables: The tables and views of it that may be read.
    """

    database: Path | None = None
    database_table: str = "trips"
    file: tuple[Path, Format] | None = None
    warehouse: Path | None = None
    warehouse_tables: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The names that may follow FROM."""
        database = (self.database_table,) if self.database else ()
        file = ("file",) if self.file else ()
        return (*database, *file, *self.warehouse_tables)


@dataclass(frozen=True)
class SandboxResult:
    """The rows of a query; `truncated` if there were more than the caps allow."""

    table: pyarrow.Table
    truncated: bool
    seconds: float


def run_query(
    sql: str, scope: Scope, settings: Settings, cancel: Cancel, rows: int = ROW_CAP
) -> SandboxResult:
    """Run one statement that only reads; return at most `rows` rows and BYTES_CAP bytes.

    Raises UsageError for SQL that is refused, fails, or exceeds a limit; WarehouseBusy while
    another process holds the warehouse that it reads; Cancelled when `cancel` was set.
    """
    request = {
        "sql": sql,
        "tables": scope.tables,
        "database": str(scope.database) if scope.database else None,
        "database_table": scope.database_table if scope.database else None,
        "file": [str(scope.file[0]), scope.file[1]] if scope.file else None,
        "warehouse": str(scope.warehouse) if scope.warehouse else None,
        "warehouse_tables": scope.warehouse_tables,
        "memory_limit": settings.query_memory_limit,
        "seconds": settings.query_seconds,
        "busy_wait": settings.busy_wait_seconds,
        "rows": rows,
        "bytes": BYTES_CAP,
    }
    with _slot(cancel):
        head, body = _ask_worker(request, scope, settings, cancel)
    cancel.check()
    return _parse_output(head, body, settings)


@contextmanager
def _slot(cancel: Cancel) -> Iterator[None]:
    cancel.check()
    while not _slots.acquire(timeout=_POLL_SECONDS):
        cancel.check()
    try:
        yield
    finally:
        _slots.release()


def _ask_worker(
    request: dict[str, Any], scope: Scope, settings: Settings, cancel: Cancel
) -> tuple[bytes, bytes]:
    """Run the query in a process of its own; return its output, which is empty if it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.warehouse.sandbox.worker"],
        cwd=_ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    patience = settings.query_seconds + _GRACE_SECONDS
    patience += settings.busy_wait_seconds if scope.warehouse else 0
    deadline = threading.Timer(patience, process.kill)
    deadline.daemon = True
    deadline.start()
    try:
        with cancel.calling(process.kill), _counted(scope):
            return _exchange(process, json.dumps(request).encode())
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def is_reading_warehouse() -> bool:
    """Return whether a query of this process may hold a warehouse's file right now."""
    return _warehouse_readers > 0


@contextmanager
def _counted(scope: Scope) -> Iterator[None]:
    global _warehouse_readers
    with _readers_lock:
        _warehouse_readers += scope.warehouse is not None
    try:
        yield
    finally:
        with _readers_lock:
            _warehouse_readers -= scope.warehouse is not None


def _environment() -> dict[str, str]:
    """Return the environment of the process: nothing in it is secret."""
    passed_on = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    inherited = {name: os.environ[name] for name in passed_on if name in os.environ}
    return inherited | {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> tuple[bytes, bytes]:
    """Send the request; return the first line of the output and the rest of it, up to a limit."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:  # the process ended before it read the request
        return b"", b""
    head = process.stdout.readline(2**20)
    return head, process.stdout.read(4 * BYTES_CAP)


def _parse_output(head: bytes, body: bytes, settings: Settings) -> SandboxResult:
    import pyarrow

    try:
        summary: dict[str, Any] = json.loads(head)
        if "problem" in summary:
            raise _error(summary)
        table = pyarrow.ipc.open_stream(body).read_all()
    except (ValueError, pyarrow.ArrowException):
        raise UsageError(
            "The query exceeded its limit of memory or time and was stopped.",
            cure=f"The limits are {settings.query_memory_limit} and {settings.query_seconds:g} s "
            "(FAREGROUND_QUERY_MEMORY_LIMIT, FAREGROUND_QUERY_SECONDS); raise them or "
            "select less.",
        ) from None
    return SandboxResult(table, bool(summary["truncated"]), float(summary["seconds"]))


def _error(summary: dict[str, Any]) -> FaregroundError:
    kind = WarehouseBusy if summary.get("busy") else UsageError
    return kind(str(summary["problem"]), cure=str(summary["cure"]))
