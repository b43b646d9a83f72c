"""The tables of the BigQuery warehouse: create them, and bring those of earlier versions forward.

Columns are compared with their definitions, so a column that is added to a dataset, a new dataset
and a changed rollup need no new schema version. SCHEMA_VERSION counts the changes that such a
comparison cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.datasets import DATASETS
from pipeline.core.errors import WarehouseError
from pipeline.core.sql import statement
from pipeline.warehouse.gcp.columns import define_column, table_identifiers
from pipeline.warehouse.gcp.errors import translated
from pipeline.warehouse.gcp.jobs import JobRunner
from pipeline.warehouse.gcp.location import CloudLocation
from pipeline.warehouse.gcp.read import LEDGER
from pipeline.warehouse.gcp.rollups import (
    GOOGLE_ROLLUPS,
    create_rollups,
    delete_rollups,
    fill_rollups,
)
from pipeline.warehouse.rollups import rollup_digest

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud import bigquery

SCHEMA_VERSION = 4
_OLDEST = 1  # the oldest version that can be brought forward
_STATE = "warehouse_state"
_PATIENCE = 60.0  # seconds for the answer to one request

# Columns that came after version 1 to tables that no dataset defines, each with its definition.
_LATER_COLUMNS = {
    LEDGER: {
        "unknown_columns": "unknown_columns STRING"
        " OPTIONS (description = 'Columns of the file that were not loaded')",
        "unpacked_bytes": "unpacked_bytes INT64"
        " OPTIONS (description = 'Size of the file without compression')",
    },
    _STATE: {"rollups": "rollups STRING"},
}


def prepare_schema(
    client: bigquery.Client,
    runner: JobRunner,
    location: CloudLocation,
    existing: set[str],
    retry: Retry,
) -> None:
    """Create the tables that are missing, and bring those of an earlier version up to date.

    Args:
        existing: The tables that the dataset in BigQuery has now.

    Raises:
        WarehouseError: The dataset holds tables of the same names that are not Fareground's, or
            tables of a version that this one cannot use.
    """
    trips = {dataset.table for dataset in DATASETS.values()}
    if _STATE not in existing and existing & trips:
        raise WarehouseError(
            f"The dataset {location.dataset} has tables of these names already, but they "
            "are not Fareground's (the course's, perhaps).",
            cure="Set GCP_DATASET to another dataset, or rename those tables.",
        )
    if _STATE not in existing:
        _create_tables(runner)
        return
    (state,) = runner.rows("version", "read the tables", f"SELECT * FROM {_STATE}")
    version = state["schema_version"]
    if not _OLDEST <= version <= SCHEMA_VERSION:
        raise WarehouseError(
            f"The tables of {location.dataset} have schema version {version}; this version of "
            f"Fareground needs {SCHEMA_VERSION}.",
            cure="Update Fareground, or set GCP_DATASET to another dataset.",
        )
    # A crash may have left any table uncreated, and a new dataset has none yet.
    if not existing.issuperset({LEDGER, "rejects", *GOOGLE_ROLLUPS, *trips}):
        _create_tables(runner)
    with translated(location, "read the tables"):
        _add_columns(client, runner, location, retry)
    if version < SCHEMA_VERSION or state["rollups"] != rollup_digest():
        _compute_rollups(runner)


def _create_tables(runner: JobRunner) -> None:
    """Create the tables that are missing.

    The one that says whose they are comes first, so a crash in between does no harm.
    """
    script = [statement("bigquery/create_warehouse_state")]
    script += [
        statement("bigquery/create_table", **table_identifiers(dataset))
        for dataset in DATASETS.values()
    ]
    script += [statement("bigquery/create_rejects"), statement("bigquery/create_load_ledger")]
    script += create_rollups()
    runner.run("create", "create the tables", "\n".join(script), _version_parameters())


def _add_columns(
    client: bigquery.Client, runner: JobRunner, location: CloudLocation, retry: Retry
) -> None:
    """Add the columns that the definitions have and the tables lack; their rows get NULL."""
    defined = {
        dataset.table: {column.name: define_column(column) for column in dataset.columns}
        for dataset in DATASETS.values()
    }
    script = []
    for name, columns in (defined | _LATER_COLUMNS).items():
        table = client.get_table(
            f"{location.project}.{location.dataset}.{name}", retry=retry, timeout=_PATIENCE
        )
        present = {field.name.lower() for field in table.schema}
        additions = [
            f"ADD COLUMN IF NOT EXISTS {definition}"  # another process may add it now, too
            for column, definition in columns.items()
            if column.lower() not in present
        ]
        if additions:
            script.append(
                statement("bigquery/add_columns", table=name, additions=",\n    ".join(additions))
            )
    if script:
        runner.run("columns", "add columns to the tables", "\n".join(script))


def _compute_rollups(runner: JobRunner) -> None:
    """Replace all rollups by new ones, computed from the trips.

    Should this break off, the version and the digest stay the earlier ones, and the next load does
    it again.
    """
    from google.cloud.bigquery import ScalarQueryParameter

    # Tables cannot be created within a transaction. The rollups are emptied in it once more,
    # because another process may have filled them meanwhile.
    script = [statement("bigquery/drop_rollup", rollup=name) for name in GOOGLE_ROLLUPS]
    script += [*create_rollups(), "BEGIN TRANSACTION;", statement("bigquery/take_turn")]
    script += delete_rollups()
    for dataset in DATASETS.values():
        script += fill_rollups(dataset, dataset.table)
    script += [statement("bigquery/record_version"), "COMMIT TRANSACTION;"]
    parameters = [*_version_parameters(), ScalarQueryParameter("filename", "STRING", None)]
    runner.run("forward", "upgrade the tables", "\n".join(script), parameters)


def _version_parameters() -> list[bigquery.ScalarQueryParameter]:
    from google.cloud.bigquery import ScalarQueryParameter

    return [
        ScalarQueryParameter("schema_version", "INT64", SCHEMA_VERSION),
        ScalarQueryParameter("rollups", "STRING", rollup_digest()),
    ]
