"""Faults on the way to Cloud Storage, and those that do not pass; what is sent is pinned.

The faults on the way to BigQuery that do pass are in test_google.py, expired tokens in
test_tokens.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse import LoadJob, LoadMonitor
from pipeline.warehouse.gcp.stage import CHUNK
from pipeline.warehouse.registry import open_warehouse
from tests.support.files import GREEN, TARGETS, amounts, load, put_trips, rows, stage_from, trip
from tests.support.gcp.proxy import Fault, Proxy


def own_object(settings: Settings, ending: str = "csv") -> Any:
    """The object that the month was uploaded to."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client("p", credentials=AnonymousCredentials())
    found = client.bucket(settings.gcp_bucket_name).get_blob(f"green/{GREEN.stem}.{ending}")
    assert found is not None
    return found


@pytest.fixture
def settings(gcp_settings: Settings) -> Settings:
    TARGETS[gcp_settings.home] = "gcp"
    return gcp_settings


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/upload/", 503),
        Fault("POST", "/upload/", 429, "rateLimitExceeded"),
        Fault("GET", "/o/", 503),
        Fault("GET", "/o/", reset=True),
    ],
    ids=lambda fault: f"{fault.method}{fault.part}{fault.status or 'reset'}".replace("/", "-"),
)
def test_a_passing_fault_of_the_bucket_is_retried(
    settings: Settings, folder: Path, objects: Proxy, fault: Fault
) -> None:
    put_trips(folder, GREEN, [trip(GREEN), trip(GREEN, PULocationID="7")])
    objects.faults.append(Fault(**vars(fault) | {"times": 2}))
    entry = load(folder, GREEN, settings)
    assert objects.faults[0].times == 0
    assert (entry.rows, entry.inserted) == (2, 2)


def test_an_upload_whose_answer_was_lost_is_found_to_be_our_own(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    objects.faults.append(Fault("POST", "/upload/", reset=True))
    entry = load(folder, GREEN, settings)
    # Repeated, it was refused: an object is there now. It is ours.
    assert len([a for a in objects.addresses if "/upload/" in a]) == 2
    assert (entry.rows, amounts(settings, GREEN)) == (1, ["9.30"])


@pytest.mark.parametrize("fault", [Fault("PUT", "/upload/", 503), Fault("PUT", "/upload/", 429)])
def test_a_large_upload_goes_in_pieces_and_resumes_at_the_one_that_failed(
    settings: Settings, folder: Path, objects: Proxy, fault: Fault
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)] * 120_000, "csv")
    staged = stage_from(folder, GREEN, settings)
    assert CHUNK < staged.bytes < 2 * CHUNK
    objects.faults.append(Fault(**vars(fault) | {"times": 2}))
    told: list[float | None] = []
    watch = LoadMonitor(on_step=lambda _, share: told.append(share()))
    with open_warehouse("gcp", settings) as warehouse:
        warehouse.upload(staged, watch)
    pieces = [a for a in objects.addresses if a.startswith("PUT")]
    assert (len(pieces), told) == (4, [0.0])  # two pieces, and two answers that were refusals
    found = own_object(settings)
    assert (found.size, found.metadata["sha256"]) == (staged.bytes, staged.sha256)


def test_an_upload_names_the_version_it_replaces_and_its_checksum(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    with open_warehouse("gcp", settings) as warehouse:
        warehouse.upload(stage_from(folder, GREEN, settings), LoadMonitor())
        first = own_object(settings, "csv.gz")
        put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
        staged = stage_from(folder, GREEN, settings)
        warehouse.upload(staged, LoadMonitor())
    begun = [a for a in objects.addresses if a.startswith("POST") and "/upload/" in a]
    assert len(begun) == 2
    assert "ifGenerationMatch=0" in begun[0]
    assert f"ifGenerationMatch={first.generation}" in begun[1]
    assert own_object(settings, "csv.gz").metadata["sha256"] == staged.sha256
    assert b'"crc32c"' in objects.uploads[0]


def test_a_bucket_that_stays_away_fails_the_file_with_a_cure_and_changes_nothing(
    settings: Settings, folder: Path, objects: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    objects.faults.append(Fault("POST", "/upload/", 503, times=1000))
    hurried = settings.model_copy(update={"gcp_retry_seconds": 1.0})
    with pytest.raises(WarehouseError, match=r"in several attempts.*Run the backfill again"):
        load(folder, GREEN, hurried)
    objects.faults.clear()
    assert load(folder, GREEN, settings).inserted == 1


def test_a_service_that_stays_away_fails_the_file_with_a_cure_and_changes_nothing(
    settings: Settings, folder: Path, tables: Proxy
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    away = Fault("POST", "/jobs", 503, times=1000, said="-merge-")
    tables.faults.append(away)
    hurried = settings.model_copy(update={"gcp_retry_seconds": 1.0})
    with pytest.raises(WarehouseError, match=r"in several attempts.*Run the backfill again"):
        load(folder, GREEN, hurried)
    tables.faults.clear()
    assert amounts(settings, GREEN) == ["9.30"]
    assert rows(settings, "SELECT COUNT(*) FROM load_ledger") == [(1,)]


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("quotaExceeded", "Quota exceeded: too many DML statements", r"quota .* is used up.*Wait"),
        ("accessDenied", "Access Denied: Table t", r"access is denied.*roles"),
        (
            "invalid",
            "Cannot read and write in different locations: source: EU, destination: US",
            r"must be in one region",
        ),
        ("bytesBilledLimitExceeded", "Query exceeded limit", "GCP_MAXIMUM_BYTES_BILLED"),
        ("timeout", "Operation timed out after 600.0 seconds", "GCP_JOB_TIMEOUT_SECONDS"),
    ],
)
def test_a_job_that_ends_with_a_refusal_is_asked_for_once_and_said_with_its_cure(
    settings: Settings, folder: Path, tables: Proxy, reason: str, message: str, said: str
) -> None:
    put_trips(folder, GREEN, [trip(GREEN)])
    load(folder, GREEN, settings)
    put_trips(folder, GREEN, [trip(GREEN, total_amount="1")])
    tables.faults.append(
        Fault("POST", "/jobs", reason=reason, message=message, job_error=True, said="-merge-")
    )
    before = len(tables.jobs())
    with open_warehouse("gcp", settings) as warehouse:
        staged = stage_from(folder, GREEN, settings)
        with pytest.raises(WarehouseError, match=said):
            warehouse.load(staged, LoadJob("a-run", "s"), LoadMonitor())
    merges = [j for j in tables.jobs()[before:] if "-merge-" in j["jobReference"]["jobId"]]
    assert len(merges) == 1
    assert amounts(settings, GREEN) == ["9.30"]
