"""Backfills: planned, run one at a time per warehouse, watched, cancelled, resumed.

`run_backfill` does the work in the calling thread (the command line); `pipeline.jobs` gives it a
thread of its own that outlives whoever started it (the app).
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.cancel import Cancel
from pipeline.download import StagedFile
from pipeline.errors import Cancelled, FaregroundError, NotPublished, UsageError
from pipeline.history import History
from pipeline.load import FileProgress, FileWork, mark_unavailable
from pipeline.locks import backfill_lock
from pipeline.plan import Plan, Request, make_plan
from pipeline.redact import redact
from pipeline.run_records import RunFile, RunState
from pipeline.settings import Settings
from pipeline.sources import open_source
from pipeline.trips import TripFile
from pipeline.warehouse import FileRecord, LoadJob, Warehouse, open_warehouse

_CANCEL_SECONDS = 1.5  # what a cancelled fetch gets to end by itself


def prepare_plan(request: Request, settings: Settings, *, read_only: bool = False) -> Plan:
    """Ask the source and the ledger, and return what the backfill would do.

    `read_only` leaves no trace at all, but does not work beside a backfill of the same process.
    Raises UsageError for a source that cannot be, WarehouseBusy when the ledger cannot be read.
    """
    source = open_source(request.source, settings)
    request = replace(request, source=source.name)  # from here on without a password in a URL
    with open_warehouse(request.target, settings, read_only=read_only) as warehouse:
        records = warehouse.records()
    return make_plan(request, source.label, source.probe(request.files()), records)


def resume_request(run_id: str, settings: Settings) -> Request:
    """Return a request for what an interrupted, cancelled or failed run did not finish.

    Raises UsageError when there is no such run, or it finished everything.
    """
    history = History(settings.history_path)
    run = history.run(run_id)
    finished = ("loaded", "skipped", "unavailable")
    left = frozenset(f.file for f in history.files(run_id) if f.state not in finished)
    if not left:
        raise UsageError(
            f"The run {run_id} finished all its files; there is nothing to resume.",
            cure="Run it again instead, if its files shall be looked at once more.",
        )
    return replace(run.request, only=left)


@dataclass(frozen=True)
class Snapshot:
    """A running backfill at one moment.

    Rates are over the whole run so far; `seconds_left` is None until a first file is done.
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
    """One run of a plan. `run` does it; everything else may be called from any thread meanwhile."""

    def __init__(self, plan: Plan, settings: Settings, origin: str) -> None:
        self.plan = plan
        self.run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        self.history = History(settings.history_path)
        self.cancel = Cancel()
        self.state: RunState = "running"
        self._settings = settings
        self._origin = origin
        self._work = [
            FileWork(planned, self.run_id, self.history, settings) for planned in plan.to_run
        ]
        self._done = 0
        self._started = time.monotonic()
        self._stop_by: float | None = None
        self._job = LoadJob(self.run_id, plan.request.source, plan.request.force)

    def begin(self) -> None:
        """Write down that the run begins; the caller holds the backfill lock until it ends."""
        self._started = time.monotonic()
        self.history.interrupt_runs(self.plan.request.target)
        self.history.start_run(self.run_id, self.plan, self._origin)
        self.history.log(self.run_id, f"run {self.run_id} begins, files: {len(self._work)}")

    def run(self) -> RunState:
        """Run every file of the plan, one bad file not stopping the others; return how it ended."""
        state: RunState = "failed"
        try:
            with open_warehouse(self.plan.request.target, self._settings) as warehouse:
                self._finish_unplanned(warehouse)
                outcomes = self._run_files(warehouse)
            state = self._conclude(outcomes)
        except FaregroundError as error:
            self.history.log(self.run_id, str(error), level="error")
            raise
        finally:
            self.history.log(self.run_id, f"run {state} after {self._elapsed():.1f} s")
            self.history.finish_run(self.run_id, state)
            self.state = state
            self._tell(state)
        return state

    def snapshot(self) -> Snapshot:
        """Return where the run stands now."""
        files = tuple(replace(work.progress) for work in self._work)
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

    def _tell(self, state: RunState) -> None:
        """Notify whoever wants to hear of it."""
        from pipeline import notify  # mail and TLS take a moment to import

        if notify.is_wanted(state, self._settings):
            files = self.history.files(self.run_id)
            text = notify.describe_run(self.run_id, state, self._origin, files)
            subject = f"Fareground: run {self.run_id} {state}"
            for level, sentence in notify.send(subject, text, self._settings):
                self.history.log(self.run_id, sentence, level=level)

    def _finish_unplanned(self, warehouse: Warehouse) -> None:
        """Settle the files that the plan leaves alone."""
        for planned in self.plan.files:
            if not planned.runs:
                mark_unavailable(planned, warehouse, self._job)

    def _run_files(self, warehouse: Warehouse) -> list[RunFile]:
        records = warehouse.records()
        outcomes: list[RunFile] = []
        fetched: list[Future[StagedFile]] = []
        for position, work in enumerate(self._work):
            # One file ahead: the next is fetched and uploaded while this one loads.
            ahead = min(position + 2, len(self._work))
            while len(fetched) < ahead and not self.cancel.is_set():
                previous = fetched[-1] if fetched else None
                coming = self._work[len(fetched)]
                record = records.get(coming.file)
                fetched.append(self._fetch_after(previous, coming, warehouse, record))
            if position < len(fetched):
                outcome = self._run_file(work, fetched[position], warehouse, records)
            else:
                outcome = work.stop()
            self.history.save_file(self.run_id, outcome)
            outcomes.append(outcome)
            self._done += outcome.state != "cancelled"
        return outcomes

    def _fetch_after(
        self,
        previous: Future[StagedFile] | None,
        work: FileWork,
        warehouse: Warehouse,
        record: FileRecord | None,
    ) -> Future[StagedFile]:
        fetched: Future[StagedFile] = Future()

        def fetch() -> None:
            if previous is not None:
                wait([previous])
            try:
                staged = work.fetch(self.cancel)
                try:
                    work.upload(staged, warehouse, record, self._job, self.cancel)
                    self.cancel.check()  # nobody may be waiting for it any more
                except BaseException:
                    staged.forget_unpacked()
                    raise
                fetched.set_result(staged)
            except BaseException as error:
                fetched.set_exception(error)

        # A daemon thread, unlike a pool's: a server that stops must not wait for a slow source.
        threading.Thread(target=fetch, name=f"fetch {work.file.stem}", daemon=True).start()
        return fetched

    def _run_file(
        self,
        work: FileWork,
        fetched: Future[StagedFile],
        warehouse: Warehouse,
        records: dict[TripFile, FileRecord],
    ) -> RunFile:
        try:
            staged = self._await(fetched)
            try:
                self.cancel.check()
                return work.load(staged, warehouse, records.get(work.file), self._job, self.cancel)
            finally:
                staged.forget_unpacked()
        except Cancelled:
            return work.stop()
        except NotPublished as error:
            return work.miss(warehouse, self._job, error.problem)
        except FaregroundError as error:
            return work.fail(warehouse, self._job, str(error))
        except Exception as error:  # whatever it is, it must not stop the other files
            reason = f"{work.file} failed unexpectedly: {type(error).__name__}: {error}"
            return work.fail(warehouse, self._job, redact(reason), error)

    def _await(self, fetched: Future[StagedFile]) -> StagedFile:
        """Return what was fetched; leave behind a cancelled upload that is in a slow send."""
        ended = threading.Event()
        fetched.add_done_callback(lambda _: ended.set())
        with suppress(Cancelled), self.cancel.calling(ended.set):
            ended.wait()
        if self.cancel.is_set():
            self._stop_by = self._stop_by or time.monotonic() + _CANCEL_SECONDS
            wait([fetched], max(0.0, self._stop_by - time.monotonic()))
            if not fetched.done():
                raise Cancelled
        return fetched.result()

    def _conclude(self, outcomes: list[RunFile]) -> RunState:
        states = {outcome.state for outcome in outcomes}
        if "cancelled" in states:
            return "cancelled"
        if "failed" in states:
            return "failed"
        return "succeeded" if states & {"loaded"} else "nothing-to-do"


def run_backfill(backfill: Backfill, settings: Settings) -> RunState:
    """Run a backfill in this thread; raises WarehouseBusy when another one is running."""
    with backfill_lock(backfill.plan.request.target, settings):
        backfill.begin()
        return backfill.run()
