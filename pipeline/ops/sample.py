"""Remove the sample's synthetic trips from a warehouse, file by file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.core.errors import FaregroundError
from pipeline.core.settings.settings import Settings
from pipeline.core.storage_errors import storage_errors
from pipeline.core.trips import Selection, TripFile
from pipeline.files.offers import FORMATS, SAMPLE, SAMPLE_SCHEME, Unknown
from pipeline.files.staging import delete_staged, read_staged
from pipeline.runs.history import History
from pipeline.runs.locks import backfill_lock
from pipeline.runs.plan import FileState, Plan, PlannedFile, Request
from pipeline.runs.policy import Policy
from pipeline.runs.run_records import SAMPLE_REMOVAL, RunFile, RunState
from pipeline.warehouse import Warehouse
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.registry import open_warehouse


@dataclass(frozen=True)
class SampleRemoval:
    """What was removed.

    Attributes:
        run_id: The removal in the run history; None where the warehouse had no sample.
        rows: The removed rows of each file.
    """

    run_id: str | None
    rows: Mapping[TripFile, int]


def sample_entries(records: Mapping[TripFile, FileRecord]) -> dict[TripFile, LedgerEntry]:
    """Return the ledger entries of the files whose rows are synthetic, in order."""
    return {
        file: record.loaded
        for file, record in sorted(records.items())
        if record.loaded and record.loaded.is_synthetic
    }


def remove_sample(target: str, settings: Settings, origin: str) -> SampleRemoval:
    """Remove every synthetic file from a warehouse, and the sample's staged files.

    Each file goes in a transaction of its own: a removal that is killed leaves each file whole or
    gone, and the next one removes the rest. The run history shows it, so that pages read the ledger
    again.

    Args:
        origin: What removes it, as the history shows it: app or command line.

    Raises:
        WarehouseBusy: A backfill runs, or another process holds the warehouse.
        WarehouseError: The warehouse cannot be written; files before this one are gone.
        StorageError: A staged file cannot be deleted.
    """
    with backfill_lock(target, settings):
        with open_warehouse(target, settings) as warehouse:
            entries = sample_entries(warehouse.records())
            removal = SampleRemoval(None, {})
            if entries:
                removal = _remove(warehouse, _plan(target, entries), settings, origin)
        _delete_staged(settings)
    return removal


def _plan(target: str, entries: Mapping[TripFile, LedgerEntry]) -> Plan:
    """Return a plan that loads nothing: the history's record of the files of a removal."""
    months = [file.month for file in entries]
    datasets = tuple(dict.fromkeys(file.dataset for file in entries))
    request = Request(
        Selection(datasets, min(months), max(months)),
        source=SAMPLE,
        policy=Policy.MISSING,
        target=target,
        only=frozenset(entries),
    )
    files = (
        PlannedFile(file, False, "to be removed", FileState.LOADED, None, Unknown(file, "", ()))
        for file in entries
    )
    return Plan(request, SAMPLE_REMOVAL, tuple(files))


def _remove(warehouse: Warehouse, plan: Plan, settings: Settings, origin: str) -> SampleRemoval:
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    history = History(settings.history_path)
    history.interrupt_runs(plan.request.target)
    history.start_run(run_id, plan, origin)
    rows: dict[TripFile, int] = {}
    state: RunState = "failed"
    try:
        for planned in plan.files:
            removed = warehouse.remove(planned.file, SAMPLE)
            if removed is None:  # another machine loaded real trips meanwhile
                continue
            rows[planned.file] = removed
            reason = f"removed {removed:,} synthetic trips"
            history.save_file(run_id, RunFile(planned.file, "skipped", reason))
            history.log(run_id, reason, planned.file)
        state = "succeeded"
    except FaregroundError as error:
        history.log(run_id, str(error), level="error")
        raise
    finally:
        history.finish_run(run_id, state)
    return SampleRemoval(run_id, rows)


def _delete_staged(settings: Settings) -> None:
    """Delete the staged files of the sample."""
    with storage_errors(settings.staging):
        for format in FORMATS:
            for path in settings.staging.glob(f"*/*.{format}"):
                staged = read_staged(path, format)
                if staged is not None and staged.address.startswith(SAMPLE_SCHEME):
                    delete_staged(path)
