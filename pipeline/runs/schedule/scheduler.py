"""Fire schedules, in one process at a time of a home.

A loop reads the schedules every few seconds and fires those that are due. Other processes may add,
pause or remove schedules meanwhile; the loop sees it in its next round.

    scheduler = Scheduler(settings, run)
    scheduler.start()          # False while another process fires
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from filelock import Timeout

from pipeline.core.errors import FaregroundError, SourceUnreachable, WarehouseBusy
from pipeline.core.events import tell
from pipeline.core.home import make_folder
from pipeline.core.redact import redact
from pipeline.core.settings.settings import Settings
from pipeline.core.tasks import Task, TaskPool, run_in_background
from pipeline.core.trips import Month, TripFile, months_between
from pipeline.files.offers import Offer, Unknown
from pipeline.files.sources import FolderSource, Source, open_source
from pipeline.files.uploads import UploadSource
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.runs.locks import is_held, scheduler_lock
from pipeline.runs.plan import Plan
from pipeline.runs.schedule import CatchUp, Schedule
from pipeline.runs.schedule.firings import Firing, FiringState
from pipeline.runs.schedule.store import Schedules

RunPlan = Callable[[Plan, str], Backfill]

_ROUND_SECONDS = 5
_BUSY_WAIT = timedelta(minutes=5)
_SOURCE_WAIT = timedelta(hours=6)
_PROBED_AT_ONCE = 6  # months, newest first: the newest is nearly always among them
_PROBED_AT_MOST = 36


@dataclass(frozen=True)
class _FiringResult:
    state: FiringState
    message: str
    run_id: str | None = None
    retry_in: timedelta | None = None


class Scheduler:
    """Fires the schedules of a home while it holds the scheduler's lock.

    Args:
        run: Runs a plan to its end; its second argument says what started the run. By default the
            plan runs in the thread of the firing.
    """

    def __init__(self, settings: Settings, run: RunPlan | None = None) -> None:
        self.schedules = Schedules(settings)
        self._settings = settings
        self._run = run or self._run_here
        self._lock = scheduler_lock(settings)
        self._loop: Task[None, None] | None = None
        self._stopped = threading.Event()
        self._pool = TaskPool(1)  # firings wait for each other
        self._active: set[int] = set()  # numbers of the firings in this process
        self._waiting: Counter[str] = Counter()  # schedules whose background work has not ended
        self._problems: set[str] = set()

    def start(self) -> bool:
        """Begin to fire in the background; return False when another process fires already.

        Schedules that are overdue fire at once, as far as their catch-up says, and so do firings
        that were interrupted.
        """
        if not self._take_lock():
            return False
        self.start_when_free()
        return True

    def start_when_free(self) -> None:
        """Begin to fire in the background as soon as there is a schedule and the lock is free."""
        self._loop = run_in_background(self._run_rounds, "scheduler")

    @property
    def is_firing(self) -> bool:
        """Whether this object fires the schedules."""
        return self._lock.is_locked

    def stop(self) -> None:
        """Stop firing and let another process take over; a firing that has begun goes on."""
        self._stopped.set()
        if self._loop is not None:
            self._loop.wait()

    def fire_due(self) -> None:
        """Fire the schedules that are due now in the background, and report damaged ones."""
        now = _now()
        schedules, damaged = self.schedules.read()
        self._report({str(error) for error in damaged})
        for stored in schedules:
            firing = self.schedules.claim(stored, now)
            if firing is not None:
                self._in_background(partial(self._finish, stored.schedule, firing), firing.schedule)

    def fire(self, name: str) -> Firing:
        """Fire a schedule now, whether it is due or paused, and return how that ended."""
        schedule = self.schedules.get(name).schedule
        return self._finish(schedule, self.schedules.firings.begin(name, _now()))

    def fire_in_background(self, name: str) -> None:
        """Fire a schedule now in the background."""
        self._in_background(partial(self.fire, name), name)

    def is_at_work(self, name: str) -> bool:
        """Whether this object fires a schedule now, or will as soon as another firing has ended."""
        return self._waiting[name] > 0

    def _take_lock(self) -> bool:
        make_folder(self._settings.home)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            self._retry_interrupted()
        except FaregroundError:
            self._lock.release()
            raise
        tell(self._settings.home, "scheduler-begun", "this process now fires the schedules")
        return True

    def _run_rounds(self) -> None:
        while not self._stopped.is_set():
            try:
                if self.is_firing or (self.schedules.exists and self._take_lock()):
                    self.fire_due()
            except Exception as error:  # whatever is wrong may be right in the next round
                self._report({f"Could not read the schedules; retrying: {error}"})
            self._stopped.wait(_ROUND_SECONDS)
        if self.is_firing:
            self._lock.release()
            tell(
                self._settings.home, "scheduler-ended", "this process no longer fires the schedules"
            )

    def _retry_interrupted(self) -> None:
        """Make each firing due again whose process died, unless its schedule does not catch up."""
        for stored in self.schedules.all():
            latest, schedule = stored.latest, stored.schedule
            if latest is None or latest.ended_at is not None or latest.number in self._active:
                continue
            if schedule.catch_up != CatchUp.NONE:
                self.schedules.set_retry(schedule.name, _now())

    def _report(self, problems: set[str]) -> None:
        """Log the problems of a round that the round before did not have."""
        for problem in sorted(problems - self._problems):
            tell(self._settings.home, "scheduler-log", problem, level="warning")
        self._problems = problems

    def _in_background(self, work: Callable[[], object], name: str) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # the disk is full, or the schedule is gone
                problem = f"The firing of {name} was not completed: {error}"
                tell(self._settings.home, "scheduler-log", problem, level="error")
            finally:
                self._waiting[name] -= 1

        self._waiting[name] += 1
        run_in_background(guarded, f"schedule {name}", self._pool)

    def _finish(self, schedule: Schedule, firing: Firing) -> Firing:
        """Do the work of a firing that has begun, and record its end and its retry."""
        home, name, firings = self._settings.home, schedule.name, self.schedules.firings
        tell(home, "schedule-begun", f"schedule {name} checks {schedule.source}", schedule=name)
        self._active.add(firing.number)
        result = self._load(schedule)
        retry_at = _now() + result.retry_in if result.retry_in else None
        if retry_at is not None and retry_at >= next(schedule.times(_now())):
            retry_at = None  # the next firing takes over
        self.schedules.set_retry(name, retry_at)
        ended = firings.end(firing, result.state, result.message, result.run_id, _now())
        self._active.remove(firing.number)
        tell(
            home,
            "schedule-ended",
            ended.message,
            level="error" if ended.state == "failed" else "info",
            run_id=ended.run_id,
            schedule=name,
            state=ended.state,
        )
        if ended.state == "failed" and ended.run_id is None:  # a run notifies by itself
            self._notify(ended, firings.latest(name, 2)[1:])
        return ended

    def _notify(self, firing: Firing, before: list[Firing]) -> None:
        """Notify once per series of firings that fail before their run starts."""
        from pipeline.runs import notify

        if (before and before[0].state == "failed") or not notify.wants_notification(
            "failed", self._settings
        ):
            return
        text = f"Fareground schedule {firing.schedule} failed: {firing.message}"
        subject = f"Fareground: schedule {firing.schedule} failed"
        for level, sentence in notify.send(subject, text, self._settings):
            tell(self._settings.home, "scheduler-log", sentence, level=level)

    def _load(self, schedule: Schedule) -> _FiringResult:
        """Load what the source has new; return errors as results, because a schedule outlives
        them."""
        try:
            return self._load_newest(schedule)
        except WarehouseBusy as error:
            return _FiringResult("busy", str(error), retry_in=_BUSY_WAIT)
        except FaregroundError as error:
            return _FiringResult("failed", str(error), retry_in=_SOURCE_WAIT)
        except Exception as error:
            message = f"{schedule.name} failed unexpectedly: {type(error).__name__}: {error}"
            return _FiringResult("failed", redact(message), retry_in=_SOURCE_WAIT)

    def _load_newest(self, schedule: Schedule) -> _FiringResult:
        source = open_source(schedule.source, self._settings)
        newest = newest_published(source, schedule, _now())
        expected = schedule.expected(_now())
        missing = newest is None or newest < expected
        waiting = f"; {expected} is not published yet" if missing else ""
        retry_in = _SOURCE_WAIT if missing else None
        if newest is None:
            message = f"{source.label} has no {schedule.dataset} month from {schedule.since} on"
            if months := source.months((schedule.dataset,)):
                message += (
                    f"; it has {months[0]} to {months[1]}. For these, add the schedule again with "
                    "an earlier first month"
                )
            return _FiringResult("waiting", f"{message}{waiting}", retry_in=retry_in)
        plan = prepare_plan(schedule.request(newest), self._settings)
        if not plan.to_run:
            message = (
                f"nothing is new: {schedule.dataset} {newest} is the newest month of "
                f"{source.label}, and loaded"
            )
            state: FiringState = "waiting" if missing else "up-to-date"
            return _FiringResult(state, f"{message}{waiting}", retry_in=retry_in)
        backfill = self._run(plan, f"schedule {schedule.name}")
        files = backfill.history.files(backfill.run_id)
        failed = [file for file in files if file.state == "failed"]
        if backfill.state == "cancelled":
            return _FiringResult("cancelled", "the backfill was cancelled", backfill.run_id)
        if failed or backfill.state == "failed":
            reason = failed[0].reason if failed else "see the log of its run"
            return _FiringResult("failed", reason, backfill.run_id, _SOURCE_WAIT)
        loaded = ", ".join(str(f.file.month) for f in files if f.state == "loaded")
        message = f"loaded {schedule.dataset} {loaded}" if loaded else "nothing had changed"
        return _FiringResult("loaded", f"{message}{waiting}", backfill.run_id, retry_in)

    def _run_here(self, plan: Plan, origin: str) -> Backfill:
        backfill = Backfill(plan, self._settings, origin=origin)
        run_backfill(backfill, self._settings)
        return backfill


def is_running(settings: Settings) -> bool:
    """Whether some process fires the schedules now."""
    return is_held(scheduler_lock(settings))


def first_month(schedule: Schedule, source: Source, now: datetime) -> Month:
    """Return the month from which a schedule loads if no first month is given.

    A folder and uploads say what they have, so this is their first month. Any other source: the
    newest month expected at `now` (aware), or the last one of a source that has ended.
    """
    expected = schedule.expected(now)
    months = source.months((schedule.dataset,))
    if months is None:
        return expected
    return (
        months[0] if isinstance(source, FolderSource | UploadSource) else min(expected, months[1])
    )


def newest_published(source: Source, schedule: Schedule, now: datetime) -> Month | None:
    """Return the newest month of the schedule's dataset that the source has, or None.

    Only months from `since` on are probed, and at most the last three years that the source may
    have. Raises SourceUnreachable when the source gives no answer for a month newer than what it
    has.
    """
    newest = schedule.newest_possible(now)
    if span := source.months((schedule.dataset,)):
        newest = min(newest, span[1])
    oldest = max(schedule.since, newest.plus(1 - _PROBED_AT_MOST))
    months = list(months_between(oldest, newest))[::-1]
    for start in range(0, len(months), _PROBED_AT_ONCE):
        files = [TripFile(schedule.dataset, month) for month in months[start:][:_PROBED_AT_ONCE]]
        for file, answer in source.probe(files).items():
            if isinstance(answer, Offer):
                return file.month
            if isinstance(answer, Unknown):
                raise SourceUnreachable(
                    f"Cannot reach {source.label} for {file.stem}: {answer.reason}.",
                    cure="The schedule retries by itself.",
                )
    return None


def _now() -> datetime:
    return datetime.now(UTC)
