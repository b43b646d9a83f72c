"""The ledger: a warehouse's own record of each attempt to load a trip file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pipeline.core.column_names import match_columns, unknown_columns
from pipeline.core.trips import TripFile
from pipeline.files.offers import SAMPLE

if TYPE_CHECKING:
    from pipeline.files.staging import StagedFile

LOADER_VERSION = 2
"""Raise this when a change to the loader could give other rows for the same bytes: files that an
earlier version loaded are then loaded again instead of being skipped as unchanged."""


@dataclass(frozen=True)
class LedgerEntry:
    """One row of the ledger: how one attempt to load a trip file ended.

    Attributes:
        finished_at: When it ended, in UTC without a zone.
        bytes, sha256: Of the file as published.
        rows: Rows of the file that are in the table afterwards.
        inserted, updated, deleted, unchanged, rejected: Rows, of this load.
        rounded: Rows with an amount of more than two decimals.
        total_amount: The sum of the column of that name over `rows`, in dollars; None for a dataset
            without dollars.
        unpacked_bytes: Size of the file without compression; None in entries from before it was
            recorded.
        unknown_columns: The file's columns that its dataset did not have, joined by commas; None in
            entries from before they were recorded.
    """

    file: TripFile
    state: Literal["loaded", "failed", "unavailable"]
    run_id: str
    source: str
    finished_at: datetime
    seconds: float
    reason: str = ""
    address: str | None = None
    format: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None
    loader_version: int = LOADER_VERSION
    rows: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    unchanged: int | None = None
    rejected: int | None = None
    rounded: int | None = None
    total_amount: Decimal | None = None
    unknown_columns: str | None = None
    unpacked_bytes: int | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether the rows are those of the built-in sample."""
        return self.source == SAMPLE

    @property
    def is_current(self) -> bool:
        """Whether loading the same bytes again would give the same rows.

        It would not after a change of the loading rules, nor where the file has a column that was
        added to its dataset after the load.
        """
        unknown = tuple((self.unknown_columns or "").split(","))
        return self.loader_version == LOADER_VERSION and not match_columns(
            self.file.dataset, unknown
        )

    @classmethod
    def of_load(
        cls,
        staged: StagedFile,
        *,
        run_id: str,
        source: str,
        changes: Mapping[str, int],
        seconds: float,
        rows: int,
        rejected: int,
        rounded: int,
        total_amount: Decimal | None,
    ) -> LedgerEntry:
        """Return the entry of a load that ends now.

        Args:
            changes: The number of rows inserted, updated and deleted, by these words.
            total_amount: None for a dataset without dollars.
        """
        inserted, updated = changes.get("inserted", 0), changes.get("updated", 0)
        unknown = unknown_columns(staged.file.dataset, staged.header)
        return cls(
            file=staged.file,
            state="loaded",
            run_id=run_id,
            source=source,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
            seconds=round(seconds, 3),
            address=staged.address,
            format=staged.format,
            bytes=staged.source_bytes,
            sha256=staged.source_sha256,
            etag=staged.etag,
            rows=rows,
            inserted=inserted,
            updated=updated,
            deleted=changes.get("deleted", 0),
            unchanged=rows - inserted - updated,
            rejected=rejected,
            rounded=rounded,
            total_amount=total_amount,
            unknown_columns=",".join(filter(str.isidentifier, unknown)),
            unpacked_bytes=staged.unpacked_bytes,
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> LedgerEntry:
        """Return the entry in a row of the ledger, by column name; other columns are ignored."""
        names = {field.name for field in fields(cls)} - {"file"}
        values = {name: value for name, value in row.items() if name in names}
        return cls(file=TripFile.parse(row["filename"]), **values)

    def to_row(self) -> dict[str, Any]:
        """Return the entry as a row of the ledger, by column name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        file: TripFile = values.pop("file")
        # The column is called color for the sake of warehouses and scripts from before datasets.
        names = {"filename": file.filename, "color": file.dataset.name, "month": str(file.month)}
        return values | names


@dataclass(frozen=True)
class FileRecord:
    """What the ledger says about one trip file.

    Attributes:
        latest: The newest entry, whatever its state.
        loaded: The entry of the rows that are in the table now, or None when there are none. A
            later failure leaves both as they are.
    """

    latest: LedgerEntry
    loaded: LedgerEntry | None


def records_by_file(rows: Iterable[Mapping[str, Any]]) -> dict[TripFile, FileRecord]:
    """Return what the ledger says of each file.

    Args:
        rows: Rows of the ledger in the order in which they were written; at least the newest of
            each file, and its newest of a load.
    """
    records: dict[TripFile, FileRecord] = {}
    for row in rows:
        entry = LedgerEntry.from_row(row)
        before = records.get(entry.file)
        loaded = entry if entry.state == "loaded" else before.loaded if before else None
        records[entry.file] = FileRecord(latest=entry, loaded=loaded)
    return records
