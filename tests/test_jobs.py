"""Backfills in the background: one at a time, cancelled within two seconds, resumed."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.backfill import prepare_plan, resume_request
from pipeline.errors import UsageError, WarehouseBusy
from pipeline.history import History
from pipeline.jobs import Jobs
from pipeline.locks import backfill_lock, running_run
from pipeline.plan import Plan, Policy
from pipeline.settings import Settings
from pipeline.trips import Color, Month, TripFile
from pipeline.warehouse.local import LocalWarehouse
from tests.files import GREEN, YELLOW, amounts, backfill, put, put_trips, request, rows, trip
from tests.servers import Server

SLOW = [pytest.mark.slow, pytest.mark.timeout(900)]
MAY = TripFile(Color.GREEN, Month(2020, 5))


def plan(settings: Settings, source: object, *files: TripFile, policy: Policy = Policy.ALL) -> Plan:
    return prepare_plan(request(source, *files, policy=policy), settings)


def served(folder: Path) -> dict[str, bytes]:
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_a_run_goes_on_in_the_background_and_is_written_down(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    jobs = Jobs(settings)
    work = jobs.start(plan(settings, folder, GREEN, MAY))
    jobs.join(20)
    assert jobs.current() is None
    assert work.state == "succeeded"
    history = History(settings.history_path)
    assert [f.state for f in history.files(work.run_id)] == ["loaded", "unavailable"]
    assert [step.step for step in history.steps(work.run_id)] == [
        "download", "extract", "merge", "reconcile", "commit",
    ]  # fmt: skip
    assert history.run(work.run_id).origin == "app"
    assert amounts(settings, GREEN) == ["9.30"]


def test_two_visitors_share_one_run_and_either_can_cancel_it(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    with Server(served(folder)) as server:
        server.behave(f"/{path.name}", stall_after=10)
        jobs = Jobs(settings)
        work = jobs.start(plan(settings, server.url, GREEN))
        assert server.holding.wait(10)
        with pytest.raises(WarehouseBusy, match=rf"{work.run_id}.*from the app"):
            jobs.start(plan(settings, folder, GREEN))
        seen = jobs.current()
        assert seen is work
        pressed = time.monotonic()
        seen.cancel.set()
        jobs.join(10)
        assert time.monotonic() - pressed < 2
    assert work.state == "cancelled"
    assert jobs.current() is None
    assert amounts(settings, GREEN) == []


def test_a_backfill_of_another_process_refuses_this_one(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    made = plan(settings, folder, GREEN)
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy, match="Another backfill"):
        Jobs(settings).start(made)
    assert Jobs(settings).start(made).run_id


def test_the_next_file_is_fetched_while_one_loads(settings: Settings, folder: Path) -> None:
    for file in (GREEN, MAY):
        put_trips(folder, file, [trip(file, PULocationID=n % 250) for n in range(60_000)])
    jobs = Jobs(settings)
    work = jobs.start(plan(settings, folder, GREEN, MAY))
    jobs.join(30)
    steps = History(settings.history_path).steps(work.run_id)
    april_loaded = next(s for s in steps if (s.file, s.step) == (GREEN, "commit"))
    may_fetched = next(s for s in steps if (s.file, s.step) == (MAY, "download"))
    assert may_fetched.started_at < april_loaded.started_at


def test_a_snapshot_tells_what_was_fetched_and_loaded(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    jobs = Jobs(settings)
    work = jobs.start(plan(settings, folder, GREEN))
    jobs.join(20)
    now = work.snapshot()
    assert (now.done, now.total, now.rows) == (1, 1, 1)
    assert now.bytes_done == path.stat().st_size
    assert now.seconds_left == 0


def test_resume_takes_only_what_was_not_finished(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    put(folder, MAY, b"not a trip file")
    state, _ = backfill(settings, request(folder, GREEN, MAY, policy=Policy.ALL, force=True))
    assert state == "failed"
    (run,) = History(settings.history_path).runs()
    assert resume_request(run.run_id, settings).files() == (MAY,)
    put_trips(folder, MAY, [trip(MAY)])
    assert backfill(settings, resume_request(run.run_id, settings))[0] == "succeeded"
    with pytest.raises(UsageError, match="nothing to resume"):
        resume_request(History(settings.history_path).runs()[0].run_id, settings)


def test_after_a_run_staging_holds_the_file_as_published_and_nothing_unpacked(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(5000)])
    put(folder, MAY, b"not a trip file")
    leftover = settings.staging / "green" / f"{path.name}.unpacked"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half of what a killed process left")
    backfill(settings, request(folder, GREEN, MAY))
    names = {kept.name for kept in leftover.parent.iterdir()}
    assert names == {path.name, f"{path.name}.json"}
    assert (leftover.parent / path.name).read_bytes() == path.read_bytes()
    assert len(amounts(settings, GREEN)) == 5000


def test_the_source_going_down_after_the_plan_fails_the_file_and_names_it(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAREGROUND_DOWNLOAD_ATTEMPTS", "1")
    settings = Settings()
    put_trips(folder, GREEN, [trip(GREEN)])
    with Server(served(folder)) as server:
        made = plan(settings, server.url, GREEN)
    jobs = Jobs(settings)
    work = jobs.start(made)
    jobs.join(30)
    (file,) = History(settings.history_path).files(work.run_id)
    assert file.state == "failed"
    assert GREEN.stem in file.reason
    with LocalWarehouse(settings) as warehouse:
        assert warehouse.records()[GREEN].latest.state == "failed"


def test_a_file_that_changes_after_the_plan_is_loaded_as_it_is_then(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    made = plan(settings, folder, GREEN)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="5"), trip(GREEN, PULocationID="7")])
    jobs = Jobs(settings)
    jobs.start(made)
    jobs.join(20)
    assert amounts(settings, GREEN) == ["5.00", "9.30"]
    assert not plan(settings, folder, GREEN).to_run


def test_a_month_the_source_lacks_is_unavailable_and_never_a_failed_run(
    settings: Settings, folder: Path
) -> None:
    state, files = backfill(settings, request(folder, GREEN, MAY))
    assert state == "nothing-to-do"
    assert {f.state for f in files.values()} == {"unavailable"}
    with LocalWarehouse(settings) as warehouse:
        assert {r.latest.state for r in warehouse.records().values()} == {"unavailable"}


def test_rows_stay_when_a_later_load_of_the_file_fails(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    put(folder, GREEN, b"<html>maintenance</html>")
    state, files = backfill(settings, request(folder, GREEN))
    assert (state, files[GREEN].state) == ("failed", "failed")
    assert amounts(settings, GREEN) == ["9.30"]
    put_trips(folder, GREEN, [trip(GREEN)])
    assert backfill(settings, request(folder, GREEN))[0] == "nothing-to-do"
    with LocalWarehouse(settings) as warehouse:
        assert warehouse.records()[GREEN].latest.state == "loaded"


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=SLOW)])
def test_cancelled_at_random_moments_the_tables_are_always_exact(
    settings: Settings, folder: Path, times: int
) -> None:
    chance = random.Random(times)
    versions = {
        "9.30": [trip(GREEN, PULocationID=n % 250) for n in range(20_000)],
        "1.00": [trip(GREEN, PULocationID=n % 250, total_amount="1") for n in range(20_000)],
    }
    jobs = Jobs(settings)
    for number in range(times):
        put_trips(folder, GREEN, versions[("9.30", "1.00")[number % 2]])
        work = jobs.start(plan(settings, folder, GREEN))
        time.sleep(chance.uniform(0, 0.5))
        work.cancel.set()
        jobs.join(10)
        assert jobs.current() is None
        found = rows(settings, "SELECT total_amount, count(*) FROM green_tripdata GROUP BY ALL")
        assert [count for _, count in found] in ([], [20_000])
    put_trips(folder, GREEN, versions["1.00"])
    backfill(settings, request(folder, GREEN, policy=Policy.ALL))
    assert rows(settings, "SELECT DISTINCT total_amount::VARCHAR FROM green_tripdata") == [
        ("1.00",)
    ]


def test_a_running_run_is_seen_by_others_and_gone_when_it_ends(
    settings: Settings, folder: Path
) -> None:
    path = put_trips(folder, YELLOW, [trip(YELLOW)])
    with Server(served(folder)) as server:
        server.behave(f"/{path.name}", stall_after=10)
        jobs = Jobs(settings)
        work = jobs.start(plan(settings, server.url, YELLOW))
        assert server.holding.wait(10)
        seen = running_run("local", settings)
        assert seen is not None
        assert seen.run_id == work.run_id
        assert Jobs(settings).current() is None  # another process has no thread to show
        assert running_run("local", settings) is not None  # and must not call it interrupted
        work.cancel.set()
        jobs.join(10)
    assert running_run("local", settings) is None


def test_a_run_can_carry_a_label(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    history = History(settings.history_path)
    (run,) = history.runs()
    history.set_label(run.run_id, "x" * 300)
    assert history.run(run.run_id) == replace(run, label="x" * 100)
