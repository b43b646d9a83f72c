"""One planned file, from its source into the warehouse, told as it happens.

Fetching and loading are two calls, so that the next file can be fetched while one loads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from pipeline.cancel import Cancel
from pipeline.download import Progress, StagedFile, stage
from pipeline.errors import FaregroundError
from pipeline.history import History, RunFile
from pipeline.plan import PlannedFile
from pipeline.settings import Settings
from pipeline.sources import Missing
from pipeline.trips import TripFile
from pipeline.warehouse import (
    LOADER_VERSION,
    FileRecord,
    LedgerEntry,
    LoadJob,
    LoadStep,
    Warehouse,
    Watch,
)

FileStep = Literal["waiting", "download", "ready"] | LoadStep


@dataclass
class FileProgress:
    """Where one file of a running backfill stands; written by its thread, read by any.

    `bytes_done` of `bytes_total` have been downloaded (None: size unknown), in
    `download_seconds`; `fraction()` is how much of the present loading step is done.
    """

    file: TripFile
    bytes_total: int | None
    step: FileStep = "waiting"
    bytes_done: int = 0
    download_seconds: float = 0.0
    rows: int | None = None
    fraction: Callable[[], float | None] = field(default=lambda: None, repr=False)

    def done_share(self) -> float | None:
        """Return how much of the present step is done, 0 to 1, or None when nobody can tell."""
        if self.step == "download":
            return self.bytes_done / self.bytes_total if self.bytes_total else None
        return self.fraction()


class FileWork:
    """The fetching and loading of one planned file within a run.

    Everything it does is written to the run history as it happens.
    """

    def __init__(
        self, planned: PlannedFile, run_id: str, history: History, settings: Settings
    ) -> None:
        self.planned = planned
        self.file = planned.file
        self.progress = FileProgress(planned.file, planned.bytes)
        self.seconds = 0.0
        self._run_id = run_id
        self._history = history
        self._settings = settings
        self._step: tuple[FileStep, datetime] | None = None
        self._step_lock = threading.Lock()

    def note(self, message: str) -> None:
        """Write a sentence to the file's log; its level is the word before a colon, if any."""
        level, _, rest = message.partition(": ")
        if level in ("warning", "error") and rest:
            self._history.log(self._run_id, rest, self.file, level)
        else:
            self._history.log(self._run_id, message, self.file)

    def fetch(self, cancel: Cancel) -> StagedFile:
        """Bring the file into staging; raises what `download.stage` raises."""
        assert not isinstance(self.planned.probe, Missing)  # such a file is never planned to run
        self._history.save_file(self._run_id, RunFile(self.file, "running", "downloading"))
        with self._timed(), self._stepping("download"):
            started = time.monotonic()

            def advance(progress: Progress) -> None:
                self.progress.bytes_done = progress.done
                self.progress.bytes_total = progress.total
                self.progress.download_seconds = time.monotonic() - started

            staged = stage(self.planned.probe, self._settings, cancel, advance, self.note)
        self.note(f"staged {staged.bytes:,} bytes from {staged.address}, sha256 {staged.sha256}")
        self.progress.step = "ready"
        return staged

    def load(
        self,
        staged: StagedFile,
        warehouse: Warehouse,
        record: FileRecord | None,
        job: LoadJob,
        cancel: Cancel,
    ) -> RunFile:
        """Load the staged file unless the table holds the same bytes; return how it went.

        Raises what `Warehouse.load` raises.
        """
        self._history.save_file(self._run_id, RunFile(self.file, "running", "loading"))
        loaded = record.loaded if record else None
        with self._timed():
            if loaded is not None and not job.force and _same_bytes(loaded, staged):
                return self._skip(staged, warehouse, loaded, job)
            with self._stepping(None):
                watch = Watch(cancel, self._begin_step, self.note)
                entry = warehouse.load(staged, job, watch)
        self.progress.rows = entry.rows
        self.note(_summary(entry))
        return _run_file(entry, "loaded", "", self.seconds)

    def fail(self, warehouse: Warehouse, job: LoadJob, reason: str) -> RunFile:
        """Record that the file failed, in the ledger and the log; what was loaded stays."""
        self.note(f"error: {reason}")
        try:
            warehouse.record(_outcome(self.file, "failed", job, reason, self.seconds))
        except FaregroundError as error:  # a full disk, most likely: the next file may still go
            self.note(f"error: the ledger could not be told: {error}")
        return RunFile(self.file, "failed", reason, seconds=round(self.seconds, 3))

    def miss(self, warehouse: Warehouse, job: LoadJob, reason: str) -> RunFile:
        """Record that the source has no such month."""
        self.note(reason)
        warehouse.record(_outcome(self.file, "unavailable", job, reason, self.seconds))
        return RunFile(self.file, "unavailable", reason)

    def _skip(
        self, staged: StagedFile, warehouse: Warehouse, loaded: LedgerEntry, job: LoadJob
    ) -> RunFile:
        # The ledger learns the new ETag, so that next time a conditional request is enough.
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
            reason="same bytes as loaded before",
            seconds=0.0,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
        )
        warehouse.record(entry)
        reason = f"unchanged: the same bytes were loaded {loaded.finished_at:%Y-%m-%d %H:%M} UTC"
        self.note(reason)
        self.progress.rows = loaded.rows
        return _run_file(entry, "skipped", reason, self.seconds)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started

    @contextmanager
    def _stepping(self, step: FileStep | None) -> Iterator[None]:
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
            ended, self._step = self._step, None
        if ended:
            step, started = ended
            self._history.add_step(self._run_id, self.file, step, started, datetime.now(UTC))


def mark_unavailable(planned: PlannedFile, warehouse: Warehouse, job: LoadJob) -> None:
    """Tell the ledger that the source has no such month, unless it knows or rows are loaded."""
    if isinstance(planned.probe, Missing):
        record = warehouse.records().get(planned.file)
        if record is None or (record.loaded is None and record.latest.state != "unavailable"):
            reason = planned.probe.reason
            warehouse.record(_outcome(planned.file, "unavailable", job, reason, 0.0))


def _same_bytes(loaded: LedgerEntry, staged: StagedFile) -> bool:
    return loaded.sha256 == staged.sha256 and loaded.loader_version == LOADER_VERSION


def _outcome(
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


def _run_file(
    entry: LedgerEntry, state: Literal["loaded", "skipped"], reason: str, seconds: float
) -> RunFile:
    return RunFile(
        entry.file,
        state,
        reason,
        entry.rows,
        entry.inserted,
        entry.updated,
        entry.deleted,
        entry.unchanged,
        entry.rejected,
        entry.bytes,
        entry.sha256,
        round(seconds, 3),
        entry.bytes_billed,
        entry.slot_ms,
    )


def _summary(entry: LedgerEntry) -> str:
    cost = ""
    if entry.bytes_billed is not None and entry.slot_ms is not None:
        cost = f"; {entry.bytes_billed:,} bytes billed, {entry.slot_ms / 1000:,.1f} slot seconds"
    return (
        f"loaded {entry.rows:,} rows, ${entry.total_amount:,}: {entry.inserted:,} inserted, "
        f"{entry.updated:,} updated, {entry.deleted:,} deleted, {entry.unchanged:,} unchanged, "
        f"{entry.rejected:,} rejected, {entry.rounded:,} rounded{cost}"
    )
