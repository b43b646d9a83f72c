"""Who is at work under FAREGROUND_HOME: locks that one process at a time has, and who has them.

The operating system lets go of them when a process ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pipeline.errors import WarehouseBusy
from pipeline.history import History
from pipeline.run_records import Run
from pipeline.settings import Settings, make_folder

_WAIT_SECONDS = 2.0  # longer than anyone holds the lock just to look


@contextmanager
def backfill_lock(target: str, settings: Settings) -> Iterator[None]:
    """Hold the right to run a backfill on this target; raises WarehouseBusy, naming who has it."""
    try:
        held = _lock(target, settings).acquire(timeout=_WAIT_SECONDS)
    except Timeout:
        raise busy(target, settings) from None
    with held:
        yield


def settle_interrupted(target: str, settings: Settings) -> None:
    """Mark runs whose process is gone as interrupted; does nothing while a backfill runs.

    Where no run says running it only reads: pages look every second, and whoever writes to the
    history at that moment, on a disk that is busy with a load, may keep them waiting for seconds.
    """
    history = History(settings.history_path)
    if history.running(target) is None:
        return
    try:
        held = _lock(target, settings).acquire(timeout=0)
    except Timeout:
        return
    with held:
        history.interrupt_runs(target)


def running_run(target: str, settings: Settings) -> Run | None:
    """Return the run that is on now on this target, in whatever process, or None."""
    settle_interrupted(target, settings)
    return History(settings.history_path).running(target)


def busy(target: str, settings: Settings) -> WarehouseBusy:
    """Return the error that names the run and the process that have this target."""
    run = running_run(target, settings)
    if run is None:
        return WarehouseBusy(
            f"Another backfill holds the {target} warehouse.", cure="Try again in a moment."
        )
    return WarehouseBusy(
        f"A backfill is running already: {run.run_id}, started {run.started_at:%H:%M} UTC from "
        f"the {run.origin} (pid {run.pid}).",
        cure="Wait for it, or cancel it where it was started.",
    )


def scheduler_lock(settings: Settings) -> FileLock:
    """Return the lock of the process that fires the schedules, not acquired."""
    make_folder(settings.home)
    return FileLock(settings.home / "scheduler.lock", is_singleton=False)


def is_held(lock: FileLock) -> bool:
    """Whether some process has this lock now."""
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _lock(target: str, settings: Settings) -> FileLock:
    make_folder(settings.home)
    return FileLock(settings.home / f"backfill-{target}.lock", is_singleton=False)
