"""Structured event log: one JSON line per event, for log collectors; people read the run history.

    tell(home, "run-ended", "run 20260401-093000-1f2e3d4c failed", level="error", run_id=run_id)

All processes that share a FAREGROUND_HOME append to one rotated file, logs/fareground.jsonl.
docs/events.schema.json is the schema of a line. Lines are redacted. A log that cannot be written
is reported once on stderr and never stops the work.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pipeline.core.errors import FaregroundError
from pipeline.core.redact import redact_all
from pipeline.core.regular_file import describe_irregular
from pipeline.core.settings.settings import load_settings
from pipeline.core.storage_errors import storage_error

Event = Literal[
    "run-begun",
    "run-log",
    "step-ended",
    "file-ended",
    "run-ended",
    "scheduler-begun",
    "scheduler-log",
    "scheduler-ended",
    "schedule-begun",
    "schedule-ended",
    "command-ended",
]
Fact = str | int | float | None

_MOST_BYTES = 10_000_000  # per log file; a run of 100 files writes about 0.25 MB
_BACKUP_FILES = 5
_LOCK_SECONDS = 5.0  # a write takes milliseconds, unless the disk hangs

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def tell(
    home: Path,
    event: Event,
    message: str,
    *,
    level: str = "info",
    run_id: str | None = None,
    error: BaseException | None = None,
    **facts: Fact,
) -> None:
    """Append one event to the log; do nothing if the home folder does not exist.

    Args:
        home: FAREGROUND_HOME.
        event: Name of the event, one of those in docs/events.schema.json.
        message: The event as a sentence for people.
        level: "info", "warning" or "error".
        run_id: Run that the event belongs to.
        error: Unexpected exception, whose traceback is logged too.
        facts: Further fields, as the schema lists them for this event. None means unknown, and
            the field is left out.
    """
    if not home.is_dir():
        return
    fields = {name: value for name, value in facts.items() if value is not None}
    _logger(home.resolve()).log(
        _LEVELS[level],
        "%s",
        message,
        exc_info=error,
        extra={"event": event, "run_id": run_id, **fields},
    )


def log_path(home: Path) -> Path:
    """Return the current log file; rotated files have the suffix .1 (newest), .2 and so on."""
    return home / "logs" / "fareground.jsonl"


@lru_cache(maxsize=8)  # bounded for the tests, which use many homes
def _logger(home: Path) -> logging.Logger:
    """Return the logger that writes the events of one home.

    It is outside Python's hierarchy of loggers, so that `logging` settings of a library or of
    Streamlit do not change it.
    """
    from pythonjsonlogger.json import JsonFormatter

    class Formatter(JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            clean: dict[str, Any] = redact_all({"time": log_data.pop("time"), **log_data})
            return clean

    # Cloud Logging reads the fields time, severity and message of a JSON line:
    # https://cloud.google.com/logging/docs/structured-logging
    formatter = Formatter(
        ["levelname", "event", "message", "run_id", "process"],
        rename_fields={"levelname": "severity", "exc_info": "trace"},
        timestamp="time",
    )
    try:
        destination = load_settings().log_to
    except FaregroundError:  # the command that loads the settings reports the invalid one
        destination = "file"
    logger = logging.Logger("fareground")
    if destination in ("file", "both"):
        logger.addHandler(_shared_file(log_path(home)))
    if destination in ("stderr", "both"):
        logger.addHandler(logging.StreamHandler(sys.stderr))
    for handler in logger.handlers:
        handler.setFormatter(formatter)
    return logger


def _shared_file(path: Path) -> logging.Handler:
    """Return a handler for a rotated file that several processes write to.

    `RotatingFileHandler` alone is not safe across processes. This handler takes a file lock and
    opens the file for each line, so that no process writes to a file that another has rotated.
    """
    from logging.handlers import RotatingFileHandler

    from filelock import FileLock

    class SharedFile(RotatingFileHandler):
        _failed = False

        def emit(self, record: logging.LogRecord) -> None:
            try:
                with _opened(self):
                    super().emit(record)
            except OSError:
                self.handleError(record)

        def handleError(self, _record: logging.LogRecord) -> None:
            if not self._failed:
                self._failed = True
                error = sys.exception()
                reason = str(error)
                if isinstance(error, OSError) and error.errno:
                    problem = storage_error(error, path).problem
                    reason = problem.removeprefix(f"{path} cannot be written: ").rstrip(".")
                print(
                    f"The log {path} cannot be written ({reason}); work continues without it.",
                    file=sys.stderr,
                )

    @contextmanager
    def _opened(handler: SharedFile) -> Iterator[None]:
        path.parent.mkdir(exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            if what := describe_irregular(path):
                raise OSError(f"it is {what}")
            try:
                yield
            finally:
                if handler.stream is not None:
                    handler.stream.close()
                    handler.stream = None

    return SharedFile(
        path, maxBytes=_MOST_BYTES, backupCount=_BACKUP_FILES, encoding="utf-8", delay=True
    )
