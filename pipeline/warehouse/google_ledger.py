"""Reading and writing the Google Cloud warehouse's ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline.sql import statement
from pipeline.trips import TripFile
from pipeline.warehouse import FileRecord, LedgerEntry
from pipeline.warehouse.google_jobs import JobRunner
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
    "base_entry": "INT64",
    "changed_rows": "INT64",
    "total_amount": "NUMERIC",
    "finished_at": "TIMESTAMP",
    "seconds": "FLOAT64",
}


@dataclass(frozen=True)
class Base:
    """The newest load of a file: its ledger entry, its rejects, and the months of its pickups
    (202004, 0 for none). All empty when the file was never loaded."""

    entry: int | None = None
    rejected: int = 0
    months: frozenset[int] = frozenset()


def read_base(runner: JobRunner, file: TripFile) -> Base:
    """Return what the next load of a file starts from."""
    asked = base_statement(file)
    found = runner.rows("base", "read the ledger", asked.sql, bound(asked.values))
    if not found:
        return Base()
    row = found[0]
    return Base(row["entry"], row["rejected"] or 0, parse_months(row["pickup_months"]))


def base_statement(file: TripFile) -> Statement:
    """Return the statement that asks for what the next load of a file starts from."""
    sql = statement("bigquery/select_base")
    return Statement("extract", "select_base", sql, {"filename": file.filename})


def parse_months(text: str | None) -> frozenset[int]:
    """Return the months written as `0,202004,202005`."""
    return frozenset(int(month) for month in (text or "").split(",") if month)


def entry_values(entry: LedgerEntry, months: Iterable[int] | None = None) -> dict[str, Any]:
    """Return what record_entry needs; `months` are those of the pickups of the loaded rows."""
    values: dict[str, Any] = asdict(entry)
    del values["file"]
    values["finished_at"] = entry.finished_at.replace(tzinfo=UTC)
    file = entry.file
    values |= {"filename": file.filename, "color": file.color.value, "month": str(file.month)}
    values["pickup_months"] = None if months is None else ",".join(map(str, sorted(months)))
    return values


def bound(values: Mapping[str, Any]) -> list[ScalarQueryParameter]:
    """Return values as named query parameters, as `parameter` does."""
    return [parameter(name, value) for name, value in values.items()]


def parameter(name: str, value: Any) -> ScalarQueryParameter:
    """Return a named query parameter, of the type its name has in the ledger."""
    from google.cloud.bigquery import ScalarQueryParameter

    return ScalarQueryParameter(name, _TYPES.get(name, "STRING"), value)


def record_entry(runner: JobRunner, entry: LedgerEntry) -> None:
    """Append one entry that comes without rows."""
    runner.run(
        "record", "write the ledger", statement("bigquery/record_entry"), bound(entry_values(entry))
    )


def read_records(rows: Iterable[dict[str, Any]]) -> dict[TripFile, FileRecord]:
    """Return what the ledger knows of each file that was ever tried, from select_ledger's rows."""
    names = {field.name for field in fields(LedgerEntry)} - {"file"}
    records: dict[TripFile, FileRecord] = {}
    for row in rows:
        file = TripFile.parse(row["filename"])
        values = {name: value for name, value in row.items() if name in names}
        values["finished_at"] = values["finished_at"].replace(tzinfo=None)
        entry = LedgerEntry(file=file, **values)
        before = records.get(file)
        loaded = entry if entry.state == "loaded" else before.loaded if before else None
        records[file] = FileRecord(latest=entry, loaded=loaded)
    return records
