"""One planned file, from its source into the warehouse, told as it happens.

Fetching, uploading and loading are calls of their own, so that the next file can be fetched and
uploaded while one loads.
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
from pipeline.history import History
from pipeline.plan import PlannedFile
from pipeline.run_records import RunFile
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

# What the run history keeps of a ledger entry.
_KEPT = (
    "rows", "inserted", "updated", "deleted", "unchanged", "rejected", "bytes", "sha256"
)  # fmt: skip


@dataclass
class FileProgress:
    """Where one file of a running backfill stands; written by its thread, read by any.

    `bytes_done` of `bytes_total` have been downloaded (None: size unknown); `fraction()` is how
    much of the present loading step is done.
    """

    file: TripFile
    bytes_total: int | None
    step: FileStep = "waiting"
    bytes_done: int = 0
    rows: int | None = None
    fraction: Callable[[], float | None] = field(default=lambda: None, repr=False)

    def done_share(self) -> float | None:
        """Return how much of the present step is done, 0 to 1, or None when nobody can tell."""
        if self.step == "download":
            return self.bytes_done / self.bytes_total if self.bytes_total else None
        return self.fraction()

    def bytes_moved(self) -> int | None:
        """Return how many bytes the present step has brought here or sent on, if it does that."""
        if self.step == "upload":
            share = self.fraction()
            return None if share is None else round(share * (self.bytes_total or 0))
        return self.bytes_done if self.step == "download" else None


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
        self.cost: tuple[int, int] | None = None  # bytes billed and slot milliseconds
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

            def advance(progress: Progress) -> None:
                self.progress.bytes_done = progress.done
                self.progress.bytes_total = progress.total

            staged = stage(self.planned.probe, self._settings, cancel, advance, self.note)
        self.note(f"staged {staged.bytes:,} bytes from {staged.address}, sha256 {staged.sha256}")
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
        """Upload the staged file unless it will not be loaded; raises what `upload` there raises.

        To be called as soon as the file is fetched, beside the load of another one.
        """
        if self._known(staged, record, job) is None:
            with self._timed(), self._stepping(None):
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
        """Load the staged file unless the table holds the same bytes; return how it went.

        Raises what `Warehouse.load` raises.
        """
        self._history.save_file(self._run_id, RunFile(self.file, "running", "loading"))
        known = self._known(staged, record, job)
        with self._timed():
            if known is not None:
                return self._skip(staged, warehouse, known, job)
            with self._stepping(None):
                entry = warehouse.load(staged, job, self._watch(cancel))
        self.progress.rows = entry.rows
        self.note(_summary(entry) + self._cost_words())
        return self._settled(entry, "loaded", "")

    def fail(
        self, warehouse: Warehouse, job: LoadJob, reason: str, error: Exception | None = None
    ) -> RunFile:
        """Record that the file failed, in the ledger and the log; what was loaded stays.

        `error` is the cause where it is one that nobody expected.
        """
        self._history.log(self._run_id, reason, self.file, "error", error)
        try:
            warehouse.record(_outcome(self.file, "failed", job, reason, self.seconds))
        except FaregroundError as error:  # a full disk, most likely: the next file may still go
            self.note(f"error: the ledger could not be told: {error}")
        return self._charged(RunFile(self.file, "failed", reason, seconds=round(self.seconds, 3)))

    def stop(self) -> RunFile:
        """Say in the log that the run was cancelled before the file was loaded."""
        self.note("cancelled; the file is as it was before the run")
        return self._charged(RunFile(self.file, "cancelled", "cancelled before it was loaded"))

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
        return self._settled(entry, "skipped", reason)

    def _known(
        self, staged: StagedFile, record: FileRecord | None, job: LoadJob
    ) -> LedgerEntry | None:
        """Return the entry of the load that makes another one needless, if there is one."""
        loaded = record.loaded if record else None
        same = loaded is not None and not job.force and _same_bytes(loaded, staged)
        return loaded if same else None

    def _watch(self, cancel: Cancel) -> Watch:
        return Watch(cancel, self._begin_step, self.note, self._keep_cost)

    def _keep_cost(self, bytes_billed: int, slot_ms: int) -> None:
        self.cost = (bytes_billed, slot_ms)

    def _cost_words(self) -> str:
        if self.cost is None:
            return ""
        return f"; {self.cost[0]:,} bytes billed, {self.cost[1] / 1000:,.1f} slot seconds"

    def _charged(self, run_file: RunFile) -> RunFile:
        if self.cost is None:
            return run_file
        return replace(run_file, bytes_billed=self.cost[0], slot_ms=self.cost[1])

    def _settled(
        self, entry: LedgerEntry, state: Literal["loaded", "skipped"], reason: str
    ) -> RunFile:
        counts = {name: getattr(entry, name) for name in _KEPT}
        seconds = round(self.seconds, 3)
        return self._charged(RunFile(entry.file, state, reason, **counts, seconds=seconds))

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


def _summary(entry: LedgerEntry) -> str:
    return (
        f"loaded {entry.rows:,} rows, ${entry.total_amount:,}: {entry.inserted:,} inserted, "
        f"{entry.updated:,} updated, {entry.deleted:,} deleted, {entry.unchanged:,} unchanged, "
        f"{entry.rejected:,} rejected, {entry.rounded:,} rounded"
    )
