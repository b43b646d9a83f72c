"""Fetch, upload and load one planned file, and record its progress in the run history.

The three steps are separate calls, so that a backfill fetches and uploads the next file while it
loads this one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from pipeline.core.cancel import Cancel
from pipeline.core.errors import FaregroundError, TripFileError
from pipeline.core.settings.settings import Settings
from pipeline.core.trips import TripFile
from pipeline.files.download import stage
from pipeline.files.offers import Missing
from pipeline.files.staging import Progress, StagedFile
from pipeline.runs.history import History
from pipeline.runs.plan import PlannedFile
from pipeline.runs.run_records import RunFile
from pipeline.warehouse import LoadJob, LoadMonitor, Warehouse
from pipeline.warehouse.ledger import FileRecord, LedgerEntry
from pipeline.warehouse.statements import LoadStep

FileStep = Literal["waiting", "download", "ready"] | LoadStep

# Fields of a ledger entry that the run history stores too.
_HISTORY_COLUMNS = (
    "rows", "inserted", "updated", "deleted", "unchanged", "rejected", "bytes", "sha256",
    "unpacked_bytes",
)  # fmt: skip


@dataclass
class FileProgress:
    """Progress of one file in a running backfill; its thread writes it, any thread reads it.

    Attributes:
        bytes_total: Size of the published file; None when the source does not say.
        bytes_done: Bytes downloaded so far.
        rows: Rows in the table after the load; None before.
        fraction: Returns the completed share of the current loading step, 0 to 1, or None
            when it is unknown.
    """

    file: TripFile
    bytes_total: int | None
    step: FileStep = "waiting"
    bytes_done: int = 0
    rows: int | None = None
    fraction: Callable[[], float | None] = field(default=lambda: None, repr=False)

    def fraction_done(self) -> float | None:
        """Return the completed share of the current step, 0 to 1, or None when it is unknown."""
        if self.step == "download":
            return self.bytes_done / self.bytes_total if self.bytes_total else None
        return self.fraction()

    def bytes_transferred(self) -> int | None:
        """Return the bytes downloaded or uploaded in the current step; None in other steps."""
        if self.step == "upload":
            share = self.fraction()
            return None if share is None else round(share * (self.bytes_total or 0))
        return self.bytes_done if self.step == "download" else None


class FileRun:
    """One planned file of a run: fetches, uploads and loads it.

    Steps, log lines and the final state go to the run history as they occur.

    Attributes:
        seconds: Time spent fetching, uploading and loading; waiting between them is left out.
        cost: Bytes billed and slot milliseconds of a load in BigQuery; None elsewhere.
    """

    def __init__(
        self, planned: PlannedFile, run_id: str, history: History, settings: Settings
    ) -> None:
        self.planned = planned
        self.file = planned.file
        self.progress = FileProgress(planned.file, planned.bytes)
        self.seconds = 0.0
        self.cost: tuple[int, int] | None = None
        self._run_id = run_id
        self._history = history
        self._settings = settings
        self._step: tuple[FileStep, datetime] | None = None
        self._step_lock = threading.Lock()

    def log(self, message: str) -> None:
        """Append a line to the file's log.

        A message that starts with "warning: " or "error: " gets that level; others are info.
        """
        level, _, rest = message.partition(": ")
        if level in ("warning", "error") and rest:
            self._history.log(self._run_id, rest, self.file, level)
        else:
            self._history.log(self._run_id, message, self.file)

    def fetch(self, record: FileRecord | None, job: LoadJob, cancel: Cancel) -> StagedFile:
        """Download the file into staging; raises the errors of `download.stage`."""
        assert not isinstance(self.planned.probe, Missing)  # make_plan never runs such a file
        self._history.save_file(self._run_id, RunFile(self.file, "running", "downloading"))
        with self._timed(), self._recorded_step("download"):

            def advance(progress: Progress) -> None:
                self.progress.bytes_done = progress.done
                self.progress.bytes_total = progress.total

            staged = stage(
                self.planned.probe,
                self._settings,
                cancel,
                advance,
                self.log,
                lambda staged: self._find_same_load(staged, record, job) is not None,
            )
        self.log(
            f"staged {staged.source_bytes:,} bytes from {staged.address}, "
            f"sha256 {staged.source_sha256}"
        )
        self.progress.step = "ready"
        return staged

    def upload(
        self,
        staged: StagedFile,
        warehouse: Warehouse,
        record: FileRecord | None,
        job: LoadJob,
        cancel: Cancel,
    ) -> None:
        """Upload the staged file, unless the table already holds its bytes.

        The backfill calls this as soon as the file is fetched, while another file loads.
        Raises the errors of `Warehouse.upload`.
        """
        if self._find_same_load(staged, record, job) is None:
            with self._timed(), self._recorded_step(None):
                warehouse.upload(staged, self._watch(cancel))
            self.progress.step = "ready"

    def load(
        self,
        staged: StagedFile,
        warehouse: Warehouse,
        record: FileRecord | None,
        job: LoadJob,
        cancel: Cancel,
    ) -> RunFile:
        """Load the staged file, unless the table already holds its bytes; return the result.

        Raises the errors of `Warehouse.load`.
        """
        self._history.save_file(self._run_id, RunFile(self.file, "running", "loading"))
        same_load = self._find_same_load(staged, record, job)
        with self._timed():
            if same_load is not None:
                return self._skip(staged, warehouse, same_load, job)
            self._refuse_empty_file(staged, record, job)
            with self._recorded_step(None):
                entry = warehouse.load(staged, job, self._watch(cancel))
        self.progress.rows = entry.rows
        self.log(_describe_load(entry) + self._format_cost())
        return self._run_file(entry, "loaded", staged.remark)

    def _refuse_empty_file(
        self, staged: StagedFile, record: FileRecord | None, job: LoadJob
    ) -> None:
        """Refuse to replace loaded trips with an empty file, unless the load is forced.

        A failed export often leaves an empty file. Raises TripFileError.
        """
        loaded = record.loaded if record else None
        if staged.data_lines == 0 and loaded and loaded.rows and not job.force:
            raise TripFileError(
                f"{staged.address} has no trips, but {loaded.rows:,} trips of {self.file.stem} are "
                "loaded; nothing was changed.",
                cure="Check the file. If the month has no trips, load it with --force.",
            )

    def mark_failed(
        self, warehouse: Warehouse, job: LoadJob, reason: str, error: Exception | None = None
    ) -> RunFile:
        """Record in the ledger and the log that the file failed; rows of an earlier load stay.

        Args:
            error: An unexpected exception, whose traceback goes to the log for machines.
        """
        self._history.log(self._run_id, reason, self.file, "error", error)
        try:
            warehouse.record(_ledger_entry(self.file, "failed", job, reason, self.seconds))
        except FaregroundError as error:  # often a full disk; a smaller file may still fit
            self.log(f"error: could not record the failure in the ledger: {error}")
        return self._with_cost(RunFile(self.file, "failed", reason, seconds=round(self.seconds, 3)))

    def mark_cancelled(self) -> RunFile:
        """Log that the run was cancelled before this file was loaded, and return that result."""
        self.log("cancelled; the table did not change")
        return self._with_cost(RunFile(self.file, "cancelled", "cancelled before it was loaded"))

    def mark_unavailable(self, warehouse: Warehouse, job: LoadJob, reason: str) -> RunFile:
        """Record in the ledger and the log that the source has no such month."""
        self.log(reason)
        warehouse.record(_ledger_entry(self.file, "unavailable", job, reason, self.seconds))
        return RunFile(self.file, "unavailable", reason, seconds=round(self.seconds, 3))

    def _skip(
        self, staged: StagedFile, warehouse: Warehouse, loaded: LedgerEntry, job: LoadJob
    ) -> RunFile:
        # The new ETag lets the next run skip the download with a conditional request.
        entry = replace(
            loaded,
            run_id=job.run_id,
            source=job.source,
            address=staged.address,
            etag=staged.etag,
            inserted=0,
            updated=0,
            deleted=0,
            unchanged=loaded.rows,
            reason="same bytes as the loaded file",
            seconds=0.0,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
        )
        warehouse.record(entry)
        reason = f"unchanged: the same bytes were loaded {loaded.finished_at:%Y-%m-%d %H:%M} UTC"
        reason += f"; {staged.remark}" if staged.remark else ""
        self.log(reason)
        self.progress.rows = loaded.rows
        return self._run_file(entry, "skipped", reason)

    def _find_same_load(
        self, staged: StagedFile, record: FileRecord | None, job: LoadJob
    ) -> LedgerEntry | None:
        """Return the ledger entry of a load of the same bytes, or None when a load is needed."""
        loaded = record.loaded if record else None
        is_same = loaded is not None and not job.force and _same_bytes(loaded, staged)
        return loaded if is_same else None

    def _watch(self, cancel: Cancel) -> LoadMonitor:
        return LoadMonitor(cancel, self._begin_step, self.log, self._set_cost)

    def _set_cost(self, bytes_billed: int, slot_ms: int) -> None:
        self.cost = (bytes_billed, slot_ms)

    def _format_cost(self) -> str:
        if self.cost is None:
            return ""
        return f"; {self.cost[0]:,} bytes billed, {self.cost[1] / 1000:,.1f} slot seconds"

    def _with_cost(self, run_file: RunFile) -> RunFile:
        if self.cost is None:
            return run_file
        return replace(run_file, bytes_billed=self.cost[0], slot_ms=self.cost[1])

    def _run_file(
        self, entry: LedgerEntry, state: Literal["loaded", "skipped"], reason: str
    ) -> RunFile:
        counts = {name: getattr(entry, name) for name in _HISTORY_COLUMNS}
        seconds = round(self.seconds, 3)
        return self._with_cost(RunFile(entry.file, state, reason, **counts, seconds=seconds))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started

    @contextmanager
    def _recorded_step(self, step: FileStep | None) -> Iterator[None]:
        if step:
            self._begin_step(step)
        try:
            yield
        finally:
            self._end_step()
            self.progress.fraction = lambda: None

    def _begin_step(
        self, step: FileStep, fraction: Callable[[], float | None] = lambda: None
    ) -> None:
        self._end_step()
        with self._step_lock:
            self._step = (step, datetime.now(UTC))
        self.progress.fraction = fraction
        self.progress.step = step

    def _end_step(self) -> None:
        with self._step_lock:
            step_started, self._step = self._step, None
        if step_started:
            step, started = step_started
            self._history.add_step(self._run_id, self.file, step, started, datetime.now(UTC))


def record_unavailable(planned: PlannedFile, warehouse: Warehouse, job: LoadJob) -> None:
    """Record in the ledger that the source has no such month.

    Files that are recorded so already, or that have rows in the table, are left unchanged.
    """
    if isinstance(planned.probe, Missing):
        record = warehouse.records().get(planned.file)
        if record is None or (record.loaded is None and record.latest.state != "unavailable"):
            reason = planned.probe.reason
            warehouse.record(_ledger_entry(planned.file, "unavailable", job, reason, 0.0))


def _same_bytes(loaded: LedgerEntry, staged: StagedFile) -> bool:
    return loaded.sha256 == staged.source_sha256 and loaded.is_current


def _ledger_entry(
    file: TripFile,
    state: Literal["failed", "unavailable"],
    job: LoadJob,
    reason: str,
    seconds: float,
) -> LedgerEntry:
    return LedgerEntry(
        file=file,
        state=state,
        run_id=job.run_id,
        source=job.source,
        reason=reason,
        finished_at=datetime.now(UTC).replace(tzinfo=None),
        seconds=round(seconds, 3),
    )


def _describe_load(entry: LedgerEntry) -> str:
    dollars = "" if entry.total_amount is None else f", ${entry.total_amount:,}"
    return (
        f"loaded {entry.rows:,} rows{dollars}: {entry.inserted:,} inserted, "
        f"{entry.updated:,} updated, {entry.deleted:,} deleted, {entry.unchanged:,} unchanged, "
        f"{entry.rejected:,} rejected, {entry.rounded:,} rounded"
    )
