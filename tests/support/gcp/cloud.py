"""The contract tests in a real Google Cloud project: `make test-cloud`.

Everything happens in a bucket and in datasets made for this run, whose names begin alike. They are
removed when it ends, also after a failure or Ctrl-C; what a killed run leaves is emptied by Google
within a day. Further arguments go to pytest.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.gcp.errors import translated
from pipeline.warehouse.gcp.location import CloudLocation, read_location

if TYPE_CHECKING:
    import pytest

TESTS = (
    "tests/warehouse/test_loading_rules.py",
    "tests/warehouse/test_read.py",
    "tests/warehouse/gcp/test_crash.py",
)
RUN = "FAREGROUND_TEST_CLOUD"  # set for the tests: the name of this run
NEEDED = ("GCP_CREDS", "GCP_PROJECT_ID", "GCP_LOCATION")
EMULATED = ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Throwaway:
    """A bucket, and datasets with one beginning, in the project that the environment names."""

    run: str
    variables: dict[str, str]

    @property
    def bucket(self) -> str:
        return f"fareground-test-{self.run}"

    def dataset(self, number: int | str) -> str:
        return f"fareground_test_{self.run}_{number}"

    @property
    def place(self) -> CloudLocation:
        """Where the first dataset is; raises UsageError for settings that cannot be."""
        return read_location(Settings.model_validate(self.names(0)))

    def clients(self) -> tuple[Any, Any]:
        """The clients of both services, with the credentials of the settings."""
        from google.cloud import bigquery, storage

        place, credentials = self.place, self.place.credentials()
        return (
            bigquery.Client(place.project, credentials=credentials, location=place.region),
            storage.Client(place.project, credentials=credentials),
        )

    def names(self, number: int) -> dict[str, str]:
        """The settings of one test, as environment variables."""
        named = {"GCP_BUCKET_NAME": self.bucket, "GCP_DATASET": self.dataset(number)}
        return self.variables | named

    def make_bucket(self) -> None:
        """Make the bucket; its objects would go by themselves after a day."""
        _, objects = self.clients()
        bucket = objects.bucket(self.bucket)
        bucket.add_lifecycle_delete_rule(age=1)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.labels = {"app": "fareground", "kind": "test"}
        objects.create_bucket(bucket, location=self.variables["GCP_LOCATION"])

    def make_dataset(self, number: int) -> None:
        """Make a test's dataset; its tables would go by themselves after a day."""
        from google.cloud import bigquery

        tables, _ = self.clients()
        dataset = bigquery.Dataset(f"{tables.project}.{self.dataset(number)}")
        dataset.location = self.variables["GCP_LOCATION"]
        dataset.default_table_expiration_ms = DAY_MS
        dataset.labels = {"app": "fareground", "kind": "test"}
        tables.create_dataset(dataset)

    def remove(self) -> None:
        """Remove the bucket and all datasets of this run."""
        from google.api_core.exceptions import BadRequest
        from google.api_core.retry import Retry, if_exception_type

        # A statement of tests that were stopped may still run and change a dataset: the emulator
        # refuses to delete it meanwhile.
        retry = Retry(if_exception_type(BadRequest), timeout=30)
        tables, objects = self.clients()
        for item in tables.list_datasets():
            if item.dataset_id.startswith(self.dataset("")):
                tables.delete_dataset(
                    item.reference, delete_contents=True, not_found_ok=True, retry=retry
                )
        if objects.lookup_bucket(self.bucket) is not None:
            for blob in objects.list_blobs(self.bucket):
                blob.delete()
            objects.bucket(self.bucket).delete()


def throwaway(environment: dict[str, str]) -> Throwaway | None:
    """The run that these tests belong to, if it is one in a real project."""
    run = environment.get(RUN)
    variables = {name: environment[name] for name in NEEDED if environment.get(name)}
    return Throwaway(run, variables) if run else None


def throwaway_settings(
    place: Throwaway, home: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Make a dataset, and return settings that lead there, through the environment."""
    for name, value in place.names(number).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FAREGROUND_HOME", str(home))
    place.make_dataset(number)
    return Settings()


def main(arguments: list[str]) -> int:
    """Run the tests and clean up; returns pytest's exit code, or 2 when nothing could be run."""
    emulated = all(os.environ.get(name) for name in EMULATED)
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if emulated:
        missing = [name for name in missing if name != "GCP_CREDS"]
    if missing:
        print(
            f"`make test-cloud` needs {', '.join(missing)}: a service account's JSON key (raw, "
            "base64 or a path), the id of a project to test in, and a location such as US.\n"
            "Set them and run it again; `make test-gcp` tests on emulators, without a project.",
            file=sys.stderr,
        )
        return 2
    place = throwaway(dict(os.environ) | {RUN: secrets.token_hex(4)})
    assert place is not None
    # Terminated, it cleans up as when it is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with translated(place.place, f"make the bucket {place.bucket}"):
            place.make_bucket()
    except FaregroundError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Testing in bucket {place.bucket} and datasets {place.dataset('*')}.", flush=True)
    try:
        command = [sys.executable, "-m", "pytest", "-m", "gcp and not slow", "--timeout", "1800"]
        tests = [] if any(part.startswith("tests/") for part in arguments) else list(TESTS)
        done = subprocess.run(
            [*command, *tests, *arguments], env=os.environ | {RUN: place.run}, check=False
        )
        return done.returncode
    except KeyboardInterrupt:
        return 130
    finally:
        place.remove()
        print("The bucket and the datasets of this run are removed.", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
