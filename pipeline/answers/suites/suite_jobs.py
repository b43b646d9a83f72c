"""Run question sets in the background of the app: one at a time, shared by all sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.answers.suites.evaluation import run_suite
from pipeline.answers.suites.suite_runs import SuiteRun
from pipeline.core.cancel import Cancel
from pipeline.core.errors import UsageError
from pipeline.core.settings.settings import Settings
from pipeline.core.tasks import Task


@dataclass(frozen=True)
class SuiteJob:
    """A run and the task that runs it; the task's progress says what the run waits for."""

    run: SuiteRun
    task: Task[SuiteRun, str]


class SuiteJobs:
    """The suite job of one server process: one at a time, because all share one quota.

    It goes on when the session that started it ends. When the process ends, the run can be resumed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: SuiteJob | None = None

    def newest(self) -> SuiteJob | None:
        """Return the newest job, running or ended; None before the first."""
        return self._newest

    def running(self) -> SuiteJob | None:
        """Return the job that runs, or None."""
        return self._newest if self._newest and not self._newest.task.done() else None

    def start(self, run: SuiteRun, settings: Settings, calls_a_minute: float) -> SuiteJob:
        """Start or resume a run; raises UsageError while another one runs."""

        def work(cancel: Cancel, report: Callable[[str], None]) -> SuiteRun:
            return run_suite(
                run,
                settings,
                cancel,
                calls_a_minute=calls_a_minute,
                on_answer=lambda *_: report(""),
                on_wait=lambda why, left: report(f"{why} The next call in {left:.0f} s."),
            )

        with self._lock:
            if running := self.running():
                raise UsageError(
                    f"The suite run {running.run.run_id} is running.",
                    cure="Wait for it, or stop it.",
                )
            self._newest = SuiteJob(run, Task(work, "suite"))
            return self._newest
