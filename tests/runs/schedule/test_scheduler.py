"""The scheduler on a clock that the tests set: no firing runs twice, and none is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import UsageError
from pipeline.core.events import log_path
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.ops.backup import back_up
from pipeline.ops.restore import restore
from pipeline.runs.backfill import Backfill, run_backfill
from pipeline.runs.history import History
from pipeline.runs.jobs import Jobs
from pipeline.runs.locks import backfill_lock
from pipeline.runs.plan import Plan
from pipeline.runs.schedule import CatchUp, Schedule
from pipeline.runs.schedule import scheduler as scheduler_module
from pipeline.runs.schedule.firings import Firing
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.runs.schedule.store import Schedules
from tests.support.browser import serve
from tests.support.files import put_trips, rows, trip

NEW_YORK = ZoneInfo("America/New_York")
GREEN = "green-local"


def at(*moment: int) -> datetime:
    """Return a moment by the clocks of New York."""
    return datetime(*moment, tzinfo=NEW_YORK)  # type: ignore[arg-type, misc]


def publish(folder: Path, *months: Month) -> None:
    for month in months:
        file = TripFile(GREEN_TAXIS, month)
        put_trips(folder, file, [trip(file)])


def add(settings: Settings, folder: Path, **changes: Any) -> Schedule:
    values = {
        "name": GREEN,
        "dataset": GREEN_TAXIS,
        "since": Month(2026, 7),
        "source": str(folder),
    }
    schedule = Schedule(**values | changes)
    Schedules(settings).add(schedule)
    return schedule


@contextmanager
def running(settings: Settings) -> Iterator[Scheduler]:
    """Yield a scheduler that fires in this process until the block ends."""
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


def ended(settings: Settings, number: int) -> list[Firing]:
    """Wait until `number` firings have ended, and return all firings, newest first."""
    log = Schedules(settings).firings
    wait_for(lambda: sum(f.ended_at is not None for f in log.latest(GREEN, 99)) >= number)
    return log.latest(GREEN, 99)


def go_to(clock: time_machine.Coordinates, moment: datetime, scheduler: Scheduler) -> None:
    """Set the clock, and do what the scheduler's loop does every few seconds."""
    clock.move_to(moment)
    scheduler.fire_due()


def months_loaded(settings: Settings) -> list[str]:
    names = rows(settings, "SELECT DISTINCT filename FROM green_tripdata ORDER BY 1")
    return [name[-11:-4] for (name,) in names]


def test_a_firing_loads_the_newest_month_the_source_really_has(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 8), Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        with running(settings) as scheduler:
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            (firing,) = ended(settings, 1)
    assert (firing.state, firing.message) == ("loaded", "loaded green 2026-08, 2026-09")
    assert months_loaded(settings) == ["2026-08", "2026-09"]
    (run,) = History(settings.history_path).runs()
    assert (run.run_id, run.origin) == (firing.run_id, "schedule green-local")


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
            assert Schedules(settings).get(GREEN).retry_at is None
            go_to(clock, at(2026, 11, 20, 12), scheduler)
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
        with running(settings) as scheduler:
            scheduler.fire_due()
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
        # A scheduler that is killed in the middle of a firing leaves it begun.
        Schedules(settings).firings.begin(GREEN, datetime.now(UTC))
        with running(settings):
            newest = ended(settings, 1)[0]
    assert newest.state == "loaded"
    assert months_loaded(settings) == ["2026-09"]


def test_a_source_that_is_down_is_asked_again_later(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)) as clock:
        add(settings, folder)
        scheduler = Scheduler(settings)
        firing = scheduler.fire(GREEN)
        assert firing.state == "failed"
        assert "gone" in firing.message
        retry_at = Schedules(settings).get(GREEN).retry_at
        assert retry_at is not None
        assert retry_at == at(2026, 11, 1, 15, 0, 5).replace(microsecond=retry_at.microsecond)
        folder.mkdir()
        publish(folder, Month(2026, 9))
        clock.move_to(retry_at)
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
        "import time; from pipeline.runs.schedule.scheduler import Scheduler;"
        "from pipeline.core.settings.settings import load_settings; s = Scheduler(load_settings());"
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
            assert schedules.firings.latest(GREEN) == []
            schedules.resume(GREEN)
            assert schedules.get(GREEN).next_time == at(2026, 12, 1, 9)
            go_to(clock, at(2026, 12, 1, 9, 0, 1), scheduler)
            assert ended(settings, 1)[0].state == "loaded"


def test_firing_that_waits_for_another_schedule_is_not_missed(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 9))
    go_on = threading.Event()

    def run_slowly(plan: Plan, origin: str) -> Backfill:
        go_on.wait(10)
        backfill = Backfill(plan, settings, origin=origin)
        run_backfill(backfill, settings)
        return backfill

    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder, name="slow")
        add(settings, folder, hour=10, catch_up=CatchUp.NONE)
        scheduler = Scheduler(settings, run_slowly)
        go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
        go_to(clock, at(2026, 11, 1, 10, 0, 1), scheduler)
        assert [f.state for f in scheduler.schedules.firings.latest(GREEN)] == ["running"]
        clock.move_to(at(2026, 11, 1, 12))
        go_on.set()
        assert ended(settings, 1)[0].state == "up-to-date"


def test_firing_goes_on_when_its_schedule_is_removed(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)):
        add(settings, folder)

        def remove_and_run(plan: Plan, origin: str) -> Backfill:
            Schedules(settings).remove(GREEN)
            backfill = Backfill(plan, settings, origin=origin)
            run_backfill(backfill, settings)
            return backfill

        assert Scheduler(settings, remove_and_run).fire(GREEN).state == "loaded"
    assert Schedules(settings).all() == []
    assert months_loaded(settings) == ["2026-09"]


def test_run_now_of_a_paused_schedule_leaves_it_paused(settings: Settings, folder: Path) -> None:
    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)):
        add(settings, folder)
        schedules = Schedules(settings)
        schedules.pause(GREEN)
        assert Scheduler(settings).fire(GREEN).state == "waiting"
        assert (schedules.get(GREEN).enabled, schedules.get(GREEN).retry_at) == (False, None)


def test_damaged_schedule_is_logged_once_while_the_others_fire(
    settings: Settings, folder: Path
) -> None:
    publish(folder, Month(2026, 9))
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        add(settings, folder, name="damaged")
        with sqlite3.connect(settings.home / "schedules.sqlite") as connection:
            connection.execute("UPDATE schedules SET day = 99 WHERE name = 'damaged'")
        connection.close()
        scheduler = Scheduler(settings)
        go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
        assert ended(settings, 1)[0].state == "loaded"
        scheduler.fire_due()
    assert log_path(settings.home).read_text().count("The schedule 'damaged' is damaged") == 1


def test_firing_that_cannot_be_recorded_is_logged(settings: Settings, folder: Path) -> None:
    publish(folder, Month(2026, 9))

    def remove_the_log(plan: Plan, origin: str) -> Backfill:
        for path in settings.home.glob("looks.sqlite*"):
            path.unlink()
        (settings.home / "looks.sqlite").mkdir()
        backfill = Backfill(plan, settings, origin=origin)
        run_backfill(backfill, settings)
        return backfill

    with time_machine.travel(at(2026, 11, 1, 9, 0, 5)):
        add(settings, folder)
        Scheduler(settings, remove_the_log).fire_in_background(GREEN)
        wait_for(lambda: log_path(settings.home).exists())
        wait_for(lambda: "was not completed" in log_path(settings.home).read_text())


def test_scheduler_goes_on_after_its_store_could_not_be_read(
    settings: Settings, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_ROUND_SECONDS", 0.05)
    publish(folder, Month(2026, 9))
    add(settings, folder)
    path = settings.home / "schedules.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(path.read_bytes())
    bad.write_bytes(b"no database" * 1000)
    with running(settings):
        bad.replace(path)
        wait_for(lambda: "Could not read the schedules" in log_path(settings.home).read_text())
        good.replace(path)
        Schedules(settings).set_retry(GREEN, datetime.now(UTC))
        assert ended(settings, 1)[0].ended_at is not None


def test_scheduler_that_another_thread_stops_lets_the_next_one_start(
    settings: Settings, folder: Path
) -> None:
    add(settings, folder)
    first, second = Scheduler(settings), Scheduler(settings)
    first.start_when_free()
    wait_for(lambda: first.is_firing)
    stopper = threading.Thread(target=first.stop)
    stopper.start()
    stopper.join()
    assert not first.is_firing
    assert second.start()
    second.stop()


def test_schedule_fires_in_the_home_that_it_was_restored_into(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    publish(folder, Month(2026, 9))
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    with time_machine.travel(at(2026, 11, 1, 8, 59)) as clock:
        add(settings, folder)
        restore(elsewhere, back_up(settings, tmp_path / "backups").folder)
        with running(elsewhere) as scheduler:
            go_to(clock, at(2026, 11, 1, 9, 0, 1), scheduler)
            assert ended(elsewhere, 1)[0].state == "loaded"
    assert months_loaded(elsewhere) == ["2026-09"]


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
        firing = Scheduler(settings, jobs.run).fire(GREEN)
    assert firing.state == "loaded"
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
