"""The command `verify` between the two warehouses, and between BigQuery and staging."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.datasets import GREEN_TAXIS
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import Month, TripFile
from tests.support.command import pipeline
from tests.support.files import GREEN, TARGETS, YELLOW, backfill, put_trips, request, trip

pytestmark = pytest.mark.gcp

MAY = TripFile(GREEN_TAXIS, Month(2020, 5))


def change(settings: Settings, sql: str) -> None:
    """Change a BigQuery table without the loader."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(settings.gcp_project_id, credentials=AnonymousCredentials())
    client.query_and_wait(sql.replace("green_tripdata", f"{settings.gcp_dataset}.green_tripdata"))


@pytest.fixture
def both(gcp_settings: Settings, folder: Path) -> Settings:
    """Return settings under which both warehouses have loaded the same two files."""
    for file in (GREEN, YELLOW):
        rows = [trip(file, PULocationID=n % 50, total_amount=f"{n}.2") for n in range(200)]
        rows += [trip(file, VendorID=None, store_and_fwd_flag=None, fare_amount=f"-{n}.01")
                 for n in range(3)]  # fmt: skip
        put_trips(folder, file, rows)
    for target in ("local", "gcp"):
        TARGETS[gcp_settings.home] = target
        assert backfill(gcp_settings, request(folder, GREEN, YELLOW))[0] == "succeeded"
    return gcp_settings


def test_both_warehouses_have_equal_totals_and_fingerprints(both: Settings) -> None:
    result = pipeline(both, "verify", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["equal"], document["sides"]) == (True, ["local", "gcp"])
    for file in document["files"]:
        assert file["local"] == file["gcp"]
        assert (file["local"]["rows"], len(file["local"]["ids"])) == (203, 32)
    for target in ("local", "gcp"):
        staged = json.loads(pipeline(both, "verify", "--target", target, "--json").stdout)
        for file, before in zip(staged["files"], document["files"], strict=True):
            assert file["state"] == "equal"
            assert file["staging"] == file[target] == before[target]


def test_differences_between_warehouses_are_listed_by_row(both: Settings, folder: Path) -> None:
    put_trips(folder, MAY, [trip(MAY)])
    TARGETS[both.home] = "local"
    assert backfill(both, request(folder, MAY))[0] == "succeeded"
    change(both, "UPDATE green_tripdata SET tip_amount = 7 WHERE total_amount = 9.2")
    change(both, "DELETE FROM green_tripdata WHERE total_amount = 11.2")
    result = pipeline(both, "verify", "--color", "green", "--json")
    assert result.returncode == 1
    april, may = json.loads(result.stdout)["files"]
    assert (april["state"], april["different_rows"]) == ("different", 2)
    named = {tuple(row["times"]): row["columns"] for row in april["differences"]}
    assert named == {(1, 1): {"tip_amount": [0.0, 7.0]}, (1, 0): {}}
    assert (may["state"], may["reason"]) == ("different", "only local has it")
    words = pipeline(both, "verify", "--from", "2020-04").stdout
    assert "tip_amount is 0.0 in local, 7.0 in gcp" in words
    assert "only in local" in words
