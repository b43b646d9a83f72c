"""`make test-cloud`: what it needs, and that nothing of it is left, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.gcp.emulators import LOCATION, PROJECT, Emulators

ROOT = Path(__file__).parents[3]
Look = Callable[[], list[str]]
ONE_TEST = "tests/warehouse/test_read.py::test_parameter_is_never_read_as_sql"


def environment(**variables: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GCP_", "BIGQUERY_"))}
    return kept | variables


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.gcp.cloud", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(emulators: Emulators) -> dict[str, str]:
    return emulators.environment | {"GCP_PROJECT_ID": PROJECT, "GCP_LOCATION": LOCATION}


@pytest.fixture
def left(emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Lists what is there of any such run."""
    for name, value in emulators.environment.items():
        monkeypatch.setenv(name, value)

    def look() -> list[str]:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery, storage

        anonymous = AnonymousCredentials()
        tables = bigquery.Client(PROJECT, credentials=anonymous)
        objects = storage.Client(PROJECT, credentials=anonymous)
        names = [found.dataset_id for found in tables.list_datasets()]
        names += [bucket.name for bucket in objects.list_buckets()]
        return [name for name in names if name.startswith(("fareground-test", "fareground_test"))]

    return look


def test_without_a_project_it_says_what_to_set() -> None:
    refused = run(STORAGE_EMULATOR_HOST="")
    assert refused.returncode == 2
    for name in ("GCP_CREDS", "GCP_PROJECT_ID", "GCP_LOCATION"):
        assert name in refused.stderr


def test_a_key_that_is_none_is_refused_before_anything_is_made() -> None:
    refused = run(GCP_CREDS="{}", GCP_PROJECT_ID=PROJECT, GCP_LOCATION=LOCATION)
    assert refused.returncode == 2
    assert "not a service account" in refused.stderr


def test_the_tests_run_in_a_bucket_and_datasets_of_their_own_that_are_removed(
    place: dict[str, str], left: Look
) -> None:
    passed = run(ONE_TEST, **place)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Testing in bucket fareground-test-" in passed.stdout
    assert left() == []


def test_they_are_removed_after_a_failure_too(place: dict[str, str], left: Look) -> None:
    failed = run(ONE_TEST, "--timeout", "0.01", **place)
    assert failed.returncode != 0
    assert "removed" in failed.stdout
    assert left() == []


def test_they_are_removed_when_it_is_terminated(place: dict[str, str], left: Look) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.support.gcp.cloud",
        "tests/warehouse/test_loading_rules.py",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(**place), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "Testing in bucket" in process.stdout.readline()
        deadline = time.monotonic() + 30
        while len(left()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(left()) >= 2
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert left() == []
