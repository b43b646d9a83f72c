"""Somebody's own SQL, run in a process of its own that can be killed and can do no harm.

    result = run_query("SELECT count(*) FROM trips", Scope(database=path), settings, cancel)
    result.table  # pyarrow.Table

The process holds no secrets, opens its databases read-only, reaches no file and no network, and has
limits on memory, time, rows and bytes; docs/decisions/20-sandbox-process.md says why.
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

from pipeline.cancel import Cancel
from pipeline.errors import FaregroundError, UsageError, WarehouseBusy
from pipeline.warehouse.summaries import SUMMARIES

if TYPE_CHECKING:  # the worker imports this module too, and should be quick to start
    import pyarrow

    from pipeline.settings import Settings
    from pipeline.sources import Format

ROW_CAP = 10_000
BYTES_CAP = 64 * 2**20

PREVIEW_TABLES = ("trips",)
FILE_TABLES = ("file",)
WAREHOUSE_TABLES = (
    "yellow_tripdata",
    "green_tripdata",
    "rejects",
    "load_ledger",
    *SUMMARIES,
)

# At most so many queries run at a time, whoever asks; the others wait for their turn.
_turns = threading.BoundedSemaphore(2)
_TURN_SECONDS = 0.1  # how soon a waiting one notices that it was cancelled

# How many queries of this process are reading the local warehouse just now.
_reading = 0
_reading_lock = threading.Lock()

_ROOT = Path(__file__).parents[2]
_GRACE_SECONDS = 3.0  # for starting, and for stopping by itself with a better sentence


@dataclass(frozen=True)
class Scope:
    """What a query may read.

    Attributes:
        database: A preview's database, with the table `trips`.
        file: The previewed file itself, as the view `file`, every csv cell as text.
        warehouse: The local warehouse's file, with its tables.
    """

    database: Path | None = None
    file: tuple[Path, Format] | None = None
    warehouse: Path | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The names that may stand behind FROM."""
        preview = PREVIEW_TABLES if self.database else ()
        file = FILE_TABLES if self.file else ()
        return preview + file + (WAREHOUSE_TABLES if self.warehouse else ())


@dataclass(frozen=True)
class Result:
    """Rows of a query; `truncated` says that there were more than the caps allow."""

    table: pyarrow.Table
    truncated: bool
    seconds: float


def run_query(
    sql: str, scope: Scope, settings: Settings, cancel: Cancel, rows: int = ROW_CAP
) -> Result:
    """Run one reading statement and return at most `rows` rows and BYTES_CAP bytes.

    Raises UsageError for SQL that is refused, wrong, or beyond a limit; WarehouseBusy while
    somebody else holds the warehouse and it is asked for; Cancelled when `cancel` was set.
    """
    request = {
        "sql": sql,
        "tables": scope.tables,
        "database": str(scope.database) if scope.database else None,
        "file": [str(scope.file[0]), scope.file[1]] if scope.file else None,
        "warehouse": str(scope.warehouse) if scope.warehouse else None,
        "memory_limit": settings.query_memory_limit,
        "seconds": settings.query_seconds,
        "busy_wait": settings.busy_wait_seconds,
        "rows": rows,
        "bytes": BYTES_CAP,
    }
    with _turn(cancel):
        head, body = _ask_worker(request, scope, settings, cancel)
    cancel.check()
    return _read_answer(head, body, settings)


@contextmanager
def _turn(cancel: Cancel) -> Iterator[None]:
    cancel.check()
    while not _turns.acquire(timeout=_TURN_SECONDS):
        cancel.check()
    try:
        yield
    finally:
        _turns.release()


def _ask_worker(
    request: dict[str, Any], scope: Scope, settings: Settings, cancel: Cancel
) -> tuple[bytes, bytes]:
    """Run the query in a process of its own; return what it answered, nothing if it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.sandbox.worker"],
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
    """Whether a query of this process may hold the local warehouse, for as long as one may take."""
    return _reading > 0


@contextmanager
def _counted(scope: Scope) -> Iterator[None]:
    global _reading
    with _reading_lock:
        _reading += scope.warehouse is not None
    try:
        yield
    finally:
        with _reading_lock:
            _reading -= scope.warehouse is not None


def _environment() -> dict[str, str]:
    """Return an environment without a secret in it."""
    kept = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> tuple[bytes, bytes]:
    """Send the request; return the first line of the answer and the rest of it, up to a limit."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:  # it is dead already; what it left to read says why, or nothing does
        return b"", b""
    head = process.stdout.readline(2**20)
    return head, process.stdout.read(4 * BYTES_CAP)


def _read_answer(head: bytes, body: bytes, settings: Settings) -> Result:
    import pyarrow

    try:
        answer: dict[str, Any] = json.loads(head)
        if "problem" in answer:
            raise _error(answer)
        table = pyarrow.ipc.open_stream(body).read_all()
    except (ValueError, pyarrow.ArrowException):
        raise UsageError(
            "The query needed more memory or time than it may have, and was stopped.",
            cure=f"It may use {settings.query_memory_limit} and {settings.query_seconds:g} s "
            "(FAREGROUND_QUERY_MEMORY_LIMIT, FAREGROUND_QUERY_SECONDS); ask for less.",
        ) from None
    return Result(table, bool(answer["truncated"]), float(answer["seconds"]))


def _error(answer: dict[str, Any]) -> FaregroundError:
    kind = WarehouseBusy if answer.get("busy") else UsageError
    return kind(str(answer["problem"]), cure=str(answer["cure"]))
