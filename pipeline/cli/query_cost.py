"""What `query --cost` prints: the bytes that BigQuery would bill for a query; it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.console import escape, make_table, out, print_json
from pipeline.warehouse.registry import find_backend
from pipeline.warehouse.scan import BytesEstimate, mebibytes
from pipeline.warehouse.scan.table_sizes import estimate_query

if TYPE_CHECKING:
    from pipeline.core.settings.settings import Settings


def print_cost(sql: str, target: str, settings: Settings, *, as_json: bool) -> None:
    """Print the estimate, the same for other layouts, and the dry run where there is one.

    Raises UsageError for SQL that is no SELECT, and WarehouseError.
    """
    estimates, dry_run = estimate_query(sql, find_backend(target), settings)
    as_it_is = next(iter(estimates.values()))
    price = settings.gcp_price_per_tib
    if as_json:
        print_json(
            {
                **_figures(as_it_is, price),
                "dry_run_bytes": dry_run,
                "price_per_tib": price,
                "price_date": settings.gcp_price_date,
                "notes": as_it_is.notes,
                "tables": [
                    {
                        "table": scan.table,
                        "columns": scan.columns,
                        "partitions": scan.partitions,
                        "partitions_read": scan.read,
                        "bytes_processed": scan.processed,
                        "bytes_billed": scan.billed,
                    }
                    for scan in as_it_is.scans
                ],
                "layouts": [
                    {"layout": label, **_figures(each, price)} for label, each in estimates.items()
                ],
            }
        )
        return
    out.print(escape(f"{as_it_is.sentence(price)}: {as_it_is.processed:,} bytes."))
    if dry_run is not None:
        out.print(f"BigQuery's dry run says {mebibytes(dry_run)}: {dry_run:,} bytes.")
    for line in (*map(str, as_it_is.scans), *as_it_is.notes):
        out.print(f"  {escape(line)}")
    table = make_table("layout of the trips", "scanned", "billed", "dollars")
    for label, each in estimates.items():
        dollars = f"{each.dollars(price):,.4f}"
        table.add_row(label, each.figure, mebibytes(each.billed), dollars)
    out.print(table)
    out.print(
        f"At ${price:g} per TiB ({escape(settings.gcp_price_date)}); the first TiB of a month is "
        "free. The console says 0 MB for an external table before the query runs."
    )


def _figures(estimate: BytesEstimate, price: float) -> dict[str, object]:
    return {
        "bytes_processed": estimate.processed,
        "bytes_billed": estimate.billed,
        "dollars": round(estimate.dollars(price), 6),
        "bound": estimate.bound or "exact",
    }
