"""The schedules under FAREGROUND_HOME, in APScheduler's own store, to be changed by any process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError, UsageError
from pipeline.schedule import GRACE, CatchUp, MonthlyTrigger, Schedule
from pipeline.schedule.looks import Look, Looks
from pipeline.settings import Settings, make_folder

if TYPE_CHECKING:
    from apscheduler.schedulers.base import BaseScheduler

# By name, because APScheduler keeps a function as its name and finds it when a schedule fires.
_FIRE = "pipeline.schedule.scheduler:fire_schedule"
# Follows the schedule's name in the id of the job that looks again, and is followed by its moment:
# APScheduler removes a job that fired by its id, at a moment when there may be a next one already.
_AGAIN = " again "
# A firing waits for one that is not over, and then finds nothing to do. APScheduler would drop it.
_INSTANCES = 3


@dataclass(frozen=True)
class Kept:
    """A schedule as it is kept.

    Attributes:
        next_time: When it fires next, in UTC; None while it is paused.
        next_look: When a look is due that was put off, in UTC, if one is.
        latest: Its newest look, if there was one.
    """

    schedule: Schedule
    added_at: datetime
    next_time: datetime | None
    next_look: datetime | None
    latest: Look | None

    @property
    def enabled(self) -> bool:
        """Whether it fires: it is not paused."""
        return self.next_time is not None

    def next_times(self, count: int, now: datetime) -> list[datetime]:
        """Return its next firings after `now`, in its own time zone; none while it is paused."""
        times = self.schedule.times(now)
        return [next(times) for _ in range(count)] if self.enabled else []


class Schedules:
    """The schedules under FAREGROUND_HOME, to be changed from any process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.looks = Looks(settings.home / "looks.sqlite")

    def add(self, schedule: Schedule) -> None:
        """Keep a new schedule; raises UsageError when there is one of this name."""
        from apscheduler.jobstores.base import ConflictingIdError

        values = _who(self._settings, schedule) | {"added_at": datetime.now(UTC).isoformat()}
        with _store(self._settings) as store:
            try:
                store.add_job(
                    _FIRE,
                    MonthlyTrigger(schedule),
                    id=schedule.name,
                    kwargs=values,
                    misfire_grace_time=_grace(schedule),
                    coalesce=True,
                    max_instances=_INSTANCES,
                )
            except ConflictingIdError:
                raise UsageError(
                    f"There is a schedule {schedule.name} already.",
                    cure="Remove it first, or give this one another --name.",
                ) from None

    def all(self) -> list[Kept]:
        """Return every schedule, by name."""
        if not store_path(self._settings).exists():
            return []
        with _store(self._settings) as store:
            jobs = sorted(store.get_jobs(), key=lambda job: str(job.id))
        again = {job.id.split(_AGAIN)[0]: job.next_run_time for job in jobs if _AGAIN in job.id}
        kept = []
        for job in jobs:
            if _AGAIN in job.id:
                continue
            put_off, latest = again.get(job.id), self.looks.latest(job.id)
            kept.append(
                Kept(
                    job.trigger.schedule,
                    datetime.fromisoformat(job.kwargs["added_at"]),
                    job.next_run_time.astimezone(UTC) if job.next_run_time else None,
                    put_off.astimezone(UTC) if put_off else None,
                    latest[0] if latest else None,
                )
            )
        return kept

    def get(self, name: str) -> Kept:
        """Return one schedule; raises UsageError when there is none of this name."""
        found = {kept.schedule.name: kept for kept in self.all()}
        if name not in found:
            names = ", ".join(found) or "none yet"
            raise UsageError(f"There is no schedule {name!r}.", cure=f"There are: {names}.")
        return found[name]

    def pause(self, name: str) -> None:
        """Let a schedule fire no more until it is resumed; what it put off is dropped."""
        self.get(name)
        with _store(self._settings) as store:
            store.pause_job(name)
            _remove_again(store, name)

    def resume(self, name: str) -> None:
        """Let a paused schedule fire again, from its next time on."""
        self.get(name)
        with _store(self._settings) as store:
            store.resume_job(name)

    def remove(self, name: str) -> None:
        """Forget a schedule; what it loaded stays."""
        self.get(name)
        with _store(self._settings) as store:
            _remove_again(store, name)
            _remove(store, name)
        self.looks.forget(name)

    def put_off(self, schedule: Schedule, until: datetime) -> None:
        """Look again at this moment (with a zone), instead of any moment set before."""
        with _store(self._settings) as store:
            _remove_again(store, schedule.name)
            store.add_job(
                _FIRE,
                "date",
                run_date=until,
                id=f"{schedule.name}{_AGAIN}{until.isoformat()}",
                kwargs=_who(self._settings, schedule),
                misfire_grace_time=None,  # however late
                max_instances=_INSTANCES,
                replace_existing=True,
            )

    def settle(self, name: str) -> None:
        """Drop the look that was put off, if there is one."""
        with _store(self._settings) as store:
            _remove_again(store, name)


def _grace(schedule: Schedule) -> int | None:
    """Return how many seconds late a firing may be, or None for any number."""
    return int(GRACE.total_seconds()) if schedule.catch_up == CatchUp.NONE else None


def _who(settings: Settings, schedule: Schedule) -> dict[str, str]:
    return {"home": str(settings.home), "name": schedule.name}


def store_path(settings: Settings) -> Path:
    """Return the file the schedules are in; it is not there before the first one."""
    return settings.home / "schedules.sqlite"


def open_store(settings: Settings) -> Any:
    """Return APScheduler's store of these settings, not yet started."""
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

    make_folder(settings.home)
    return SQLAlchemyJobStore(url=f"sqlite:///{store_path(settings)}")


@contextmanager
def _store(settings: Settings) -> Iterator[BaseScheduler]:
    """Yield a scheduler that fires nothing, to read and change the store with."""
    from apscheduler.schedulers.base import BaseScheduler
    from sqlalchemy.exc import SQLAlchemyError

    class Still(BaseScheduler):  # type: ignore[misc]
        """Has no thread, so that nothing becomes due in it."""

        def wakeup(self) -> None: ...

        def shutdown(self, wait: bool = True) -> None:
            super().shutdown(wait)

    scheduler = Still(jobstores={"default": open_store(settings)}, timezone=UTC)
    try:
        scheduler.start(paused=True)
        try:
            yield scheduler
        finally:
            scheduler.shutdown()
    except SQLAlchemyError as error:
        raise StorageError(
            f"The schedules in {store_path(settings)} cannot be used: {error}.",
            cure="Check that the disk has room and the folder can be written; "
            "if the file is damaged, move it away.",
        ) from None


def _remove_again(store: BaseScheduler, name: str) -> None:
    for job in store.get_jobs():
        if job.id.startswith(name + _AGAIN):
            _remove(store, job.id)


def _remove(store: BaseScheduler, job_id: str) -> None:
    from apscheduler.jobstores.base import JobLookupError

    with suppress(JobLookupError):
        store.remove_job(job_id)
