"""Runs of question sets in the background of the app: started, watched and stopped from any tab."""

from __future__ import annotations

import threading

from pipeline.answers.evaluation import run_suite
from pipeline.answers.suite_runs import SuiteRun
from pipeline.cancel import Cancel
from pipeline.errors import FaregroundError, UsageError
from pipeline.settings import Settings


class SuiteJob:
    """One run on its way. `waiting` says what it waits for, `error` what kept it from running."""

    def __init__(self, run: SuiteRun, settings: Settings, calls_a_minute: float) -> None:
        self.run = run
        self.cancel = Cancel()
        self.waiting = ""
        self.error: FaregroundError | None = None
        self.done = threading.Event()
        arguments = (settings, calls_a_minute)
        # A daemon: a server that stops leaves the run to be gone on with, every answer kept.
        threading.Thread(target=self._work, args=arguments, name="suite", daemon=True).start()

    def _work(self, settings: Settings, calls_a_minute: float) -> None:
        try:
            run_suite(
                self.run,
                settings,
                self.cancel,
                calls_a_minute=calls_a_minute,
                on_answer=lambda *_: self._note(""),
                on_wait=lambda why, left: self._note(f"{why} The next call in {left:.0f} s."),
            )
        except FaregroundError as error:
            self.error = error
        finally:
            self.waiting = ""
            self.done.set()

    def _note(self, waiting: str) -> None:
        self.waiting = waiting


class SuiteJobs:
    """The server's suite job: one at a time, because they would share one quota."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: SuiteJob | None = None

    def current(self) -> SuiteJob | None:
        """Return the newest job, ended or not; None before the first."""
        return self._job

    def start(self, run: SuiteRun, settings: Settings, calls_a_minute: float) -> SuiteJob:
        """Begin or go on with a run; raise UsageError while another one is on."""
        with self._lock:
            if self._job and not self._job.done.is_set():
                raise UsageError(
                    f"The suite run {self._job.run.run_id} is on.", cure="Wait for it, or stop it."
                )
            self._job = SuiteJob(run, settings, calls_a_minute)
            return self._job
