"""Bucket and dataset made as they should be, and a doctor who sees what Google Cloud refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.settings.settings import Settings, load_settings
from pipeline.ops.doctor.runner import CheckResult, run_checks
from pipeline.warehouse.gcp.checks import cloud_checks
from pipeline.warehouse.gcp.setup import set_up
from tests.conftest import cloud_number
from tests.support.gcp.proxy import Fault, Proxy


def examined() -> dict[str, CheckResult]:
    """What the doctor finds in the cloud, the settings being taken for granted."""
    checks = cloud_checks(load_settings())
    first = replace(checks[0], needs=())
    return {finding.name: finding for finding in run_checks([first, *checks[1:]])}


def test_setup_makes_a_bucket_and_a_dataset_of_one_region_and_then_changes_nothing(
    tables: Proxy, objects: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = cloud_number()
    monkeypatch.setenv("GCP_BUCKET_NAME", f"made-{number}")
    monkeypatch.setenv("GCP_DATASET", f"made_{number}")
    assert {examined()[name].state for name in ("bucket", "dataset")} == {"failed"}
    assert "pipeline setup --target gcp" in examined()["bucket"].cure
    said = set_up(load_settings())
    assert said == [
        f"The bucket made-{number} was created in US.",
        f"The dataset made_{number} was created in US.",
    ]
    (bucket,) = [b for method, path, b in objects.seen if method == "POST" and path.endswith("/b")]
    assert bucket["labels"] == {"app": "fareground"}
    assert bucket["location"] == "US"
    access = bucket["iamConfiguration"]
    assert access["uniformBucketLevelAccess"]["enabled"] is True
    assert access["publicAccessPrevention"] == "enforced"
    (dataset,) = [
        b for method, path, b in tables.seen if method == "POST" and path.endswith("/datasets")
    ]
    assert (dataset["location"], dataset["labels"]) == ("US", {"app": "fareground"})

    again = set_up(load_settings())
    assert again == [
        f"The bucket made-{number} already exists.",
        f"The dataset made_{number} already exists.",
    ]
    posts = [path for method, path, _ in [*objects.seen, *tables.seen] if method == "POST"]
    assert len([path for path in posts if path.endswith(("/b", "/datasets"))]) == 2


def test_the_doctor_finds_all_well_and_leaves_nothing_behind(gcp_settings: Settings) -> None:
    found = examined()
    assert {finding.state for finding in found.values()} == {"ok"}, found
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery, storage

    anonymous = AnonymousCredentials()
    project = gcp_settings.gcp_project_id
    objects = storage.Client(project, credentials=anonymous)
    assert list(objects.list_blobs(gcp_settings.gcp_bucket_name)) == []
    tables = bigquery.Client(project, credentials=anonymous)
    assert list(tables.list_tables(gcp_settings.gcp_dataset)) == []


def test_a_sandbox_that_refuses_changes_is_told_from_a_table_that_cannot_be_made(
    tables: Proxy,
) -> None:
    refused = Fault(
        "POST",
        "/jobs",
        job_error=True,
        reason="billingNotEnabled",
        message="Billing has not been enabled for this project. DML queries are not allowed.",
        times=2,  # the query job of the check before, or this one: both say so
    )
    tables.faults.append(refused)
    found = examined()
    assert found["tables"].state == "ok"
    assert found["changes"].state == "failed"
    assert "Enable billing" in found["changes"].cure


def test_an_api_that_is_off_stops_the_doctor_with_the_command_that_enables_it(
    tables: Proxy,
) -> None:
    tables.faults.append(
        Fault(
            "GET",
            "/datasets/",
            status=403,
            reason="accessNotConfigured",
            message="BigQuery API has not been used in project 1 before or it is disabled.",
            times=9,
        )
    )
    found = examined()
    assert found["apis"].state == "failed"
    assert "gcloud services enable bigquery.googleapis.com" in found["apis"].cure
    assert found["tables"].state == "skipped"


def test_a_denied_object_and_a_denied_table_each_name_the_roles_they_need(
    tables: Proxy, objects: Proxy
) -> None:
    objects.faults.append(
        Fault("POST", "/o", status=403, reason="forbidden", message="No.", times=9)
    )
    tables.faults.append(
        Fault("POST", "/tables", status=403, reason="accessDenied", message="No.", times=9)
    )
    found = examined()
    for name in ("objects", "tables"):
        assert found[name].state == "failed"
        assert "Storage Object Admin" in found[name].cure
    assert found["jobs"].state == "ok"


def test_another_region_than_the_buckets_is_named(
    gcp_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    del gcp_settings
    monkeypatch.setenv("GCP_LOCATION", "EU")
    found = examined()["region"]
    assert found.state == "failed"
    assert "GCP_LOCATION says EU" in found.message
    assert "one region" in found.cure
