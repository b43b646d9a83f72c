"""Fires schedules, in one process at a time under FAREGROUND_HOME.

APScheduler says when they are due; what a firing does is here. Any process may add, pause or remove
a schedule; the one that runs the scheduler sees it within seconds. A firing that finds nothing new,
or another backfill at work, is put off by a second job, so that a restart does not lose it.

    scheduler = Scheduler(settings, run)
    scheduler.start()          # False while another process has it
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from pipeline.backfill import Backfill, prepare_plan, run_backfill
from pipeline.errors import (
    FaregroundError,
    SourceUnreachable,
    WarehouseBusy,
)
from pipeline.events import tell
from pipeline.locks import is_held, scheduler_lock
from pipeline.plan import Plan
from pipeline.redact import redact
from pipeline.schedule import CatchUp, Schedule
from pipeline.schedule.looks import Look, LookState
from pipeline.schedule.store import Schedules, open_store, store_path
from pipeline.settings import Settings, make_folder
from pipeline.sources import Offer, Source, Unknown, open_source
from pipeline.trips import Month, TripFile, months_between

if TYPE_CHECKING:
    from apscheduler.schedulers.base import BaseScheduler

RunPlan = Callable[[Plan, str], Backfill]

_HEARTBEAT_SECONDS = 5
_BUSY_WAIT = timedelta(minutes=5)
_SOURCE_WAIT = timedelta(hours=6)
_ASKED_AT_ONCE = 6  # months, newest first: the newest is nearly always among them
_ASKED_AT_MOST = 36


@dataclass(frozen=True)
class _Outcome:
    state: LookState
    message: str
    run_id: str | None = None
    again_in: timedelta | None = None


class Scheduler:
    """Fires the schedules in this process while it holds the scheduler's lock."""

    def __init__(self, settings: Settings, run: RunPlan | None = None) -> None:
        """`run` runs a plan to its end, given what started it; by default in this thread."""
        self.schedules = Schedules(settings)
        self._settings = settings
        self._run = run or self._run_here
        self._lock = scheduler_lock(settings)
        self._scheduler: BaseScheduler | None = None
        self._firing = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> bool:
        """Begin to fire, unless another process does already; return whether this one does now.

        Firings that were missed, and looks that a dead process did not end, are made up for at
        once, as far as each schedule's catch-up says.
        """
        from apscheduler.jobstores.memory import MemoryJobStore

        make_folder(self._settings.home)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        _RUNNING[str(self._settings.home)] = self
        self._take_up()
        scheduler = _steady_scheduler(
            {"default": open_store(self._settings), "memory": MemoryJobStore()}, self._settings.home
        )
        # APScheduler sleeps until the next firing it knows of; others may change the store.
        scheduler.add_job(
            scheduler.wakeup,
            "interval",
            seconds=_HEARTBEAT_SECONDS,
            jobstore="memory",
            misfire_grace_time=None,
        )
        scheduler.start()
        self._scheduler = scheduler
        tell(self._settings.home, "scheduler-begun", "this process fires the schedules from now on")
        return True

    def start_when_free(self) -> None:
        """Begin to fire in the background as soon as there is a schedule and no other process
        fires them, and look for that every few seconds until `stop`."""

        def attempt() -> None:
            while not self._stopped.is_set():
                if store_path(self._settings).exists() and self.start():
                    if self._stopped.is_set():  # meanwhile
                        self.stop()
                    return
                self._stopped.wait(_HEARTBEAT_SECONDS)

        threading.Thread(target=attempt, name="scheduler", daemon=True).start()

    @property
    def is_firing(self) -> bool:
        """Whether this process fires the schedules."""
        return self._scheduler is not None

    def stop(self) -> None:
        """Stop firing and let another process take over; a backfill that is on goes on."""
        self._stopped.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None
            _RUNNING.pop(str(self._settings.home), None)
            self._lock.release()
            tell(self._settings.home, "scheduler-ended", "this process fires the schedules no more")

    def fire(self, name: str) -> Look:
        """Ask the schedule's source for what is new, load it, and write down how that went."""
        schedule = self.schedules.get(name).schedule
        number = self.schedules.looks.begin(name, _now())
        home = self._settings.home
        tell(home, "schedule-begun", f"schedule {name} asks {schedule.source}", schedule=name)
        with self._firing:  # one backfill at a time is all that there can be
            outcome = self._outcome(schedule)
        until = _now() + outcome.again_in if outcome.again_in else None
        if until is not None and until < next(schedule.times(_now())):
            self.schedules.put_off(schedule, until)
        else:
            self.schedules.settle(name)
        self.schedules.looks.end(number, outcome.state, outcome.message, outcome.run_id, _now())
        tell(
            home,
            "schedule-ended",
            outcome.message,
            level="error" if outcome.state == "failed" else "info",
            run_id=outcome.run_id,
            schedule=name,
            state=outcome.state,
        )
        look, *before = self.schedules.looks.latest(name, 2)
        if look.state == "failed" and look.run_id is None:  # a run tells of itself
            self._tell(look, before)
        return look

    def _tell(self, look: Look, before: list[Look]) -> None:
        """Notify that a schedule could not even begin a run, once until that is over."""
        from pipeline import notify

        if (before and before[0].state == "failed") or not notify.is_wanted(
            "failed", self._settings
        ):
            return
        text = f"Fareground schedule {look.schedule} failed: {look.message}"
        subject = f"Fareground: schedule {look.schedule} failed"
        for level, sentence in notify.send(subject, text, self._settings):
            tell(self._settings.home, "scheduler-log", sentence, level=level)

    def _outcome(self, schedule: Schedule) -> _Outcome:
        try:
            return self._look(schedule)
        except WarehouseBusy as error:
            return _Outcome("busy", str(error), again_in=_BUSY_WAIT)
        except FaregroundError as error:
            return _Outcome("failed", str(error), again_in=_SOURCE_WAIT)
        except Exception as error:  # a schedule must outlive whatever went wrong once
            message = f"{schedule.name} failed unexpectedly: {type(error).__name__}: {error}"
            return _Outcome("failed", redact(message), again_in=_SOURCE_WAIT)

    def _look(self, schedule: Schedule) -> _Outcome:
        source = open_source(schedule.source, self._settings)
        newest = newest_published(source, schedule, _now())
        expected = schedule.expected(_now())
        missing = newest is None or newest < expected
        waiting = f"; {expected} is not published yet" if missing else ""
        again = _SOURCE_WAIT if missing else None
        if newest is None:
            message = f"{source.label} has no {schedule.color} month from {schedule.since} on"
            return _Outcome("waiting", f"{message}{waiting}", again_in=again)
        plan = prepare_plan(schedule.request(newest), self._settings)
        if not plan.to_run:
            message = f"{schedule.color} {newest} is the newest month of {source.label}, and loaded"
            return _Outcome(
                "waiting" if missing else "up-to-date", f"{message}{waiting}", None, again
            )
        backfill = self._run(plan, f"schedule {schedule.name}")
        files = backfill.history.files(backfill.run_id)
        failed = [file for file in files if file.state == "failed"]
        if backfill.state == "cancelled":
            return _Outcome("cancelled", "the backfill was cancelled", backfill.run_id)
        if failed or backfill.state == "failed":
            reason = failed[0].reason if failed else "see the log of its run"
            return _Outcome("failed", reason, backfill.run_id, _SOURCE_WAIT)
        loaded = ", ".join(str(f.file.month) for f in files if f.state == "loaded")
        message = f"loaded {schedule.color} {loaded}" if loaded else "nothing had changed"
        return _Outcome("loaded", f"{message}{waiting}", backfill.run_id, again)

    def _take_up(self) -> None:
        """Put to now what was due and not looked at to the end while no scheduler ran."""
        now = _now()
        for kept in self.schedules.all():
            if not kept.enabled or kept.schedule.catch_up == CatchUp.NONE:
                continue
            seen = kept.latest.begun_at if kept.latest else kept.added_at
            # APScheduler itself makes up for a firing that it has not moved on from.
            moved_on = kept.next_time is not None and kept.next_time > now
            lost = moved_on and kept.schedule.previous_time(now) > seen
            cut_off = kept.latest is not None and kept.latest.ended_at is None
            if lost or cut_off:
                self.schedules.put_off(kept.schedule, now)

    def _run_here(self, plan: Plan, origin: str) -> Backfill:
        backfill = Backfill(plan, self._settings, origin=origin)
        run_backfill(backfill, self._settings)
        return backfill


def is_running(settings: Settings) -> bool:
    """Whether some process fires the schedules now."""
    return is_held(scheduler_lock(settings))


def newest_published(source: Source, schedule: Schedule, now: datetime) -> Month | None:
    """Return the newest month of the schedule's color that the source has, or None.

    Months before `since`, and more than three years back, are not asked for. Raises
    SourceUnreachable when the source cannot be asked about a month newer than what it has.
    """
    newest = schedule.newest_possible(now)
    oldest = max(schedule.since, newest.plus(1 - _ASKED_AT_MOST))
    months = list(months_between(oldest, newest))[::-1]
    for start in range(0, len(months), _ASKED_AT_ONCE):
        asked = [TripFile(schedule.color, month) for month in months[start:][:_ASKED_AT_ONCE]]
        for file, answer in source.probe(asked).items():
            if isinstance(answer, Offer):
                return file.month
            if isinstance(answer, Unknown):
                raise SourceUnreachable(
                    f"{source.label} could not be asked for {file.stem}: {answer.reason}.",
                    cure="The schedule looks again by itself.",
                )
    return None


# The scheduler of this process, by its FAREGROUND_HOME: APScheduler keeps a firing as a function's
# name and plain values, so it cannot keep the object.
_RUNNING: dict[str, Scheduler] = {}


def fire_schedule(home: str, name: str, **_added: object) -> None:
    """Fire a schedule in the scheduler of this process: what APScheduler calls."""
    scheduler = _RUNNING.get(home)
    if scheduler is not None:
        scheduler.fire(name)


def _now() -> datetime:
    return datetime.now(UTC)


def _steady_scheduler(stores: dict[str, Any], home: Path) -> BaseScheduler:
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.schedulers.base import STATE_STOPPED

    class Steady(BackgroundScheduler):  # type: ignore[misc]
        """Goes on when another process changed the store in the middle of a round, where
        APScheduler's thread would end; and begins no round when it has been told to stop, where
        APScheduler would move on from what is due without doing it."""

        def _process_jobs(self) -> float | None:
            if self.state == STATE_STOPPED:
                return None
            try:
                return super()._process_jobs()  # type: ignore[no-any-return]
            except Exception as error:
                said = f"The schedules could not be read, and are read again: {error}"
                tell(home, "scheduler-log", said, level="warning")
                return float(_HEARTBEAT_SECONDS)

    return Steady(jobstores=stores, timezone=UTC)
