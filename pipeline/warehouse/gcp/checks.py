"""The doctor's checks of Google Cloud: the account, and each permission that a backfill needs.

To check a permission to write, something is written under a unique name and removed again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.core.checks import DoctorCheck
from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.gcp.errors import make_retry, reason_of, translated
from pipeline.warehouse.gcp.jobs import JobRunner
from pipeline.warehouse.gcp.location import CloudLocation, read_location

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud import bigquery, storage

_PATIENCE = 10.0  # seconds: for one response, and for repeating a request
_SET_UP = "Run `python -m pipeline setup --target gcp`, or press Set up on the Setup page."


def cloud_checks(settings: Settings) -> list[DoctorCheck]:
    """Return the checks of the warehouse; unusable settings make a check fail, not this call."""
    checks = _CloudChecks(settings)
    return [
        DoctorCheck("credentials", checks.check_credentials, needs=("settings",)),
        DoctorCheck("apis", checks.check_apis, needs=("credentials",)),
        DoctorCheck("bucket", checks.check_bucket, needs=("apis",)),
        DoctorCheck("dataset", checks.check_dataset, needs=("apis",)),
        DoctorCheck("jobs", checks.check_jobs, needs=("apis",)),
        DoctorCheck("region", checks.check_region, needs=("bucket", "dataset")),
        DoctorCheck("objects", checks.check_objects, needs=("bucket",)),
        DoctorCheck("tables", checks.check_tables, needs=("dataset",)),
        DoctorCheck("changes", checks.check_changes, needs=("tables",), seconds=60),
    ]


class _CloudChecks:
    """The checks, with the clients that they share."""

    def __init__(self, settings: Settings) -> None:
        patience = min(_PATIENCE, settings.gcp_retry_seconds)
        self._settings = settings.model_copy(update={"gcp_retry_seconds": patience})
        self._name = f"fareground_doctor_{secrets.token_hex(4)}"

    @cached_property
    def location(self) -> CloudLocation:
        return read_location(self._settings)

    @cached_property
    def _credentials(self) -> Credentials:
        return self.location.credentials()

    @cached_property
    def _tables(self) -> bigquery.Client:
        from google.cloud import bigquery

        location = self.location
        return bigquery.Client(
            location.project, credentials=self._credentials, location=location.region
        )

    @cached_property
    def _objects(self) -> storage.Client:
        from google.cloud import storage

        return storage.Client(self.location.project, credentials=self._credentials)

    @property
    def _retry(self) -> Retry:
        return make_retry(self._settings.gcp_retry_seconds)

    @property
    def _dataset(self) -> str:
        return f"{self.location.project}.{self.location.dataset}"

    def check_credentials(self) -> str:
        """Request a token, as every call does, and name its account."""
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import Request

        credentials = self._credentials
        if isinstance(credentials, AnonymousCredentials):
            return "The emulators need none."
        with _token_explained():
            credentials.refresh(Request())
        account = getattr(credentials, "service_account_email", "") or "your own Google account"
        kind = "GCP_CREDS" if self.location.key else "Application Default Credentials"
        return f"{kind} are accepted: {account}."

    def check_apis(self) -> str:
        """Send both services a free request; only a disabled API fails this check."""
        from google.api_core.exceptions import Forbidden, NotFound

        location = self.location
        requests: dict[str, Callable[[], object]] = {
            "bigquery.googleapis.com": lambda: self._tables.get_dataset(
                self._dataset, retry=self._retry, timeout=_PATIENCE
            ),
            "storage.googleapis.com": self._find_bucket,
        }
        for api, send in requests.items():
            with translated(location, f"ask {api}"):
                try:
                    send()
                except (NotFound, Forbidden) as error:
                    if _is_disabled(error):
                        raise WarehouseError(
                            f"The API {api} is not enabled in the project {location.project}.",
                            cure=f"Run gcloud services enable {' '.join(requests)} --project "
                            f"{location.project} and wait a minute.",
                        ) from None
        return "Cloud Storage and BigQuery answer."

    def check_bucket(self) -> str:
        """Find the bucket, and say whether it has uniform access."""
        location = self.location
        with self._explained(f"read the bucket {location.bucket}"):
            bucket = self._find_bucket()
        uniform = bucket.iam_configuration.uniform_bucket_level_access_enabled
        return f"{location.bucket} exists, {'with' if uniform else 'without'} uniform access."

    def check_dataset(self) -> str:
        """Find the dataset."""
        with self._explained(f"read the dataset {self.location.dataset}"):
            self._tables.get_dataset(self._dataset, retry=self._retry, timeout=_PATIENCE)
        return f"{self.location.dataset} is there."

    def check_region(self) -> str:
        """Compare the regions of bucket, dataset and settings: they must be one."""
        from pipeline.warehouse.gcp.setup import require_one_region

        with self._explained("compare the regions"):
            require_one_region(self._tables, self._objects, self.location, self._retry)
        return f"Bucket and dataset are in {self.location.region}, as GCP_LOCATION says."

    def check_objects(self) -> str:
        """Write, read and delete an object."""
        blob = self._objects.bucket(self.location.bucket).blob(f"{self._name}.txt")
        wanted = b"written by Fareground's doctor"
        with self._explained("write, read and delete an object"):
            blob.upload_from_string(
                wanted, retry=self._retry, timeout=_PATIENCE, if_generation_match=0
            )
            try:
                read = blob.download_as_bytes(retry=self._retry, timeout=_PATIENCE)
            finally:
                blob.delete(retry=self._retry, timeout=_PATIENCE)
        if read != wanted:
            raise WarehouseError(
                f"An object of {self.location.bucket} was read back with other content.",
                cure="Check whether a proxy or a lifecycle rule changes objects there.",
            )
        return "An object was written, read and deleted."

    def check_jobs(self) -> str:
        """Run the smallest query job."""
        self._runner().run("doctor", "run a job", "SELECT 1")
        return "A query job ran."

    def check_tables(self) -> str:
        """Create a table and drop it."""
        with self._throwaway_table("tables"):
            pass
        return "A table was created and dropped."

    def check_changes(self) -> str:
        """Delete from an empty table, which BigQuery refuses without billing (its sandbox)."""
        with self._throwaway_table("changes") as table:
            self._runner().run("doctor", "change rows", f"DELETE FROM `{table}` WHERE TRUE")
        return "Rows can be changed: billing is enabled."

    def _find_bucket(self) -> storage.Bucket:
        return self._objects.get_bucket(self.location.bucket, retry=self._retry, timeout=_PATIENCE)

    def _runner(self) -> JobRunner:
        return JobRunner(self._tables, self.location, self._settings, None, run="doctor")

    @contextmanager
    def _throwaway_table(self, use: str) -> Iterator[str]:
        from datetime import UTC, datetime, timedelta

        from google.cloud import bigquery

        name = f"{self._dataset}.{self._name}_{use}"
        table = bigquery.Table(name, [bigquery.SchemaField("x", "INTEGER")])
        table.expires = datetime.now(UTC) + timedelta(hours=1)  # in case it cannot be dropped
        with self._explained("create and drop a table"):
            self._tables.create_table(table, retry=self._retry, timeout=_PATIENCE)
            try:
                yield name
            finally:
                self._tables.delete_table(
                    name, retry=self._retry, timeout=_PATIENCE, not_found_ok=True
                )

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Translate errors like `translated`, with `setup` as the cure for what does not exist."""
        from google.api_core.exceptions import NotFound

        with translated(self.location, doing):
            try:
                yield
            except NotFound:
                raise WarehouseError(
                    f"Could not {doing}: it does not exist.", cure=_SET_UP
                ) from None


def _is_disabled(error: Exception) -> bool:
    # The word depends on the format of the error: Cloud Storage's, or google.rpc.ErrorInfo.
    words = {reason_of(error), str(getattr(error, "reason", ""))}
    return not words.isdisjoint({"accessNotConfigured", "SERVICE_DISABLED"})


@contextmanager
def _token_explained() -> Iterator[None]:
    """Explain why a token was refused by the service's error code; never quote its response."""
    from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

    try:
        yield
    except TransportError:
        raise WarehouseError(
            "Google's token service cannot be reached.", cure="Check the network and proxies."
        ) from None
    except RefreshError as error:
        word = re.search(r"\b(invalid_[a-z_]+|unauthorized_client|account_disabled)\b", str(error))
        raise WarehouseError(
            f"Google does not accept the credentials{f' ({word[1]})' if word else ''}: they "
            "expired, were revoked, or this machine's clock is wrong.",
            cure="Create a new key for GCP_CREDS, or run gcloud auth application-default login.",
        ) from None
    except GoogleAuthError as error:
        raise WarehouseError(
            f"The credentials cannot be used ({type(error).__name__}).",
            cure="Create a new key for GCP_CREDS, or run gcloud auth application-default login.",
        ) from None
