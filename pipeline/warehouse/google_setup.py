"""Making the bucket and the dataset, where they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.warehouse.google_errors import make_retry, translated
from pipeline.warehouse.google_place import Place, read_place

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud import bigquery, storage

_LABELS = {"app": "fareground"}
_PATIENCE = 60.0  # seconds for the answer to one request


def set_up(settings: Settings) -> list[str]:
    """Make the bucket and the dataset that the settings name, unless they are there.

    Doing it again changes nothing. Returns a sentence about each. Raises UsageError for settings
    that cannot be, WarehouseError when something cannot be made or the regions differ.
    """
    from google.cloud import bigquery, storage

    place = read_place(settings)
    credentials = place.credentials()
    retry = make_retry(settings.gcp_retry_seconds)
    objects = storage.Client(place.project, credentials=credentials)
    tables = bigquery.Client(place.project, credentials=credentials, location=place.location)
    said = [_make_bucket(objects, place, retry), _make_dataset(tables, place, retry)]
    require_one_region(tables, objects, place, retry)
    return said


def require_one_region(
    tables: bigquery.Client, objects: storage.Client, place: Place, retry: Retry
) -> None:
    """Raise WarehouseError unless bucket, dataset and GCP_LOCATION agree."""
    with translated(place, f"look at the bucket {place.bucket}"):
        found = objects.get_bucket(place.bucket, retry=retry, timeout=_PATIENCE)
        bucket = str(found.location)
    with translated(place, f"look at the dataset {place.dataset}"):
        name = f"{place.project}.{place.dataset}"
        dataset = str(tables.get_dataset(name, retry=retry, timeout=_PATIENCE).location)
    if len({where.upper() for where in (bucket, dataset, place.location)}) > 1:
        raise WarehouseError(
            f"Bucket {place.bucket} is in {bucket}, dataset {place.dataset} in {dataset}, and "
            f"GCP_LOCATION says {place.location}: BigQuery reads a bucket only in its own "
            "region.",
            cure="Use a bucket and a dataset of one region, and set GCP_LOCATION to it.",
        )


def _make_bucket(client: storage.Client, place: Place, retry: Retry) -> str:
    from google.api_core.exceptions import Conflict, Forbidden

    name = place.bucket
    with translated(place, f"make the bucket {name}"):
        if client.lookup_bucket(name, retry=retry, timeout=_PATIENCE) is not None:
            return f"The bucket {name} is there already."
        bucket = client.bucket(name)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        bucket.labels = _LABELS
        try:
            client.create_bucket(bucket, location=place.location, retry=retry, timeout=_PATIENCE)
        except Conflict:
            try:
                mine = client.lookup_bucket(name, retry=retry, timeout=_PATIENCE) is not None
            except Forbidden:
                mine = False
            if not mine:
                raise WarehouseError(
                    f"The bucket name {name} is taken: such names are worldwide.",
                    cure="Set GCP_BUCKET_NAME to another one; beginning with the project's id "
                    "usually helps.",
                ) from None
    return f"The bucket {name} was made in {place.location}."


def _make_dataset(client: bigquery.Client, place: Place, retry: Retry) -> str:
    from google.api_core.exceptions import Conflict, NotFound
    from google.cloud import bigquery

    name = f"{place.project}.{place.dataset}"
    with translated(place, f"make the dataset {place.dataset}"):
        try:
            client.get_dataset(name, retry=retry, timeout=_PATIENCE)
        except NotFound:
            dataset = bigquery.Dataset(name)
            dataset.location = place.location
            dataset.description = "NYC taxi trips, loaded by Fareground"
            dataset.labels = _LABELS
            try:
                client.create_dataset(dataset, retry=retry, timeout=_PATIENCE)
            except Conflict:  # somebody made it meanwhile, or we did and the answer was lost
                return f"The dataset {place.dataset} is there already."
            return f"The dataset {place.dataset} was made in {place.location}."
    return f"The dataset {place.dataset} is there already."
