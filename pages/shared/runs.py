"""Who does the runs, one for all sessions of the server, and what is kept of them."""

from __future__ import annotations

import streamlit as st

from pipeline.history import History
from pipeline.jobs import Jobs
from pipeline.run_records import Run, RunFile
from pipeline.schedule.scheduler import Scheduler
from pipeline.settings import load_settings


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the server's background jobs, the same for every session."""
    return Jobs(load_settings())


@st.cache_resource(show_spinner=False, on_release=Scheduler.stop)
def scheduler() -> Scheduler:
    """Return the server's scheduler, which fires from the server's start on."""
    work = jobs()
    made = Scheduler(load_settings(), lambda plan, origin: work.run(plan, origin, load_settings()))
    made.start_when_free()
    return made


def history() -> History:
    """Return the run history."""
    return History(load_settings().history_path)


def files_of(run: Run) -> list[RunFile]:
    """Return the files of a run; those of a run that has ended are read once."""
    return (
        history().files(run.run_id)
        if run.state == "running"
        else _ended_files(run.run_id, run.state)
    )


@st.cache_resource(max_entries=500, show_spinner=False)
def _ended_files(run_id: str, state: str) -> list[RunFile]:  # noqa: ARG001  part of the key
    return history().files(run_id)
