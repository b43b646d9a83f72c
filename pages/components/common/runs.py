"""The server's runs and their history, the same for all of its sessions."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.components.common.target import target
from pipeline.core.settings.settings import load_settings
from pipeline.runs.backfill import Backfill
from pipeline.runs.history import History
from pipeline.runs.jobs import Jobs
from pipeline.runs.locks import find_running_run
from pipeline.runs.plan import Plan
from pipeline.runs.run_records import Run, RunFile
from pipeline.runs.schedule.scheduler import Scheduler
from pipeline.warehouse.registry import target_names


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the background jobs of this server."""
    return Jobs(load_settings())


@st.cache_resource(show_spinner=False, on_release=Scheduler.stop)
def scheduler() -> Scheduler:
    """Return the scheduler of this server; the first call lets it fire in the background."""
    background = jobs()

    def run(plan: Plan, origin: str) -> Backfill:
        return background.run(plan, origin, load_settings())

    started = Scheduler(load_settings(), run)
    started.start_when_free()
    return started


def history() -> History:
    """Return the run history."""
    return History(load_settings().history_path)


def files_of(run: Run) -> list[RunFile]:
    """Return the files of a run; cached once the run has ended."""
    return (
        history().files(run.run_id)
        if run.state == "running"
        else _ended_files(run.run_id, run.state)
    )


@st.cache_resource(max_entries=500, show_spinner=False)
def _ended_files(run_id: str, state: str) -> list[RunFile]:  # noqa: ARG001  part of the key
    return history().files(run_id)


@dataclass(frozen=True)
class Activity:
    """What runs now, and what ran last.

    Attributes:
        run: The run that is running in the warehouse of the pages, in any process.
        backfill: The same run, if it is in this process.
        files: The files of that run, also those that its plan left out.
        ended: The newest run of this warehouse that has ended, removals of the sample aside.
        elsewhere: The run that is running in the other warehouse.
        newest: The newest run that has ended, which may be a removal.
    """

    run: Run | None
    backfill: Backfill | None
    files: tuple[RunFile, ...]
    ended: Run | None
    elsewhere: Run | None = None
    newest: Run | None = None

    @property
    def to_load(self) -> int:
        """The number of files that the running run loads: what its button said."""
        return sum(not file.is_left_out for file in self.files)

    @property
    def finished(self) -> int:
        """The number of those files that are finished."""
        done = [file for file in self.files if file.state not in ("queued", "running")]
        return sum(not file.is_left_out for file in done)

    @property
    def mark(self) -> tuple[str, ...]:
        """A value that changes when a run starts or ends."""
        newest = self.newest or self.ended
        ids = (self.run.run_id if self.run else "", newest.run_id if newest else "")
        return (*ids, newest.state if newest else "")


def read_activity() -> Activity:
    """Return what runs now, and what ran last."""
    backfill = jobs().current(target())
    settings = load_settings()
    run = find_running_run(target(), settings)
    others = (find_running_run(name, settings) for name in target_names() if name != target())
    elsewhere = next(filter(None, others), None)
    runs = [r for r in history().runs(10, target()) if r.state != "running"]
    newest = next(iter(runs), None)
    ended = next((r for r in runs if not r.is_removal), None)
    if run is None:
        return Activity(None, None, (), ended, elsewhere, newest)
    ours = backfill if backfill is not None and backfill.run_id == run.run_id else None
    return Activity(run, ours, tuple(files_of(run)), ended, elsewhere, newest)
