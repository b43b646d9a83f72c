"""Create the bucket and the dataset of a warehouse if they do not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.errors import WarehouseError
from pipeline.core.settings.settings import Settings
from pipeline.warehouse.gcp.errors import make_retry, translated
from pipeline.warehouse.gcp.location import CloudLocation, read_location

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud import bigquery, storage

_LABELS = {"app": "fareground"}
_PATIENCE = 60.0  # seconds for the response to one request


def set_up(settings: Settings) -> list[str]:
    """Create the bucket and the dataset that the settings name, unless they exist.

    Returns a sentence about each. Raises UsageError for settings that name no warehouse,
    WarehouseError when one cannot be created or their regions differ.
    """
    from google.cloud import bigquery, storage

    location = read_location(settings)
    credentials = location.credentials()
    retry = make_retry(settings.gcp_retry_seconds)
    objects = storage.Client(location.project, credentials=credentials)
    tables = bigquery.Client(location.project, credentials=credentials, location=location.region)
    sentences = [_make_bucket(objects, location, retry), _make_dataset(tables, location, retry)]
    require_one_region(tables, objects, location, retry)
    return sentences


def require_one_region(
    tables: bigquery.Client, objects: storage.Client, location: CloudLocation, retry: Retry
) -> None:
    """Raise WarehouseError unless bucket, dataset and settings name the same region."""
    with translated(location, f"read the bucket {location.bucket}"):
        bucket = str(objects.get_bucket(location.bucket, retry=retry, timeout=_PATIENCE).location)
    with translated(location, f"read the dataset {location.dataset}"):
        name = f"{location.project}.{location.dataset}"
        dataset = str(tables.get_dataset(name, retry=retry, timeout=_PATIENCE).location)
    if len({where.upper() for where in (bucket, dataset, location.region)}) > 1:
        raise WarehouseError(
            f"Bucket {location.bucket} is in {bucket}, dataset {location.dataset} in {dataset}, "
            f"and GCP_LOCATION says {location.region}: BigQuery reads a bucket only in its own "
            "region.",
            cure="Use a bucket and a dataset of one region, and set GCP_LOCATION to it.",
        )


def _make_bucket(client: storage.Client, location: CloudLocation, retry: Retry) -> str:
    from google.api_core.exceptions import Conflict, Forbidden

    name = location.bucket
    with translated(location, f"create the bucket {name}"):
        if client.lookup_bucket(name, retry=retry, timeout=_PATIENCE) is not None:
            return f"The bucket {name} already exists."
        bucket = client.bucket(name)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        bucket.labels = _LABELS
        try:
            client.create_bucket(bucket, location=location.region, retry=retry, timeout=_PATIENCE)
        except Conflict:
            try:  # an earlier attempt whose response was lost may have created it
                accessible = client.lookup_bucket(name, retry=retry, timeout=_PATIENCE) is not None
            except Forbidden:
                accessible = False
            if not accessible:
                raise WarehouseError(
                    f"The bucket name {name} is taken: bucket names are global.",
                    cure="Set GCP_BUCKET_NAME to another one; beginning with the project's id "
                    "usually helps.",
                ) from None
    return f"The bucket {name} was created in {location.region}."


def _make_dataset(client: bigquery.Client, location: CloudLocation, retry: Retry) -> str:
    from google.api_core.exceptions import Conflict, NotFound
    from google.cloud import bigquery

    name = f"{location.project}.{location.dataset}"
    with translated(location, f"create the dataset {location.dataset}"):
        try:
            client.get_dataset(name, retry=retry, timeout=_PATIENCE)
        except NotFound:
            dataset = bigquery.Dataset(name)
            dataset.location = location.region
            dataset.description = "NYC taxi trips, loaded by Fareground"
            dataset.labels = _LABELS
            try:
                client.create_dataset(dataset, retry=retry, timeout=_PATIENCE)
            except Conflict:  # another process created it, or this one and the response was lost
                return f"The dataset {location.dataset} already exists."
            return f"The dataset {location.dataset} was created in {location.region}."
    return f"The dataset {location.dataset} already exists."
