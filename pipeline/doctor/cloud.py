"""Checks of Google Cloud: who we are, and whether we may do exactly what a backfill does.

What is written to check that it may be has a name of its own, and is removed again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.doctor import Check
from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.warehouse.google_errors import make_retry, reason_of, translated
from pipeline.warehouse.google_jobs import JobRunner
from pipeline.warehouse.google_place import Place, read_place

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud import bigquery, storage

_PATIENCE = 10.0  # seconds: for one answer, and for repeating a request
_SET_UP = "Run `python -m pipeline setup --target gcp`, or press Set up on the Setup page."


def cloud_checks(settings: Settings) -> list[Check]:
    """Return the checks, for settings that may not be usable."""
    examination = _Examination(settings)
    return [
        Check("credentials", examination.check_credentials, needs=("settings",)),
        Check("apis", examination.check_apis, needs=("credentials",)),
        Check("bucket", examination.check_bucket, needs=("apis",)),
        Check("dataset", examination.check_dataset, needs=("apis",)),
        Check("jobs", examination.check_jobs, needs=("apis",)),
        Check("region", examination.check_region, needs=("bucket", "dataset")),
        Check("objects", examination.check_objects, needs=("bucket",)),
        Check("tables", examination.check_tables, needs=("dataset",)),
        Check("changes", examination.check_changes, needs=("tables",), seconds=60),
    ]


class _Examination:
    """The checks, with the clients they share."""

    def __init__(self, settings: Settings) -> None:
        patience = min(_PATIENCE, settings.gcp_retry_seconds)
        self._settings = settings.model_copy(update={"gcp_retry_seconds": patience})
        self._name = f"fareground_doctor_{secrets.token_hex(4)}"

    @cached_property
    def place(self) -> Place:
        return read_place(self._settings)

    @cached_property
    def _credentials(self) -> Credentials:
        return self.place.credentials()

    @cached_property
    def _tables(self) -> bigquery.Client:
        from google.cloud import bigquery

        place = self.place
        return bigquery.Client(
            place.project, credentials=self._credentials, location=place.location
        )

    @cached_property
    def _objects(self) -> storage.Client:
        from google.cloud import storage

        return storage.Client(self.place.project, credentials=self._credentials)

    @property
    def _retry(self) -> Retry:
        return make_retry(self._settings.gcp_retry_seconds)

    @property
    def _dataset(self) -> str:
        return f"{self.place.project}.{self.place.dataset}"

    def check_credentials(self) -> str:
        """Get a token, as every call would, and say whose it is."""
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import Request

        found = self._credentials
        if isinstance(found, AnonymousCredentials):
            return "The emulators ask for none."
        with _token_explained():
            found.refresh(Request())
        account = getattr(found, "service_account_email", "") or "your own Google account"
        kind = "GCP_CREDS" if self.place.key else "Application Default Credentials"
        return f"{kind} are accepted: {account}."

    def check_apis(self) -> str:
        """Ask both services something free; only a switched-off one is a failure here."""
        from google.api_core.exceptions import Forbidden, NotFound

        place = self.place
        asked: dict[str, Callable[[], object]] = {
            "bigquery.googleapis.com": lambda: self._tables.get_dataset(
                self._dataset, retry=self._retry, timeout=_PATIENCE
            ),
            "storage.googleapis.com": self._find_bucket,
        }
        for api, ask in asked.items():
            with translated(place, f"ask {api}"):
                try:
                    ask()
                except (NotFound, Forbidden) as error:
                    if _is_switched_off(error):
                        raise WarehouseError(
                            f"The API {api} is not enabled in the project {place.project}.",
                            cure=f"Run gcloud services enable {' '.join(asked)} --project "
                            f"{place.project} and wait a minute.",
                        ) from None
        return "Cloud Storage and BigQuery answer."

    def check_bucket(self) -> str:
        place = self.place
        with self._explained(f"look at the bucket {place.bucket}"):
            found = self._find_bucket()
        plain = found.iam_configuration.uniform_bucket_level_access_enabled
        return f"{place.bucket} is there, {'with' if plain else 'without'} uniform access."

    def check_dataset(self) -> str:
        with self._explained(f"look at the dataset {self.place.dataset}"):
            self._tables.get_dataset(self._dataset, retry=self._retry, timeout=_PATIENCE)
        return f"{self.place.dataset} is there."

    def check_region(self) -> str:
        from pipeline.warehouse.google_setup import require_one_region

        with self._explained("compare the regions"):
            require_one_region(self._tables, self._objects, self.place, self._retry)
        return f"Bucket and dataset are in {self.place.location}, as GCP_LOCATION says."

    def check_objects(self) -> str:
        """Write, read and delete an object."""
        blob = self._objects.bucket(self.place.bucket).blob(f"{self._name}.txt")
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
                f"An object of {self.place.bucket} came back changed.",
                cure="See whether a proxy or a lifecycle rule changes what is stored there.",
            )
        return "An object was written, read and deleted."

    def check_jobs(self) -> str:
        self._runner().run("doctor", "run a job", "SELECT 1")
        return "A query job ran."

    def check_tables(self) -> str:
        with self._throwaway_table("tables"):
            pass
        return "A table was made and dropped."

    def check_changes(self) -> str:
        """Delete from an empty table: what BigQuery's sandbox refuses."""
        with self._throwaway_table("changes") as table:
            self._runner().run("doctor", "change rows", f"DELETE FROM `{table}` WHERE TRUE")
        return "Rows may be changed: billing is enabled."

    def _find_bucket(self) -> storage.Bucket:
        return self._objects.get_bucket(self.place.bucket, retry=self._retry, timeout=_PATIENCE)

    def _runner(self) -> JobRunner:
        return JobRunner(self._tables, self.place, self._settings, None, run="doctor")

    @contextmanager
    def _throwaway_table(self, use: str) -> Iterator[str]:
        from datetime import UTC, datetime, timedelta

        from google.cloud import bigquery

        name = f"{self._dataset}.{self._name}_{use}"
        table = bigquery.Table(name, [bigquery.SchemaField("x", "INTEGER")])
        table.expires = datetime.now(UTC) + timedelta(hours=1)  # should dropping it fail
        with self._explained("make and drop a table"):
            self._tables.create_table(table, retry=self._retry, timeout=_PATIENCE)
            try:
                yield name
            finally:
                self._tables.delete_table(
                    name, retry=self._retry, timeout=_PATIENCE, not_found_ok=True
                )

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """As `translated`, with our own setup as the cure for what is not there."""
        from google.api_core.exceptions import NotFound

        with translated(self.place, doing):
            try:
                yield
            except NotFound:
                raise WarehouseError(
                    f"Could not {doing}: it does not exist.", cure=_SET_UP
                ) from None


def _is_switched_off(error: Exception) -> bool:
    signs = ("accessNotConfigured", "SERVICE_DISABLED", "has not been used in project")
    return reason_of(error) in signs or any(sign in str(error) for sign in signs)


@contextmanager
def _token_explained() -> Iterator[None]:
    """Say of a refused token why, in the service's one word; never quote what it sent."""
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
