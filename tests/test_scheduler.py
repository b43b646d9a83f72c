"""Schedules on a clock of the test's own: nothing is run twice, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from pipeline.errors import UsageError
from pipeline.history import History
from pipeline.jobs import Jobs
from pipeline.locks import backfill_lock
from pipeline.schedule import CatchUp, Schedule
from pipeline.schedule.looks import Look
from pipeline.schedule.scheduler import Scheduler
from pipeline.schedule.store import Schedules
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from tests.browser import serve
from tests.files import put_trips, rows, trip

NEW_YORK = ZoneInfo("America/New_York")
GREEN = "green-local"


def at(*moment: int) -> datetime:
    """A moment on New York's clocks."""
    return datetime(*moment, tzinfo=NEW_YORK)  # type: ignore[arg-type, misc]


def publish(folder: Path, *months: Month) -> None:
    for month in months:
        file = TripFile(Color.GREEN, month)
        put_trips(folder, file, [trip(file)])


def add(settings: Settings, folder: Path, **changes: Any) -> Schedule:
    values = {
        "name": GREEN,
        "color": Color.GREEN,
        "since": Month(2026, 7),
        "source": str(folder),
    }
    schedule = Schedule(**values | changes)
    Schedules(settings).add(schedule)
    return schedule


@contextmanager
def running(settings: Settings) -> Iterator[Scheduler]:
    """A scheduler that fires in this process until the block ends."""
    scheduler = Scheduler(settings)
    assert scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.stop()


def wait_for(met: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.perf_counter() + seconds
    while not met():
        assert time.perf_counter() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ended(settings: Settings, number: int) -> list[Look]:
    """The schedule's looks, once so many have ended; the newest first."""
    looks = Schedules(settings).looks
    wait_for(lambda: sum(look.ended_at is not None for look in looks.latest(GREEN, 99)) >= number)
    return looks.latest(GREEN, 99)


def go_to(clock: time_machine.Coordinates, moment: datetime, scheduler: Scheduler) -> None:
    """Set the clock, and wake the scheduler as its heartbeat does every few seconds."""
    clock.move_to(moment)
    assert scheduler._scheduler is not None
    scheduler._scheduler.wakeup()


def months_loaded(settings: Settings) -> list[str]:
    found = rows(settings, "SELECT DISTINCT filename FROM green_tripdata ORDER BY 1")
    return [name[-11:-4] for (name,) in found]


def test_a_firing_loads_the_newest_month_the_source_really_has(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 8), Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            (look,) = ended(settings, 1)
    assert (look.state, look.message) == ("loaded", "loaded green 2026-08, 2026-09")
    assert months_loaded(settings) == ["2026-08", "2026-09"]
    (run,) = History(settings.history_path).runs()
    assert (run.run_id, run.origin) == (look.run_id, "schedule green-local")


def test_a_month_that_is_late_is_looked_for_again_until_it_appears(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 8))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            (first,) = ended(settings, 1)
            assert first.message == "loaded green 2026-08; 2026-09 is not published yet"
            go_to(clock, at(2026, 11, 1, 15, 1), scheduler)
            assert ended(settings, 2)[0].state == "waiting"
            publish(folder, Month(2026, 9))
            go_to(clock, at(2026, 11, 1, 21, 2), scheduler)
            third = ended(settings, 3)[0]
            assert (third.state, third.message) == ("loaded", "loaded green 2026-09")
            assert Schedules(settings).get(GREEN).next_look is None
            go_to(clock, at(2026, 11, 20, 12), scheduler)
            time.sleep(0.3)
            assert len(ended(settings, 3)) == 3
    assert months_loaded(settings) == ["2026-08", "2026-09"]


@pytest.mark.parametrize(
    ("catch_up", "loaded"),
    [
        (CatchUp.ALL, ["2026-07", "2026-08", "2026-09"]),
        (CatchUp.LAST, ["2026-09"]),
        (CatchUp.NONE, []),
    ],
)
def test_a_machine_that_slept_over_three_firings_catches_up_as_told(
    settings: Settings, folder: Path, catch_up: CatchUp, loaded: list[str]
) -> None:
    publish(folder, Month(2026, 7), Month(2026, 8), Month(2026, 9))
    with time_machine.travel(at(2026, 8, 20, 12)) as clock:
        add(settings, folder, catch_up=catch_up)
        with running(settings) as scheduler:
            go_to(clock, at(2026, 11, 10, 7), scheduler)  # asleep on the 1st of 9, 10 and 11
            if loaded:
                assert ended(settings, 1)[0].state == "loaded"
            time.sleep(0.3)
            assert len(ended(settings, bool(loaded))) == bool(loaded)
            assert Schedules(settings).get(GREEN).next_time == at(2026, 12, 1, 9)
    assert months_loaded(settings) == loaded


@pytest.mark.parametrize("catch_up", [CatchUp.ALL, CatchUp.LAST])
def test_a_firing_missed_while_no_scheduler_ran_is_made_up_for_once(
    settings: Settings, folder: Path, catch_up: CatchUp
) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 10, 20, 12)) as clock:
        add(settings, folder, catch_up=catch_up)
        clock.move_to(at(2026, 11, 3, 12))
        with running(settings):
            assert ended(settings, 1)[0].state == "loaded"
        with running(settings):
            time.sleep(0.3)
            assert len(ended(settings, 1)) == 1
    assert len(History(settings.history_path).runs()) == 1


def test_the_hour_that_november_repeats_brings_one_run(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 0, 59)) as clock:
        add(settings, folder, hour=1, minute=30)
        with running(settings) as scheduler:
            for minutes in range(0, 151, 30):
                moment = datetime(2026, 11, 1, 5, 0, 1, tzinfo=UTC) + timedelta(minutes=minutes)
                go_to(clock, moment, scheduler)
                time.sleep(0.1)
            assert len(ended(settings, 1)) == 1
    assert len(History(settings.history_path).runs()) == 1


def test_the_hour_that_march_skips_loses_no_run(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 1))
    with time_machine.travel(at(2026, 3, 8, 1, 59)) as clock:
        add(settings, folder, day=8, hour=2, minute=30, since=Month(2026, 1))
        with running(settings) as scheduler:
            go_to(clock, at(2026, 3, 8, 4), scheduler)
            assert ended(settings, 1)[0].state == "loaded"


def test_a_clock_set_back_does_not_run_a_firing_again(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            ended(settings, 1)
            go_to(clock, at(2026, 11, 1, 8, 0), scheduler)
            go_to(clock, at(2026, 11, 1, 9, 0, 2), scheduler)
            time.sleep(0.3)
            assert len(ended(settings, 1)) == 1


def test_a_firing_beside_another_backfill_waits_for_it(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            with backfill_lock("local", settings):
                go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
                assert ended(settings, 1)[0].state == "busy"
            go_to(clock, at(2026, 11, 1, 9, 6), scheduler)
            assert ended(settings, 2)[0].state == "loaded"


def test_a_process_that_dies_in_the_middle_of_a_firing_is_made_up_for(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)):
        add(settings, folder)
        looks = Schedules(settings).looks
        looks.begin(GREEN, datetime.now(UTC))  # as a scheduler does first, before it is killed
        with running(settings):
            newest = ended(settings, 1)[0]
    assert newest.state == "loaded"
    assert months_loaded(settings) == ["2026-09"]


def test_a_source_that_is_down_is_asked_again_later(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)) as clock:
        add(settings, folder)
        scheduler = Scheduler(settings)
        look = scheduler.fire(GREEN)
        assert look.state == "failed"
        assert "gone" in look.message
        again = Schedules(settings).get(GREEN).next_look
        assert again == at(2026, 11, 1, 15, 0, 5).replace(microsecond=again.microsecond)
        folder.mkdir()
        publish(folder, Month(2026, 9))
        clock.move_to(again)
        with running(settings):
            assert ended(settings, 2)[0].state == "loaded"


def test_two_schedulers_never_run_at_once_and_the_second_takes_over(settings: Settings) -> None:
    first, second = Scheduler(settings), Scheduler(settings)
    assert first.start()
    assert not second.start()
    first.stop()
    assert second.start()
    second.stop()


def test_the_lock_of_a_killed_scheduler_is_free_again(settings: Settings) -> None:
    code = (
        "import time; from pipeline.schedule.scheduler import Scheduler;"
        "from pipeline.settings import load_settings; s = Scheduler(load_settings());"
        "print(s.start(), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not Scheduler(settings).start()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with running(settings):
        pass


def test_a_paused_schedule_does_not_fire_and_a_resumed_one_does(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 8), Month(2026, 9))
    schedules = Schedules(settings)
    with time_machine.travel(at(2026, 10, 15)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            schedules.pause(GREEN)
            assert not schedules.get(GREEN).enabled
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            time.sleep(0.3)
            assert schedules.looks.latest(GREEN) == []
            schedules.resume(GREEN)
            assert schedules.get(GREEN).next_time == at(2026, 12, 1, 9)
            go_to(clock, at(2026, 12, 1, 9, 0, 1), scheduler)
            assert ended(settings, 1)[0].state == "loaded"


def test_a_schedule_that_is_removed_is_forgotten(settings: Settings, folder: Path) -> None:
    add(settings, folder)
    schedules = Schedules(settings)
    with pytest.raises(UsageError, match="already"):
        add(settings, folder)
    schedules.remove(GREEN)
    assert schedules.all() == []
    with pytest.raises(UsageError, match="none yet"):
        schedules.pause(GREEN)


def test_in_the_app_a_scheduled_backfill_is_one_of_its_jobs(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 9))
    add(settings, folder)
    jobs = Jobs(settings)
    with time_machine.travel(at(2026, 11, 1, 9, 0, 1)):
        look = Scheduler(settings, jobs.run).fire(GREEN)
    assert look.state == "loaded"
    assert jobs.current() is None
    assert months_loaded(settings) == ["2026-09"]


def test_the_app_fires_a_schedule_before_anybody_visits_it(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 9, 20, 12)):
        add(settings, folder)
    with serve(settings.home):
        wait_for(lambda: [run.state for run in History(settings.history_path).runs()], 30)
        wait_for(lambda: ended(settings, 1), 30)
    (run,) = History(settings.history_path).runs()
    assert run.state == "succeeded"
    assert months_loaded(settings) == ["2026-09"]
