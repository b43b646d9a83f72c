"""Remove one loaded trip file from BigQuery, in one transaction, and its object from the bucket."""

from __future__ import annotations

import contextlib

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.files.offers import FORMATS
from pipeline.warehouse.gcp.columns import months_condition, table_identifiers
from pipeline.warehouse.gcp.jobs import JobRunner
from pipeline.warehouse.gcp.ledger import bound, read_previous_load
from pipeline.warehouse.gcp.load import Clients
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.gcp.rollups import delete_rollups

_PATIENCE = 60.0  # seconds for the response to one request


def remove_file(
    clients: Clients, location: CloudLocation, runner: JobRunner, file: TripFile, source: str
) -> int | None:
    """Delete the rows, rejects and ledger entries of a file in one BigQuery script.

    The transaction is one script and so one job; it fails if another load of the file commits
    after this has read the ledger.
    """
    previous = read_previous_load(runner, file)
    if previous.source != source:
        return None
    months = months_condition(file.dataset, previous.months)
    identifiers = table_identifiers(file.dataset) | {"months": months}
    names = ("take_turn", "require_previous_load", "delete_file", "delete_rejects", "delete_loads")
    statements = [statement(f"bigquery/{name}", **identifiers) for name in names]
    sql = "\n".join(["BEGIN TRANSACTION;", *statements, *delete_rollups(), "COMMIT TRANSACTION;"])
    values = {"filename": file.filename, "previous_entry": previous.entry, "source": source}
    runner.run("remove", f"remove {file}", sql, bound(values))
    _delete_objects(clients, location, file, previous.address)
    return previous.rows


def _delete_objects(
    clients: Clients, location: CloudLocation, file: TripFile, address: str
) -> None:
    """Delete the file's objects that came from an address, as far as that is possible."""
    from google.api_core.exceptions import GoogleAPIError

    bucket = clients.objects.bucket(location.bucket)
    for format in FORMATS:
        with contextlib.suppress(GoogleAPIError, OSError):
            blob = bucket.get_blob(
                f"{file.dataset.name}/{file.stem}.{format}", timeout=_PATIENCE, retry=None
            )
            if blob is not None and (blob.metadata or {}).get("source") == address:
                blob.delete(if_generation_match=blob.generation, timeout=_PATIENCE, retry=None)
