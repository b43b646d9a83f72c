"""What a warehouse is: the `Backend` that says what a target can do, and the `Warehouse` it opens.

Each backend lives in a folder of its own (`local`, `gcp`) and is named in
`pipeline.warehouse.registry`; nothing else imports it. A warehouse holds the production tables, the
rejects and the ledger, and is used in a `with` block:

    with open_warehouse("local", settings) as warehouse:
        records = warehouse.records()                     # the ledger, by trip file
        warehouse.upload(staged, monitor)                 # may run while another file loads
        entry = warehouse.load(staged, job, monitor)      # one verified file, all or nothing
        warehouse.record(entry)                           # a failure, for the ledger
        warehouse.remove(file, "sample")                  # a file of this source, all or nothing
        warehouse.write_parquet(file, path, cancel)       # its trips, for other programs
        rows = warehouse.query("SELECT ...", limit=100)   # SQL that a person wrote, read-only
        result = warehouse.read("SELECT ... @color", {"color": "green"})  # our own, as Arrow
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, Self

from pipeline.core.cancel import Cancel
from pipeline.core.datasets import DATASETS, Dataset
from pipeline.warehouse.statements import LoadStep

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.core.checks import DoctorCheck
    from pipeline.core.settings.settings import Settings
    from pipeline.core.trips import TripFile
    from pipeline.files.staging import StagedFile
    from pipeline.warehouse.cost import CostEstimate, FileSize
    from pipeline.warehouse.dialect import TripTable
    from pipeline.warehouse.ledger import FileRecord, LedgerEntry
    from pipeline.warehouse.results import QueryResult
    from pipeline.warehouse.statements import LoadExplanation

Scalar = str | int | float | bool | Decimal | datetime | date
Parameters = Mapping[str, Scalar | Sequence[Scalar]]
"""Values of a statement's @parameters, by name; a sequence is an array of one type, not empty."""


@dataclass(frozen=True)
class LoadJob:
    """The run that a load belongs to.

    Attributes:
        run_id, source: Written to the ledger.
        force: Load the file even if the same bytes were loaded before.
    """

    run_id: str
    source: str
    force: bool = False


def _ignore(*_: object) -> None: ...


@dataclass(frozen=True)
class LoadMonitor:
    """How a caller follows a load, and cancels it.

    Attributes:
        cancel: Cancels the load, which then raises Cancelled.
        on_step: Called as each step begins, with a function that returns how much of the step is
            done (0 to 1, None when unknown). Any thread may call that function during the step.
        on_note: Called with a sentence for the file's log, such as a missing column.
        on_cost: Called once when a load ends, however it ends, with the bytes billed and the slot
            time in milliseconds; only by warehouses that bill.
    """

    cancel: Cancel = field(default_factory=Cancel)
    on_step: Callable[[LoadStep, Callable[[], float | None]], None] = _ignore
    on_note: Callable[[str], None] = _ignore
    on_cost: Callable[[int, int], None] = _ignore


@dataclass(frozen=True)
class RowSet:
    """The first rows of a read-only query; `truncated` if there were more than the limit."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


@dataclass(frozen=True)
class DatabaseFile:
    """A DuckDB file that holds all tables of a warehouse.

    Attributes:
        copy_to: Copies it as it is at one moment; no backfill may run meanwhile. Raises
            WarehouseBusy and StorageError.
        functions: Returns the names of the SQL functions that a copy of it defines. A warehouse
            has none: one called `sum` would answer every query in place of DuckDB's. Raises
            WarehouseError for a file that cannot be read.
        views: Returns the names of the views and types in a copy of it that this program does not
            define: a view may read any file of the machine. Raises WarehouseError.
    """

    path: Path
    copy_to: Callable[[Path], None]
    functions: Callable[[Path], list[str]]
    views: Callable[[Path], list[str]]


class Warehouse(Protocol):
    """The tables of one target, open for reading and loading.

    Every method may be called from any thread. The contract tests in tests/warehouse run against
    every backend in the registry.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def records(self) -> dict[TripFile, FileRecord]:
        """Return what the ledger says of each trip file that was ever tried."""
        ...

    def upload(self, staged: StagedFile, monitor: LoadMonitor) -> None:
        """Bring a staged file to where the warehouse can read it, if that is another machine.

        May run while another file loads. `load` uploads a file that was not uploaded before.
        """
        ...

    def load(self, staged: StagedFile, job: LoadJob, monitor: LoadMonitor) -> LedgerEntry:
        """Replace the rows of this file in its table, and record that in the ledger, or do neither.

        Rows of other files are neither read nor changed. Returns the ledger entry, with exact
        counts. Raises TripFileError when the file does not reconcile or too many of its rows are
        rejected, and Cancelled when `monitor.cancel` was set; the table is then unchanged.
        """
        ...

    def record(self, entry: LedgerEntry) -> None:
        """Append an entry that comes without rows to the ledger, such as a failure."""
        ...

    def remove(self, file: TripFile, source: str) -> int | None:
        """Remove a file that was loaded from `source`, all or nothing.

        Its rows, rollups, rejects and uploaded object go, and of its ledger entries those of loads
        and of `source`; what the ledger knows from other sources, such as a failure, stays.

        Returns the number of rows; None, with nothing changed, for a file that is not loaded, or
        whose newest load was from another source.
        """
        ...

    def sync_mirror(self, on_note: Callable[[str], object]) -> None:
        """Make the mirror, if the settings name one, hold what the ledger says is loaded.

        `load` and `remove` keep it in step; this repairs what a killed process left. Only one
        process may call it, and not while it loads.

        Args:
            on_note: Called with a sentence if the mirror cannot be written.
        """
        ...

    def write_parquet(self, file: TripFile, path: Path, cancel: Cancel) -> None:
        """Write the trips of one file, all columns but `filename`, to a new Parquet file.

        Columns have the order of the production table, times no zone. Reading is billed where the
        backend bills.

        Raises StorageError when the path cannot be written, and Cancelled.
        """
        ...

    def query(self, sql: str, *, limit: int) -> RowSet:
        """Run one SELECT that a person wrote, in the warehouse's own SQL.

        Returns at most `limit` rows. Raises UsageError for a statement that does not only read, or
        cannot run.
        """
        ...

    def read(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        """Run one of our own SELECTs, written in GoogleSQL with @parameters.

        Tables are named without a dataset. Returns all rows. Raises WarehouseError when the
        statement cannot run, or returns more than `results.MOST_BYTES`.
        """
        ...

    def scan_bytes(self, sql: str, parameters: Parameters | None = None) -> int | None:
        """Return the bytes that `read` would be billed for, or None where reading is free."""
        ...


def queryable_tables(rollups: Iterable[str]) -> tuple[str, ...]:
    """Return the tables and views that people may query where these rollups are kept."""
    trips = (dataset.table for dataset in DATASETS.values())
    return (*trips, "rejects", "load_ledger", *rollups)


class Backend(ABC):
    """A kind of warehouse that trips can be loaded into: what `--target` names.

    A backend has no state: everything it needs comes with the settings.

    Attributes:
        name: The word for it on the command line, in addresses and in the run history.
        label: Its name for people.
        storage: What holds the tables, for people, to stand within a sentence.
        is_billed: Whether loading and reading cost money.
        rollups: The rollups it keeps in step with the trips, of `rollups.ROLLUPS`.
    """

    name: str
    label: str
    storage: str
    is_billed: bool = False
    rollups: tuple[str, ...] = ()

    @abstractmethod
    def open(self, settings: Settings, *, read_only: bool = False) -> Warehouse:
        """Return the warehouse that the settings name, to be used in a `with` block.

        With `read_only` nothing is created or changed, and several processes can look at once.
        Raises UsageError for settings that name no such warehouse.
        """

    @abstractmethod
    def trip_table(self, dataset: Dataset) -> TripTable:
        """Return where the trips of a dataset are, for statements given to `Warehouse.read`."""

    @abstractmethod
    def explain_load(
        self, staged: StagedFile, entry: LedgerEntry, loaded: LedgerEntry | None, settings: Settings
    ) -> LoadExplanation:
        """Return the statements that would load a file, without touching anything.

        Args:
            staged: The file as it is staged, or as it will be as far as that is known.
            entry: The ledger entry that the load would write, as far as it is known.
            loaded: The entry of the file's rows that are in the table, or None.

        Raises UsageError for settings that name no such warehouse.
        """

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables and views that people may query."""
        return queryable_tables(self.rollups)

    def is_configured(self, settings: Settings) -> bool:
        """Return whether the settings name a warehouse of this backend; it may not exist yet."""
        from pydantic import SecretStr

        values = {name: getattr(settings, name) for name in type(settings).model_fields}
        return not self.find_faults(
            {
                name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                for name, value in values.items()
            }
        )

    def find_faults(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return what is wrong with settings of this backend, by field of `Settings`.

        Args:
            values: Settings by field; those of other backends are ignored. A setting that this
                backend requires is at fault when its value is "".
        """
        return {}

    def set_up(self, settings: Settings) -> list[str]:
        """Create what a first load needs and cannot create itself; doing it again changes nothing.

        Returns a sentence about each thing. Raises UsageError and WarehouseError.
        """
        return ["Nothing to set up."]

    def checks(self, settings: Settings) -> list[DoctorCheck]:
        """Return the doctor's checks of this warehouse.

        They may need the checks `settings` and `folder`, which run for every target.
        """
        return []

    def estimate_cost(self, files: Sequence[FileSize], settings: Settings) -> CostEstimate | None:
        """Return what loading these files will cost, or None where loading is free.

        Nothing that is billed runs for it. Raises UsageError and WarehouseError.
        """
        return None

    def database(self, settings: Settings) -> DatabaseFile | None:
        """Return the file that holds all tables, or None if they are not in a DuckDB file here."""
        return None
