"""Plan, run, cancel and resume backfills; one runs at a time per warehouse.

`run_backfill` runs in the calling thread (the command line). `pipeline.runs.jobs` runs a backfill
in a background thread that outlives the session that started it (the app).
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.core.cancel import Cancel
from pipeline.core.errors import Cancelled, FaregroundError, NotPublished, UsageError
from pipeline.core.redact import redact
from pipeline.core.settings.settings import Settings
from pipeline.core.tasks import Task, TaskPool, run_in_background
from pipeline.core.trips import TripFile
from pipeline.files.sources import open_source
from pipeline.files.staging import StagedFile
from pipeline.runs.file_run import FileProgress, FileRun, record_unavailable
from pipeline.runs.history import History
from pipeline.runs.locks import backfill_lock
from pipeline.runs.plan import Plan, Request, make_plan
from pipeline.runs.run_records import Run, RunFile, RunState
from pipeline.warehouse import LoadJob, Warehouse
from pipeline.warehouse.ledger import FileRecord
from pipeline.warehouse.registry import open_warehouse

_CANCEL_SECONDS = 1.5  # a cancelled download may take this long to stop before it is abandoned


def prepare_plan(request: Request, settings: Settings, *, read_only: bool = False) -> Plan:
    """Probe the source, read the ledger, and return what the backfill would do.

    Args:
        read_only: Open the warehouse without writing to it. This fails with WarehouseBusy
            while a backfill runs in the same process.

    Raises:
        UsageError: The source's name or URL is not valid.
        WarehouseBusy: Another process holds the warehouse, so its ledger cannot be read.
    """
    source = open_source(request.source, settings)
    request = replace(request, source=source.name)  # the name has no password, a URL may
    with open_warehouse(request.target, settings, read_only=read_only) as warehouse:
        records = warehouse.records()
    return make_plan(request, source.label, source.probe(request.files()), records)


def resume_request(run_id: str, settings: Settings) -> Request:
    """Return a request for the files that an interrupted, cancelled or failed run did not finish.

    Raises UsageError when there is no such run, or when it finished all its files.
    """
    request = find_unfinished(History(settings.history_path).run(run_id), settings)
    if request is None:
        raise UsageError(
            f"The run {run_id} finished all its files; there is nothing to resume.",
            cure="Start a new backfill to check its files again.",
        )
    return request


def find_unfinished(run: Run, settings: Settings) -> Request | None:
    """Return a request for the files that a run did not finish, or None when it finished all.

    Failed files count as not finished.
    """
    finished = ("loaded", "skipped", "unavailable")
    files = History(settings.history_path).files(run.run_id)
    unfinished = frozenset(f.file for f in files if f.state not in finished)
    return replace(run.request, only=unfinished) if unfinished else None


@dataclass(frozen=True)
class Snapshot:
    """Progress of a running backfill at one moment.

    Attributes:
        done: Files that ended, out of `total` files to run.
        bytes_done: Bytes downloaded so far.
        rows: Rows of the files loaded so far.
        seconds: Time since the run began; the rates are averages over it.
        seconds_left: Estimate from the files that ended; None before the first one has.
    """

    files: tuple[FileProgress, ...]
    done: int
    total: int
    bytes_done: int
    rows: int
    seconds: float
    bytes_per_second: float
    rows_per_second: float
    seconds_left: float | None


class Backfill:
    """One run of a plan.

    `begin` and `run` belong to the thread that runs it; `snapshot` and `cancel.set` may be called
    from any thread at any time.

    Args:
        origin: What started the run: app, command line, or a schedule. The history keeps it.
    """

    def __init__(self, plan: Plan, settings: Settings, origin: str) -> None:
        self.plan = plan
        self.run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        self.history = History(settings.history_path)
        self.cancel = Cancel()
        self.state: RunState = "running"
        self._settings = settings
        self._origin = origin
        self._file_runs = [
            FileRun(planned, self.run_id, self.history, settings) for planned in plan.to_run
        ]
        self._done = 0
        self._started = time.monotonic()
        self._stop_by: float | None = None
        self._job = LoadJob(self.run_id, plan.request.source, plan.request.force)

    def begin(self) -> None:
        """Record the start of the run in the history, before any file runs.

        The caller holds the target's backfill lock from before this call until `run` returns.
        """
        self._started = time.monotonic()
        self.history.interrupt_runs(self.plan.request.target)
        self.history.start_run(self.run_id, self.plan, self._origin)
        self.history.log(self.run_id, f"run {self.run_id} begins, files: {len(self._file_runs)}")

    def run(self) -> RunState:
        """Run every file of the plan and return the run's final state.

        A file that fails does not stop the others.

        Raises FaregroundError when the warehouse or the history cannot be used.
        """
        state: RunState = "failed"
        try:
            with open_warehouse(self.plan.request.target, self._settings) as warehouse:
                self._record_unavailable(warehouse)
                warehouse.sync_mirror(
                    lambda note: self.history.log(self.run_id, note, level="warning")
                )
                outcomes = self._run_files(warehouse)
            state = self._final_state(outcomes)
        except FaregroundError as error:
            self.history.log(self.run_id, str(error), level="error")
            raise
        except Exception as error:
            reason = redact(f"the run failed unexpectedly: {type(error).__name__}: {error}")
            self.history.log(self.run_id, reason, level="error")
            raise
        finally:
            self.history.log(self.run_id, f"run {state} after {self._elapsed():.1f} s")
            self.history.finish_run(self.run_id, state)
            self.state = state
            self._notify(state)
        return state

    def snapshot(self) -> Snapshot:
        """Return the run's progress, as a copy that later progress does not change."""
        files = tuple(replace(file_run.progress) for file_run in self._file_runs)
        seconds = self._elapsed()
        bytes_done = sum(progress.bytes_done for progress in files)
        rows = sum(progress.rows or 0 for progress in files)
        done, total = self._done, len(files)
        return Snapshot(
            files=files,
            done=done,
            total=total,
            bytes_done=bytes_done,
            rows=rows,
            seconds=seconds,
            bytes_per_second=bytes_done / seconds if seconds else 0.0,
            rows_per_second=rows / seconds if seconds else 0.0,
            seconds_left=seconds / done * (total - done) if done else None,
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _notify(self, state: RunState) -> None:
        """Send the notifications that the settings ask for, and log each attempt."""
        from pipeline.runs import notify

        if notify.wants_notification(state, self._settings):
            files = self.history.files(self.run_id)
            text = notify.describe_run(self.run_id, state, self._origin, files)
            subject = f"Fareground: run {self.run_id} {state}"
            for level, message in notify.send(subject, text, self._settings):
                self.history.log(self.run_id, message, level=level)

    def _record_unavailable(self, warehouse: Warehouse) -> None:
        """Record in the ledger which files of the plan the source does not have."""
        for planned in self.plan.files:
            if not planned.runs:
                record_unavailable(planned, warehouse, self._job)

    def _run_files(self, warehouse: Warehouse) -> list[RunFile]:
        records = warehouse.records()
        outcomes: list[RunFile] = []
        # Fetching and uploading one file ahead hides nearly all of the load: six months took
        # 11.3 s instead of 19.8 s, of which 9.3 s are downloads (2 cores, DuckDB 2.0).
        pool = TaskPool(1)
        fetches: list[Task[StagedFile, None]] = []
        for index, file_run in enumerate(self._file_runs):
            fetch_count = min(index + 2, len(self._file_runs))
            while len(fetches) < fetch_count and not self.cancel.is_set():
                next_run = self._file_runs[len(fetches)]
                fetches.append(self._start_fetch(next_run, warehouse, records, pool))
            if index < len(fetches):
                outcome = self._run_file(file_run, fetches[index], warehouse, records)
            else:
                outcome = file_run.mark_cancelled()
            self.history.save_file(self.run_id, outcome)
            outcomes.append(outcome)
            self._done += outcome.state != "cancelled"
        return outcomes

    def _start_fetch(
        self,
        file_run: FileRun,
        warehouse: Warehouse,
        records: dict[TripFile, FileRecord],
        pool: TaskPool,
    ) -> Task[StagedFile, None]:
        """Start to download and upload a file; the task's result is the file in staging."""
        record = records.get(file_run.file)

        def fetch() -> StagedFile:
            staged = file_run.fetch(record, self._job, self.cancel)
            try:
                file_run.upload(staged, warehouse, record, self._job, self.cancel)
                self.cancel.check()  # a cancelled run may not wait for this result
            except BaseException:
                staged.delete_unpacked()
                raise
            return staged

        return run_in_background(fetch, f"fetch {file_run.file.stem}", pool)

    def _run_file(
        self,
        file_run: FileRun,
        fetch: Task[StagedFile, None],
        warehouse: Warehouse,
        records: dict[TripFile, FileRecord],
    ) -> RunFile:
        try:
            staged = self._await_fetch(fetch)
            try:
                self.cancel.check()
                return file_run.load(
                    staged, warehouse, records.get(file_run.file), self._job, self.cancel
                )
            finally:
                staged.delete_unpacked()
        except Cancelled:
            return file_run.mark_cancelled()
        except NotPublished as error:
            return file_run.mark_unavailable(warehouse, self._job, error.problem)
        except FaregroundError as error:
            return file_run.mark_failed(warehouse, self._job, str(error))
        except Exception as error:  # a bug that one file meets must not stop the other files
            reason = f"{file_run.file} failed unexpectedly: {type(error).__name__}: {error}"
            return file_run.mark_failed(warehouse, self._job, redact(reason), error)

    def _await_fetch(self, fetch: Task[StagedFile, None]) -> StagedFile:
        """Wait for a fetch and return its file.

        Raises the fetch's error, or Cancelled _CANCEL_SECONDS after a cancel: an upload may then
        still be inside one slow request, which cannot be interrupted.
        """
        ended = threading.Event()
        fetch.add_done_callback(ended.set)
        with suppress(Cancelled), self.cancel.calling(ended.set):
            ended.wait()
        if self.cancel.is_set():
            self._stop_by = self._stop_by or time.monotonic() + _CANCEL_SECONDS
            if not fetch.wait(max(0.0, self._stop_by - time.monotonic())):
                raise Cancelled
        return fetch.result()

    def _final_state(self, outcomes: list[RunFile]) -> RunState:
        states = {outcome.state for outcome in outcomes}
        if "cancelled" in states:
            return "cancelled"
        if "failed" in states:
            return "failed"
        return "succeeded" if states & {"loaded"} else "nothing-to-do"


def run_backfill(backfill: Backfill, settings: Settings) -> RunState:
    """Run a backfill in this thread and return its final state.

    Raises WarehouseBusy when another backfill of the same target runs, in any process.
    """
    with backfill_lock(backfill.plan.request.target, settings):
        backfill.begin()
        return backfill.run()
