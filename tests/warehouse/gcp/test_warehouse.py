"""The Google Cloud warehouse: what we send, and what a service that fails makes of it."""

from __future__ import annotations

import json
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.errors import Cancelled, WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.gcp.warehouse import GoogleWarehouse
from pipeline.warehouse.registry import open_warehouse
from tests.conftest import cloud_number
from tests.support.command import pipeline
from tests.support.files import GREEN, TARGETS, amounts, load, put_trips, rows, stage_from, trip
from tests.support.gcp.emulators import Emulators, cloud_settings
from tests.support.gcp.proxy import Fault, Proxy
from tests.warehouse.test_loading_rules import BAD_CELLS

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


@pytest.fixture
def settings(gcp_settings: Settings) -> Settings:
    TARGETS[gcp_settings.home] = "gcp"
    return gcp_settings


def own_tables(settings: Settings) -> set[str]:
    """The tables in the dataset that are not the warehouse's."""
    with GoogleWarehouse(settings) as warehouse:
        found = {table for table in warehouse._existing_tables() if table.startswith("load_")}
    return found - {"load_ledger"}


def test_every_bad_cell_is_a_reject_with_the_line_and_reason_the_local_warehouse_gives(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    good = [trip(GREEN, PULocationID=n % 250) for n in range(1400)]
    bad = [trip(GREEN, **{column: cell}) for column, cell in BAD_CELLS]
    put_trips(folder, GREEN, [*good[:50], *bad, *good[50:]])
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.rejected) == (1400, len(bad))
    wanted = "SELECT line, reason, content FROM rejects ORDER BY line"
    rejects = rows(settings, wanted)
    assert [line for line, _, _ in rejects] == [52 + n for n in range(len(bad))]
    local = settings.model_copy(update={"home": tmp_path / "local"})
    load(folder, GREEN, local)
    assert rows(local, wanted) == rejects


def test_amounts_round_half_away_from_zero_and_are_counted(
    settings: Settings, folder: Path
) -> None:
    cells = ["1.005", "-1.005", "1.0049999", "7.10", ".45", "7", "1e2", "9999999.99"]
    put_trips(folder, GREEN, [trip(GREEN, total_amount=cell) for cell in cells])
    entry = load(folder, GREEN, settings)
    assert amounts(settings, GREEN) == sorted(
        ["1.01", "-1.01", "1.00", "7.10", "0.45", "7.00", "100.00", "9999999.99"]
    )
    assert entry.rounded == 3


def test_every_job_is_labelled_limited_and_under_an_id_of_its_own(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    jobs = [job for job in tables.jobs() if "query" in job["configuration"]]
    assert len(jobs) == 6
    assert len({job["jobReference"]["jobId"] for job in jobs}) == len(jobs)
    for job in jobs:
        configuration = job["configuration"]
        assert configuration["query"]["maximumBytesBilled"] == str(20 * 2**30)
        assert configuration["jobTimeoutMs"] == "600000"
        assert configuration["labels"]["app"] == "fareground"
        assert job["jobReference"]["location"] == "US"
    labels = jobs[-1]["configuration"]["labels"]
    assert labels["run"] == "a-run"
    assert labels["file"] == "green_tripdata_2020-04"
    assert labels["step"] == "merge"


def test_the_merge_names_the_months_it_touches_as_constants_old_strays_included(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    stray = trip(GREEN, pickup="2008-12-31 23:00:00")
    put_trips(folder, GREEN, [trip(GREEN), stray])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, pickup="2020-05-01 00:00:00")])
    entry = load(folder, GREEN, settings)
    assert (entry.inserted, entry.deleted, entry.unchanged) == (1, 1, 1)
    merge = tables.jobs()[-1]["configuration"]["query"]["query"]
    months = (
        "(loaded.lpep_pickup_datetime >= TIMESTAMP '2008-12-01 00:00:00+00'"
        " AND loaded.lpep_pickup_datetime < TIMESTAMP '2009-01-01 00:00:00+00')"
        " OR (loaded.lpep_pickup_datetime >= TIMESTAMP '2020-04-01 00:00:00+00'"
        " AND loaded.lpep_pickup_datetime < TIMESTAMP '2020-06-01 00:00:00+00')"
    )
    assert f"loaded.filename = @filename\n    AND ({months})" in merge
    assert merge.startswith("BEGIN TRANSACTION;")
    assert merge.index("MERGE INTO") < merge.index("INSERT INTO load_ledger")
    assert merge.endswith("COMMIT TRANSACTION;")


def test_an_upload_replaces_only_the_version_it_looked_at_and_is_not_repeated(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    sent = [path for _, path, _ in objects.seen if "/upload/" in path]
    load(folder, GREEN, settings)
    assert [path for _, path, _ in objects.seen if "/upload/" in path] == sent
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    load(folder, GREEN, settings)
    uploads = [path for method, path, _ in objects.seen if method == "POST" and "/upload/" in path]
    assert len(uploads) == 2


def test_somebody_elses_newer_object_is_not_overwritten(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    objects.faults.append(Fault("POST", "/upload/", 412, "conditionNotMet"))
    with pytest.raises(WarehouseError, match="changed by another process"):
        load(folder, GREEN, settings)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/jobs", 503),
        Fault("POST", "/jobs", 429, "rateLimitExceeded"),
        Fault("GET", "/jobs/", 503),
        Fault("GET", "/jobs/", reset=True),
    ],
    ids=lambda fault: f"{fault.method}-{fault.status or 'reset'}",
)
def test_a_passing_fault_is_retried_and_no_row_doubles(
    settings: Settings, folder: Path, tables: Proxy, fault: Fault
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="8")])
    tables.faults.append(Fault(**vars(fault) | {"times": 2}))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.inserted, entry.deleted) == (2, 1, 1)
    assert amounts(settings, GREEN) == ["9.30", "9.30"]


def test_an_answer_lost_after_a_job_was_accepted_loads_nothing_twice(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    tables.faults.append(Fault("POST", "/jobs", reset=True, times=100, once=True))
    entry = load(folder, GREEN, settings)
    assert (entry.rows, entry.inserted) == (2, 2)
    asked = [job["jobReference"]["jobId"] for job in tables.jobs()]
    assert len(asked) > len(set(asked))  # each was asked for again, under the same id
    tables.faults.clear()
    assert amounts(settings, GREEN) == ["9.30", "9.30"]
    assert rows(settings, "SELECT COUNT(*) FROM load_ledger") == [(1,)]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("backendError", "Error encountered during execution. Retrying may solve the problem."),
        ("invalidQuery", "Transaction is aborted due to concurrent update against table t."),
    ],
)
def test_a_job_that_failed_for_a_passing_reason_is_asked_for_again_under_another_id(
    settings: Settings, folder: Path, tables: Proxy, reason: str, message: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    fault = Fault("POST", "/jobs", reason=reason, message=message, job_error=True)
    watch = LoadMonitor(
        on_step=lambda step, _: tables.faults.append(fault) if step == "merge" else None
    )
    with open_warehouse("gcp", settings) as warehouse:
        entry = warehouse.load(stage_from(folder, GREEN, settings), LoadJob("a-run", "s"), watch)
    assert entry.inserted == 1
    first, second = (job["jobReference"]["jobId"] for job in tables.jobs()[-2:])
    assert (first[:-1], first[-1], second[-1]) == (second[:-1], "1", "2")
    assert amounts(settings, GREEN) == ["9.30"]


def test_a_load_that_another_one_overtook_compares_again(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    staged = stage_from(folder, GREEN, settings)
    other = tmp_path / "other"
    other.mkdir()
    put_trips(other, GREEN, [trip(GREEN, total_amount="1"), trip(GREEN, PULocationID="8")])
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    TARGETS[elsewhere.home] = "gcp"
    overtaken: list[str] = []

    def overtake(step: str, _fraction: Any) -> None:
        if step == "merge" and not overtaken:
            overtaken.append(step)
            assert load(other, GREEN, elsewhere).inserted == 2

    with open_warehouse("gcp", settings) as warehouse:
        entry = warehouse.load(staged, LoadJob("a-run", "s"), LoadMonitor(on_step=overtake))
    # Inserting as planned would have made four rows of the two.
    assert (entry.rows, entry.inserted, entry.updated, entry.deleted) == (2, 1, 1, 1)
    assert amounts(settings, GREEN) == ["9.30", "9.30"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("POST", "/jobs", 403, "quotaExceeded"), "quota .* is used up"),
        (Fault("POST", "/jobs", 403, "accessDenied"), "access is denied"),
        (Fault("POST", "/jobs", 401, "authError"), "does not accept the credentials"),
        (Fault("POST", "/jobs", 403, "billingNotEnabled"), "Enable billing"),
        (
            Fault("POST", "/jobs", 400, "invalid", "Cannot read and write in different locations:"),
            "must be in one region",
        ),
        (
            Fault("POST", "/jobs", 400, "bytesBilledLimitExceeded", "Query exceeded limit"),
            "GCP_MAXIMUM_BYTES_BILLED",
        ),
    ],
    ids=lambda value: value.reason if isinstance(value, Fault) else "",
)
def test_a_refusal_is_said_with_its_cure_and_nothing_is_left_behind(
    settings: Settings, folder: Path, tables: Proxy, fault: Fault, message: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    watch = LoadMonitor(
        on_step=lambda step, _: tables.faults.append(fault) if step == "merge" else None
    )
    with open_warehouse("gcp", settings) as warehouse:
        staged = stage_from(folder, GREEN, settings)
        with pytest.raises(WarehouseError, match=message):
            warehouse.load(staged, LoadJob("a-run", "s"), watch)
    tables.faults.clear()
    assert amounts(settings, GREEN) == ["9.30"]
    assert own_tables(settings) == set()


def test_bucket_and_dataset_in_different_regions_are_refused_before_anything_is_sent(
    settings: Settings, folder: Path
) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    put_trips(folder, GREEN, [trip(GREEN)])
    client = storage.Client("p", credentials=AnonymousCredentials())
    client.create_bucket("somewhere-else", location="EU")
    moved = settings.model_copy(update={"gcp_bucket_name": "somewhere-else"})
    TARGETS[moved.home] = "gcp"
    with pytest.raises(WarehouseError, match=r"is in EU.*one region"):
        load(folder, GREEN, moved)
    assert list(client.list_blobs("somewhere-else")) == []


def test_tables_of_the_same_names_that_are_not_ours_are_left_alone(
    settings: Settings, folder: Path
) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(settings.gcp_project_id, credentials=AnonymousCredentials())
    client.query_and_wait(f"CREATE TABLE {settings.gcp_dataset}.green_tripdata (VendorID STRING)")
    put_trips(folder, GREEN, [trip(GREEN)])
    with pytest.raises(WarehouseError, match="not Fareground's"):
        load(folder, GREEN, settings)


def test_a_cancel_answers_within_two_seconds_while_the_service_works(
    settings: Settings, folder: Path
) -> None:
    put_trips(folder, GREEN, (trip(GREEN, PULocationID=n % 250) for n in range(60_000)))
    staged = stage_from(folder, GREEN, settings)
    cancel = Cancel()
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        cancel.set()

    def press_soon(_step: str, _fraction: Any) -> None:
        threading.Timer(0.6, press).start()

    with open_warehouse("gcp", settings) as warehouse:
        warehouse.records()
        with pytest.raises(Cancelled):
            warehouse.load(staged, LoadJob("r", "s"), LoadMonitor(cancel, press_soon))
        assert time.monotonic() - pressed[0] < 2.0
    assert own_tables(settings) == set()


def test_the_temporary_tables_are_gone_after_a_load(settings: Settings, folder: Path) -> None:
    good = [trip(GREEN, PULocationID=n % 250) for n in range(200)]
    put_trips(folder, GREEN, [*good, trip(GREEN, VendorID="x")])
    assert load(folder, GREEN, settings).rejected == 1
    assert own_tables(settings) == set()


def test_both_warehouses_hold_the_same_ids_and_cents(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    rows_of = [
        trip(GREEN, PULocationID=n % 3, VendorID=(None, "1", "2.0")[n % 3], total_amount=f"{n}.{n}")
        for n in range(40)
    ]
    rows_of += [trip(GREEN, tip_amount=tip) for tip in ("", "-1", "0", "2.345")]
    put_trips(folder, GREEN, rows_of)
    assert_parity(folder, GREEN, settings, tmp_path)


def assert_parity(folder: Path, file: TripFile, settings: Settings, tmp_path: Path) -> None:
    local = settings.model_copy(update={"home": tmp_path / "local"})
    load(folder, file, local)
    load(folder, file, settings)
    everything = f"SELECT * FROM {file.dataset.table} ORDER BY unique_row_id"
    here, there = rows(local, everything), rows(settings, everything)
    assert len(here) == len(there) > 0
    assert here == there
    totals = f"SELECT SUM(total_amount) FROM {file.dataset.table}"
    assert rows(local, totals) == rows(settings, totals) != [(Decimal(0),)]


def test_a_key_in_the_settings_never_shows(
    monkeypatch: pytest.MonkeyPatch, emulators: Emulators, tmp_path: Path
) -> None:
    settings = cloud_settings(emulators, tmp_path / "home", cloud_number(), monkeypatch)
    key = {"type": "authorized_user", "private_key": "very-secret", "refresh_token": "hidden"}
    monkeypatch.setenv("GCP_CREDS", json.dumps(key))
    settings = Settings()
    assert "very-secret" not in repr(settings) + str(settings.model_dump())
    with pytest.raises(Exception, match="type authorized_user") as caught:
        open_warehouse("gcp", settings)
    assert "very-secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_command_line_runs_a_backfill_there_and_estimates_it_before(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    asked = ["backfill", "--color", "green", "--from", "2020-04", "--source", str(folder)]
    asked += ["--target", "gcp"]
    assert pipeline(settings, *asked, "--dry-run").returncode == 0
    assert pipeline(settings, *asked).returncode == 0
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    planned = pipeline(settings, *asked, "--policy", "all", "--dry-run")
    assert "to upload" in planned.stderr
    assert "$0.0000 at $6.25 per TiB" in " ".join(planned.stderr.split())
    estimate = tables.jobs()[-1]["configuration"]
    assert estimate["dryRun"] is True
    assert "TIMESTAMP '2020-04-01 00:00:00+00'" in estimate["query"]["query"]
    status = json.loads(pipeline(settings, "status", "--target", "gcp", "--json").stdout)
    assert (status["target"], status["files"][0]["rows"]) == ("gcp", 1)
    select = "SELECT COUNT(*) AS trips FROM green_tripdata"
    found = pipeline(settings, "query", select, "--target", "gcp", "--format", "json")
    assert json.loads(found.stdout) == [{"trips": 1}]
    refused = pipeline(settings, "query", "DELETE FROM rejects WHERE TRUE", "--target", "gcp")
    assert (refused.returncode, "only" in refused.stderr.lower()) == (2, True)
