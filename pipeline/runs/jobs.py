"""Run backfills in the background of the app: at most one per warehouse, shared by all sessions."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from pipeline.core.settings.settings import Settings
from pipeline.core.tasks import Task, run_in_background
from pipeline.runs.backfill import Backfill
from pipeline.runs.locks import backfill_lock, busy_error, mark_interrupted
from pipeline.runs.plan import Plan
from pipeline.warehouse.registry import DEFAULT_TARGET, target_names


class Jobs:
    """The backfills of one server process.

    A backfill goes on when the session that started it ends. It does not outlive the process: the
    next process marks it as interrupted.
    """

    def __init__(self, settings: Settings) -> None:
        """Mark the runs of processes that are gone as interrupted."""
        self._settings = settings
        self._lock = threading.Lock()
        self._newest: dict[str, tuple[Backfill, Task[None, None]]] = {}
        for target in target_names():
            mark_interrupted(target, settings)

    def start(self, plan: Plan, origin: str = "app", settings: Settings | None = None) -> Backfill:
        """Start a backfill in the background and return it.

        Args:
            plan: What to load.
            origin: What started it, as the history shows it: the app or a schedule.
            settings: The settings of this backfill; by default those of the server's start.

        Raises WarehouseBusy if a backfill runs on this target, in this or another process.
        """
        target = plan.request.target
        settings = settings or self._settings
        with self._lock:
            if self.current(target) is not None:
                raise busy_error(target, settings)
            backfill = Backfill(plan, settings, origin)
            with ExitStack() as stack:
                stack.enter_context(backfill_lock(target, settings))
                backfill.begin()
                held = stack.pop_all()

            def run() -> None:
                with held:
                    backfill.run()

            self._newest[target] = backfill, run_in_background(run, backfill.run_id)
            return backfill

    def run(self, plan: Plan, origin: str, settings: Settings | None = None) -> Backfill:
        """Start a backfill as `start` does, wait for its end and return it."""
        backfill = self.start(plan, origin, settings)
        _, task = self._newest[plan.request.target]
        task.wait()
        return backfill

    def current(self, target: str = DEFAULT_TARGET) -> Backfill | None:
        """Return the backfill of this process that runs on this target, or None."""
        backfill, task = self._newest.get(target, (None, None))
        return backfill if task is not None and not task.done() else None

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of each running backfill, at most `seconds` for each."""
        for _, task in list(self._newest.values()):
            task.wait(seconds)
