"""Reading and writing the Google Cloud warehouse's ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline.core.sql import statement
from pipeline.core.trips import TripFile
from pipeline.warehouse.gcp.jobs import JobRunner
from pipeline.warehouse.ledger import FileRecord, LedgerEntry, records_by_file
from pipeline.warehouse.statements import Statement

if TYPE_CHECKING:
    from google.cloud.bigquery import ScalarQueryParameter

_TYPES = {
    "bytes": "INT64",
    "loader_version": "INT64",
    "rows": "INT64",
    "inserted": "INT64",
    "updated": "INT64",
    "deleted": "INT64",
    "unchanged": "INT64",
    "rejected": "INT64",
    "rounded": "INT64",
    "previous_entry": "INT64",
    "changed_rows": "INT64",
    "total_amount": "NUMERIC",
    "checksum": "NUMERIC",
    "finished_at": "TIMESTAMP",
    "seconds": "FLOAT64",
}


@dataclass(frozen=True)
class PreviousLoad:
    """The newest load of a file, as the next load needs to know it.

    Attributes:
        entry: The number of its ledger entry; None when the file was never loaded.
        rejected: How many rejects it has.
        months: The months of its pickups, such as 202004, with 0 for rows without a pickup.
        source, address, rows: As in its ledger entry.
    """

    entry: int | None = None
    rejected: int = 0
    months: frozenset[int] = frozenset()
    source: str = ""
    address: str = ""
    rows: int = 0


def read_previous_load(runner: JobRunner, file: TripFile) -> PreviousLoad:
    """Return the newest load of a file."""
    query = previous_load_statement(file)
    rows = runner.rows("previous", "read the ledger", query.sql, bound(query.values))
    if not rows:
        return PreviousLoad()
    row = rows[0]
    return PreviousLoad(
        row["entry"],
        row["rejected"] or 0,
        parse_months(row["pickup_months"]),
        row["source"],
        row["address"] or "",
        row["rows"] or 0,
    )


def previous_load_statement(file: TripFile) -> Statement:
    """Return the statement that selects the newest load of a file."""
    sql = statement("bigquery/select_previous_load")
    return Statement("extract", "select_previous_load", sql, {"filename": file.filename})


def parse_months(text: str | None) -> frozenset[int]:
    """Return the months written as `0,202004,202005`."""
    return frozenset(int(month) for month in (text or "").split(",") if month)


def entry_values(entry: LedgerEntry, months: Iterable[int] | None = None) -> dict[str, Any]:
    """Return the parameters of record_entry.

    Args:
        months: The months of the pickups of the loaded rows.
    """
    pickup_months = None if months is None else ",".join(map(str, sorted(months)))
    finished_at = entry.finished_at.replace(tzinfo=UTC)
    return entry.to_row() | {"finished_at": finished_at, "pickup_months": pickup_months}


def bound(values: Mapping[str, Any]) -> list[ScalarQueryParameter]:
    """Return values as named query parameters; see `parameter`."""
    return [parameter(name, value) for name, value in values.items()]


def parameter(name: str, value: Any) -> ScalarQueryParameter:
    """Return a named query parameter of the type that its column has in the ledger."""
    from google.cloud.bigquery import ScalarQueryParameter

    return ScalarQueryParameter(name, _TYPES.get(name, "STRING"), value)


def record_entry(runner: JobRunner, entry: LedgerEntry) -> None:
    """Append an entry that comes without rows, such as a failure."""
    runner.run(
        "record", "write the ledger", statement("bigquery/record_entry"), bound(entry_values(entry))
    )


def read_records(rows: Iterable[dict[str, Any]]) -> dict[TripFile, FileRecord]:
    """Return what the ledger says of each trip file, from the rows of select_ledger."""
    return records_by_file(
        row | {"finished_at": row["finished_at"].replace(tzinfo=None)} for row in rows
    )
