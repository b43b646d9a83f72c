"""What loading files will cost in Google Cloud."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.core.settings.settings import Settings
from pipeline.core.sql import statement
from pipeline.warehouse.cost import CostEstimate, FileSize
from pipeline.warehouse.gcp.columns import months_condition, table_identifiers
from pipeline.warehouse.gcp.jobs import JobRunner
from pipeline.warehouse.gcp.ledger import parameter, read_previous_load

# Bytes that a load scans of its own file for each published byte, by format: the unpacked text
# once, the typed rows twice, and nearly once more for the rollups. Measured on files of 2020 and
# 2023; docs/google-cloud.md has the sizes.
_OWN_SCAN = {"csv.gz": 45.0, "csv": 9.8, "parquet": 41.0}


def estimate_cost(
    files: Sequence[FileSize], runner: JobRunner, settings: Settings, tables: Collection[str]
) -> CostEstimate:
    """Return what loading these files will cost.

    The scan of the files themselves follows from their sizes. For the rows that were loaded before,
    BigQuery's dry run, which is free, says how much a comparison scans; it does not know of
    clustering. Raises WarehouseError.

    Args:
        tables: The tables that exist; without them nothing is loaded, so nothing is compared.
    """
    upload_bytes = file_scan_bytes = table_scan_bytes = 0
    for size in files:
        file, published = size.file, size.bytes or 0
        upload_bytes += published
        file_scan_bytes += round(published * _OWN_SCAN[size.format or "csv.gz"])
        if not {file.dataset.table, "load_ledger"} <= set(tables):
            continue
        previous = read_previous_load(runner, file)
        if previous.entry is None:
            continue
        months = months_condition(file.dataset, previous.months | {file.month.number})
        sql = statement("bigquery/select_loaded", **table_identifiers(file.dataset), months=months)
        scanned = runner.dry_run(f"estimate {file}", sql, [parameter("filename", str(file))])
        # The comparison reads these rows once, and the merge bills their partitions once more.
        table_scan_bytes += 2 * scanned
    return CostEstimate(
        "Google Cloud",
        upload_bytes,
        file_scan_bytes,
        table_scan_bytes,
        settings.gcp_price_per_tib,
        settings.gcp_price_date,
    )
