"""File locks under FAREGROUND_HOME: one backfill per target, one scheduler per home.

The operating system releases a lock when its process ends, even after SIGKILL, so a lock that is
held proves that its process is alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from pipeline.core.errors import StorageError, WarehouseBusy
from pipeline.core.home import make_folder
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_error
from pipeline.runs.history import History
from pipeline.runs.run_records import Run

_WAIT_SECONDS = 2.0  # `mark_interrupted` holds a backfill lock for less than this


class HomeLock(FileLock):
    """A file lock that any thread may release, and that reports a folder it cannot write to."""

    def __init__(self, path: Path) -> None:
        # One thread acquires it and another may release it.
        super().__init__(path, is_singleton=False, thread_local=False)

    def acquire(self, *args: Any, **options: Any) -> AcquireReturnProxy[Any]:
        """Acquire the lock; raise Timeout if it is held, StorageError if it cannot be made."""
        try:
            return super().acquire(*args, **options)
        except Timeout:
            raise
        except OSError as error:
            raise storage_error(error, Path(self.lock_file)) from None


@contextmanager
def backfill_lock(target: str, settings: Settings) -> Iterator[None]:
    """Hold the lock that allows one backfill at a time on a target, across processes.

    Raises WarehouseBusy, with the run and the process that hold it.
    """
    try:
        held = _lock(target, settings).acquire(timeout=_WAIT_SECONDS)
    except Timeout:
        raise busy_error(target, settings) from None
    with held:
        yield


def mark_interrupted(target: str, settings: Settings) -> None:
    """Mark the runs of a target whose process ended as interrupted, unless a backfill runs.

    When no run has the state `running`, this only reads the history. Pages call it every second,
    and a write would wait for other writers: seconds, on a disk that is busy with a load.
    """
    history = History(settings.history_path)
    if history.running(target) is None:
        return
    try:
        held = _lock(target, settings).acquire(timeout=0)
    except (Timeout, StorageError):  # where nothing can be written, nothing is marked
        return
    with held:
        history.interrupt_runs(target)


def find_running_run(target: str, settings: Settings) -> Run | None:
    """Return the run that a live process is running on this target, or None.

    Runs whose process ended are marked interrupted first.
    """
    mark_interrupted(target, settings)
    return History(settings.history_path).running(target)


def busy_error(target: str, settings: Settings) -> WarehouseBusy:
    """Return an error that names the run and the process that hold this target's lock."""
    run = find_running_run(target, settings)
    if run is None:
        return WarehouseBusy(
            f"Another backfill holds the {target} warehouse.", cure="Try again in a moment."
        )
    return WarehouseBusy(
        f"A backfill is running already: {run.run_id}, started {run.started_at:%H:%M} UTC from "
        f"the {run.origin} (pid {run.pid}).",
        cure="Wait for it, or cancel it where it was started.",
    )


def scheduler_lock(settings: Settings) -> HomeLock:
    """Return the lock of the one process that fires schedules; the caller acquires it."""
    make_folder(settings.home)
    return HomeLock(settings.home / "scheduler.lock")


def is_held(lock: HomeLock) -> bool:
    """Return whether any process holds this lock; no, where this process may not write."""
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except StorageError:
        return False


def _lock(target: str, settings: Settings) -> HomeLock:
    make_folder(settings.home)
    return HomeLock(settings.home / f"backfill-{target}.lock")
