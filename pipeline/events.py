"""What happens, as JSON lines for machines, beside the history that people read.

    tell(home, "run-ended", "run 20260401-093000-1f2e3d4c failed", level="error", run_id=run_id)

Every process under FAREGROUND_HOME writes to one file, logs/fareground.jsonl, which is rotated;
docs/events.schema.json says what a line holds. No secret is in it, and telling never fails.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import FaregroundError
from pipeline.redact import redact_all
from pipeline.settings import load_settings

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

_MOST_BYTES = 10_000_000  # of one file; a run of 100 files writes about 0.25 MB
_OLDER_KEPT = 5
_LOCK_SECONDS = 5.0  # nobody needs longer than milliseconds, unless the disk hangs

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
    """Write one line about something that has just happened; does nothing without a home.

    `level` is info, warning or error; `facts` are what the schema says of this event, where None
    is unknown and left out. `error` is one that nobody expected, whose traceback helps.
    """
    if not home.is_dir():
        return
    known = {name: value for name, value in facts.items() if value is not None}
    _logger(home.resolve()).log(
        _LEVELS[level],
        "%s",
        message,
        exc_info=error,
        extra={"event": event, "run_id": run_id, **known},
    )


def log_path(home: Path) -> Path:
    """Return the file the lines are in; older ones are beside it with .1, .2 and so on."""
    return home / "logs" / "fareground.jsonl"


@lru_cache(maxsize=8)  # tests have many homes
def _logger(home: Path) -> logging.Logger:
    """Return what writes the lines of a home; it is not part of Python's tree of loggers, so that
    what others configure there does not touch it."""
    from pythonjsonlogger.json import JsonFormatter

    class Formatter(JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            clean: dict[str, Any] = redact_all({"time": log_data.pop("time"), **log_data})
            return clean

    # time, severity and message are the names that Cloud Logging looks for in a JSON line:
    # https://cloud.google.com/logging/docs/structured-logging
    formatter = Formatter(
        ["levelname", "event", "message", "run_id", "process"],
        rename_fields={"levelname": "severity", "exc_info": "trace"},
        timestamp="time",
    )
    try:
        place = load_settings().log_to
    except FaregroundError:  # the command itself says what is wrong
        place = "file"
    logger = logging.Logger("fareground")
    if place in ("file", "both"):
        logger.addHandler(_shared_file(log_path(home)))
    if place in ("stderr", "both"):
        logger.addHandler(logging.StreamHandler(sys.stderr))
    for handler in logger.handlers:
        handler.setFormatter(formatter)
    return logger


def _shared_file(path: Path) -> logging.Handler:
    """Return a handler for a rotated file that several processes write to.

    It is opened for one line at a time, under a lock, so that no process writes into a file that
    another one has just renamed.
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
                reason = f"{path} cannot be written ({sys.exception()})"
                print(f"The log {reason}; the work goes on without it.", file=sys.stderr)

    @contextmanager
    def _opened(handler: SharedFile) -> Iterator[None]:
        path.parent.mkdir(exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            try:
                yield
            finally:
                if handler.stream is not None:
                    handler.stream.close()
                    handler.stream = None

    return SharedFile(
        path, maxBytes=_MOST_BYTES, backupCount=_OLDER_KEPT, encoding="utf-8", delay=True
    )
