"""Where tables live: the one place where your own machine and Google Cloud are swapped.

A warehouse keeps the production tables, the rejects and the ledger. It is used so:

    with open_warehouse("local", settings) as warehouse:
        records = warehouse.records()                     # what the ledger says, by trip file
        warehouse.upload(staged, watch)                   # may run while another file loads
        entry = warehouse.load(staged, job, watch)        # one verified file, all or nothing
        warehouse.record(entry)                           # a failure, for the ledger
        rows = warehouse.query("SELECT ...", limit=100)   # somebody's own SQL, read-only
        answer = warehouse.read("SELECT ... @color", {"color": "green"})  # ours, as Arrow
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from pipeline.cancel import Cancel
from pipeline.download import StagedFile
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.trips import TripFile

if TYPE_CHECKING:
    import pyarrow

# Raise this when a change to the loader could give other rows for the same bytes: files loaded by
# an earlier version are then loaded again instead of being skipped as unchanged.
LOADER_VERSION = 1

# The names `open_warehouse` knows.
TARGETS = ("local", "gcp")

LoadStep = Literal["upload", "extract", "compare", "merge", "reconcile", "commit"]

Scalar = str | int | float | bool | Decimal | datetime | date
# What a statement's @parameters may be; a sequence is an array, of one type and not empty.
Parameters = Mapping[str, Scalar | Sequence[Scalar]]


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the ledger: what happened to one trip file once.

    Counts are rows; `rows` is how many rows of the file are in the table afterwards, `rounded` how
    many of them had an amount of more than two decimals. `total_amount` is their sum in dollars.
    `finished_at` is UTC without a zone; `bytes` and `sha256` are those of the file as published.
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

    @classmethod
    def of_load(
        cls,
        staged: StagedFile,
        job: LoadJob,
        change: Mapping[str, int],
        *,
        seconds: float,
        rows: int,
        rejected: int,
        rounded: int,
        total_amount: Decimal,
    ) -> LedgerEntry:
        """Return the entry of a load that ends now; `change` counts inserted, updated, deleted."""
        inserted, updated = change.get("inserted", 0), change.get("updated", 0)
        return cls(
            file=staged.file,
            state="loaded",
            run_id=job.run_id,
            source=job.source,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
            seconds=round(seconds, 3),
            address=staged.address,
            format=staged.format,
            bytes=staged.bytes,
            sha256=staged.sha256,
            etag=staged.etag,
            rows=rows,
            inserted=inserted,
            updated=updated,
            deleted=change.get("deleted", 0),
            unchanged=rows - inserted - updated,
            rejected=rejected,
            rounded=rounded,
            total_amount=total_amount,
        )


@dataclass(frozen=True)
class FileRecord:
    """What the ledger knows of one trip file.

    `latest` is the newest entry of any kind; `loaded` the entry of the rows that are in the table
    now (a later failure leaves them there), or None when there are none.
    """

    latest: LedgerEntry
    loaded: LedgerEntry | None


@dataclass(frozen=True)
class LoadJob:
    """On whose behalf a file is loaded: `run_id` and `source` go into the ledger.

    `force` loads a file even when the same bytes were loaded before.
    """

    run_id: str
    source: str
    force: bool = False


def _ignore_step(_step: LoadStep, _fraction: Callable[[], float | None]) -> None: ...


def _ignore_note(_note: str) -> None: ...


def _ignore_cost(_bytes_billed: int, _slot_ms: int) -> None: ...


@dataclass(frozen=True)
class Watch:
    """How a load is followed and stopped.

    `on_step` is called as each step begins, with a function that tells how much of the step is
    done (0 to 1, or None when unknown) and may be called from any thread while it lasts.
    `on_note` gets sentences for the file's log, such as a column that is missing. `on_cost` gets
    the bytes billed and the slot time (milliseconds) of a load in BigQuery once it ends, however
    it ends.
    """

    cancel: Cancel = field(default_factory=Cancel)
    on_step: Callable[[LoadStep, Callable[[], float | None]], None] = _ignore_step
    on_note: Callable[[str], None] = _ignore_note
    on_cost: Callable[[int, int], None] = _ignore_cost


@dataclass(frozen=True)
class QueryResult:
    """Rows of a read-only query; `truncated` says that there were more than asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


@dataclass(frozen=True)
class Answer:
    """What a statement of ours gave: its rows, the SQL as this warehouse ran it, and its cost.

    `seconds` is the time it took; `bytes_billed` is what BigQuery charged, 0 for an answer that was
    known already, None locally. `note` is a sentence for people, mostly empty.
    """

    table: pyarrow.Table
    sql: str
    seconds: float
    bytes_billed: int | None = None
    note: str = ""


class Warehouse(Protocol):
    """What both warehouses do. Every method may be called from any thread."""

    name: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def records(self) -> dict[TripFile, FileRecord]:
        """Return what the ledger knows, by trip file; files never tried are absent."""
        ...

    def upload(self, staged: StagedFile, watch: Watch) -> None:
        """Bring a staged file to where the warehouse reads it; locally it is there already.

        May run while another file loads. A file that was not uploaded is, when it is loaded.
        """
        ...

    def load(self, staged: StagedFile, job: LoadJob, watch: Watch) -> LedgerEntry:
        """Make the table hold this file's rows, and the ledger say so, or neither.

        Returns the entry, with exact counts. Rows of other files are neither read nor touched.
        Raises TripFileError when the file cannot be reconciled or too much of it is rejected,
        Cancelled when `watch.cancel` was set; the table is then as it was.
        """
        ...

    def record(self, entry: LedgerEntry) -> None:
        """Write a failure, or that a file is unavailable, to the ledger."""
        ...

    def query(self, sql: str, *, limit: int) -> QueryResult:
        """Run one read-only statement and return at most `limit` rows; raise UsageError if not."""
        ...

    def read(self, sql: str, parameters: Parameters | None = None) -> Answer:
        """Run one of our own SELECTs, written in GoogleSQL with @parameters, and return all rows.

        Tables are named without a dataset. Raises WarehouseError when it cannot run, or when the
        rows are more than `results.MOST_BYTES`.
        """
        ...

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> int | None:
        """Return how many bytes `read` would be billed for, or None where reading is free."""
        ...


def require_target(target: str) -> None:
    """Raise UsageError unless there is such a warehouse: local or gcp."""
    if target not in TARGETS:
        raise UsageError(f"There is no target {target!r}.", cure="Use local or gcp.")


def open_warehouse(target: str, settings: Settings, *, read_only: bool = False) -> Warehouse:
    """Return the warehouse of this target, to be used in a `with` block.

    `read_only` is for a process that only looks (the command line's `status` and `query`).
    Raises UsageError for an unknown target; entering the block raises WarehouseBusy when another
    process holds the warehouse.
    """
    require_target(target)
    if target == "gcp":
        from pipeline.warehouse.google import GoogleWarehouse

        return GoogleWarehouse(settings, read_only=read_only)
    from pipeline.warehouse.local import LocalWarehouse

    return LocalWarehouse(settings, read_only=read_only)
