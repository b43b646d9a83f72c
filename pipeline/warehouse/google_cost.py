"""What a plan will cost in Google Cloud: bytes to upload, bytes to scan, dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings import Settings
from pipeline.sql import statement
from pipeline.warehouse.google_columns import months_condition, table_identifiers
from pipeline.warehouse.google_jobs import JobRunner
from pipeline.warehouse.google_ledger import parameter, read_base

if TYPE_CHECKING:  # a plan is made from what a warehouse says
    from pipeline.plan import Plan

# Bytes a load scans of its own file for each published byte, by format: the unpacked text once,
# the typed rows twice, and nearly once more for the summaries (docs/google-cloud.md has the sizes;
# measured on files of 2020 and 2023).
_OWN_SCAN = {"csv.gz": 45.0, "csv": 9.8, "parquet": 41.0}
_TIB = 2**40


@dataclass(frozen=True)
class Estimate:
    """What a plan will cost; bytes of files whose size the source does not say are not in it.

    Attributes:
        upload_bytes: To send to the bucket.
        file_scan_bytes: To scan of the new files themselves, from their published sizes.
        table_scan_bytes: To scan of rows loaded before, as BigQuery's dry run says: an upper bound
            that does not know of clustering.
        dollars: For both scans, at `price_per_tib` of `price_date`.
    """

    upload_bytes: int
    file_scan_bytes: int
    table_scan_bytes: int
    price_per_tib: float
    price_date: str

    @property
    def dollars(self) -> float:
        """The price of the scans; storage and what is free each month are not in it."""
        return price(self.file_scan_bytes + self.table_scan_bytes, self.price_per_tib)

    def __str__(self) -> str:
        return (
            f"Google Cloud: {self.upload_bytes / 1e6:,.1f} MB to upload, about "
            f"{(self.file_scan_bytes + self.table_scan_bytes) / 1e6:,.0f} MB to scan, "
            f"${self.dollars:,.4f} at ${self.price_per_tib:g} per TiB ({self.price_date})."
        )


def price(bytes_billed: int, price_per_tib: float) -> float:
    """Return the dollars that bytes billed cost on demand."""
    return bytes_billed / _TIB * price_per_tib


def estimate_cost(
    plan: Plan, runner: JobRunner, settings: Settings, tables: frozenset[str]
) -> Estimate:
    """Ask BigQuery, without running anything, what the plan's files will scan.

    Args:
        tables: Those that exist; without them nothing is loaded, so nothing is compared.

    Raises WarehouseError.
    """
    uploads = own = loaded = 0
    for planned in plan.to_run:
        size = planned.bytes or 0
        uploads += size
        own += round(size * _OWN_SCAN[getattr(planned.probe, "format", "csv.gz")])
        file = planned.file
        if not tables.issuperset({file.color.table, "load_ledger"}):
            continue
        base = read_base(runner, file)
        if base.entry is None:
            continue
        months = months_condition(file.color, base.months | {file.month.number})
        sql = statement("bigquery/select_loaded", **table_identifiers(file.color), months=months)
        # The comparison reads these rows once, and the merge bills their partitions once more.
        loaded += 2 * runner.dry_run(f"estimate {file}", sql, [parameter("filename", str(file))])
    return Estimate(uploads, own, loaded, settings.gcp_price_per_tib, settings.gcp_price_date)
