"""Uploads: beside the load of another file, told in bytes, cancelled, and never twice."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.runs.backfill import Backfill, prepare_plan, run_backfill
from pipeline.runs.history import History
from pipeline.runs.jobs import Jobs
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import RunFile, Step
from tests.support.files import GREEN, TARGETS, amounts, put_trips, request, rows, trip
from tests.support.gcp.emulators import Emulators
from tests.support.gcp.proxy import Fault, Proxy, proxy_before

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))
JUNE = TripFile(GREEN_TAXIS, Month(2020, 6))
ALL = (GREEN, MAY, JUNE)


@pytest.fixture
def settings(gcp_settings: Settings) -> Settings:
    TARGETS[gcp_settings.home] = "gcp"
    return gcp_settings


def work_of(settings: Settings, folder: Path, *files: TripFile, **options: Any) -> Backfill:
    asked = replace(request(folder, *files, **options), target="gcp")
    return Backfill(prepare_plan(asked, settings), settings, "command line")


def steps_of(settings: Settings, run_id: str) -> dict[tuple[TripFile, str], Step]:
    return {(s.file, s.step): s for s in History(settings.history_path).steps(run_id)}


def files_of(settings: Settings, run_id: str) -> dict[TripFile, RunFile]:
    return {f.file: f for f in History(settings.history_path).files(run_id)}


def test_the_next_file_is_uploaded_while_one_loads(settings: Settings, folder: Path) -> None:
    for file in ALL:
        put_trips(folder, file, [trip(file, PULocationID=n % 250) for n in range(5_000)])
    work = work_of(settings, folder, *ALL)
    assert run_backfill(work, settings) == "succeeded"
    steps = steps_of(settings, work.run_id)
    for loading, coming in ((GREEN, MAY), (MAY, JUNE)):
        assert steps[coming, "upload"].started_at < steps[loading, "merge"].finished_at
        assert steps[coming, "upload"].finished_at < steps[coming, "extract"].started_at
    assert [s for file, s in steps if file == JUNE] == ["download", "upload", "extract", "merge"]
    assert rows(settings, "SELECT COUNT(*) FROM green_tripdata") == [(15_000,)]


def test_a_file_that_will_not_be_loaded_is_not_uploaded(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    for file in (GREEN, MAY):
        put_trips(folder, file, [trip(file)])
    assert run_backfill(work_of(settings, folder, GREEN, MAY), settings) == "succeeded"
    before = len(objects.seen)
    (folder / f"{GREEN.stem}.csv.gz").touch()  # to be read again, and then found the same
    again = work_of(settings, folder, GREEN, MAY, policy=Policy.ALL)
    assert run_backfill(again, settings) == "nothing-to-do"
    assert [path for _, path, _ in objects.seen[before:] if "/o" in path] == []


def test_an_upload_that_fails_fails_its_own_file_only(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    for file in ALL:
        put_trips(folder, file, [trip(file)])
    objects.faults.append(Fault("POST", f"%2F{MAY.stem}", 403, "forbidden"))
    objects.faults.append(Fault("POST", MAY.stem, 403, "forbidden"))
    objects.faults.append(Fault("GET", MAY.stem, 403, "forbidden", times=9))
    work = work_of(settings, folder, *ALL)
    assert run_backfill(work, settings) == "failed"
    files = files_of(settings, work.run_id)
    assert [files[file].state for file in ALL] == ["loaded", "failed", "loaded"]
    assert "access is denied" in files[MAY].reason
    assert not list(settings.staging.rglob("*.unpacked"))


def test_an_object_replaced_between_upload_and_load_is_sent_again(
    settings: Settings, folder: Path
) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    from pipeline.warehouse import LoadJob, LoadMonitor
    from pipeline.warehouse.registry import open_warehouse
    from tests.support.files import stage_from

    put_trips(folder, GREEN, [trip(GREEN)])
    staged = stage_from(folder, GREEN, settings)
    bucket = storage.Client("p", credentials=AnonymousCredentials()).bucket(
        settings.gcp_bucket_name
    )
    with open_warehouse("gcp", settings) as warehouse:
        warehouse.upload(staged, LoadMonitor())
        bucket.blob(f"green/{GREEN.stem}.csv.gz").upload_from_string("somebody else's")
        warehouse.load(staged, LoadJob("a-run", "s"), LoadMonitor())
    assert amounts(settings, GREEN) == ["9.30"]


def test_an_upload_tells_its_bytes_and_a_cancel_ends_the_run_while_one_hangs(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    path = put_trips(folder, GREEN, [trip(GREEN, PULocationID=n % 250) for n in range(2_000)])
    for file in (MAY, JUNE):
        put_trips(folder, file, [trip(file)])
    objects.faults.append(Fault("POST", "/upload/", hold=6.0))
    asked = replace(request(folder, *ALL), target="gcp")
    jobs = Jobs(settings)
    work = jobs.start(prepare_plan(asked, settings))
    deadline = time.monotonic() + 20
    while work.snapshot().files[0].step != "upload" and time.monotonic() < deadline:
        time.sleep(0.02)
    now = work.snapshot().files[0]
    assert now.bytes_total == path.stat().st_size
    assert now.bytes_transferred() is not None
    time.sleep(0.5)  # the send itself is under way by now
    pressed = time.monotonic()
    work.cancel.set()
    jobs.join(10)
    assert time.monotonic() - pressed < 4.0  # the send hangs for 6
    assert work.state == "cancelled"
    assert {f.state for f in files_of(settings, work.run_id).values()} == {"cancelled"}
    for thread in threading.enumerate():  # the send that was left behind, so that the proxy can go
        if thread.name.startswith("fetch "):
            thread.join(15)
    assert not list(settings.staging.rglob("*.unpacked"))


def test_what_bigquery_charged_is_kept_for_each_file_also_when_it_failed(
    settings: Settings, folder: Path, emulators: Emulators, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (GREEN, MAY):
        put_trips(folder, file, [trip(file)])
    with proxy_before(emulators.bigquery) as tables:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", tables.url)
        work = work_of(settings, folder, GREEN, MAY)
        broken = Fault("POST", "/jobs", reason="invalidQuery", message="no", job_error=True)
        tables.faults.append(replace(broken, said=f"{MAY.stem}-merge-"))
        assert run_backfill(work, settings) == "failed"
    files = files_of(settings, work.run_id)
    assert [files[file].state for file in (GREEN, MAY)] == ["loaded", "failed"]
    for file in (GREEN, MAY):
        assert files[file].bytes_billed is not None
        assert files[file].slot_ms is not None
    (note,) = [
        line.message
        for line in History(settings.history_path).log_lines(work.run_id, GREEN)
        if line.message.startswith("loaded")
    ]
    assert f"{files[GREEN].bytes_billed:,} bytes billed" in note
