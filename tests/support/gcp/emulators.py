"""Starting the emulators on free ports, and settings that lead to them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.core.settings.settings import Settings

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("FAREGROUND_EMULATORS", ROOT / ".venv-emulators")) / "bin" / "python"
PROJECT, LOCATION = "fareground-test", "US"


@dataclass(frozen=True)
class Emulators:
    """Where the services answer: Cloud Storage, BigQuery and BigQuery's Storage Read API."""

    storage: str
    bigquery: str
    reads: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the official clients find them."""
        return {
            "STORAGE_EMULATOR_HOST": self.storage,
            "BIGQUERY_EMULATOR_HOST": self.bigquery,
            "BIGQUERY_STORAGE_EMULATOR_HOST": self.reads,
        }


def require_emulators() -> None:
    """Skip the test where the second environment is not installed; fail it in CI."""
    if PYTHON.exists():
        return
    reason = "the BigQuery emulator is not installed; `make test-gcp` does it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running_emulators(folder: Path) -> Iterator[Emulators]:
    """Run both, with all they keep under `folder`."""
    from tests.support.gcp.storage_server import storage_server

    (folder / "gcs").mkdir()
    command = [PYTHON, Path(__file__).with_name("bigquery_server.py")]
    command += [folder / "gcs" / ".cloudstorage", folder / "bigquery"]
    with (
        storage_server(folder / "gcs") as storage,
        subprocess.Popen(
            list(map(str, command)),
            env={"HOME": str(folder), "PATH": ""},  # DuckDB unpacks its extensions into HOME
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "bigquery.log").open("w"),
            text=True,
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        answer = server.stdout.readline()
        assert answer, (folder / "bigquery.log").read_text()
        started = json.loads(answer)
        yield Emulators(storage, started["url"], started["storage"])
        server.stdin.close()
        server.wait(20)


def cloud_settings(
    emulators: Emulators, home: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Make a bucket and a dataset, and return settings that lead there, through the environment."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery, storage

    place = {
        "GCP_PROJECT_ID": PROJECT,
        "GCP_LOCATION": LOCATION,
        "GCP_BUCKET_NAME": f"trips-{number}",
        "GCP_DATASET": f"trips_{number}",
    }
    for name, value in (emulators.environment | place).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FAREGROUND_HOME", str(home))
    anonymous = AnonymousCredentials()
    objects = storage.Client(PROJECT, credentials=anonymous)
    objects.create_bucket(place["GCP_BUCKET_NAME"], location=LOCATION)
    bigquery.Client(PROJECT, credentials=anonymous).create_dataset(place["GCP_DATASET"])
    return Settings()


def drop_dataset(emulators: Emulators, settings: Settings) -> None:
    """Drop the dataset of `cloud_settings`: BigQuery's emulator slows down with every table."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(
        PROJECT,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": emulators.bigquery},
    )
    client.delete_dataset(str(settings.gcp_dataset), delete_contents=True, not_found_ok=True)
