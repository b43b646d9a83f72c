"""Background backfills: one at a time, cancelled within two seconds, resumed."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import UsageError, WarehouseBusy
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.backfill import prepare_plan, resume_request
from pipeline.runs.history import History
from pipeline.runs.jobs import Jobs
from pipeline.runs.locks import backfill_lock, find_running_run
from pipeline.runs.plan import Plan
from pipeline.runs.policy import Policy
from pipeline.warehouse.local.warehouse import LocalWarehouse
from tests.support.files import (
    GREEN,
    YELLOW,
    amounts,
    backfill,
    put,
    put_trips,
    request,
    rows,
    trip,
)
from tests.support.servers import Server

LONG = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


def plan(settings: Settings, source: object, *files: TripFile, policy: Policy = Policy.ALL) -> Plan:
    return prepare_plan(request(source, *files, policy=policy), settings)


def served(folder: Path) -> dict[str, bytes]:
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_background_run_is_recorded_in_history(settings: Settings, folder: Path) -> None:
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


def test_two_visitors_share_one_run_and_either_cancels_it(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    with Server(served(folder)) as server:
        server.behave(f"/{path.name}", stall_after=10)
        jobs = Jobs(settings)
        work = jobs.start(plan(settings, server.url, GREEN))
        assert server.holding.wait(10)
        with pytest.raises(WarehouseBusy, match=rf"{work.run_id}.*from the app"):
            jobs.start(plan(settings, folder, GREEN))
        current = jobs.current()
        assert current is work
        pressed = time.monotonic()
        current.cancel.set()
        jobs.join(10)
        assert time.monotonic() - pressed < 2
    assert work.state == "cancelled"
    assert jobs.current() is None
    assert amounts(settings, GREEN) == []


def test_backfill_is_refused_while_another_process_runs_one(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    made = plan(settings, folder, GREEN)
    with backfill_lock("local", settings), pytest.raises(WarehouseBusy, match="Another backfill"):
        Jobs(settings).start(made)
    assert Jobs(settings).start(made).run_id


def test_next_file_is_fetched_while_one_loads(settings: Settings, folder: Path) -> None:
    for file in (GREEN, MAY):
        put_trips(folder, file, [trip(file, PULocationID=n % 250) for n in range(60_000)])
    jobs = Jobs(settings)
    work = jobs.start(plan(settings, folder, GREEN, MAY))
    jobs.join(30)
    steps = History(settings.history_path).steps(work.run_id)
    april_loaded = next(s for s in steps if (s.file, s.step) == (GREEN, "commit"))
    may_fetched = next(s for s in steps if (s.file, s.step) == (MAY, "download"))
    assert may_fetched.started_at < april_loaded.started_at


def test_snapshot_counts_fetched_bytes_and_loaded_rows(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN)])
    jobs = Jobs(settings)
    work = jobs.start(plan(settings, folder, GREEN))
    jobs.join(20)
    now = work.snapshot()
    assert (now.done, now.total, now.rows) == (1, 1, 1)
    assert now.bytes_done == path.stat().st_size
    assert now.seconds_left == 0


def test_resume_runs_only_unfinished_files(settings: Settings, folder: Path) -> None:
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


def test_staging_holds_only_published_files_after_run(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(5000)])
    put(folder, MAY, b"not a trip file")
    leftover = settings.staging / "green" / f"{path.name}.unpacked"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half of what a killed process left")
    backfill(settings, request(folder, GREEN, MAY))
    names = {path.name for path in leftover.parent.iterdir()}
    assert names == {path.name, f"{path.name}.json"}
    assert (leftover.parent / path.name).read_bytes() == path.read_bytes()
    assert len(amounts(settings, GREEN)) == 5000


def test_source_down_after_plan_fails_file_and_names_source(
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


def test_file_changed_after_plan_loads_its_new_version(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    made = plan(settings, folder, GREEN)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="5"), trip(GREEN, PULocationID="7")])
    jobs = Jobs(settings)
    jobs.start(made)
    jobs.join(20)
    assert amounts(settings, GREEN) == ["5.00", "9.30"]
    assert not plan(settings, folder, GREEN).to_run


def test_month_absent_from_source_is_unavailable_without_failing_run(
    settings: Settings, folder: Path
) -> None:
    state, files = backfill(settings, request(folder, GREEN, MAY))
    assert state == "nothing-to-do"
    assert {f.state for f in files.values()} == {"unavailable"}
    with LocalWarehouse(settings) as warehouse:
        assert {r.latest.state for r in warehouse.records().values()} == {"unavailable"}


def test_failed_load_leaves_rows_of_earlier_load(settings: Settings, folder: Path) -> None:
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


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=LONG)])
def test_cancel_at_random_moment_leaves_exact_tables(
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
        amounts = rows(settings, "SELECT total_amount, count(*) FROM green_tripdata GROUP BY ALL")
        assert [count for _, count in amounts] in ([], [20_000])
    put_trips(folder, GREEN, versions["1.00"])
    backfill(settings, request(folder, GREEN, policy=Policy.ALL))
    assert rows(settings, "SELECT DISTINCT total_amount::VARCHAR FROM green_tripdata") == [
        ("1.00",)
    ]


def test_running_run_is_visible_until_it_ends(settings: Settings, folder: Path) -> None:
    path = put_trips(folder, YELLOW, [trip(YELLOW)])
    with Server(served(folder)) as server:
        server.behave(f"/{path.name}", stall_after=10)
        jobs = Jobs(settings)
        work = jobs.start(plan(settings, server.url, YELLOW))
        assert server.holding.wait(10)
        running = find_running_run("local", settings)
        assert running is not None
        assert running.run_id == work.run_id
        assert Jobs(settings).current() is None  # a new object has no thread
        assert find_running_run("local", settings) is not None  # not marked interrupted
        work.cancel.set()
        jobs.join(10)
    assert find_running_run("local", settings) is None


def test_label_of_run_is_cut_at_100_characters(settings: Settings, folder: Path) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    backfill(settings, request(folder, GREEN))
    history = History(settings.history_path)
    (run,) = history.runs()
    history.set_label(run.run_id, "x" * 300)
    assert history.run(run.run_id) == replace(run, label="x" * 100)
